"""Curves of a study: which points they have, how they are named, and what is refused."""

import dataclasses
import math

import pandas as pd
import pytest
import scipy.stats

from dqviz.charts import Address, ChartError, study_curves
from dqviz.charts.study import read_study

BASE = {
    "model": "cifar10/resnet20",
    "weights": "vanilla",
    "weight_bits": 8,
    "act_bits": 4,
    "attack": "fgsm",
    "epsilon": 1 / 255,
    "layer": "network",
    "depth": -1,
    "metric": "robust_accuracy",
    "clean_accuracy": 0.9,
    "clean_accuracy_full": 0.9,
    "n_samples": 64,
    "data": "cifar10 test",
    "seed": 0,
    "crafted_on": "itself",
}


def row(value, statistic="value", **more):
    return {**BASE, "statistic": statistic, "value": value, **more}


def accuracies(*, weights="vanilla", shift=0.0, seeds=(0,), **more):
    """Accuracy that falls from 80 % by 10 points an epsilon, with an interval of 5 points."""
    return [
        row(value, statistic, weights=weights, epsilon=k / 255, seed=seed, **more)
        for k in (1, 2, 4)
        for seed in seeds
        for statistic, value in (
            ("value", 0.8 - 0.1 * k + shift + 0.02 * seed),
            ("low", 0.75 - 0.1 * k + shift),
            ("high", 0.85 - 0.1 * k + shift),
        )
    ]


def draw(rows, **options):
    return study_curves(pd.DataFrame(rows), metric="robust_accuracy", **options)


def test_a_curve_a_network_with_its_intervals():
    chart = draw([*accuracies(), *accuracies(weights="dq", shift=0.05)])
    one, other = chart.figure.data
    assert (one.name, other.name) == ("vanilla", "dq")
    assert list(one.x) == [1, 2, 4]
    assert list(one.y) == pytest.approx([70, 60, 40])
    assert list(one.error_y.array) == pytest.approx([5, 5, 5])
    assert list(other.y) == pytest.approx([75, 65, 45])
    assert one.line.color != other.line.color
    assert one.marker.symbol != other.marker.symbol
    assert "its whisker the 95 % interval" in chart.how_to_read
    assert "vanilla: 70 % at 1.0 to 40 % at 4.0" in chart.alt


def test_seeds_are_averaged_with_students_interval():
    chart = draw(accuracies(seeds=(0, 1, 2)))
    (curve,) = chart.figure.data
    assert list(curve.y) == pytest.approx([72, 62, 42])
    half = scipy.stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert list(curve.error_y.array) == pytest.approx([half] * 3, rel=1e-4)
    assert "the mean of up to 3 seeds" in chart.how_to_read


def test_two_numbers_of_one_seed_are_one_run():
    """The kinds `accuracy` and `amplification` both measure robust accuracy."""
    (curve,) = draw([*accuracies(), *accuracies(shift=0.02)]).figure.data
    assert list(curve.y) == pytest.approx([71, 61, 41])
    assert list(curve.error_y.array) == pytest.approx([4, 4, 4])


def test_every_point_says_where_its_cells_are():
    (curve,) = draw(accuracies(seeds=(3,))).figure.data
    found = [Address(*point) for point in curve.customdata]
    assert found[1] == Address(
        *("cifar10/resnet20/vanilla", 8, 4, "fgsm", 2 / 255, 3, "cifar10 test", 64)
    )
    (curve,) = draw([*accuracies(seeds=(0, 1))]).figure.data
    assert Address(*curve.customdata[0]).seed is None
    rows = [row(0.5, act_bits=bits, attack=None, epsilon=math.nan) for bits in (2, 4)]
    (curve,) = draw(rows, against="act_bits").figure.data
    assert [Address(*point).act_bits for point in curve.customdata] == [2, 4]
    assert list(curve.customdata[0][3:5]) == [None, None]


