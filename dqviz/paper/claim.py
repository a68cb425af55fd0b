"""What a claim is, and the ways in which effects are measured on pairs of networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from . import effects as measure
from .effects import Effect, Evidence
from .networks import HARDENED, Network, pairs
from .plan import HEADLINE, ROBUST, VERDICTS_ATTACK

Effects = list[Effect | None]
Measure = Callable[[Evidence, Sequence[Network], str], Effects]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Claim:
    """One claim, and how it is put to the test.

    `effect` says in words what is measured, on each pair of networks trained with the bits in
    question; the claim says that it is above zero if `larger`, else below, or exactly zero if
    `equal`. `collapsed_too` says that networks count whose clean accuracy has collapsed. `link` is
    the page and the settings that show it, with the bits left out.
    """

    id: str
    sentence: str
    effect: str
    others: str
    scale: str
    measure: Measure
    larger: bool = True
    equal: bool = False
    collapsed_too: bool = False
    page: str = "amplification"
    link: Mapping[str, str] = dataclasses.field(default_factory=dict)


def between(
    one: str,
    other: tuple[str, str] | str,
    effect: Callable[[Evidence, Network, Network], Effect | None],
) -> Measure:
    """An effect of pairs; `other` is a method, trained with the same bits, or with a training."""

    def found(evidence: Evidence, networks: Sequence[Network], training: str) -> Effects:
        second = other if isinstance(other, tuple) else (other, training)
        return [effect(evidence, a, b) for a, b in pairs(networks, (one, training), second)]

    return found


def attacked(
    one: str,
    other: tuple[str, str] | str,
    *,
    experiment: str,
    label: str = "",
    epsilon: float,
    against: tuple[str, str] | None = None,
) -> Measure:
    """How much more often an attack flips one kind of network than another."""

    def difference(evidence: Evidence, a: Network, b: Network) -> Effect | None:
        return measure.success_difference(
            evidence, a, b, experiment=experiment, label=label, epsilon=epsilon, against=against
        )

    return between(one, other, difference)


def hardened(claim: Measure) -> Measure:
    """The same of networks that were trained on attacked images too."""
    return lambda evidence, networks, training: claim(evidence, networks, HARDENED + training)


def pgd(one: str, other: tuple[str, str] | str) -> Measure:
    """The same under the attack that verdicts rest on."""
    return attacked(one, other, experiment=ROBUST, label=VERDICTS_ATTACK, epsilon=HEADLINE)


def of(method: str, effect: Callable[[Evidence, Network], Effect | None]) -> Measure:
    """An effect of single networks."""

    def found(evidence: Evidence, networks: Sequence[Network], training: str) -> Effects:
        chosen = [n for n in networks if (n.method, n.training) == (method, training)]
        return [effect(evidence, network) for network in chosen]

    return found


def moved(
    one: str,
    other: tuple[str, str] | str,
    *,
    epsilon: float = HEADLINE,
    attack: str | None = None,
) -> Measure:
    """By which factor the last layer is moved further in one kind of network than in another.

    `attack` is the name of a control; None is the attack itself.
    """
    return between(
        one,
        other,
        lambda e, a, b: measure.distance_ratio(e, a, b, epsilon=epsilon, attack=attack),
    )
