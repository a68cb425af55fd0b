"""What is computed: the specifications of every experiment, for the networks that there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from dqviz.specs import AttackSpec, Craft, DataSpec, ExperimentSpec, ModelSpec

from .networks import FULL, VANILLA, Network, at_bits, attacked_at_bits

EPSILONS = (0.25 / 255, 0.5 / 255, 1 / 255, 2 / 255)
SMALL, HEADLINE = 0.25 / 255, 1 / 255
BLACK_BOX = 2 / 255
STEPS = 10
QUERIES = 150
ATTACKS = ("fgsm", "rfgsm", "bim", "pgd")
VERDICTS_ATTACK = "pgd"
"""The attack that verdicts rest on: the only one for other seeds than the first."""
ATTACKED_AT = 4 / 255
"""At which networks trained on attacked images are attacked: that of their training."""
SQUEEZE_BITS, SQUEEZE_MEDIAN = 5, 2
"""Feature squeezing as its authors choose for CIFAR-10 (arXiv 1704.01155), less their denoiser."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How many images each experiment takes, and which parts are computed."""

    robust: int
    strongest: int
    amplification: int
    black_box: int
    trust: int
    beside: int
    """What else is compared: feature squeezing, adversarial training, natural corruptions."""
    graded: int
    """The beta series, whose networks differ little."""
    seeds: bool = True
    """Whether networks of other seeds than the first are asked too."""
    attacks: tuple[str, ...] = ATTACKS
    epsilons: tuple[float, ...] = EPSILONS


WHOLE = Size(
    robust=128,
    strongest=128,
    amplification=128,
    black_box=128,
    trust=64,
    beside=128,
    graded=512,
)
QUICK = Size(
    robust=48,
    strongest=0,
    amplification=32,
    black_box=0,
    trust=0,
    beside=0,
    graded=0,
    seeds=False,
    attacks=(VERDICTS_ATTACK,),
    epsilons=(HEADLINE,),
)
"""Few images, one seed, the verdicts' attack alone: to see that everything runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One result that is wanted: for which experiment, of which network."""

    experiment: str
    network: Network
    spec: ExperimentSpec
    label: str = ""


ROBUST, STRONGEST, AMPLIFICATION = "robust", "strongest", "amplification"
TRANSFER, SQUARE, TRUST = "transfer", "square", "trust"
OTHER_BITS = "other bits"
"""The label of a transfer from another bit-width."""
SQUEEZED, ADVERSARIAL, CORRUPTED = "squeezed", "adversarial", "corrupted"


def plan(networks: Sequence[Network], size: Size) -> list[Part]:
    """Every result that the experiments need, without repetition, network by network.

    Nothing is asked of families that were trained at full precision only: no claim speaks of them.
    """
    quantized = {n.family for n in networks if n.training != FULL}
    networks = [n for n in networks if n.family in quantized and (size.seeds or n.seed == 0)]
    clean = [n for n in networks if n.training == FULL or at_bits(n.training) is not None]
    found: list[Part] = []
    for network in clean:
        found += _of_network(network, size)
    if size.black_box:
        for network in (n for n in clean if n.training != FULL):
            found += _black_box(network, clean, size)
    if size.beside:
        for network in networks:
            found += _beside(network, size)
    return found


def _of_network(network: Network, size: Size) -> Iterator[Part]:
    for attack in size.attacks if network.seed == 0 else (VERDICTS_ATTACK,):
        spec = AttackSpec(name=attack, epsilons=size.epsilons, steps=STEPS)
        yield make_part(ROBUST, network, "accuracy", spec, size.robust, label=attack)
    yield make_part(
        AMPLIFICATION,
        network,
        "amplification",
        AttackSpec(name="fgsm", epsilons=(SMALL, HEADLINE)),
        size.amplification,
        controls=True,
        details=network.training != FULL,
    )
    if network.seed == 0 and size.strongest:
        strongest = AttackSpec(name="standard", epsilons=(HEADLINE,), steps=STEPS, queries=QUERIES)
        yield make_part(STRONGEST, network, "accuracy", strongest, size.strongest)
    if size.trust and (network.training != FULL or network.method == VANILLA):
        yield _trust(network, HEADLINE, size)


