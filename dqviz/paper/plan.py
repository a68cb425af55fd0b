"""What is computed: the specifications of every experiment, for the networks that there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from dqviz.specs import AttackSpec, Craft, DataSpec, ExperimentSpec, ModelSpec

from .networks import FULL, VANILLA, Network, at_bits, pairs

EPSILONS = (0.25 / 255, 0.5 / 255, 1 / 255, 2 / 255)
SMALL, HEADLINE = 0.25 / 255, 1 / 255
BLACK_BOX = 2 / 255
STEPS = 10
QUERIES = 200
ATTACKS = ("fgsm", "rfgsm", "bim", "pgd")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How many images each experiment takes, and which parts are computed."""

    robust: int
    strongest: int
    amplification: int
    black_box: int
    trust: int
    attacks: tuple[str, ...] = ATTACKS
    epsilons: tuple[float, ...] = EPSILONS


WHOLE = Size(robust=256, strongest=128, amplification=128, black_box=128, trust=64)
QUICK = Size(
    robust=48,
    strongest=0,
    amplification=32,
    black_box=0,
    trust=0,
    attacks=("pgd",),
    epsilons=(HEADLINE,),
)
"""Few images and the attack of the verdicts alone: to see that everything runs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One result that is wanted: for which experiment, of which network."""

    experiment: str
    network: Network
    spec: ExperimentSpec
    label: str = ""


ROBUST, STRONGEST, AMPLIFICATION = "robust", "strongest", "amplification"
TRANSFER, SQUARE, TRUST = "transfer", "square", "trust"


def plan(networks: Sequence[Network], size: Size) -> list[Part]:
    """Every result that the experiments need, without repetition, network by network."""
    clean = [n for n in networks if n.training == FULL or at_bits(n.training) is not None]
    found: list[Part] = []
    for network in clean:
        found += _of_network(network, size)
    if size.black_box:
        for network in (n for n in clean if n.training != FULL):
            found += _black_box(network, clean, size)
    return found


def _of_network(network: Network, size: Size) -> Iterator[Part]:
    for attack in size.attacks:
        spec = AttackSpec(name=attack, epsilons=size.epsilons, steps=STEPS)
        yield _part(ROBUST, network, "accuracy", spec, size.robust, label=attack)
    yield _part(
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
        yield _part(STRONGEST, network, "accuracy", strongest, size.strongest)
    if network.seed == 0 and size.trust and network.training != FULL:
        spec = AttackSpec(name="pgd", epsilons=(HEADLINE,), steps=STEPS)
        yield _part(TRUST, network, "masking", spec, size.trust)


def _black_box(network: Network, found: Sequence[Network], size: Size) -> Iterator[Part]:
    """Transfer from the family's vanilla network at full precision, and Square."""
    pgd = AttackSpec(name="pgd", epsilons=(BLACK_BOX,), steps=STEPS)
    full = [n for n in found if (n.method, n.training) == (VANILLA, FULL)]
    for _, source in pairs([network, *full], (network.method, network.training), (VANILLA, FULL)):
        craft = Craft(model=ModelSpec(id=source.id), quant=source.quant)
        yield _part(TRANSFER, network, "accuracy", pgd, size.robust, crafted_on=craft)
    if network.seed == 0:
        square = AttackSpec(name="square", epsilons=(BLACK_BOX,), queries=QUERIES)
        yield _part(SQUARE, network, "accuracy", square, size.black_box)


def _part(
    experiment: str,
    network: Network,
    kind: str,
    attack: AttackSpec,
    n_samples: int,
    *,
    label: str = "",
    crafted_on: Craft | None = None,
    controls: bool = False,
    details: bool = False,
) -> Part:
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
    )
    return Part(experiment=experiment, network=network, spec=spec, label=label)
