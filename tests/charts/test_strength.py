"""The beta series drawn: a curve an arm, the run without a penalty, and no weight decay apart."""

import pandas as pd
import pytest

from dqviz.charts import ChartError, strength
from dqviz.charts.strength import MEASURES


def strengths():
    """A made-up table of the series."""
    rows = []
    for arm, beta, decay, batch_norm in (
        ("none", 0.0, 5e-4, True),
        ("none", 0.0, 0.0, True),
        ("raw", 0.001, 5e-4, True),
        ("raw", 0.01, 5e-4, True),
        ("raw", 0.01, 0.0, True),
        ("folded", 0.001, 5e-4, True),
        ("folded", 0.1, 5e-4, True),
        ("none", 0.0, 5e-4, False),
        ("raw", 1e-4, 5e-4, False),
    ):
        clean, robust = 96.0 - 10 * beta - 4 * (not batch_norm), 60.0 + 100 * beta
        rows.append(
            {
                "network": f"streetdigits/resnet20/{arm}-beta{beta:g}",
                "arm": arm,
                "beta": beta,
                "weight_decay": decay,
                "batch_norm": batch_norm,
                "clean": clean,
                "clean_low": clean - 2,
                "clean_high": clean + 1,
                "robust": robust,
                "robust_low": robust - 5,
                "robust_high": robust + 4,
                "raw_norm": 8.0 - 50 * beta,
                "folded_norm": 12.0 - 100 * beta,
                "amplification": 20.0 - 100 * beta,
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_network_is_a_point_and_no_penalty_a_line(measure):
    table = strengths()
    chart = strength(table, measure)
    drawn = {trace.name: trace for trace in chart.figure.data}
    assert list(drawn) == ["raw", "raw, no weight decay", "folded", "raw, no BatchNorm"]
    normed = table[table["batch_norm"]]
    for arm in ("raw", "folded"):
        rows = normed[(normed["arm"] == arm) & (normed["weight_decay"] > 0)]
        assert list(drawn[arm].x) == pytest.approx(rows["beta"], rel=0.1)
        assert list(drawn[arm].customdata) == list(rows["beta"])
        assert list(drawn[arm].y) == list(rows[measure])
    at_one_beta = {drawn[name].x[-1] for name in ("raw", "raw, no weight decay")}
    assert len(at_one_beta) == 2  # side by side
    assert drawn["raw, no weight decay"].marker.symbol.endswith("-open")
    none = list(table.loc[(table["arm"] == "none") & (table["weight_decay"] > 0), measure])
    lines = [(shape.y0, shape.line.dash) for shape in chart.figure.layout.shapes]
    assert lines[:2] == list(zip(none, ("solid", "dash"), strict=True))
    assert lines[2:] == ([(1.0, "dot")] if measure.endswith("norm") else [])
    (bare,) = table.loc[~table["batch_norm"] & (table["arm"] == "raw"), measure]
    assert list(drawn["raw, no BatchNorm"].y) == [bare]
    assert "dashed without BatchNorm" in chart.how_to_read
    assert f"raw, no BatchNorm: {bare:.3g} at beta 0.0001" in chart.alt
    assert "One seed" in chart.how_to_read
    assert f"folded: {rows[measure].iloc[0]:.3g} at beta 0.001" in chart.alt


def test_whiskers_reach_the_ends_of_the_intervals():
    (raw, *_) = strength(strengths(), "robust").figure.data
    assert list(raw.error_y.array) == pytest.approx([4, 4])
    assert list(raw.error_y.arrayminus) == pytest.approx([5, 5])
    assert strength(strengths(), "raw_norm").figure.data[0].error_y.array is None


def test_without_networks_that_lack_batchnorm_nothing_is_said_of_them():
    table = strengths()
    chart = strength(table[table["batch_norm"]], "clean")
    assert "BatchNorm" not in chart.how_to_read
    assert len(chart.figure.layout.shapes) == 1


def test_without_a_penalty_there_is_nothing_to_draw():
    table = strengths()
    for left in (table[table["arm"] == "none"], table.iloc[:0]):
        with pytest.raises(ChartError, match="beta series"):
            strength(left, "clean")