def _black_box(network: Network, found: Sequence[Network], size: Size) -> Iterator[Part]:
    """Transfer from full precision and from another bit-width, and Square."""
    pgd = AttackSpec(name="pgd", epsilons=(BLACK_BOX,), steps=STEPS)
    sources = {"": _stranger(network, found), OTHER_BITS: _other_bits(network, found)}
    for label, source in sources.items():
        if source is not None:
            craft = Craft(model=ModelSpec(id=source.id), quant=source.quant)
            part = make_part(TRANSFER, network, "accuracy", pgd, size.robust, crafted_on=craft)
            yield dataclasses.replace(part, label=label)
    if network.seed == 0:
        square = AttackSpec(name="square", epsilons=(BLACK_BOX,), queries=QUERIES)
        yield make_part(SQUARE, network, "accuracy", square, size.black_box)


def _stranger(network: Network, found: Sequence[Network]) -> Network | None:
    """The family's vanilla network at full precision, of another seed where there is one.

    One of the same seed is what the vanilla networks of fewer bits were trained on from, so that
    perturbations crafted on it suit them better than others.
    """
    kind = (network.family, VANILLA, FULL)
    family = [n for n in found if (n.family, n.method, n.training) == kind]
    return min(family, key=lambda n: (n.seed == network.seed, n.seed), default=None)


def _other_bits(network: Network, found: Sequence[Network]) -> Network | None:
    """The network that was trained alike, but with the fewest other activation bits."""
    kind = (network.family, network.method, network.seed)
    others = [
        n
        for n in found
        if (n.family, n.method, n.seed) == kind and n.training not in (FULL, network.training)
    ]
    return min(others, key=lambda n: n.bits, default=None)


def _beside(network: Network, size: Size) -> Iterator[Part]:
    """What Defensive Quantization is compared with, and corruptions that nobody has aimed."""
    if attacked_at_bits(network.training) is not None:
        spec = AttackSpec(name="pgd", epsilons=(ATTACKED_AT,), steps=STEPS)
        yield make_part(ADVERSARIAL, network, "accuracy", spec, size.beside)
        yield _trust(network, ATTACKED_AT, size)
    elif network.seed == 0 and network.training != FULL:
        nothing = AttackSpec()
        yield make_part(CORRUPTED, network, "corruptions", nothing, size.beside)
        if network.method == VANILLA:
            spec = AttackSpec(name="pgd", epsilons=(HEADLINE,), steps=STEPS)
            part = make_part(SQUEEZED, network, "accuracy", spec, size.beside)
            model = dataclasses.replace(
                part.spec.model, squeeze_bits=SQUEEZE_BITS, squeeze_median=SQUEEZE_MEDIAN
            )
            squeezed = dataclasses.replace(part.spec, model=model)
            yield dataclasses.replace(part, spec=squeezed)


def _trust(network: Network, epsilon: float, size: Size) -> Part:
    """The masking checks of the attack that verdicts on this network rest on."""
    spec = AttackSpec(name=VERDICTS_ATTACK, epsilons=(epsilon,), steps=STEPS, queries=QUERIES)
    return make_part(TRUST, network, "masking", spec, size.trust)


def make_part(
    experiment: str,
    network: Network,
    kind: str,
    attack: AttackSpec,
    n_samples: int | None,
    *,
    label: str = "",
    crafted_on: Craft | None = None,
    controls: bool = False,
    details: bool = False,
) -> Part:
    """A part on the network as it was trained, the same numbers on every machine.

    `n_samples` None takes all test images; `kind` and the rest are those of `ExperimentSpec`.
    """
    spec = ExperimentSpec(
        kind=kind,
        model=ModelSpec(id=network.id),
        data=DataSpec(name=network.dataset, n_samples=n_samples),
        quant=network.quant,
        attack=attack,
        crafted_on=crafted_on,
        controls=controls,
        details=details,
        fast=False,
        rounded=False,
    )
    return Part(experiment=experiment, network=network, spec=spec, label=label)
