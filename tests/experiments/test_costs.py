"""How long something takes, from what was seen."""

import dataclasses

import pytest

from dqviz.experiments import costs
from dqviz.experiments.costs import LONG_SECONDS, Costs
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec


def spec(**changes):
    wanted = ExperimentSpec(
        kind="accuracy",
        model=ModelSpec(id="streetdigits/resnet20/dq"),
        data=DataSpec(n_samples=100),
        quant=QuantSpec(weight_bits=8, act_bits=4),
        attack=AttackSpec(name="pgd", steps=10),
    )
    return dataclasses.replace(wanted, **changes)


def test_nothing_is_said_of_what_was_never_seen():
    assert Costs().expected(spec()) is None
    assert not Costs().is_long(spec())


def test_the_time_grows_with_the_images():
    found = Costs()
    found.learn(spec(), 1.5)
    assert found.expected(spec(data=DataSpec(n_samples=400))) == pytest.approx(6)
    assert not found.is_long(spec())
    assert found.is_long(spec(data=DataSpec(n_samples=400)))
    assert found.is_long(spec(data=DataSpec()))  # all there are


@pytest.mark.parametrize(
    "alike",
    [
        {"model": ModelSpec(id="streetdigits/resnet20/vanilla")},
        {"quant": QuantSpec(weight_bits=4, act_bits=8)},
        {"attack": AttackSpec(name="pgd", steps=10, seed=7)},
        {"data": DataSpec(name="cifar10", n_samples=100, seed=3)},
    ],
)
def test_what_takes_the_same_time_is_alike(alike):
    found = Costs()
    found.learn(spec(), 3 * LONG_SECONDS)
    assert found.is_long(spec(**alike))


@pytest.mark.parametrize(
    "other",
    [
        {"kind": "amplification"},
        {"model": ModelSpec(id="streetdigits/plain20/dq")},
        {"quant": QuantSpec()},
        {"attack": AttackSpec(name="pgd", steps=2)},
        {"attack": AttackSpec(name="fgsm")},
        {"attack": AttackSpec(name="pgd", steps=10, epsilons=(0.1, 0.2))},
        {"details": True},
        {"controls": True},
    ],
)
def test_what_takes_another_time_is_another_kind(other):
    found = Costs()
    found.learn(spec(), 3 * LONG_SECONDS)
    assert found.expected(spec(**other)) is None


def test_the_least_counts_since_the_first_loads_what_others_find_loaded():
    found = Costs()
    for seconds in (9.0, 1.0, 4.0):
        found.learn(spec(), seconds)
    assert found.expected(spec()) == pytest.approx(1.0)


def test_it_remembers_a_bounded_number_of_kinds(monkeypatch):
    monkeypatch.setattr(costs, "KEPT", 3)
    found = Costs()
    wanted = [spec(attack=AttackSpec(name="pgd", steps=steps)) for steps in (1, 2, 3, 4, 5)]
    for each in wanted:
        found.learn(each, 1.0)
    known = [found.expected(each) is not None for each in wanted]
    assert known == [False, False, True, True, True]
