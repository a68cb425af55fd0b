"""Networks of different depth, or with layers missing, in one chart."""

import math

import numpy as np
import pandas as pd
import pytest

from dqviz import charts
from dqviz.charts.axes import layer_positions
from dqviz.charts.tidy import Curve, read_curves
from tests.charts.tables import (
    DQ,
    VANILLA,
    amplification_table,
    bounds,
    layer_names,
    lipschitz_table,
    profile,
)
from tests.charts.tables import table as tidy

DEEP = "streetdigits/resnet32/vanilla"
NAMES = ["conv1", "layer1.0.conv1", "linear"]
MORE = ["conv1", "layer1.0.conv1", "layer1.1.conv1", "linear"]

AMPLIFICATION = pd.concat(
    [amplification_table([VANILLA]), amplification_table([DEEP], layers=32)], ignore_index=True
)
LIPSCHITZ = pd.concat(
    [lipschitz_table([VANILLA]), lipschitz_table([DEEP], layers=32)], ignore_index=True
)
STRANGE = LIPSCHITZ.assign(
    layer=np.where(
        LIPSCHITZ["weights"].eq("vanilla") & LIPSCHITZ["model"].str.contains("32"),
        LIPSCHITZ["layer"].str.replace("layer", "block"),
        LIPSCHITZ["layer"],
    )
)
BY_LAYER = {
    "distance": charts.distance_by_layer,
    "quantizer": charts.quantizer_view,
    "flips": charts.flips,
    "failure": charts.failure_by_layer,
    "sqnr": charts.sqnr,
    "linear gain": charts.linear_gain,
}
OF_NORMS = {
    "constants": charts.layer_constants,
    "batchnorm": charts.batchnorm_effect,
    "gain and bound": charts.gain_against_bound,
}


@pytest.mark.parametrize("name", BY_LAYER)
def test_charts_by_layer_hold_networks_of_any_depth(name):
    figure = BY_LAYER[name](AMPLIFICATION).figure
    assert figure.layout.xaxis.type == "linear"
    low, high = figure.layout.xaxis.range
    places = [x for trace in figure.data for x in trace.x if x is not None]
    assert low < min(places)
    assert max(places) < high


@pytest.mark.parametrize("name", OF_NORMS)
@pytest.mark.parametrize("frame", [LIPSCHITZ, STRANGE], ids=["nested", "other names"])
def test_charts_of_norms_hold_networks_of_any_depth(name, frame):
    chart = OF_NORMS[name](frame)
    colours = {trace.line.color for trace in chart.figure.data if trace.line.color}
    assert len(colours) == 2


def norms(network, names, folded):
    """Norms of layers, those of `folded` with BatchNorm folded in."""
    rows = bounds(network, "operator_norm", [2.0] * len(names))
    rows += bounds(network, "operator_norm_folded", [3.0] * len(names))
    named = dict(zip(layer_names(len(names)), names, strict=True))
    rows = [{**row, "layer": named[row["layer"]]} for row in rows]
    return [r for r in rows if "folded" not in r["metric"] or r["layer"] in folded]


def dumbbells(frame):
    chart = charts.batchnorm_effect(tidy(frame).assign(attack="", epsilon=math.nan))
    ends = [t for t in chart.figure.data if t.name and t.name.endswith("folded")]
    return chart, {t.name.partition(",")[0].rpartition("/")[2]: t for t in ends}


def test_dumbbells_stand_at_their_layer_though_others_have_none():
    _, ends = dumbbells([*norms(VANILLA, ["a", "b", "c"], ["c"]), *norms(DQ, MORE, MORE)])
    assert round(ends["vanilla"].x[0]) == 3


def test_networks_without_dumbbells_are_named_in_the_note():
    nothing = norms(VANILLA, ["conv1", "b", "c"], [])
    chart, ends = dumbbells([*nothing, *norms(DQ, MORE, MORE)])
    assert list(ends) == ["dq"]
    assert chart.note == "vanilla is left out: it has no BatchNorm that can be folded."
    with pytest.raises(charts.ChartError, match="no BatchNorm folds into a layer here"):
        dumbbells(nothing)
    unknown = norms(VANILLA, MORE, MORE)
    for row in unknown:
        row["value"] = math.nan if "folded" in row["metric"] else row["value"]
    chart, ends = dumbbells([*unknown, *norms(DQ, MORE, MORE)])
    assert list(ends) == ["dq"]
    assert chart.note == "vanilla is left out: no layer has both norms."
    with pytest.raises(charts.ChartError, match="no layer has both"):
        dumbbells(unknown)


def curve(layers, network="d/a/w"):
    return Curve(network, 32, 32, "fgsm", False, tuple(layers), {})


def test_a_layer_keeps_its_place_where_its_curve_lacks_others():
    along = [curve("abcd"), curve("xyz", "d/a/other")]
    assert layer_positions(curve("bd"), along) == [2, 4]
    assert layer_positions(curve(["logits"]), along) == [5]
    assert layer_positions(curve("bd"), along[:1]) == ["b", "d"]


def test_a_contribution_at_the_logits_alone_stands_behind_the_layers():
    frame = amplification_table([VANILLA])
    inner = (frame["metric"] == "flip_contribution") & (frame["layer"] != "logits")
    figure = charts.flips(frame[~inner]).figure
    below = next(t for t in figure.data if t.yaxis == "y2" and t.mode == "lines+markers")
    assert list(below.x) == ["logits"]
    assert figure.layout.xaxis.categoryarray[-1] == "logits"


def test_heat_map_rows_stay_in_their_columns():
    rows = profile(layers=MORE, logits=False, values=[1, 2, 3, 4], weight_bits=8, act_bits=8)
    rows += profile(layers=NAMES, logits=False, values=[1, 2, 4], weight_bits=8, act_bits=4)
    for row in rows:
        row["depth"] = MORE.index(row["layer"])
    heat = charts.bits_heatmap(tidy(rows), log=False).figure.data[0]
    assert list(heat.z[1]) == [1, 2, None, 4]
    assert len(read_curves(charts.grey_out(tidy(rows)))) == 2
