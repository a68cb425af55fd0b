"""Choosing rows, naming things, and marking what has collapsed."""

import math

import pandas as pd
import pytest

from dqviz.charts import ChartError, epsilon_text, grey_out
from dqviz.charts import tidy as t
from tests.charts.tables import DQ, VANILLA, layer_names, profile, table


def test_grey_out_marks_what_is_below_four_fifths_of_full_precision():
    frame = pd.DataFrame(
        {"clean_accuracy": [0.77, 0.75, 0.96, math.nan], "clean_accuracy_full": [0.95] * 4}
    )
    assert grey_out(frame)["collapsed"].tolist() == [False, True, False, False]


def test_grey_out_names_the_missing_column():
    with pytest.raises(ChartError, match="clean_accuracy_full"):
        grey_out(pd.DataFrame({"clean_accuracy": [0.5]}))


def test_grey_out_leaves_its_argument_alone():
    frame = table(profile())
    grey_out(frame)
    assert "collapsed" not in frame.columns


@pytest.mark.parametrize(
    ("epsilon", "text"),
    [(1 / 255, "1/255"), (0.25 / 255, "0.25/255"), (0.0, "0"), (8 / 255, "8/255")],
)
def test_epsilon_text(epsilon, text):
    assert epsilon_text(epsilon) == text


def test_one_epsilon_names_those_found():
    frame = table([*profile(), *profile(epsilon=2 / 255)])
    with pytest.raises(ChartError, match="1/255, 2/255"):
        t.one_epsilon(frame, None)
    with pytest.raises(ChartError, match="no rows at epsilon 3/255; found 1/255, 2/255"):
        t.one_epsilon(frame, 3 / 255)
    assert len(t.one_epsilon(frame, 2 / 255 + 1e-12)) == len(frame) // 2


def test_select_names_the_metrics_found():
    with pytest.raises(ChartError, match="relative_distance"):
        t.select(table(profile()), "nonsense")


def test_curves_are_in_order_of_execution_with_the_logits_last():
    rows = table(profile(layers=["b", "a"], values=[1, 2, 3])).sample(frac=1, random_state=0)
    rows.loc[rows["layer"] == "logits", "depth"] = -1
    curve = t.read_curves(grey_out(rows))[0]
    assert curve.layers == ("b", "a", "logits")
    assert curve.values("median") == (1, 2, 3)
    assert all(math.isnan(v) for v in curve.values("unheard_of"))


def test_curves_of_categorical_tables_are_the_same():
    frame = grey_out(table([*profile(VANILLA), *profile(DQ, act_bits=4)]))
    columns = ["model", "weights", "attack", "layer", "metric", "statistic"]
    assert t.read_curves(frame.astype(dict.fromkeys(columns, "category"))) == t.read_curves(frame)


def test_attacks_come_before_controls_and_more_bits_first():
    frame = grey_out(table([*profile(attack="gaussian"), *profile(act_bits=4), *profile()]))
    found = [(c.attack, c.act_bits) for c in t.read_curves(frame)]
    assert found == [("fgsm", 32), ("fgsm", 4), ("gaussian", 32)]


@pytest.mark.parametrize(
    ("networks", "short"),
    [
        ([VANILLA], ["vanilla"]),
        ([VANILLA, DQ], ["vanilla", "dq"]),
        (["a/r/vanilla", "a/p/vanilla"], ["r/vanilla", "p/vanilla"]),
        (["a/r/dq", "b/r/dq"], ["a/r/dq", "b/r/dq"]),
        ([], []),
    ],
)
def test_networks_are_named_by_what_differs(networks, short):
    assert list(t.short_networks(networks).values()) == short


def test_short_layer_names_stay_different():
    names = layer_names(56)
    short = t.short_layers(names)
    assert len(set(short)) == len(names)
    assert max(map(len, short)) <= 12
    long = [f"features.denseblock1.denselayer{i}.conv{j}" for i in (1, 2, 12) for j in (1, 2)]
    assert len(set(t.short_layers(long))) == len(long)


@pytest.mark.parametrize(
    ("bits", "text"),
    [((32, 32), "full precision"), ((8, 4), "W8 A4"), ((32, 4), "A4"), ((3, 32), "W3")],
)
def test_bits_text(bits, text):
    assert t.bits_text(*bits) == text
