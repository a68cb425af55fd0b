"""The plane of cost and accuracy: where points stand, which are ringed, what is refused."""

import math

import pandas as pd
import pytest
import scipy.stats

from dqviz.charts import Address, ChartError, efficiency_plane
from tests.charts.study_tables import ONE, OTHER, accuracy_study, costs, row, share

FULL, MIDDLE, LOW = (32, 32), (8, 4), (2, 2)


def study(*accuracies, **more):
    """One accuracy for each (network, bits, value), and what it costs."""
    rows = []
    for network, bits, value in accuracies:
        rows += [*share(value, network=network, bits=bits, **more), *costs(network, bits)]
    return rows


def draw(rows, **options):
    return efficiency_plane(pd.DataFrame(rows), **options)


def traces(chart):
    return {trace.name: trace for trace in chart.figure.data}


def test_points_stand_at_their_cost_and_accuracy():
    chart = draw(study((ONE, FULL, 0.7), (ONE, MIDDLE, 0.6), (OTHER, MIDDLE, 0.5)))
    found = traces(chart)
    assert list(found["vanilla"].x) == pytest.approx([0.032, 1.024], rel=0.05)
    assert list(found["vanilla"].y) == pytest.approx([60, 70])
    assert list(found["vanilla"].error_y.array) == pytest.approx([5, 5])
    assert list(found["vanilla"].error_y.arrayminus) == pytest.approx([5, 5])
    assert list(found["dq"].y) == pytest.approx([50])
    assert chart.figure.layout.xaxis.type == "log"
    assert found["vanilla"].marker.symbol != found["dq"].marker.symbol
    assert "vanilla W8 A4: 60 % at 0.032; vanilla full precision: 70 % at 1.02" in chart.alt
    assert set(chart.table["metric"]) == {"robust_accuracy", "bit_operations"}


def test_bytes_may_be_the_cost():
    chart = draw(study((ONE, FULL, 0.7), (ONE, MIDDLE, 0.6)), cost="weight_bytes")
    assert list(traces(chart)["vanilla"].x) == pytest.approx([1, 4])
    assert chart.figure.layout.xaxis.title.text.startswith("Weights (kilobytes")


@pytest.mark.parametrize("count", [1, 2, 40])
def test_points_of_equal_cost_stand_side_by_side(count):
    networks = [f"cifar10/net/w{i}" for i in range(count)]
    chart = draw(study(*((n, MIDDLE, 0.5) for n in networks), (ONE, FULL, 0.7)))
    x = sorted(math.log10(v) for n in networks for v in traces(chart)[n.removeprefix("cifar10/")].x)
    assert len(set(x)) == count
    assert (x[0] + x[-1]) / 2 == pytest.approx(math.log10(0.032))
    decades = math.log10(1024 / 32)
    assert x[-1] - x[0] <= 0.12 * decades
    low, high = chart.figure.layout.xaxis.range
    assert low < x[0] - 0.1 * decades
    assert high > math.log10(1.024)


def test_a_panel_of_one_cost_is_no_narrower_than_a_factor_of_two():
    low, high = draw(study((ONE, MIDDLE, 0.5), (OTHER, MIDDLE, 0.6))).figure.layout.xaxis.range
    assert low < math.log10(0.032) - 0.15
    assert high > math.log10(0.032) + 0.15


def test_seeds_are_averaged_with_students_interval():
    rows = [r for s in (0, 1, 2) for r in share(0.5 + 0.02 * s, seed=s)] + costs()
    (point,) = (t for t in draw(rows).figure.data if t.name == "vanilla")
    assert list(point.y) == pytest.approx([52])
    half = scipy.stats.t.ppf(0.975, 2) * 2 / math.sqrt(3)
    assert list(point.error_y.array) == pytest.approx([half], rel=1e-4)
    assert point.text[0] == "W8 A4, 3 seeds, cost 0.032"
    assert point.customdata[0][5] is None


def test_the_front_leaves_out_what_is_beaten_and_what_has_collapsed():
    rows = study((ONE, FULL, 0.7), (ONE, MIDDLE, 0.6), (OTHER, FULL, 0.5))
    rows += study((OTHER, LOW, 0.65), clean_accuracy=0.3)
    chart = draw(rows)
    found = traces(chart)
    assert list(found["Pareto front"].y) == pytest.approx([60, 70])
    assert list(found["dq (collapsed)"].y) == pytest.approx([65])
    assert found["dq (collapsed)"].marker.color == "#85888d"
    assert "Greyed" in chart.note


def test_every_point_says_where_its_cell_is():
    chart = draw(study((ONE, MIDDLE, 0.6)))
    address = Address(*traces(chart)["vanilla"].customdata[0])
    assert address == Address(ONE, 8, 4, "fgsm", 1 / 255, 0, "cifar10 test", 64)


def test_costs_come_from_any_row_and_their_lack_is_said():
    rows = [*share(0.6), *share(0.5, bits=FULL), *costs(attack="pgd", epsilon=4 / 255)]
    chart = draw(rows)
    assert len(traces(chart)["vanilla"].x) == 1
    assert chart.note == "Without bit operations, not drawn: vanilla full precision."
    with pytest.raises(ChartError, match="none of these networks has a number of 'weight_bytes'"):
        draw([r for r in rows if r["metric"] != "weight_bytes"], cost="weight_bytes")


def test_labels_are_not_written_over_one_another():
    near = [(8, 8), (8, 7), (8, 6)]
    rows = study(
        (ONE, (2, 2), 0.3), *((ONE, b, 0.7 + 0.001 * sum(b)) for b in near), (ONE, FULL, 0.8)
    )
    texts = traces(draw(rows))["Pareto front"].text
    assert texts == ("W2 A2", "W8 A6", "", "", "full precision")


@pytest.mark.parametrize(
    ("more", "options", "said"),
    [
        ([], {"cost": "time"}, "cost must be one of bit_operations, weight_bytes"),
        ([], {"metric": "margin"}, "the metric one of clean_accuracy, robust_accuracy"),
        (share(0.1, attack="pgd"), {}, "the attacks fgsm, pgd; say which one is wanted"),
        (share(0.1, attack="pgd"), {"attack": "bim"}, "the attacks fgsm, pgd; not 'bim'"),
        (share(0.1, epsilon=2 / 255), {}, "epsilons 1/255, 2/255; say which"),
        (share(0.1, data="svhn test"), {}, "several data sets: cifar10 test, svhn test"),
        (share(0.1, n_samples=128), {}, "several numbers of images: 64, 128"),
        (share(0.1, crafted_on="a/b/c"), {}, "several attacked networks: itself, a/b/c"),
        (
            [row("bit_operations", 5.0)],
            {},
            "vanilla W8 A4 has several numbers of 'bit_operations': 5, 3.2",
        ),
    ],
)
def test_what_cannot_stand_side_by_side_is_named(more, options, said):
    with pytest.raises(ChartError, match=said):
        draw([*study((ONE, MIDDLE, 0.6)), *more], **options)


def test_one_attack_and_epsilon_of_many():
    chart = efficiency_plane(accuracy_study(), epsilon=2 / 255)
    assert {
        point[4] for t in chart.figure.data if t.customdata is not None for point in t.customdata
    } == {2 / 255}
