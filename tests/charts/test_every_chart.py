"""What holds for every chart alike: words, units, contrast, a round trip through JSON."""

import itertools
import re

import numpy as np
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from dqviz import charts
from tests.charts.paper_tables import layer_rows, level_rows, quantizer_rows
from tests.charts.robust_tables import (
    bits_table,
    curve_table,
    ensemble,
    pair,
    smallest,
    transfer_table,
)
from tests.charts.study_tables import accuracy_study, layer_study
from tests.charts.tables import (
    DQ,
    EPSILON,
    VANILLA,
    amplification_table,
    lipschitz_table,
    playground_table,
)
from tests.charts.test_estimators import estimator_table

AMPLIFICATION = amplification_table(controls=True)
SWEEP = amplification_table(epsilons=[EPSILON, 2 * EPSILON, 4 * EPSILON])
STUDY = accuracy_study()
LIPSCHITZ = lipschitz_table()
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((3, 8, 8), dtype=np.float32)
NOISE = (RANDOM.random((3, 8, 8), dtype=np.float32) - 0.5) / 50
MAPS = {
    (n, layer): RANDOM.random((4, 4), dtype=np.float32) for n in (VANILLA, DQ) for layer in "ab"
}

CHARTS = {
    "distance": lambda: charts.distance_by_layer(AMPLIFICATION),
    "distance, small": lambda: charts.distance_by_layer(AMPLIFICATION, compact=True, log_y=False),
    "distance, centred": lambda: charts.distance_by_layer(
        AMPLIFICATION, metric="relative_distance_centred", statistic="mean"
    ),
    "amplification": lambda: charts.distance_by_layer(AMPLIFICATION, metric="amplification"),
    "animation": lambda: charts.distance_animation(SWEEP),
    "heat map": lambda: charts.bits_heatmap(AMPLIFICATION, network=VANILLA),
    "quantizer": lambda: charts.quantizer_view(AMPLIFICATION),
    "quantizer, inside, L1": lambda: charts.quantizer_view(
        AMPLIFICATION, elements="inside", norm="l1"
    ),
    "flips": lambda: charts.flips(AMPLIFICATION),
    "failure": lambda: charts.failure_prediction(AMPLIFICATION),
    "failure by layer": lambda: charts.failure_by_layer(AMPLIFICATION),
    "sqnr": lambda: charts.sqnr(AMPLIFICATION),
    "linear gain": lambda: charts.linear_gain(AMPLIFICATION),
    "accuracy": lambda: charts.accuracy_bars(AMPLIFICATION),
    "estimators": lambda: charts.estimator_bars(estimator_table()),
    "robustness": lambda: charts.robust_curves(curve_table()),
    "robustness by bits": lambda: charts.robust_curves(bits_table(), against="act_bits"),
    "who is right": lambda: charts.who_is_right(*pair(), one=(DQ, 8, 4), other=(VANILLA, 8, 4)),
    "attack success": lambda: charts.attack_success(*pair()),
    "breakers": lambda: charts.breakers(*ensemble()),
    "transfer": lambda: charts.transfer_matrix(transfer_table()),
    "smallest epsilon": lambda: charts.smallest_curves(*smallest()),
    "constants": lambda: charts.layer_constants(LIPSCHITZ),
    "batchnorm": lambda: charts.batchnorm_effect(LIPSCHITZ),
    "gain and bound": lambda: charts.gain_against_bound(LIPSCHITZ),
    "bounds": lambda: charts.network_bounds(LIPSCHITZ),
    "singular values": lambda: charts.singular_values(LIPSCHITZ, "conv1"),
    "probabilities": lambda: charts.probabilities(playground_table()),
    "noise maps": lambda: charts.noise_maps(MAPS),
    "noise maps, logarithmic": lambda: charts.noise_maps(MAPS, log=True),
    "images": lambda: charts.image_triplet(IMAGE, NOISE, IMAGE + NOISE),
    "study": lambda: charts.study_curves(STUDY, metric="robust_accuracy"),
    "study by layer": lambda: charts.study_layer_map(layer_study(), metric="relative_distance"),
    "study by epsilon": lambda: charts.study_bits_epsilon(STUDY, metric="robust_accuracy"),
    "study, all settings": lambda: charts.study_parallel(STUDY),
    "by bits": lambda: charts.by_bits(level_rows(), where="PGD at 1/255"),
    "bits by layer": lambda: charts.bits_by_layer(
        layer_rows(), attack="fgsm", metric="amplification_centred"
    ),
    "turning point": lambda: charts.turning_point(quantizer_rows(), bits=4),
    "efficiency": lambda: charts.efficiency_plane(STUDY, epsilon=EPSILON),
}
NO_AXES = ("noise maps", "noise maps, logarithmic", "images", "study, all settings")


@pytest.fixture(scope="module", params=CHARTS, ids=str)
def named(request):
    return request.param, CHARTS[request.param]()


def axes(figure: go.Figure) -> list:
    layout = figure.to_plotly_json()["layout"]
    return [layout[name] for name in layout if re.fullmatch(r"[xy]axis\d*", name)]


def test_words_are_there(named):
    _, chart = named
    assert chart.title
    assert chart.how_to_read.endswith(".")
    assert re.fullmatch(r"[^.]*(\.\d[^.]*)*\.", chart.how_to_read), "one sentence"
    assert len(chart.alt) > 40
    assert re.search(r"\d", chart.alt), "alt text says numbers"
    assert not chart.table.empty
    assert re.fullmatch(r"[a-z0-9-]+\.csv", chart.file_name)


def test_formula_has_balanced_braces(named):
    _, chart = named
    assert chart.formula.count("{") == chart.formula.count("}")
    assert chart.formula
    assert "$" not in chart.formula


def test_every_axis_has_a_title_with_its_unit(named):
    name, chart = named
    titles = [axis.get("title", {}).get("text") for axis in axes(chart.figure)]
    shown = [
        t
        for t, axis in zip(titles, axes(chart.figure), strict=True)
        if axis.get("showticklabels", True)
    ]
    stacked = name == "probabilities"
    assert all(t and re.search(r"\(.+\)", t) for t in shown if t or not stacked)
    assert any(shown) == (name not in NO_AXES)


def test_round_trip_through_json(named):
    _, chart = named
    again = pio.from_json(chart.figure.to_json())
    assert again.to_json() == chart.figure.to_json()


def test_background_is_transparent_and_text_colour_is_the_themes(named):
    _, chart = named
    layout = chart.figure.to_plotly_json()["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert "color" not in layout.get("font", {})


def test_curves_differ_in_more_than_colour(named):
    name, chart = named
    lines = [t for t in chart.figure.data if t.type == "scatter" and t.mode != "lines"]
    for one, other in itertools.combinations(lines, 2):
        if (one.xaxis, one.yaxis) == (other.xaxis, other.yaxis):
            assert _look(one) != _look(other), (name, one.name, other.name)


def _look(trace):
    symbol = trace.marker.symbol
    return trace.line.dash, symbol if isinstance(symbol, str) else tuple(symbol or ())
