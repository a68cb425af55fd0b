"""The chart and the findings of an attack's checks."""

import pytest

from dqviz.charts import ChartError, attack_variants, masking_findings, verdict
from tests.charts.tables import VANILLA, of, table

LEFT = {"noise": 0.9, "attack": 0.5, "square": 0.3}
MARKS = {"repeatable": 0, "transfer": 2, "iterated": 1}


def checked():
    """What three variants leave, and three checks, one of each mark."""
    rows = []
    place = {"layer": "network", "depth": -1, "other": "", "variant": ""}
    for variant, share in LEFT.items():
        parts = {"value": share, "low": share - 0.1, "high": share + 0.1}
        told = {**of(VANILLA, attack="pgd"), **place, "metric": "survival", "variant": variant}
        rows += [{**told, "statistic": s, "value": v} for s, v in parts.items()]
    for name, mark in MARKS.items():
        parts = {"value": 0.1, "low": 0.0, "high": 0.2, "limit": 0.0, "count": 40, "mark": mark}
        told = {**of(VANILLA, attack="pgd"), **place, "metric": name}
        rows += [{**told, "statistic": s, "value": v} for s, v in parts.items()]
    return table(rows)


def test_the_charts_rows_say_which_variant_they_are_of():
    chart = attack_variants(checked())
    rows = chart.table[chart.table["statistic"] == "value"]
    assert dict(zip(rows["variant"], rows["value"], strict=True)) == LEFT
    points = {y: x for trace in chart.figure.data for y, x in zip(trace.y, trace.x, strict=True)}
    assert sorted(points.values()) == pytest.approx([30, 50, 90])
    own = chart.figure.data[0]
    assert list(own.x) == pytest.approx([50])
    assert list(own.error_x.array) == pytest.approx([10])


def test_the_worst_finding_comes_first_and_decides():
    findings = masking_findings(checked())
    assert [f.mark for f in findings] == ["red", "amber", "green"]
    mark, text = verdict(findings)
    assert mark == "red"
    assert text.startswith("1 of 3 checks speak against the attack")
    assert verdict(findings[1:])[0] == "amber"
    assert verdict(findings[2:])[0] == "green"


def test_where_no_image_is_right_that_is_all_there_is_to_say():
    rows = checked()
    nothing = rows.assign(value=rows["value"].where(rows["statistic"] != "count", 0))
    findings = masking_findings(nothing[nothing["metric"] != "survival"])
    assert [finding.images for finding in findings] == [0, 0, 0]
    mark, text = verdict(findings)
    assert mark == "amber"
    assert text.startswith("No image is classified correctly")
    assert "checks" not in text


def test_a_table_without_checks_is_refused():
    rows = checked()
    with pytest.raises(ChartError, match="no checks of an attack"):
        masking_findings(rows[rows["metric"] == "survival"])
    with pytest.raises(ChartError, match="no variant"):
        attack_variants(rows[rows["metric"] != "survival"])
