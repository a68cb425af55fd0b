"""The checks of an attack as text: verdict, worst checks first, what each variant leaves."""

from __future__ import annotations

from dqviz.charts import any_image, attack_variants, masking_findings, verdict
from dqviz.experiments import Result

from .output import format_table
from .views import heading


def trust_view(result: Result) -> str:
    """The verdict, the checks with their evidence, and the accuracies behind them."""
    findings = masking_findings(result.table)
    mark, text = verdict(findings)
    lines = [f"{mark.upper()}: {text}"]
    for finding in findings:
        lines.append(f"\n{finding.mark:5}  {finding.asked}\n       {finding.evidence}")
        if finding.mark != "green":
            lines.append(f"       {finding.advice}")
    if not any_image(findings):
        return f"{heading(result)}\n\n{lines[0]}"
    chart = attack_variants(result.table)
    shares = chart.table[chart.table["statistic"] == "value"]
    left = [
        {"variant": variant, "percent": 100 * value}
        for variant, value in zip(shares["variant"], shares["value"], strict=True)
    ]
    table = format_table(left, ["variant", "percent"])
    return f"{heading(result)}\n\n" + "\n".join(lines) + f"\n\n{chart.title}\n{table}"
