"""In what the attacks of experiments take their gradients, and how provenance names it."""

from __future__ import annotations

from dqviz.attacks.arithmetic import Arithmetic, in_words, own_arithmetic
from dqviz.attacks.fast import fast_arithmetic
from dqviz.specs import FAST_KINDS, Craft, ExperimentSpec

PRECISION = "float32, channels last"
"""The arithmetic of every experiment off the fast path; see `Workbench.subject`."""


def is_fast(spec: ExperimentSpec) -> bool:
    """Whether the attack of an experiment may take the fast path."""
    return spec.fast and spec.kind in FAST_KINDS


def arithmetic_for(craft_spec: Craft, *, fast: bool) -> Arithmetic:
    """In what the gradients of a network are computed: as always, or as is fastest here."""
    return fast_arithmetic(craft_spec.quant) if fast else own_arithmetic()


def precision_of(spec: ExperimentSpec) -> str:
    """The arithmetic of an experiment in words, for its provenance."""
    own = Craft(model=spec.model, quant=spec.quant)
    arithmetic = arithmetic_for(spec.crafted_on or own, fast=is_fast(spec))
    usual = arithmetic == own_arithmetic() or spec.attack.name == "square"  # which takes none
    return PRECISION if usual else in_words(arithmetic)
