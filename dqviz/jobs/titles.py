"""A job in a few words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dqviz.specs import FULL_PRECISION, ExperimentSpec
from dqviz.studies.selection import in_levels


def title_of(specs: Sequence[ExperimentSpec]) -> str:
    """What several specifications have in common, or differ in: networks, bits, attack, images."""
    networks = _some(spec.model.label for spec in specs)
    bits = _some(_bits(spec) for spec in specs if _bits(spec)) or "full precision"
    attacks = _some(spec.attack.name.upper().replace("_", "-") for spec in specs)
    epsilons = sorted({epsilon for spec in specs for epsilon in spec.attack.epsilons})
    ends = list(dict.fromkeys(in_levels(epsilon) for epsilon in (epsilons[0], epsilons[-1])))
    images = _some(str(spec.data.n_samples or "all") for spec in specs)
    return f"{networks}, {bits}, {attacks} {' to '.join(ends)}, {images} images"


def _bits(spec: ExperimentSpec) -> str:
    widths = (("W", spec.quant.weight_bits), ("A", spec.quant.act_bits))
    return " ".join(f"{letter}{width}" for letter, width in widths if width < FULL_PRECISION)


def _some(texts: Iterable[str]) -> str:
    """The different ones, or the first two and how many more there are."""
    found = list(dict.fromkeys(texts))
    more = f" and {len(found) - 2} more" if len(found) > 3 else ""
    return ", ".join(found[:2] if more else found) + more
