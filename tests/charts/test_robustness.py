"""The charts of robustness show the tables' numbers, and what cannot be drawn is refused."""

import math

import pandas as pd
import pytest

from dqviz import charts
from dqviz.attacks import BREAKERS
from dqviz.charts import ChartError
from dqviz.charts.breakers import BREAKERS as NUMBERED
from dqviz.charts.style import GREY
from dqviz.specs import EXPERIMENTS
from tests.charts.robust_tables import (
    BROKEN,
    QUANTIZED,
    accuracies,
    bits_table,
    curve_table,
    ensemble,
    images,
    pair,
    smallest,
    transfer_table,
)
from tests.charts.tables import DQ, VANILLA, amplification_table, table

ONE, OTHER = (DQ, 8, 4), (VANILLA, 8, 4)


def traces(chart):
    return {trace.name: trace for trace in chart.figure.data}


def test_a_curve_begins_with_the_clean_accuracy_and_keeps_the_intervals():
    chart = charts.robust_curves(curve_table())
    own = traces(chart)["vanilla, W8 A4"]
    assert list(own.x) == [0, 0.25, 1, 2]
    assert list(own.y) == pytest.approx([95, 75, 50, 25])
    low, high = own.customdata[2]  # 20 of 40, Wilson by hand
    assert (low, high) == (pytest.approx(35.2, abs=0.05), pytest.approx(64.8, abs=0.05))
    assert own.error_y.array[2] == pytest.approx(high - 50)
    assert own.error_y.arrayminus[2] == pytest.approx(50 - low)
    assert "vanilla, W8 A4: 95 % at 0 to 25 % at 2" in chart.alt
    assert "under FGSM" in chart.figure.layout.yaxis.title.text


def test_rounded_accuracy_stands_beside_where_there_is_one():
    chart = charts.robust_curves(curve_table())
    rounded = traces(chart)["vanilla, W8 A4, under attack, rounded to 8 bits"]
    assert list(rounded.x) == [1, 2]
    assert list(rounded.y) == pytest.approx([52.5, 27.5])
    assert "rounded to 8 bits" in chart.how_to_read
    frame = curve_table()
    plain = charts.robust_curves(frame[frame["metric"] != "robust_accuracy_uint8"])
    assert "rounded" not in plain.how_to_read
    assert len(plain.figure.data) == 4


def test_against_bits_clean_accuracy_is_a_curve_and_collapsed_points_are_grey():
    chart = charts.robust_curves(bits_table(), against="act_bits")
    found = traces(chart)
    own, clean = found["vanilla, W8"], found["vanilla, W8, clean"]
    assert list(own.x) == ["32", "8", "4", "2"]
    assert list(own.y) == pytest.approx([60, 55, 50, 20])
    assert list(clean.y) == pytest.approx([95, 95, 90, 30])
    assert [colour == GREY for colour in own.marker.color] == [False, False, False, True]
    assert "Greyed" in chart.note
    assert "FGSM 1/255" in chart.figure.layout.yaxis.title.text


def test_weight_bits_take_the_place_of_activation_bits():
    frame = bits_table().rename(columns={"weight_bits": "act_bits", "act_bits": "weight_bits"})
    chart = charts.robust_curves(frame, against="weight_bits")
    assert list(traces(chart)["dq, A8"].y) == pytest.approx([70, 65, 60, 30])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t[t["metric"] == "clean_accuracy"], "no accuracy under attack"),
        (lambda t: pd.concat([t, t.assign(attack="pgd")]), "several attacks: fgsm, pgd"),
    ],
)
def test_curves_of_no_attack_or_of_two_are_refused(change, message):
    with pytest.raises(ChartError, match=message):
        charts.robust_curves(change(curve_table()))


def test_an_unknown_axis_is_refused():
    with pytest.raises(ChartError, match="epsilon, act_bits, weight_bits; got 'seed'"):
        charts.robust_curves(curve_table(), against="seed")


def test_clean_accuracy_in_words_is_wilsons():
    assert charts.clean_words(bits_table())[:1] == ["vanilla, W8 95.0 % (83.5 to 98.6)"]
    assert any("A2 (collapsed) 30.0 %" in words for words in charts.clean_words(bits_table()))


def test_the_images_are_split_by_who_is_right():
    rows, samples = pair()
    chart = charts.who_is_right(rows, samples, one=ONE, other=OTHER)
    found = {name: list(trace.x) for name, trace in traces(chart).items()}
    # attacked: dq is right on 4..29, vanilla on 0..19; clean: 0..37 and 2..39
    assert found == {
        "both right": [36, 16, 16],
        "only dq, W8 A4": [2, 10, 10],
        "only vanilla, W8 A4": [2, 4, 4],
        "neither": [0, 10, 10],
    }
    attacked = chart.table.set_index("metric").loc["robust_accuracy"]
    assert attacked["difference"] == pytest.approx(6 / 40)
    assert attacked["mcnemar_p"] == pytest.approx(0.1795654296875)  # 2 (1+14+91+364+1001) / 2^14
    assert attacked["low"] < attacked["difference"] < attacked["high"]


def test_two_different_networks_are_needed():
    rows, samples = pair()
    for other in (ONE, (VANILLA, 32, 32)):
        with pytest.raises(ChartError, match="two of dq, W8 A4, vanilla, W8 A4 are needed"):
            charts.who_is_right(rows, samples, one=ONE, other=other)
    with pytest.raises(ChartError, match="not been run on the same images"):
        charts.who_is_right(rows, samples.iloc[:0], one=ONE, other=OTHER)


