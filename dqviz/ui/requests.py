"""From the sidebar's state to the specifications that a page asks the engine for."""

from __future__ import annotations

from pathlib import Path

from dqviz.specs import (
    FULL_PRECISION,
    AttackSpec,
    Craft,
    DataSpec,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
)
from dqviz.ui.choices import resolve_data
from dqviz.ui.settings import CRAFTED, QUERYING, RAISING, SAMPLES, Settings

HEAT_BITS = (FULL_PRECISION, 8, 6, 5, 4, 3, 2)
"""The bit-widths that the heat map shows."""


def data_spec(settings: Settings, n_samples: int | None = None) -> DataSpec:
    """The images that the sidebar names, as many as it says or as asked for."""
    return DataSpec(
        name=resolve_data(settings.data),
        n_samples=n_samples or settings.n_samples,
        seed=settings.seed,
    )


def quant_spec(settings: Settings, weight_bits: int, act_bits: int) -> QuantSpec:
    """The quantization at these bits, the rest as the sidebar says."""
    return QuantSpec(
        weight_bits=weight_bits,
        act_bits=act_bits,
        ranges=settings.ranges,
        estimator=settings.estimator,
    )


def attack_spec(settings: Settings, *, one: bool = False, name: str | None = None) -> AttackSpec:
    """The attack, or another of that name. FGSM takes all epsilons of the slider at once.

    `one` takes the sidebar's alone. Queries and the loss stand in it only where they matter, so
    that choosing others asks for nothing new otherwise.
    """
    name = name or settings.attack
    return AttackSpec(
        name=name,
        epsilons=(settings.epsilon,) if one else settings.epsilons,
        steps=settings.steps,
        seed=settings.seed,
        loss=settings.loss if name in RAISING else AttackSpec.loss,
        queries=settings.queries if name in QUERYING else AttackSpec.queries,
    )


def bit_pairs(settings: Settings) -> tuple[tuple[int, int], ...]:
    """The bits of the sidebar, then full precision to compare with."""
    chosen = (settings.weight_bits, settings.act_bits)
    full = (FULL_PRECISION, FULL_PRECISION)
    return (chosen, full) if chosen != full else (full,)


def amplification(
    settings: Settings, *, controls: bool = False, details: bool = False
) -> list[ExperimentSpec]:
    """Each network compared at the sidebar's bits, then at full precision.

    `details`, the contribution of flips, is asked for at the sidebar's epsilon alone; see `ahead`
    for the others.
    """
    return [
        _amplification(settings, name, weight_bits, act_bits, controls=controls, details=details)
        for weight_bits, act_bits in bit_pairs(settings)
        for name in settings.networks
        if not (details and act_bits == FULL_PRECISION)
    ]


def heat_map(settings: Settings, network: str, *, weights: bool) -> list[ExperimentSpec]:
    """One network over all weight bits, or all activation bits; the others at the sidebar's."""
    pairs = [
        (bits, settings.act_bits) if weights else (settings.weight_bits, bits) for bits in HEAT_BITS
    ]
    return [_amplification(settings, network, *pair) for pair in pairs]


def _amplification(
    settings: Settings,
    name: str,
    weight_bits: int,
    act_bits: int,
    *,
    controls: bool = False,
    details: bool = False,
) -> ExperimentSpec:
    return ExperimentSpec(
        kind="amplification",
        model=settings.model(name),
        data=data_spec(settings),
        quant=quant_spec(settings, weight_bits, act_bits),
        attack=attack_spec(settings, one=details),
        crafted_on=crafted_on(settings),
        controls=controls,
        details=details,
    )


def crafted_on(settings: Settings) -> Craft | None:
    """What perturbations are crafted on; None for the very network that is measured."""
    if settings.crafted == CRAFTED[0]:
        return None
    return Craft(model=_first(settings), quant=QuantSpec())


def _first(settings: Settings) -> ModelSpec:
    return settings.model(settings.networks[0])


def lipschitz(settings: Settings) -> list[ExperimentSpec]:
    """The constants of each network compared, with the network's bounds."""
    return [
        ExperimentSpec(
            kind="lipschitz",
            model=settings.model(name),
            data=data_spec(settings),
            quant=quant_spec(settings, settings.weight_bits, settings.act_bits),
            attack=attack_spec(settings),
            crafted_on=crafted_on(settings),
            details=True,
        )
        for name in settings.networks
    ]


def masking(settings: Settings, network: str) -> list[ExperimentSpec]:
    """The checks of the sidebar's attack on one network, at the sidebar's bits and epsilon."""
    return [
        ExperimentSpec(
            kind="masking",
            model=settings.model(network),
            data=data_spec(settings),
            quant=quant_spec(settings, settings.weight_bits, settings.act_bits),
            attack=attack_spec(settings, one=True),
            fast=settings.fast,
        )
    ]


def playground(
    settings: Settings, *, sample: int, layers: tuple[str, ...], image: Path | None
) -> list[ExperimentSpec]:
    """One image through each network compared, at the sidebar's bits and at full precision.

    `sample` counts through the most images that the sidebar offers, however many it says.
    """
    return [
        ExperimentSpec(
            kind="playground",
            model=settings.model(name),
            data=data_spec(settings, SAMPLES[-1]),
            quant=quant_spec(settings, weight_bits, act_bits),
            attack=attack_spec(settings),
            crafted_on=crafted_on(settings),
            sample=sample,
            layers=layers,
            image=str(image) if image else None,
        )
        for name in settings.networks
        for weight_bits, act_bits in bit_pairs(settings)
    ]
