"""The beta series: which networks belong to it, what is computed, and the table of it."""

import dataclasses

import pytest

from dqviz.cards import load_card
from dqviz.experiments.run import run
from dqviz.paper import QUICK, WHOLE, Graded, Network, series, series_plan, series_table
from dqviz.specs import QuantSpec

CARD = load_card("streetdigits/resnet20/vanilla")
NAMES = {
    "folded-beta0.1": ("folded", 0.1, 5e-4),
    "folded-beta0.001": ("folded", 0.001, 5e-4),
    "none-beta0": ("none", 0.0, 5e-4),
    "folded-beta0.1-wd0": ("folded", 0.1, 0.0),
    "vanilla": ("none", 0.0, 5e-4),
    "dq-w8a4": ("raw", 2e-3, 5e-4),
}


@pytest.fixture
def members(monkeypatch):
    """Networks with such cards."""

    def load(id):
        arm, beta, decay = NAMES[id.rpartition("/")[2]]
        recipe = {**CARD.recipe, "weight_decay": decay}
        return dataclasses.replace(CARD, penalty={"arm": arm, "beta": beta}, recipe=recipe)

    monkeypatch.setattr("dqviz.paper.strengths.load_card", load)
    return series([f"streetdigits/resnet20/{name}" for name in NAMES])


def test_members_are_known_by_name_and_told_by_their_cards(members):
    told = [(m.arm, m.beta, m.weight_decay) for m in members]
    assert told == [
        ("none", 0.0, 5e-4),
        ("folded", 0.001, 5e-4),
        ("folded", 0.1, 0.0),
        ("folded", 0.1, 5e-4),
    ]


def test_networks_without_batchnorm_stand_beside_the_series():
    told = [(m.network.id, m.arm, m.batch_norm) for m in series() if not m.batch_norm]
    assert told == [
        ("streetdigits/plain20_nonorm/vanilla", "none", False),
        ("streetdigits/plain20_nonorm/dq", "raw", False),
    ]
    assert all(m.network.id.startswith("streetdigits/resnet20/") for m in series() if m.batch_norm)


def test_without_batchnorm_the_norm_is_that_of_the_layer_as_it_is_applied():
    (bare,) = [m for m in series() if not m.batch_norm and m.arm == "raw"]
    size = dataclasses.replace(WHOLE, graded=8, amplification=8)
    results = {part: run(part.spec) for part in series_plan([bare], size)}
    (row,) = series_table([bare], results).to_dict("records")
    assert not row["batch_norm"]
    assert row["folded_norm"] > row["raw_norm"] > 1


def test_each_has_three_parts_and_quick_none(members):
    parts = series_plan(members, WHOLE)
    assert len(parts) == 3 * len(members)
    assert len({(part.network.id, part.label) for part in parts}) == len(parts)
    assert series_plan(members, QUICK) == []


def test_the_table_holds_what_the_experiments_found():
    """On a shipped network, as if it were the only one of the series."""
    network = Network(
        id="streetdigits/resnet20/vanilla", method="raw", training="", seed=0, quant=QuantSpec()
    )
    members = [Graded(network=network, arm="raw", beta=0.5, weight_decay=5e-4)]
    size = dataclasses.replace(WHOLE, graded=16, amplification=16)
    parts = series_plan(members, size)
    results = {part: run(part.spec) for part in parts}
    (row,) = series_table(members, results).to_dict("records")
    assert (row["arm"], row["beta"]) == ("raw", 0.5)
    assert row["robust"] <= row["clean"] <= 100
    assert row["clean_low"] <= row["clean"] <= row["clean_high"]
    assert row["folded_norm"] == pytest.approx(max(CARD.extra["folded_norms"].values()), rel=0.02)
    assert row["raw_norm"] > 1
    assert row["amplification"] > 1
    left_out = {part: result for part, result in results.items() if part.label != "norms"}
    assert series_table(members, left_out).empty