def test_success_is_counted_on_the_images_that_all_classify_correctly():
    rows, samples = pair()
    chart = charts.attack_success(rows, samples)
    # both right unattacked: 2..37; of these dq keeps 4..29, vanilla 2..19
    own = traces(chart)["as the attack left them"]
    found = dict(zip(own.y, own.x, strict=True))
    assert found == {
        "dq, W8 A4": pytest.approx(100 * 10 / 36),
        "vanilla, W8 A4": pytest.approx(100 * 18 / 36),
    }
    assert "36 images" in chart.how_to_read
    low, high = dict(zip(own.y, own.customdata, strict=True))["vanilla, W8 A4"]
    assert (low, high) == (pytest.approx(34.5, abs=0.05), pytest.approx(65.5, abs=0.05))


def test_collapsed_networks_do_not_shrink_the_common_images():
    rows, samples = pair()
    bits = {"weight_bits": 8, "act_bits": 2}
    more = table(accuracies(VANILLA, 4, 2, **bits))
    few = [images(VANILLA, m, range(4), **bits) for m in ("clean_accuracy", "robust_accuracy")]
    chart = charts.attack_success(pd.concat([rows, more]), pd.concat([samples, *few]))
    assert "36 images" in chart.how_to_read
    assert chart.note == "Collapsed, and left out: vanilla, W8 A2 (collapsed)."


def test_without_common_images_there_is_no_success():
    rows, samples = pair()
    nowhere = samples.assign(value=samples["value"] * (samples["metric"] != "clean_accuracy"))
    with pytest.raises(ChartError, match="no image that all"):
        charts.attack_success(rows, nowhere)
    with pytest.raises(ChartError, match="image by image"):
        charts.attack_success(rows, samples.iloc[:0])


def test_breakers_are_counted():
    chart = charts.breakers(*ensemble())
    found = {name: (list(trace.x), list(trace.text)) for name, trace in traces(chart).items()}
    assert found == {
        "withstands": ([50.0], ["20"]),
        "Square": ([2.5], ["1"]),
        "APGD-DLR": ([12.5], ["5"]),
        "APGD-CE": ([30.0], ["12"]),
        "wrong unattacked": ([5.0], ["2"]),
    }
    assert chart.table["images"].sum() == len(BROKEN)


def test_without_an_ensemble_there_is_no_breaker():
    rows, samples = pair()
    with pytest.raises(ChartError, match="'standard' alone"):
        charts.breakers(rows, samples)


def test_the_numbers_of_breakers_are_the_attacks():
    assert NUMBERED == BREAKERS


def test_the_transfer_matrix_is_crafted_on_rows_and_evaluated_on_columns():
    chart = charts.transfer_matrix(transfer_table())
    sound, grey = chart.figure.data
    assert list(sound.y) == ["full precision", "W8 A4", "W8 A2"]
    columns = ["full precision<br>clean 95.0 %", "W8 A4<br>clean 95.0 %", "W8 A2<br>clean 30.0 %"]
    assert list(sound.x) == columns
    rows = [list(row) for row in sound.text]
    assert rows == [["25.0", "50.0", ""], ["20.0", "75.0", ""], ["15.0", "72.5", ""]]
    assert [list(row) for row in grey.text] == [["", "", v] for v in ("17.5", "15.0", "12.5")]
    assert grey.showscale is False
    assert "Greyed" in chart.note


def test_a_matrix_is_of_one_network_with_its_own_diagonal():
    frame = transfer_table()
    with pytest.raises(ChartError, match="of one network; found"):
        charts.transfer_matrix(pd.concat([frame, frame.assign(weights="dq")]))
    with pytest.raises(ChartError, match="crafted on itself"):
        charts.transfer_matrix(frame[frame["crafted_on"] != "itself"])


def test_an_image_is_right_up_to_its_smallest_epsilon():
    chart = charts.smallest_curves(*smallest())
    found = traces(chart)
    vanilla = found["vanilla, W8 A4, median 1/255"]
    steps = dict(zip(vanilla.x, vanilla.y, strict=True))  # the last step at a place counts
    assert steps == pytest.approx({0: 75, 1: 50, 2: 25, 3: 0, 5: 0})
    dq = found["dq, W8 A4, median 2/255"]
    assert dict(zip(dq.x, dq.y, strict=True)) == pytest.approx({0: 75, 2: 50, 4: 25, 5: 25})
    assert vanilla.line.shape == "hv"
    assert list(found["median of dq, W8 A4"].x) == pytest.approx([2])


def test_a_median_beyond_what_was_tried_is_said_and_not_drawn():
    rows, samples = smallest()
    far = samples.assign(value=samples["value"].where(samples["value"] == 0, math.inf))
    chart = charts.smallest_curves(rows, far)
    assert "median above 5/255" in " ".join(traces(chart))
    assert len(chart.figure.data) == 2


def test_without_a_search_there_is_no_smallest_epsilon():
    rows, samples = pair()
    assert "smallest_epsilon" in EXPERIMENTS
    with pytest.raises(ChartError, match="looked for"):
        charts.smallest_curves(rows, samples)


def test_tables_of_other_kinds_are_read_too():
    chart = charts.robust_curves(amplification_table())
    assert len(chart.figure.data) == 4
    assert QUANTIZED["act_bits"] in set(chart.table["act_bits"])
