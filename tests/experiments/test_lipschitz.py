"""Lipschitz constants: their rows, what is kept between epsilons, and bounds that are missing."""

from __future__ import annotations

import dataclasses
import pickle

import pytest
from safetensors.torch import load_file, save_file

from dqviz.attacks import FGSM
from dqviz.data import load_data
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.measure.network_bounds import network_lipschitz
from dqviz.models import resolve_model
from dqviz.specs import AttackSpec, DataSpec, QuantSpec
from tests.experiments.tables import spec, value

EPSILONS = (0.5 / 255, 1 / 255, 4 / 255)
NORMS, GAINS, BOUNDS = "norms layer by layer", "measured gains", "bounds of the network"


def texts_of(wanted, bench):
    """What a computation says that it is doing."""
    told = []
    run(wanted, bench=bench, progress=lambda fraction, text: told.append(text))
    return set(told)


def at(epsilons, **more):
    """An attack by its epsilons."""
    return AttackSpec(epsilons=tuple(epsilons), **more)


def test_lipschitz_without_details_loads_no_images(model):
    missing = DataSpec(name="streetdigits", n_samples=10**6)  # more than there are
    result = run(spec("lipschitz", model, missing))
    table = result.table
    assert table["n_samples"].isna().all()
    assert value(table, "lipschitz", "upper", layer="network") > 0
    norms = table[(table["metric"] == "operator_norm") & (table["statistic"] == "upper")]
    assert norms["layer"].nunique() == len(norms) > 5


def test_lipschitz_gains_stay_below_the_operator_norm(model, data):
    wanted = spec("lipschitz", model, data, quant=QuantSpec(weight_bits=4), details=True)
    table = run(wanted).table
    gains = table[(table["metric"] == "measured_gain") & (table["statistic"] == "max")]
    assert len(gains) > 5
    for layer, gain in zip(gains["layer"], gains["value"], strict=True):
        assert gain <= value(table, "operator_norm", "upper", layer=layer) * (1 + 1e-4)
    lower, upper = (value(table, "lipschitz", s, layer="network") for s in ("lower", "upper"))
    assert 0 < lower <= upper
    assert value(table, "margin_over_lipschitz", "mean", layer="network") >= 0


def test_gains_come_at_every_epsilon_and_the_network_once(model, data):
    wanted = spec("lipschitz", model, data, attack=at(EPSILONS), details=True)
    table = run(wanted, bench=Workbench()).table
    gains = table[table["metric"] == "measured_gain"]
    assert set(gains["epsilon"]) == set(EPSILONS)
    assert table[table["metric"] != "measured_gain"]["epsilon"].isna().all()
    for epsilon in EPSILONS:
        one = dataclasses.replace(wanted, attack=at([epsilon]))
        alone = run(one, bench=Workbench()).table
        chosen = gains[gains["epsilon"] == epsilon].reset_index(drop=True)
        assert chosen.equals(alone[alone["metric"] == "measured_gain"].reset_index(drop=True))


def test_the_lower_bound_is_the_largest_over_the_epsilons(model, data):
    wanted = spec("lipschitz", model, data, attack=at(EPSILONS), details=True)
    found = value(run(wanted).table, "lipschitz", "lower", layer="network")
    network, images = resolve_model(model), load_data(data)
    by_hand = []
    for epsilon in EPSILONS:
        crafted = FGSM(network, eps=epsilon)(images.images, images.labels)
        rows = network_lipschitz(
            network, (3, 32, 32), images=images.images, adversarial=crafted
        ).rows
        by_hand.append(next(row.value for row in rows if row.statistic == "lower"))
    assert found == pytest.approx(max(by_hand), rel=1e-4)


def test_an_attack_that_stretches_more_than_the_jacobian_raises_the_bound(model, data):
    bench = Workbench()
    wanted = spec("lipschitz", model, data, attack=at([1 / 255]), details=True)
    before = value(run(wanted, bench=bench).table, "lipschitz", "lower", layer="network")
    bench.ratios.get = lambda key, make: 2 * before
    table = run(wanted, bench=bench).table
    assert value(table, "lipschitz", "lower", layer="network") == 2 * before


@pytest.mark.parametrize("quant", [QuantSpec(), QuantSpec(weight_bits=4, act_bits=4)])
def test_another_epsilon_or_attack_computes_only_the_gains(quant, model, data):
    bench = Workbench()
    wanted = spec("lipschitz", model, data, quant=quant, attack=at([1 / 255]), details=True)
    assert {NORMS, GAINS, BOUNDS} <= texts_of(wanted, bench)
    for attack in (at([2 / 255]), at([1 / 255], name="pgd", steps=2)):
        again = dataclasses.replace(wanted, attack=attack)
        assert not texts_of(again, bench) & {NORMS, BOUNDS}
        fresh = run(again, bench=Workbench())
        assert run(again, bench=bench).table.equals(fresh.table)


def test_gains_are_remembered_by_epsilon(model, data):
    bench = Workbench()
    wanted = spec("lipschitz", model, data, attack=at(EPSILONS), details=True)
    run(wanted, bench=bench)
    one = dataclasses.replace(wanted, attack=at(EPSILONS[1:2]))
    assert not texts_of(one, bench) & {NORMS, GAINS, BOUNDS}


def test_bits_of_activations_leave_the_norms_alone(model, data):
    bench = Workbench()
    wanted = spec("lipschitz", model, data, details=True)
    run(wanted, bench=bench)
    coarse = dataclasses.replace(wanted, quant=QuantSpec(act_bits=4))
    assert NORMS not in texts_of(coarse, bench)
    assert run(coarse, bench=bench).table.equals(run(coarse, bench=Workbench()).table)
    weights = dataclasses.replace(wanted, quant=QuantSpec(weight_bits=3))
    assert NORMS in texts_of(weights, bench)


@pytest.fixture
def unbounded(model, tmp_path):
    """A network whose layers' norms multiply to more than a float64 holds."""
    weights = load_file(model.checkpoint)
    for name, tensor in weights.items():
        if name.endswith("weight"):  # of convolutions, BatchNorms and the linear layer
            weights[name] = tensor * 1e30
    save_file(weights, tmp_path / "unbounded.safetensors")
    file = str(tmp_path / "unbounded.safetensors")
    return dataclasses.replace(model, id="tests/wrn_10_1/unbounded", checkpoint=file)


def test_a_missing_bound_has_a_reason_that_names_the_network(unbounded):
    result = run(spec("lipschitz", unbounded, DataSpec()))
    assert set(result.reasons) == {"upper"}
    assert "exceeds" in result.reasons["upper"]
    assert any(
        "upper" in note and "tests/wrn_10_1/unbounded" in note and result.reasons["upper"] in note
        for note in result.notes
    )
    assert pickle.loads(pickle.dumps(result)).reasons == result.reasons


def test_bounds_that_exist_need_no_reason(model, data):
    assert run(spec("lipschitz", model, data, details=True)).reasons == {}
