"""Parallel coordinates: which axes and lines there are, and their colours."""

import pandas as pd
import pytest

from dqviz.charts import ChartError, study_cells, study_parallel
from dqviz.charts.style import GREY
from tests.charts.study_tables import EPSILONS, accuracy_study, costs, share

BOTH = {"robust_accuracy": "value", "bit_operations": "value"}


def axes(chart):
    (trace,) = chart.figure.data
    return {axis.label.replace("<br>", " "): axis for axis in trace.dimensions}


def test_settings_that_vary_then_the_numbers():
    chart = study_parallel(accuracy_study(), metrics=BOTH)
    found = axes(chart)
    assert list(found) == [
        *("Network", "Weight bits (32: full)", "Act. bits (32: full)", "Epsilon (1/255)", "Seed"),
        *("Robust accuracy (%)", "Bit operations (number)"),
    ]
    assert found["Network"].ticktext == ("dq", "vanilla")
    assert found["Weight bits (32: full)"].ticktext == ("4", "8", "32")
    assert found["Epsilon (1/255)"].ticktext == ("1", "2", "4")
    assert all(len(axis["values"]) == 2 * 3 * 3 * 2 for axis in found.values())
    first = {name: axis["values"][0] for name, axis in found.items()}
    assert first["Network"] == 1
    assert first["Weight bits (32: full)"] == 2
    assert first["Robust accuracy (%)"] == pytest.approx(100 * (0.8 - 0.1 + 0.04))


def test_a_wide_range_is_logarithmic_and_says_the_numbers():
    axis = axes(study_parallel(accuracy_study(), metrics=BOTH))["Bit operations (number)"]
    assert max(axis["values"]) == pytest.approx(9.0103, abs=1e-3)  # log10 of 1.024e9
    assert "10⁸" in axis.ticktext


def test_of_too_many_cells_some_are_drawn_and_that_is_said():
    chart = study_parallel(accuracy_study(), most=10)
    drawn = len(axes(chart)["Seed"]["values"])
    assert drawn <= 10
    assert chart.note == f"{drawn} of 36 cells are drawn, evenly chosen."
    assert len(chart.table) == 36


def test_cells_that_lack_a_number_are_left_out_and_counted():
    rows = [*share(0.6), *share(0.5, seed=1), *costs()]
    chart = study_parallel(pd.DataFrame(rows), metrics=BOTH)
    assert chart.note == "Cells left out since a number is missing: 1."
    (trace,) = chart.figure.data
    assert [len(axis["values"]) for axis in trace.dimensions] == [1, 1]
    with pytest.raises(ChartError, match="no cell has a number of each of robust_accuracy, bit_op"):
        study_parallel(pd.DataFrame([*share(0.6), *costs(seed=1)]), metrics=BOTH)


def test_collapsed_lines_are_grey_below_the_scale():
    rows = [*share(0.6), *share(0.4, seed=1), *share(0.5, bits=(8, 2), clean_accuracy=0.1)]
    chart = study_parallel(pd.DataFrame(rows))
    line = chart.figure.data[0].line
    assert list(line.color) == pytest.approx([60, 40, line.cmin])
    assert line.cmin < 40
    scale = list(line.colorscale)
    assert scale[0] == (0.0, GREY)
    assert scale[2][0] == scale[1][0] == pytest.approx((40 - line.cmin) / (60 - line.cmin))
    assert line.colorbar.ticktext[0] == "collapsed"
    assert "Greyed" in chart.note


def test_attacks_have_their_names_and_missing_ones_say_so():
    rows = [*share(0.6), *share(0.5, attack="pgd"), *share(0.4, attack=None)]
    assert axes(study_parallel(pd.DataFrame(rows)))["Attack"].ticktext == ("FGSM", "PGD", "none")


def test_what_is_asked_for_in_vain_is_named():
    with pytest.raises(ChartError, match="at least one metric"):
        study_parallel(accuracy_study(), metrics={})
    with pytest.raises(ChartError, match="no numbers of 'margin'"):
        study_parallel(accuracy_study(), metrics={**BOTH, "margin": "median"})
    with pytest.raises(ChartError, match="has no 'upper'; found value"):
        study_parallel(accuracy_study(), metrics={"bit_operations": "upper"})


def test_epsilons_are_in_their_order():
    axis = axes(study_parallel(accuracy_study()))["Epsilon (1/255)"]
    assert len(axis.tickvals) == len(EPSILONS)
    assert axis["values"][:6] == (0, 0, 1, 1, 2, 2)


def test_the_same_cells_as_a_table_with_their_addresses():
    rows = pd.concat([accuracy_study(), pd.DataFrame(share(0.3, seed=5))])
    cells, addresses = study_cells(rows, metrics=BOTH)
    assert list(cells) == [
        *("Network", "Weight bits (32: full)", "Act. bits (32: full)", "Epsilon (1/255)", "Seed"),
        *("Robust accuracy (%)", "Bit operations (number an image)"),
    ]
    assert len(cells) == len(addresses) == 36, "the last one has no costs"
    for row, address in zip(cells.itertuples(index=False), addresses, strict=True):
        assert row[:3] == (address.network, address.weight_bits, address.act_bits)
        assert row[3] == pytest.approx(255 * address.epsilon)
        assert (row[4], address.attack, address.n_samples) == (address.seed, "fgsm", 64)
