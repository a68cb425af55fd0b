"""How long a sweep takes: one try of each kind, its further epsilons at what they add."""

import dataclasses

import pytest

from dqviz.cli import estimate
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec
from dqviz.studies import Cell, group

FIRST, FURTHER, COLD = 2.0, 0.125, 50.0
"""Seconds of 32 images: for one epsilon, for each further one, and what happens only once."""


@pytest.fixture
def clock(monkeypatch):
    """A computation that takes no time but says that it did."""
    now = [0.0]
    tried = []

    def run(spec, *, bench):
        tried.append((spec.data.n_samples, len(spec.attack.epsilons)))
        cold = COLD if len(tried) == 1 else 0.0
        now[0] += FIRST + FURTHER * (len(spec.attack.epsilons) - 1) + cold

    monkeypatch.setattr("dqviz.experiments.run.run", run)
    monkeypatch.setattr(estimate.time, "monotonic", lambda: now[0])
    return tried


def cells(attack, images):
    base = ExperimentSpec(
        kind="accuracy",
        data=DataSpec(n_samples=images, fingerprint="d"),
        attack=AttackSpec(name=attack),
    )
    model = dataclasses.replace(base.model, fingerprint="m")
    for level in range(1, 9):
        at = dataclasses.replace(base.attack, epsilons=(level / 255,))
        yield Cell.of(dataclasses.replace(base, model=model, attack=at))


@pytest.mark.parametrize(
    ("attack", "seconds", "tried"),
    [
        ("fgsm", 4 * (FIRST + 7 * FURTHER), [(32, 1), (32, 1), (32, 4)]),
        ("pgd", 4 * 8 * FIRST, [(32, 1), (32, 1)]),
    ],
)
def test_epsilons_that_share_a_gradient_cost_what_they_add(clock, attack, seconds, tried):
    tasks = group(cells(attack, 128))
    found = estimate.estimate(tasks, progress=lambda share, text: None)
    assert found == pytest.approx(seconds)
    assert clock == tried
