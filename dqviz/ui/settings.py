"""What the sidebar says, as one frozen value, and what each of its choices may be.

Nothing here draws: the same options serve the widgets, the check of a link's values and the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dqviz.specs import ATTACKS, ESTIMATORS, FULL_PRECISION, LOSSES, RANGES, ModelSpec

WEIGHT_BITS = (FULL_PRECISION, 8, 7, 6, 5, 4, 3, 2)
ACT_BITS = (*WEIGHT_BITS, 1)
EPSILONS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""The slider's epsilons, in grey levels: 1 stands for 1/255."""
SAMPLES = (16, 32, 64, 128, 256, 512)
STEPS = (5, 10, 20, 40, 100)
QUERIES = (100, 200, 500, 1000, 2000, 5000)
CRAFTED = ("each network", "first network")
MEASURES = {
    "Distance": "relative_distance",
    "Centred": "relative_distance_centred",
    "Amplification": "amplification",
}
ELEMENTS = {"All elements": "all", "At zero": "zero", "Inside": "inside", "Clipped": "clipped"}
"""What the Amplification page can show, by its label: a metric, a class of elements."""
PLAY_HELP = "From epsilon to epsilon by itself. FGSM alone is computed at all of them."
MAX_NETWORKS = 4
MAX_SEED = 9999

ATTACK_NAMES = {
    "fgsm": "FGSM",
    "rfgsm": "R+FGSM",
    "bim": "BIM",
    "pgd": "PGD",
    "mifgsm": "MI-FGSM",
    "apgd_ce": "APGD-CE",
    "apgd_dlr": "APGD-DLR",
    "square": "Square",
    "standard": "Standard ensemble",
}
ITERATED = ("bim", "pgd", "mifgsm", "apgd_ce", "apgd_dlr", "standard")
"""The attacks that take steps."""
QUERYING = ("square", "standard")
"""The attacks that take queries."""
RAISING = ("fgsm", "rfgsm", "bim", "pgd", "mifgsm")
"""The attacks that raise the loss that is chosen; the others have their own."""

ATTACK_WORDS = {
    "fgsm": "One step along the sign of the gradient: quick and weak.",
    "rfgsm": "A random step before FGSM's.",
    "bim": "Many small steps of FGSM.",
    "pgd": "BIM from a random start.",
    "mifgsm": "BIM with momentum.",
    "apgd_ce": "PGD that chooses its step sizes itself, on the cross-entropy.",
    "apgd_dlr": "The same on a loss that the scale of the logits does not change.",
    "square": "Random squares, without any gradient: it asks for logits only.",
    "standard": "Three attacks, each on the images that still stand: APGD on the cross-entropy, "
    "targeted APGD on the logit ratio, Square. The strongest here, and the slowest.",
}
"""What each attack does."""

ESTIMATOR_WORDS = {
    "identity": "Rounding is passed as if it did nothing: right where activations seldom leave the "
    "quantizer's range.",
    "clipped": "As identity within the range, and flat beyond it, as the quantizer is: right to "
    "begin with.",
    "unquantized": "Backward through the same network at full precision: right where few bits "
    "leave the other gradients too coarse.",
    "none": "True rounding: no gradient at all. Right only to see how an attack that forgets this "
    "makes a network look robust.",
}
"""What each gradient through rounding does, and when it is right."""
SQUEEZES: Mapping[str, tuple[int | None, int | None]] = {
    "none": (None, None),
    "5 bits": (5, None),
    "4 bits": (4, None),
    "1 bit": (1, None),
    "median 2": (None, 2),
    "median 3": (None, 3),
    "5 bits, median 2": (5, 2),
}
"""Feature squeezing before every network, by its label: bits of a pixel, side of the median."""
BUILT_IN_DATA = ("streetdigits", "cifar10", "svhn")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every choice of the sidebar.

    `epsilon` is in pixel units, `levels` those of its slider in grey levels; `uploads` are this
    visitor's.
    """

    networks: tuple[str, ...]
    data: str = "streetdigits"
    n_samples: int = 64
    weight_bits: int = 8
    act_bits: int = 4
    attack: str = "fgsm"
    epsilon: float = 1 / 255
    seed: int = 0
    steps: int = 10
    queries: int = 500
    loss: str = "cross_entropy"
    ranges: str = "percentile"
    estimator: str = "clipped"
    crafted: str = CRAFTED[0]
    fast: bool = True
    squeeze: str = "none"
    levels: tuple[float, ...] = EPSILONS
    uploads: tuple[tuple[str, ModelSpec], ...] = ()

    def model(self, name: str) -> ModelSpec:
        """The network of that name, squeezed: an upload of this session, else a shipped one."""
        bits, median = SQUEEZES[self.squeeze]
        model = dict(self.uploads).get(name) or ModelSpec(id=name)
        return replace(model, squeeze_bits=bits, squeeze_median=median)

    @property
    def epsilons(self) -> tuple[float, ...]:
        """The epsilons computed together, in pixel units: for FGSM all, since it costs little."""
        levels = tuple(level / 255 for level in self.levels)
        return levels if self.attack == "fgsm" else (self.epsilon,)


MAX_SAMPLES, MAX_LEVEL = 5000, 255.0
"""The largest number of images, and the largest epsilon in grey levels, that a link may ask for."""


def with_linked(options: tuple[Any, ...], text: str, kind: type, most: float) -> tuple[Any, ...]:
    """A slider's options, and the value that a link asks for among them if it can be had.

    `text` is what the address bar says: a number, which may be followed by `/255`.
    """
    number = text.removesuffix("/255")
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", number) or (kind is int and "." in number):
        return options
    value = kind(number)
    return tuple(sorted({*options, value})) if 0 < value <= most else options


def epsilon_text(levels: float) -> str:
    """An epsilon as people write it: 0.5 gives '0.5/255'."""
    return f"{levels:g}/255"


def bits_text(bits: int) -> str:
    """A bit-width as written on a chart: '4 bit', or 'full precision'."""
    return "full precision" if bits == FULL_PRECISION else f"{bits} bit"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One name in the address bar: what it sets, the values it takes, and how to say so.

    It may stand there `most` times with different values.
    """

    label: str
    allows: Callable[[str], bool]
    hint: str
    most: int = 1


