"""Heat maps of a study: what stands in which cell, and what a click on it finds."""

import math

import pandas as pd
import pytest

from dqviz.charts import Address, ChartError, study_bits_epsilon, study_layer_map
from tests.charts.study_tables import EPSILONS, ONE, OTHER, accuracy_study, layer_study, row, share


def parts(chart):
    """The heat maps, and the markers that lie on their cells."""
    heat = [t for t in chart.figure.data if t.type == "heatmap"]
    return heat, [t for t in chart.figure.data if t.type == "scatter"]


def test_a_panel_a_network_and_means_over_the_seeds():
    chart = study_layer_map(layer_study(), metric="relative_distance", log=False)
    heat, markers = parts(chart)
    assert len(heat) == len(markers) == 2
    assert heat[0].y == ("full precision", "W8 A4", "W4 A4")
    assert list(heat[0].z[0][:3]) == pytest.approx([0.015, 0.03, 0.045])
    assert list(heat[0].z[1][:3]) == pytest.approx([0.12, 0.24, 0.36])
    assert heat[0].zmin == heat[1].zmin
    assert [t.showscale for t in heat] == [True, False]
    titles = [a.text for a in chart.figure.layout.annotations]
    assert titles == ["vanilla", "dq"]
    assert chart.figure.layout.xaxis.showticklabels is False  # those of the last panel serve all
    assert "vanilla, W8 A4: 0.12 at c1 to 2.52 at logits" in chart.alt


def test_layers_are_in_the_order_of_execution():
    rows = layer_study([ONE]).sample(frac=1, random_state=0)
    (heat,), _ = parts(study_layer_map(rows, metric="relative_distance"))
    assert heat.x[:3] == ("c1", "1.0.c1", "1.0.c2")
    assert heat.x[-2:] == ("linear", "logits")


def test_networks_of_other_layers_have_an_axis_of_their_own():
    rows = pd.concat([layer_study([ONE]), layer_study([OTHER], layers=8)])
    chart = study_layer_map(rows, metric="relative_distance")
    heat, _ = parts(chart)
    assert [len(t.x) for t in heat] == [21, 9]
    assert chart.figure.layout.xaxis.showticklabels is None
    assert chart.figure.layout.xaxis.title.text == "Layer (in order of execution)"


def test_rows_are_sorted_by_the_bits_asked_for():
    rows = layer_study([ONE], bits=[(8, 2), (4, 8), (32, 32)])
    by_acts, by_weights = (
        parts(study_layer_map(rows, metric="relative_distance", by=by))[0][0].y
        for by in ("act_bits", "weight_bits")
    )
    assert by_acts == ("full precision", "W4 A8", "W8 A2")
    assert by_weights == ("full precision", "W8 A2", "W4 A8")


def test_every_cell_can_be_pointed_at_and_found_again():
    _, markers = parts(study_layer_map(layer_study(), metric="relative_distance"))
    assert [len(t.x) for t in markers] == [63, 63]
    assert Address(*markers[1].customdata[21]) == Address(
        OTHER, 8, 4, "fgsm", 1 / 255, None, "cifar10 test", 64
    )
    (alone,) = parts(study_layer_map(layer_study([ONE], seeds=[3]), metric="relative_distance"))[1]
    assert {a[5] for a in alone.customdata} == {3}
    assert alone.text[0] == "0.04"
    assert alone.marker.opacity == 0


def test_a_wide_range_is_shown_by_logarithms():
    (heat,), _ = parts(study_layer_map(layer_study([ONE]), metric="relative_distance"))
    assert heat.z[0][0] == pytest.approx(math.log10(0.015))
    narrow = layer_study([ONE], bits=[(8, 8)], layers=8)
    (heat,), _ = parts(study_layer_map(narrow, metric="relative_distance"))
    assert heat.z[0][0] == pytest.approx(0.06)


def test_shares_by_epsilon_and_bits_in_percent():
    chart = study_bits_epsilon(accuracy_study([ONE]), metric="robust_accuracy")
    (heat,), (markers,) = parts(chart)
    assert heat.x == ("1", "2", "4")
    assert heat.y == ("full precision", "W8 A4", "W4 A4")
    assert list(heat.z[1]) == pytest.approx([71.5, 61.5, 41.5])
    assert list(heat.text[1]) == ["71.5", "61.5", "41.5"]
    assert markers.text[3] == "71.5 %"
    found = [Address(*a) for a in markers.customdata]
    assert [a.epsilon for a in found[:3]] == list(EPSILONS)
    assert {(a.weight_bits, a.act_bits) for a in found} == {(32, 32), (8, 4), (4, 4)}
    assert heat.colorbar.title.text == "Robust accuracy (%)"


