"""The chart of gradients through rounding."""

import pandas as pd
import pytest

from dqviz.charts import ChartError, estimator_bars
from dqviz.specs import ESTIMATORS
from tests.charts.tables import DQ, VANILLA, table, whole

SHARES = {"identity": 0.31, "clipped": 0.3, "unquantized": 0.4, "none": 0.9}


def estimator_table(networks=(VANILLA, DQ), estimators=ESTIMATORS, **more):
    """Robust accuracies of networks at 8/4 bits, with whiskers of 5 points up and 3 down."""
    parts = []
    for name in estimators:
        rows = []
        for place, network in enumerate(networks):
            share = SHARES[name] - place / 10
            bits = {"weight_bits": 8, "act_bits": 4, "attack": "pgd", **more}
            rows += whole(network, "clean_accuracy", 0.95, 0.9, 0.97, **bits)
            rows += whole(network, "robust_accuracy", share, share - 0.03, share + 0.05, **bits)
        parts.append(table(rows).assign(estimator=name))
    return pd.concat(parts)


def test_bars_and_whiskers_are_the_tables_numbers():
    chart = estimator_bars(estimator_table())
    bar = chart.figure.data[0]
    assert list(bar.x) == ["clean", "identity", "clipped", "unquantized", "none"]
    assert list(bar.y) == pytest.approx([95, 31, 30, 40, 90])
    assert list(bar.error_y.array) == pytest.approx([2, 5, 5, 5, 5])
    assert list(bar.error_y.arrayminus) == pytest.approx([5, 3, 3, 3, 3])
    assert list(chart.figure.data[1].y)[1] == pytest.approx(21)
    assert (
        "vanilla, W8 A4: clean 95.0 % (90.0 to 97.0), identity 31.0 % (28.0 to 36.0)" in chart.alt
    )
    assert "PGD 1/255" in chart.figure.layout.xaxis.title.text
    assert set(chart.table["estimator"]) == set(ESTIMATORS)


def test_the_accuracy_of_rounded_images_is_said_at_its_bar():
    plain = estimator_table()
    clipped = (plain["metric"] == "robust_accuracy") & (plain["estimator"] == "clipped")
    more = plain[clipped].assign(metric="robust_accuracy_uint8", value=lambda t: t["value"] + 0.02)
    chart = estimator_bars(pd.concat([plain, more]))
    bar = chart.figure.data[0]
    said = {x: told[2] for x, told in zip(bar.x, bar.customdata, strict=True)}
    assert said["clipped"] == "; rounded to 8 bits 32.0 %"
    assert said["identity"] == ""
    assert "robust_accuracy_uint8" in set(chart.table["metric"])


def test_the_order_is_the_specifications_whatever_the_tables():
    shuffled = estimator_table(estimators=ESTIMATORS[::-1])
    assert list(estimator_bars(shuffled).figure.data[0].x) == ["clean", *ESTIMATORS]
    two = estimator_table(estimators=("none", "clipped"))
    assert list(estimator_bars(two).figure.data[0].x) == ["clean", "clipped", "none"]


def test_a_network_without_one_estimator_keeps_its_other_bars():
    full = estimator_table()
    gone = (full["weights"] == "dq") & (full["estimator"] == "identity")
    bars = {trace.name: list(trace.x) for trace in estimator_bars(full[~gone]).figure.data}
    (short,) = [x for name, x in bars.items() if "dq" in name]
    assert short == ["clean", "clipped", "unquantized", "none"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="estimator"), "lacks the column estimator"),
        (lambda t: t.assign(estimator="ste"), r"identity, clipped, unquantized, none; found \['"),
        (lambda t: t[t["metric"] == "clean_accuracy"], r"one attack .* found \[\]"),
        (lambda t: pd.concat([t, t.assign(attack="bim")]), r"found \['bim', 'pgd'\]"),
        (lambda t: pd.concat([t, t]), "for each network and estimator; found 24 more"),
        (lambda t: pd.concat([t, t.assign(epsilon=0.5)]), "say which one"),
    ],
)
def test_what_cannot_be_drawn_is_refused(change, message):
    with pytest.raises(ChartError, match=message):
        estimator_bars(change(estimator_table()))


def test_collapsed_networks_are_greyed():
    chart = estimator_bars(estimator_table(clean_accuracy=0.3))
    assert chart.note
    assert not estimator_bars(estimator_table()).note