def choice(label: str, options: tuple[str, ...], *, most: int = 1) -> Parameter:
    """A parameter that takes one of the given texts, or several."""
    hint = ", ".join(options) if len(options) <= 12 else f"{options[0]} ... {options[-1]}"
    return Parameter(label=label, allows=options.__contains__, hint=hint, most=most)


SWITCH = ("true", "false")
"""What a toggle's name in the address bar may be set to."""


def whole(label: str, low: int, high: int) -> Parameter:
    """A parameter that takes a whole number between low and high, both included."""

    def allows(text: str) -> bool:
        return text.removeprefix("-").isdecimal() and low <= int(text) <= high

    return Parameter(label=label, allows=allows, hint=f"{low} to {high}")


def sidebar_parameters(
    networks: tuple[str, ...],
    data: tuple[str, ...],
    *,
    samples: tuple[int, ...] = SAMPLES,
    levels: tuple[float, ...] = EPSILONS,
) -> dict[str, Parameter]:
    """The sidebar's names in the address bar, given what there is to choose from."""
    return {
        "net": choice("networks", networks, most=MAX_NETWORKS),
        "data": choice("data", data),
        "n": choice("images", tuple(map(str, samples))),
        "wbits": choice("weight bits", tuple(map(str, WEIGHT_BITS))),
        "abits": choice("activation bits", tuple(map(str, ACT_BITS))),
        "attack": choice("attack", tuple(ATTACK_NAMES[name] for name in ATTACKS)),
        "eps": choice("epsilon", tuple(map(epsilon_text, levels))),
        "seed": whole("seed", 0, MAX_SEED),
        "steps": choice("steps", tuple(map(str, STEPS))),
        "queries": choice("queries", tuple(map(str, QUERIES))),
        "loss": choice("loss", LOSSES),
        "ranges": choice("ranges", RANGES),
        "ste": choice("gradient", ESTIMATORS),
        "crafted": choice("crafted on", CRAFTED),
        "fast": choice("fast gradients", SWITCH),
        "squeeze": choice("feature squeezing", tuple(SQUEEZES)),
    }


def ignored_values(
    query: Mapping[str, list[str]], parameters: Mapping[str, Parameter], others: frozenset[str]
) -> tuple[str, ...]:
    """What a link asks for that cannot be had, one text each: `abits=17 (activation bits: 32, 8)`.

    `others` are names that belong to single pages and are checked there.
    """
    found: list[str] = []
    for name, values in query.items():
        if name in others:
            continue
        parameter = parameters.get(name)
        if parameter is None:
            found.append(f"`{_harmless(name)}` (unknown)")
            continue
        found += [
            f"`{name}={_harmless(value)}` ({why})" for value, why in _wrong(values, parameter)
        ]
    return tuple(found)


def _wrong(values: list[str], parameter: Parameter) -> list[tuple[str, str]]:
    """Those of a parameter's values that cannot be had, and why."""
    unknown = f"{parameter.label}: {parameter.hint}"
    if parameter.most == 1:
        wrong = values if len(values) > 1 or not parameter.allows(values[0]) else []
        return [(value, unknown) for value in wrong]
    known = [value for value in values if parameter.allows(value)]
    # `net=` means that none is chosen
    wrong = [value for value in values if value and value not in known]
    surplus = f"{parameter.label}: at most {parameter.most}"
    return [(v, unknown) for v in wrong] + [(v, surplus) for v in known[parameter.most :]]


def _harmless(text: str) -> str:
    """A text from the address bar, short and without anything that Markdown acts on."""
    return re.sub(r"[^\w./:+% -]", "?", text[:60])
