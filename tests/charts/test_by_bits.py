"""Numbers against bits: panels, means over seeds, words; layers and quantizers by bits."""

import pytest

from dqviz import charts
from dqviz.charts import ChartError
from dqviz.charts.levels import LEVELS
from dqviz.charts.style import GREY
from tests.charts.paper_tables import BITS, FAMILIES, layer_rows, level_rows, quantizer_rows


def traces(chart, *, mode):
    return [trace for trace in chart.figure.data if trace.mode == mode]


def test_a_line_runs_through_the_means_of_the_seeds_and_each_network_has_a_marker():
    chart = charts.by_bits(level_rows())
    lines = {(t.name, t.xaxis): t for t in traces(chart, mode="lines")}
    assert len(lines) == 2 * len(FAMILIES)
    assert list(lines["vanilla", "x"].y) == [30, 41, 50]  # at 4 bits the mean of 40, 41, 42
    assert list(lines["DQ", "x2"].y) == [32, 43, 52]
    marks = {(t.name, t.xaxis): t for t in traces(chart, mode="markers")}
    assert list(marks["vanilla", "x"].y) == [30, 40, 41, 42, 50]
    assert list(marks["vanilla", "x"].error_y.array) == [8] * 5
    assert sum(bool(t.showlegend) for t in chart.figure.data) == 2  # each curve is named once
    assert "seeds" in chart.how_to_read
    assert "95 % intervals" in chart.how_to_read


def test_bits_fall_from_left_to_right_and_panels_share_their_axes():
    figure = charts.by_bits(level_rows()).figure.to_plotly_json()["layout"]
    assert figure["xaxis"]["ticktext"] == ["full", "4", "2"]
    assert figure["yaxis"]["range"] == figure["yaxis2"]["range"]
    assert [said["text"] for said in figure["annotations"]] == list(FAMILIES)
    low, high = figure["yaxis"]["range"]
    assert low == 0
    assert high > level_rows()["high"].max()


def test_the_words_tell_the_ends_of_every_curve():
    chart = charts.by_bits(level_rows(), where="PGD at 1/255")
    assert chart.title == "Attack success by bits, PGD at 1/255"
    assert "cifar10/resnet20, vanilla: 30 at full precision, 50 at 2 bits" in chart.alt


def test_without_intervals_nothing_is_said_of_them():
    chart = charts.by_bits(level_rows("quantizer_gain", intervals=False))
    assert "interval" not in chart.how_to_read
    assert len(chart.figure.layout.shapes) == len(FAMILIES)  # the line at 1 in every panel


def test_what_has_collapsed_is_grey_and_the_line_leaves_it_out():
    rows = level_rows()
    rows["collapsed"] = (rows["act_bits"] == 2) & (rows["series"] == "DQ")
    chart = charts.by_bits(rows)
    marks = {(t.name, t.xaxis): t for t in traces(chart, mode="markers")}
    assert list(marks["DQ", "x"].marker.color)[-1] == GREY
    assert GREY not in marks["vanilla", "x"].marker.color
    lines = {(t.name, t.xaxis): t for t in traces(chart, mode="lines")}
    assert len(lines["DQ", "x"].x) == 2
    assert len(lines["vanilla", "x"].x) == 3
    assert "below 80 %" in chart.note
    assert chart.figure.layout.annotations[-1].text == f"<i>{chart.note}</i>"
    assert not charts.by_bits(level_rows()).note


@pytest.mark.parametrize("measure", LEVELS)
def test_every_measure_can_be_drawn(measure):
    chart = charts.by_bits(level_rows(measure))
    assert LEVELS[measure].title in chart.title


def test_what_cannot_be_drawn_is_said():
    rows = level_rows()
    with pytest.raises(ChartError, match="none of these networks"):
        charts.by_bits(rows.iloc[:0])
    with pytest.raises(ChartError, match="found attack_success, robust_accuracy"):
        charts.by_bits(
            rows.assign(measure=["attack_success", *["robust_accuracy"] * (len(rows) - 1)])
        )
    with pytest.raises(ChartError, match="found charm"):
        charts.by_bits(rows.assign(measure="charm"))


def test_lines_by_layer_are_those_of_the_perturbation_and_the_metric():
    chart = charts.bits_by_layer(layer_rows(), attack="random_signs", metric="amplification")
    assert len(chart.figure.data) == len(FAMILIES) * 2 * len(BITS)
    two = [t for t in chart.figure.data if t.name == "vanilla, 2 bits"]
    assert list(two[0].y) == [2, 4, 8, 16]
    assert len({t.line.color for t in chart.figure.data}) == len(BITS)
    assert {t.line.dash for t in chart.figure.data if t.name.startswith("DQ")} == {"6px,4px"}
    assert "random signs" in chart.title
    assert "8 at 2 bits" in chart.alt  # at the last layer, before the logits
    with pytest.raises(ChartError, match="no layers were measured under Gaussian noise"):
        charts.bits_by_layer(layer_rows(), attack="gaussian", metric="amplification")
    with pytest.raises(ChartError, match="the metric must be one of"):
        charts.bits_by_layer(layer_rows(), attack="fgsm", metric="charm")


@pytest.mark.parametrize("drawn", ["by bits", "by layer"])
def test_what_the_first_panel_lacks_is_named_in_the_legend_all_the_same(drawn):
    """Where a network of one family has collapsed, the others' are drawn."""
    if drawn == "by bits":
        rows = level_rows()
        kept = rows[(rows["family"] != FAMILIES[0]) | (rows["series"] != "DQ")]
        chart, wanted = charts.by_bits(kept), {"vanilla", "DQ"}
    else:
        rows = layer_rows()
        kept = rows[(rows["family"] != FAMILIES[0]) | (rows["act_bits"] != 2)]
        chart = charts.bits_by_layer(kept, attack="fgsm", metric="amplification")
        wanted = {trace.name for trace in chart.figure.data}
        assert {"vanilla, 2 bits", "DQ, 2 bits"} <= wanted
    named = [trace.name for trace in chart.figure.data if trace.showlegend]
    assert sorted(named) == sorted(wanted)
    assert all(len(trace.x) for trace in chart.figure.data if trace.showlegend)


def test_a_turning_point_is_told_by_its_rule():
    falls = charts.turning_point(quantizer_rows(), bits=4)
    assert "No turning point shows" in falls.note
    assert list(falls.figure.data[0].y) == pytest.approx([2.0 * 0.97**k for k in range(16)])
    turns = charts.turning_point(quantizer_rows(turns=True), bits=4)
    assert turns.note.startswith("A turning point shows: the median gain in L2 is 0.5")
    assert "not drawn" not in turns.note
    damped = quantizer_rows(turns=True).assign(noise_out=lambda t: 0.3 * t["noise_out"])
    assert charts.turning_point(damped, bits=4).note.startswith("No turning point shows")
    gone = quantizer_rows(turns=True)
    gone.loc[:2, "noise_out"] = 0.0
    removed = charts.turning_point(gone, bits=4)
    assert "3 remove all of it and are not drawn" in removed.note
    assert len(removed.figure.data[0].x) == 13
    few = charts.turning_point(quantizer_rows().iloc[:5], bits=4)
    assert "too few" in few.note
    with pytest.raises(ChartError, match="no quantizers of 3 bits"):
        charts.turning_point(quantizer_rows(), bits=3)
