"""Nothing is concluded from networks whose clean accuracy has collapsed."""

import dataclasses

import pandas as pd
import pytest

from dqviz.charts import by_bits
from dqviz.paper import CLAIMS, SHOWN, put_to_the_test, shown_rows
from dqviz.paper.accuracy import accuracy_of, collapsed
from dqviz.paper.depths import layer_table, quantizer_table
from dqviz.paper.findings import verdict_table
from dqviz.paper.levels import SUCCESS, level_table
from dqviz.paper.verdicts import UNKNOWN
from tests.paper.planted import FAMILIES, everything, network, results_of

GONE = network(FAMILIES[0], "vanilla", "w8a4")


@pytest.fixture(autouse=True)
def cards(monkeypatch):
    """Ninety percent everywhere, and 71 for one network: less than four fifths."""
    card = dataclasses.make_dataclass("Card", ["accuracy"])
    monkeypatch.setattr(
        "dqviz.paper.accuracy.load_card",
        lambda id: card({"value": 0.71 if id == GONE.id else 0.9, "n": 100}),
    )


def test_a_network_has_collapsed_below_four_fifths_of_its_like_at_full_precision():
    assert collapsed(everything()) == {GONE.id}
    others = [n for n in everything() if (n.family, n.training) != (FAMILIES[0], "")]
    assert collapsed(others) == frozenset()  # nothing to compare it with
    seed = network(FAMILIES[0], "vanilla", "w8a4", 1)
    assert collapsed([*everything(), seed]) == {GONE.id}
    assert accuracy_of(GONE) == {"value": 0.71, "n": 100}


def test_training_on_attacked_images_is_not_held_against_a_network(monkeypatch):
    card = dataclasses.make_dataclass("Card", ["accuracy"])
    monkeypatch.setattr(
        "dqviz.paper.accuracy.load_card",
        lambda id: card({"value": 0.5 if "rfgsm" in id else 0.9}),
    )
    assert collapsed(everything()) == frozenset()


def test_its_pairs_do_not_count_and_it_is_said():
    parts, results = results_of(everything())
    told = {t.claim.id: t for t in put_to_the_test(everything(), parts, results)}
    assert told["robust"].left_out == (GONE.id,)
    assert told["robust"].verdict.pairs == 2
    assert told["robust"].verdict.verdict == UNKNOWN  # two are too few
    assert told["nonexpansive"].verdict.pairs == 3  # DQ networks alone
    rows = verdict_table(list(told.values())).set_index("claim")
    assert rows.loc["robust", "why"].endswith(f"its clean accuracy has collapsed: {GONE.id}")
    assert "collapsed" not in rows.loc["nonexpansive", "why"]
    for claim in CLAIMS:  # what clean accuracy and costs are is known all the same
        assert (told[claim.id].verdict.pairs == 3) == (
            claim.collapsed_too or GONE.id not in told[claim.id].left_out
        ) or claim.id == "other_bits"


def test_a_claim_whose_pairs_have_all_collapsed_is_told_nevertheless():
    parts, results = results_of(everything(FAMILIES[:1]))
    told = {t.claim.id: t for t in put_to_the_test(everything(FAMILIES[:1]), parts, results)}
    assert told["grows"].verdict.pairs == 0
    assert told["grows"].left_out == (GONE.id,)


def test_figures_mark_it_or_leave_it_out():
    parts, results = results_of(everything())
    levels = level_table(parts, results)
    assert set(levels.loc[levels["collapsed"], "network"]) == {GONE.id}
    success = levels[levels["measure"] == SUCCESS]
    assert GONE.id not in set(success["network"])
    assert "below 80 %" in by_bits(shown_rows(levels, SHOWN["lowered"])).note
    own = {"family": FAMILIES[0], "act_bits": 4}
    for table in (layer_table(parts, results), quantizer_table(parts, results)):
        if "method" in table:
            table = table[table["method"] == "vanilla"]
        assert not _has(table, **own)
        assert _has(table, family=FAMILIES[1], act_bits=4)


def _has(table: pd.DataFrame, **wanted) -> bool:
    return bool((table[list(wanted)] == list(wanted.values())).all(axis=1).any())
