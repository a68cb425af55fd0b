"""The variants of an attack that a diagnosis runs, each a specification of its own."""

from __future__ import annotations

import dataclasses

from dqviz.specs import AttackSpec

UNBOUNDED_STEPS = 100
MORE = 5
"""More steps, and more restarts, are so many times as many."""

LEAST_STEPS = 10
"""An iterated attack that stands in for a single-step one takes so many steps."""

SINGLE = ("fgsm", "rfgsm")
STEPLESS = (*SINGLE, "square")
STARTING = ("pgd", "apgd_ce", "apgd_dlr", "standard")
"""The attacks that start at random, so that restarts differ."""

CHOOSING = (*SINGLE, "bim", "pgd", "mifgsm")
"""The attacks whose loss can be chosen."""

LARGEST = {"linf": 1.0, "l2": 1e3}
"""A radius that holds every image, in pixel units."""


def variants_of(attack: AttackSpec) -> dict[str, AttackSpec]:
    """The attack itself and its variants by name.

    `iterated` is the attack, or PGD where that has no steps; `steps` and `restarts` have `MORE`
    times as many, of PGD where the attack has none; `larger` and `smaller` are `iterated` at twice
    and half the radius; `unbounded` may go anywhere; `fgsm` takes one step; `square` sees no
    gradient; `rescaled` divides the logits, and PGD stands for attacks that have a loss of their
    own.
    """
    (radius,) = attack.epsilons
    plain = dataclasses.replace(attack, name="pgd", random_start=True, alpha=None)
    iterated = attack if attack.name not in STEPLESS else _at_least(plain, LEAST_STEPS)
    starting = iterated if iterated.name in STARTING else plain
    largest = LARGEST[attack.norm]
    twice = min(2 * radius, largest)
    far = dataclasses.replace(_at_least(plain, UNBOUNDED_STEPS), epsilons=(largest,), restarts=1)
    return {
        "attack": attack,
        "iterated": iterated,
        "fgsm": dataclasses.replace(attack, name="fgsm"),
        "steps": dataclasses.replace(iterated, steps=MORE * iterated.steps, alpha=None),
        "restarts": dataclasses.replace(
            _at_least(starting, LEAST_STEPS), restarts=MORE * starting.restarts, random_start=True
        ),
        "larger": dataclasses.replace(iterated, epsilons=(twice,), alpha=_scaled(iterated, 2)),
        "smaller": dataclasses.replace(
            iterated, epsilons=(radius / 2,), alpha=_scaled(iterated, 0.5)
        ),
        "unbounded": far,
        "square": dataclasses.replace(attack, name="square"),
        "rescaled": dataclasses.replace(
            attack if attack.name in CHOOSING else _at_least(plain, LEAST_STEPS), loss="rescaled"
        ),
    }


def steps_of(attack: AttackSpec) -> str:
    """The steps of the attack and those of its variant with more, such as `10 -> 50`."""
    variants = variants_of(attack)
    own = 1 if attack.name in SINGLE else attack.steps
    return f"{own} -> {variants['steps'].steps}"


def _at_least(attack: AttackSpec, steps: int) -> AttackSpec:
    return dataclasses.replace(attack, steps=max(attack.steps, steps))


def _scaled(attack: AttackSpec, factor: float) -> float | None:
    return None if attack.alpha is None else factor * attack.alpha
