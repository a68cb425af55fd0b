"""From the sidebar's state to the specifications that the page Robustness asks for.

What two views need is the same specification in both, so that it is computed once.
"""

from __future__ import annotations

import dataclasses

from dqviz.specs import (
    ESTIMATORS,
    FULL_PRECISION,
    AttackSpec,
    Craft,
    ExperimentSpec,
    QuantSpec,
)
from dqviz.ui.requests import HEAT_BITS, attack_spec, bit_pairs, crafted_on, data_spec, quant_spec
from dqviz.ui.settings import ITERATED, Settings

CURVE = (0.25 / 255, 0.5 / 255, 1 / 255, 2 / 255, 4 / 255)
"""The epsilons of a curve under an attack that takes many steps, in pixel units."""

TRANSFER_BITS = (FULL_PRECISION, 8, 6, 4, 3)
"""The bit-widths between which perturbations are carried over."""

ENSEMBLE = "standard"
SEARCH = "pgd"
"""Looks for the smallest epsilons where the sidebar names an attack of one step."""


def against_epsilon(settings: Settings) -> list[ExperimentSpec]:
    """Each network at the sidebar's bits and at full precision, at several epsilons each."""
    attack = attack_spec(settings)
    if settings.attack != "fgsm":
        attack = dataclasses.replace(attack, epsilons=CURVE)
    return _compared(settings, attack)


def compared(settings: Settings) -> list[ExperimentSpec]:
    """The same networks at the sidebar's epsilon; under FGSM at all epsilons, which costs little.

    Under FGSM these are the specifications of `against_epsilon`.
    """
    return _compared(settings, attack_spec(settings))


def ensemble(settings: Settings) -> list[ExperimentSpec]:
    """The same networks under the three attacks of the ensemble, at the sidebar's epsilon.

    Each is attacked itself: what broke an image elsewhere says nothing of this network.
    """
    attack = attack_spec(settings, one=True, name=ENSEMBLE)
    return [dataclasses.replace(spec, crafted_on=None) for spec in _compared(settings, attack)]


def against_bits(settings: Settings, *, weights: bool) -> list[ExperimentSpec]:
    """Each network over all weight bits, or all activation bits; the others at the sidebar's."""
    pairs = [
        (bits, settings.act_bits) if weights else (settings.weight_bits, bits) for bits in HEAT_BITS
    ]
    attack = attack_spec(settings)
    return [
        _accuracy(settings, name, quant_spec(settings, *pair), attack)
        for pair in pairs
        for name in settings.networks
    ]


def transfer(settings: Settings, network: str) -> list[ExperimentSpec]:
    """One network: perturbations crafted at each bit-width, evaluated at each.

    Those crafted on one bit-width follow one another, so that a worker crafts them once.
    """
    quants = [quant_spec(settings, *pair) for pair in _transfer_pairs(settings)]
    model = settings.model(network)
    one = attack_spec(settings, one=True)
    specs = []
    for source in quants:
        for quant in quants:
            other = None if source == quant else Craft(model=model, quant=source)
            spec = _accuracy(settings, network, quant, one)
            specs.append(dataclasses.replace(spec, crafted_on=other))
    return specs


def _transfer_pairs(settings: Settings) -> list[tuple[int, int]]:
    """Weight and activation bits: full precision, then the sidebar's weights with fewer and
    fewer activation bits, the sidebar's own among them."""
    quantized = {*TRANSFER_BITS[1:], settings.act_bits} - {FULL_PRECISION}
    full = (FULL_PRECISION, FULL_PRECISION)
    return [full, *((settings.weight_bits, bits) for bits in sorted(quantized, reverse=True))]


def smallest(settings: Settings) -> list[ExperimentSpec]:
    """The smallest epsilon that flips each image, for each network as in `compared`.

    Looked for up to the largest epsilon of the slider, by an iterated attack on the network itself.
    """
    name = settings.attack if settings.attack in (*ITERATED, "square") else SEARCH
    attack = attack_spec(settings, one=True, name=name)
    attack = dataclasses.replace(attack, epsilons=(max(settings.levels) / 255,))
    return [
        dataclasses.replace(spec, kind="smallest_epsilon", crafted_on=None)
        for spec in _compared(settings, attack)
    ]


def estimators(settings: Settings) -> list[ExperimentSpec]:
    """Each network at the sidebar's bits under each gradient through rounding.

    None where activations are not rounded. Each is attacked itself, with its own gradient.
    """
    if settings.act_bits == FULL_PRECISION:
        return []
    own = quant_spec(settings, settings.weight_bits, settings.act_bits)
    names = (own.estimator, *(name for name in ESTIMATORS if name != own.estimator))
    quants = [dataclasses.replace(own, estimator=name) for name in names]
    attack = attack_spec(settings)
    found = [_accuracy(settings, name, q, attack) for q in quants for name in settings.networks]
    return [dataclasses.replace(spec, crafted_on=None) for spec in found]


def _compared(settings: Settings, attack: AttackSpec) -> list[ExperimentSpec]:
    return [
        _accuracy(settings, name, quant_spec(settings, *pair), attack)
        for pair in bit_pairs(settings)
        for name in settings.networks
    ]


def _accuracy(
    settings: Settings, name: str, quant: QuantSpec, attack: AttackSpec
) -> ExperimentSpec:
    return ExperimentSpec(
        kind="accuracy",
        model=settings.model(name),
        data=data_spec(settings),
        quant=quant,
        attack=attack,
        crafted_on=crafted_on(settings),
        fast=settings.fast,
    )
