"""What the charts by layer draw: the table's own numbers, greyed where they should be."""

import math

import numpy as np
import pytest

from dqviz import charts
from dqviz.charts.style import GREY
from tests.charts.tables import (
    DQ,
    EPSILON,
    VANILLA,
    amplification_table,
    layer_names,
    profile,
    table,
)

A4 = {"weight_bits": 8, "act_bits": 4}
COLLAPSED = {"weight_bits": 8, "act_bits": 2, "clean_accuracy": 0.3}


def lines(figure, *, axis="y"):
    """The drawn curves of a panel by name in the hover text."""
    return {
        t.hovertemplate.split("<extra>")[1].removesuffix("</extra>"): t
        for t in figure.data
        if t.type == "scatter" and t.mode == "lines+markers" and (t.yaxis or "y") == axis
    }


def test_distance_draws_the_numbers_of_the_table():
    frame = table([*profile(VANILLA), *profile(DQ, values=[0.1] * 21)])
    drawn = lines(charts.distance_by_layer(frame).figure)
    assert list(drawn) == ["vanilla, full precision", "dq, full precision"]
    assert drawn["dq, full precision"].y == pytest.approx([0.1] * 21)
    mean = lines(charts.distance_by_layer(frame, statistic="mean").figure)
    assert mean["dq, full precision"].y == pytest.approx([0.105] * 21)


def test_the_band_runs_from_the_10_to_the_90_percent_quantile():
    figure = charts.distance_by_layer(table(profile(values=[0.1] * 21))).figure
    band = figure.data[0]
    assert band.fill == "toself"
    assert band.y == pytest.approx([0.17] * 21 + [0.06] * 21)
    without = charts.distance_by_layer(table(profile()), band=False).figure
    assert not [t for t in without.data if t.fill]


def test_changed_numbers_change_the_figure_and_the_alt_text():
    low, high = (
        charts.distance_by_layer(table(profile(values=[v] * 20 + [2 * v]))) for v in (0.1, 0.2)
    )
    assert low.alt != high.alt
    assert "0.1 at conv1, 0.2 at logits" in low.alt
    assert "0.2 at conv1, 0.4 at logits" in high.alt


def test_alt_text_names_the_peak_where_it_is_inside():
    values = [0.1] * 10 + [0.9] + [0.1] * 10
    chart = charts.distance_by_layer(table(profile(values=values)))
    assert f"highest 0.9 at {layer_names()[10]}" in chart.alt


def test_collapsed_curves_are_greyed_and_said_to_be():
    frame = table([*profile(), *profile(**COLLAPSED)])
    chart = charts.distance_by_layer(frame)
    drawn = lines(chart.figure)
    assert drawn["vanilla, W8 A2 (collapsed)"].line.color == GREY
    assert drawn["vanilla, full precision"].line.color != GREY
    widths = [trace.line.width for trace in drawn.values()]
    assert widths[1] < widths[0]
    assert "below 80 %" in chart.note
    assert "below 80 %" in chart.figure.layout.annotations[0].text
    assert chart.table.loc[chart.table["act_bits"] == 2, "collapsed"].all()


def test_nothing_is_said_where_nothing_has_collapsed():
    chart = charts.distance_by_layer(table(profile()))
    assert chart.note == ""
    assert not chart.figure.layout.annotations


def test_values_that_are_no_numbers_are_counted():
    chart = charts.distance_by_layer(table(profile(nan_count=2.0)))
    assert "42 values were not numbers" in chart.note


def test_a_logarithmic_axis_leaves_zeros_out_and_a_linear_one_draws_them():
    frame = table(profile(values=[0.0] * 5 + [0.1] * 16))
    log, linear = (charts.distance_by_layer(frame, log_y=flag) for flag in (True, False))
    assert lines(log.figure)["vanilla, full precision"].y[0] is None
    assert lines(linear.figure)["vanilla, full precision"].y[0] == 0


def test_layers_by_name_where_shared_and_by_number_otherwise():
    shared = charts.distance_by_layer(table([*profile(VANILLA), *profile(DQ)]))
    assert shared.figure.layout.xaxis.type == "category"
    mixed = charts.distance_by_layer(
        table([*profile(VANILLA), *profile(DQ, layers=layer_names(32))])
    )
    assert mixed.figure.layout.xaxis.type == "linear"
    trace = lines(mixed.figure)["dq, full precision"]
    assert trace.x[0] == 1
    assert "%{customdata}" in trace.hovertemplate
    assert trace.customdata[0] == "conv1"


def test_sixty_layers_do_not_crowd_the_axis():
    chart = charts.distance_by_layer(table(profile(layers=layer_names(62))))
    shown = chart.figure.layout.xaxis.tickvals
    assert len(shown) <= 25
    assert shown[-1] == "logits"


def test_controls_have_one_legend_entry_each_and_can_be_left_out():
    frame = amplification_table(controls=True)
    chart = charts.distance_by_layer(frame)
    entries = [t.name for t in chart.figure.data if t.mode == "lines+markers" and t.showlegend]
    assert len([n for n in entries if n.startswith("control:")]) == 3
    bare = charts.distance_by_layer(frame, controls=False)
    assert not [t for t in bare.figure.data if "control" in (t.name or "")]
    assert set(bare.table["attack"]) == {"fgsm"}


@pytest.mark.parametrize("choice", [{"metric": "sqnr_db"}, {"statistic": "q10"}])
def test_unknown_choices_are_refused_with_those_expected(choice):
    with pytest.raises(charts.ChartError, match="must be one of"):
        charts.distance_by_layer(table(profile()), **choice)