def test_cells_that_were_not_computed_stay_empty():
    rows = [*share(0.6), *share(0.4, epsilon=2 / 255), *share(0.7, bits=(32, 32))]
    (heat,), (markers,) = parts(study_bits_epsilon(pd.DataFrame(rows), metric="robust_accuracy"))
    assert heat.z[0][1] is None
    assert heat.text[0][1] == ""
    assert len(markers.x) == 3


def test_collapsed_rows_are_grey():
    rows = [*share(0.6), *share(0.1, bits=(8, 2), clean_accuracy=0.2)]
    chart = study_bits_epsilon(pd.DataFrame(rows), metric="robust_accuracy")
    heat, _ = parts(chart)
    assert [t.y for t in heat] == [("W8 A4", "W8 A2 (collapsed)")] * 2
    assert list(heat[0].z[1]) == [None]
    assert list(heat[1].z[0]) == [None]
    assert list(heat[1].text[0]) == [""]
    assert heat[1].colorscale != heat[0].colorscale
    assert "no conclusion rests on it" in chart.note


@pytest.mark.parametrize("lost", [[], [0], [0, 1]])
def test_a_row_is_grey_if_all_its_seeds_have_collapsed_and_then_said_to_be(lost):
    by_layer, by_epsilon = layer_study([ONE]), accuracy_study([ONE])
    for table in (by_layer, by_epsilon):
        table.loc[(table["act_bits"] == 32) & table["seed"].isin(lost), "clean_accuracy"] = 0.1
    for chart in (
        study_layer_map(by_layer, metric="relative_distance"),
        study_bits_epsilon(by_epsilon, metric="robust_accuracy"),
    ):
        grey = len(lost) == 2
        assert len(parts(chart)[0]) == 1 + grey
        assert ("Greyed" in chart.note) == grey


def test_a_layer_by_epsilon():
    rows = layer_study([ONE])
    chart = study_bits_epsilon(rows, metric="relative_distance", layer="logits", statistic="median")
    assert chart.title == "Relative distance ‖d‖₂ / ‖a‖₂ at logits by bit-width and epsilon"


def test_numbers_that_no_attack_changes_need_none():
    rows = [
        row("operator_norm", 2.0 + d, "upper", layer=n, depth=d, attack=None, epsilon=math.nan)
        for d, n in enumerate(("a", "b"))
    ]
    chart = study_layer_map(pd.DataFrame(rows), metric="operator_norm", statistic="upper")
    _, (markers,) = parts(chart)
    assert Address(*markers.customdata[0])[3:5] == (None, None)
    with pytest.raises(ChartError, match="measured at no epsilon"):
        study_bits_epsilon(pd.DataFrame(rows), metric="operator_norm", layer="a", statistic="upper")


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ([], {"by": "seed"}, "by must be one of act_bits, weight_bits; got 'seed'"),
        ([], {"metric": "no"}, "no numbers of 'no'; found relative_distance"),
        ([], {"statistic": "mean"}, "has no 'mean'; found median"),
        ([{"attack": "pgd"}], {}, "the attacks fgsm, pgd; say which one"),
        ([{"epsilon": 0.1}], {}, "epsilons 1/255, 25.5/255; say which"),
        ([], {"epsilon": 0.1}, "no rows at epsilon 25.5/255; found 1/255"),
        ([{"n_samples": 8}], {}, "vanilla has numbers of several numbers of images: 64, 8"),
    ],
)
def test_what_cannot_be_drawn_is_named(more, options, said):
    rows = layer_study()
    extra = rows.head(1).to_dict("records")[0]
    table = pd.concat([rows, pd.DataFrame([{**extra, **other} for other in more])])
    with pytest.raises(ChartError, match=said):
        study_layer_map(table, **{"metric": "relative_distance", **options})


def test_a_number_of_the_network_alone_has_no_layers():
    with pytest.raises(ChartError, match="not measured at any layer; found network"):
        study_layer_map(accuracy_study(), metric="robust_accuracy", statistic="value")
