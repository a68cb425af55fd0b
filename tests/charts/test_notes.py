"""Values that are no numbers are counted on every chart, and collapsed rows are named."""

import math

import pytest

from dqviz import charts
from dqviz.charts.notes import left_out
from dqviz.charts.tidy import read_curves
from tests.charts.tables import (
    EPSILON,
    VANILLA,
    amplification_table,
    lipschitz_table,
    profile,
    table,
)

CHARTS = {
    "distance": (charts.distance_by_layer, "relative_distance"),
    "heat map": (charts.bits_heatmap, "relative_distance"),
    "quantizer": (charts.quantizer_view, "quantizer_noise_in"),
    "gain": (charts.quantizer_view, "quantizer_gain"),
    "flips": (charts.flips, "bucket_flip_rate"),
    "contribution": (charts.flips, "flip_contribution"),
    "sqnr": (charts.sqnr, "sqnr_db"),
    "linear gain": (charts.linear_gain, "linear_gain"),
}


def with_three(frame, metric):
    """The table with three values of a metric that were no numbers."""
    counted = frame.index[(frame["metric"] == metric) & (frame["statistic"] == "nan_count")]
    quantized = [i for i in counted if frame.loc[i, "act_bits"] != 32] or list(counted)
    frame = frame.copy()
    frame.loc[quantized[0], "value"] = 3.0
    return frame


@pytest.mark.parametrize("name", CHARTS)
def test_values_left_out_are_counted_in_the_note(name):
    draw, metric = CHARTS[name]
    frame = amplification_table([VANILLA])
    assert draw(frame).note == ""
    assert draw(with_three(frame, metric)).note.startswith("3 values were not numbers")


def test_the_animation_counts_all_epsilons():
    frame = amplification_table([VANILLA], epsilons=[EPSILON, 2 * EPSILON])
    for epsilon in (EPSILON, 2 * EPSILON):
        place = (frame["metric"] == "relative_distance") & (frame["statistic"] == "nan_count")
        place &= (frame["epsilon"] == epsilon) & (frame["layer"] == "conv1")
        frame.loc[place & (frame["act_bits"] == 4), "value"] = 2.0
    assert "4 values were not numbers" in charts.distance_animation(frame).note


def test_norms_and_margins_count_too():
    gains = with_three(lipschitz_table([VANILLA]), "measured_gain")
    assert "3 values were not numbers" in charts.gain_against_bound(gains).note
    counted = {"layer": "network", "depth": -1, "metric": "margin_over_lipschitz"}
    counted |= {"model": "streetdigits/resnet20", "statistic": "nan_count", "value": 2.0}
    rows = [*lipschitz_table([VANILLA]).to_dict("records"), counted]
    assert "2 values were not numbers" in charts.network_bounds(table(rows)).note


def test_one_value_and_none():
    one = profile()
    one[-1]["value"] = 1.0
    curves = read_curves(charts.grey_out(table(one)))
    assert left_out(curves) == "1 value was not a number (a division by zero) and is left out."
    assert left_out(read_curves(charts.grey_out(table(profile())))) == ""


def without(which):
    frame = lipschitz_table([VANILLA])
    gone = (frame["metric"] == "lipschitz") & frame["statistic"].isin(which)
    return frame[~gone]


def test_a_missing_bound_without_a_reason_was_not_measured():
    chart = charts.network_bounds(without(["lower"]))
    assert chart.note == "Lower bound of vanilla is none: not measured."
    assert "full precision, whatever the bit-widths" in chart.how_to_read


def test_long_reasons_are_wrapped_and_do_not_meet():
    why = {"lower": "a " * 60 + "BatchNorm", "upper": "b " * 60}
    chart = charts.network_bounds(without(["lower", "upper"]), reasons={VANILLA: why})
    lower, upper = chart.figure.layout.annotations
    assert max(map(len, lower.text.split("<br>"))) <= 58
    assert (lower.yanchor, upper.yanchor) == ("top", "bottom")
    assert "BatchNorm." in chart.note
    assert chart.figure.layout.height > charts.network_bounds(without([])).figure.layout.height


def test_predictions_are_drawn_last_as_open_neutral_markers():
    figure = charts.quantizer_view(amplification_table([VANILLA])).figure
    noise = [t for t in figure.data if t.type == "scatter" and (t.yaxis or "y") == "y"]
    last = noise[-1]
    assert last.name.endswith("predicted")
    assert last.mode == "markers"
    assert last.marker.symbol == "circle-open"
    assert last.marker.color not in {t.line.color for t in noise[:-1]}
    assert last.marker.size > max(t.marker.size for t in noise[:-1])


def test_bars_tell_networks_apart_by_hatching():
    frame = amplification_table()
    accuracy = {
        t.name: t.marker for t in charts.accuracy_bars(frame).figure.data if t.type == "bar"
    }
    shapes = [accuracy[f"{n}, full precision"].pattern.shape for n in ("vanilla", "dq")]
    assert shapes[0] != shapes[1]
    pair = [accuracy[f"vanilla, {bits}"] for bits in ("full precision", "W8 A4")]
    assert pair[0].pattern.shape == pair[1].pattern.shape
    assert pair[0].color != pair[1].color
    bars = [t for t in charts.quantizer_view(frame).figure.data if t.type == "bar"]
    zero = {t.name.partition(",")[0]: t.marker.pattern.shape for t in bars if "zero" in t.name}
    assert zero["vanilla"] != zero["dq"]
    assert not math.isnan(bars[0].y[0])