SWEEP = amplification_table(epsilons=[EPSILON, 2 * EPSILON, 4 * EPSILON])


def test_animation_has_a_frame_an_epsilon_and_one_scale_for_all():
    chart = charts.distance_animation(SWEEP, epsilon=2 * EPSILON)
    assert [f.name for f in chart.figure.frames] == ["1/255", "2/255", "4/255"]
    assert len(chart.figure.frames[0].data) == len(chart.figure.data)
    assert not chart.figure.layout.sliders
    assert [a.text for a in chart.figure.layout.annotations] == ["<b>epsilon 2/255</b>"]
    said = [[a.text for a in f.layout.annotations] for f in chart.figure.frames]
    assert said == [[f"<b>epsilon {k}/255</b>"] for k in (1, 2, 4)]
    play = chart.figure.layout.updatemenus[0].buttons[0]
    assert play.args[1]["frame"]["redraw"], "only then do annotations change"
    still = charts.distance_by_layer(SWEEP, epsilon=2 * EPSILON, controls=False)
    for drawn, other in zip(chart.figure.data, still.figure.data, strict=True):
        assert drawn.y == other.y
    low, high = (10**v for v in chart.figure.layout.yaxis.range)
    values = [v for f in chart.figure.frames for t in f.data for v in t.y if v is not None]
    assert low <= min(values)
    assert max(values) <= high


def test_animation_needs_two_epsilons():
    with pytest.raises(charts.ChartError, match="two epsilons"):
        charts.distance_animation(table(profile()))


BITS = ((8, 32), (8, 8), (8, 4))


def test_heat_map_has_a_row_a_bit_width_and_greys_the_collapsed():
    frame = amplification_table([VANILLA], bits=BITS)
    chart = charts.bits_heatmap(frame)
    heat = chart.figure.data[0]
    assert list(heat.y) == ["W8", "W8 A8", "W8 A4"]
    full = frame[(frame["metric"] == "relative_distance") & (frame["statistic"] == "median")]
    expected = full.loc[full["act_bits"] == 4, "value"].to_numpy()
    np.testing.assert_allclose(10 ** np.array(heat.z[2], dtype=float), expected)
    frame.loc[frame["act_bits"] == 4, "clean_accuracy"] = 0.3
    coloured, greyed = charts.bits_heatmap(frame).figure.data
    assert list(coloured.y) == ["W8", "W8 A8", "W8 A4 (collapsed)"]
    assert all(v is None for v in coloured.z[2])
    assert all(v is None for v in greyed.z[0])
    assert None not in greyed.z[2]
    assert (greyed.zmin, greyed.zmax) == (coloured.zmin, coloured.zmax)


def test_heat_map_needs_one_network():
    frame = amplification_table(bits=BITS)
    with pytest.raises(charts.ChartError, match="one network"):
        charts.bits_heatmap(frame)
    with pytest.raises(charts.ChartError, match="no rows of x/y/z"):
        charts.bits_heatmap(frame, network="x/y/z")


@pytest.mark.parametrize("elements", ["all", "zero", "inside", "clipped"])
@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_quantizer_view_reads_the_metric_of_the_choice(elements, norm):
    suffix = ("" if elements == "all" else f"_{elements}") + ("" if norm == "l2" else "_l1")
    frame = amplification_table([VANILLA])
    frame.loc[frame["metric"] == f"quantizer_noise_out{suffix}", "value"] = 0.77
    chart = charts.quantizer_view(frame, elements=elements, norm=norm)
    drawn = {t.name: t for t in chart.figure.data}
    assert set(drawn["vanilla, W8 A4: out"].y) == {0.77}
    assert 0.77 not in drawn["vanilla, W8 A4: in"].y
    shares = [t for t in chart.figure.data if t.type == "bar"]
    assert sum(t.y[0] for t in shares) == pytest.approx(100)


def test_quantizer_view_of_full_precision_is_refused():
    with pytest.raises(charts.ChartError, match="8 bits or fewer"):
        charts.quantizer_view(amplification_table(bits=((32, 32),)))


def test_flips_are_drawn_in_percent_with_the_logits_below():
    rows = [*profile(metric="bucket_flip_rate", values=[0.25] * 20, logits=False, **A4)]
    rows += profile(metric="flip_contribution", values=[0.01] * 20 + [-0.2], **A4)
    chart = charts.flips(table(rows))
    above = next(iter(lines(chart.figure).values()))
    below = next(iter(lines(chart.figure, axis="y2").values()))
    assert above.y == pytest.approx([25.0] * 20)
    assert below.x[-1] == "logits"
    assert below.y[-1] == pytest.approx(-0.2)
    assert chart.figure.layout.xaxis.categoryarray[-1] == "logits"


def test_flips_without_contributions_have_one_panel():
    rows = profile(metric="bucket_flip_rate", values=[0.25] * 20, logits=False, **A4)
    chart = charts.flips(table(rows))
    assert "yaxis2" not in chart.figure.to_plotly_json()["layout"]


def test_sqnr_leaves_full_precision_out():
    frame = table([*profile(metric="sqnr_db"), *profile(metric="sqnr_db", **A4)])
    assert list(lines(charts.sqnr(frame).figure)) == ["vanilla, W8 A4"]
    with pytest.raises(charts.ChartError, match="quantized"):
        charts.sqnr(table(profile(metric="sqnr_db")))


def test_a_curve_without_numbers_is_said_to_have_none():
    chart = charts.distance_by_layer(table(profile(values=[math.nan] * 21)))
    assert "no values" in chart.alt