def test_whatever_differs_tells_curves_apart_but_the_seed():
    rows = [
        *accuracies(),
        *accuracies(attack="pgd"),
        *accuracies(act_bits=2),
        *accuracies(n_samples=128),
    ]
    names = [trace.name for trace in draw(rows).figure.data]
    assert len(set(names)) == 4
    assert names[0] == "vanilla, W8 A4, FGSM, 64 images"
    assert "PGD" in names[1]
    assert "W8 A2" in names[2]
    assert "128 images" in names[3]


def test_curves_of_one_network_can_be_told_apart_without_colours():
    rows = [r for a in ("fgsm", "pgd") for b in (8, 4) for r in accuracies(attack=a, act_bits=b)]
    traces = draw(rows).figure.data
    assert len({trace.line.color for trace in traces}) == 1
    assert len({trace.line.dash for trace in traces}) == 4
    assert len({trace.marker.symbol for trace in traces}) == 4


def test_equal_activation_bits_of_other_weights_look_different():
    rows = [r for w in (8, 4) for r in accuracies(weight_bits=w, act_bits=4)]
    one, other = draw(rows).figure.data
    assert (one.line.dash, one.marker.symbol) != (other.line.dash, other.marker.symbol)


def test_bits_run_from_many_to_few():
    rows = [row(0.5 + bits / 100, act_bits=bits) for bits in (2, 32, 8)]
    chart = draw(rows, against="act_bits")
    assert chart.figure.layout.xaxis.categoryarray == ("32", "8", "2")
    (curve,) = chart.figure.data
    found = dict(zip(curve.x, curve.y, strict=True))
    assert found == pytest.approx({"2": 52.0, "8": 58.0, "32": 82.0})
    assert "interval" not in chart.how_to_read


def test_collapsed_networks_are_greyed_and_said_to_be():
    rows = [*accuracies(), *accuracies(act_bits=2, clean_accuracy=0.2)]
    chart = draw(rows)
    assert [t.name.endswith("(collapsed)") for t in chart.figure.data] == [False, True]
    assert chart.figure.data[1].line.color == "#85888d"
    assert "no conclusion rests on it" in chart.note


def test_a_layers_number_of_any_size():
    rows = [
        row(10.0**k, "median", metric="amplification", layer="logits", epsilon=k / 255)
        for k in (1, 2, 3)
    ]
    chart = study_curves(
        pd.DataFrame(rows), metric="amplification", layer="logits", statistic="median"
    )
    assert chart.figure.layout.yaxis.type == "log"
    assert list(chart.figure.data[0].y) == [10, 100, 1000]
    assert "at logits" in chart.title


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"metric": "nothing"}, "no numbers of 'nothing'; found robust_accuracy"),
        ({"against": "seed"}, "against must be one of epsilon, act_bits"),
        ({"layer": "conv1"}, "not measured at 'conv1'; found network"),
        ({"statistic": "median"}, "has no 'median'; found value, low, high"),
    ],
)
def test_what_is_not_there_is_named(options, said):
    with pytest.raises(ChartError, match=said):
        study_curves(pd.DataFrame(accuracies()), **{"metric": "robust_accuracy", **options})


def test_controls_are_left_out():
    chart = draw([*accuracies(), *accuracies(attack="gaussian")])
    assert len(chart.figure.data) == 1


def test_missing_settings_are_a_setting_too():
    rows = pd.DataFrame(accuracies(crafted_on=None, n_samples=None)).assign(collapsed=False)
    (curve,) = read_study(rows)
    assert len(curve.points) == 3
    assert dataclasses.asdict(curve.points[0])["runs"] == 1


def test_a_long_legend_leaves_the_plot_its_place():
    """A line of the legend, two entries, takes about 20 pixels off the plot."""
    many = [
        row for bits in range(2, 9) for w in "abcd" for row in accuracies(weights=w, act_bits=bits)
    ]
    few, more = (draw(rows).figure.layout.height for rows in (accuracies(), many))
    assert few == 460
    assert more - few >= 18 * (28 / 2 - 4)
    endless = [row for k in range(400) for row in accuracies(weights=f"w{k}")]
    assert draw(endless).figure.layout.height < 900
