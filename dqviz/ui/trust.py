"""The checks of an attack as a visitor reads them: marked, with evidence and advice."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dqviz import charts
from dqviz.ui import links, show
from dqviz.ui.views import View

ICONS = {
    "red": ("error", "red", "Fails"),
    "amber": ("help", "orange", "Cannot tell"),
    "green": ("check_circle", "green", "Holds"),
}
"""How each mark looks: an icon, a colour, and a word for those who see none."""

RULES = (
    "**Red**: the number is above what is tolerated, and its whole 95 % interval is. **Amber**: "
    "it is not, but a fault of ten points cannot be ruled out with so few images, or a share is "
    "above what is tolerated and may be so by chance. **Green**: the rest, ties among them. "
    "Differences are paired: both attacks are run on the same images, those that the network "
    "classifies correctly (Newcombe's interval); shares have Wilson's. Chance in the network is "
    "proved by a single image, and so is red at once. With so many checks at "
    "95 %, one in forty may turn red by chance."
)


def draw(view: View) -> None:
    """The verdict, the picture, and the checks with the worst first."""
    told = bool(view.results) and not view.stale
    if told:
        findings = charts.masking_findings(view.table)
        mark, text = charts.verdict(findings)
        icon, colour, _ = ICONS[mark]
        st.markdown(f":{colour}[:material/{icon}:] **{links.plain(text)}**")
        if not charts.any_image(findings):
            return
    show.chart("variants", view, lambda: charts.attack_variants(view.table))
    if told:
        _listed(findings)
        with st.expander("How the marks are given", icon=":material/rule:"):
            st.markdown(RULES)


def _listed(findings: Sequence[charts.Finding]) -> None:
    with st.container(key="findings", gap="xsmall"):
        for finding in findings:
            icon, colour, word = ICONS[finding.mark]
            line = f":{colour}[:material/{icon}: {word}] **{links.plain(finding.asked)}**"
            more = "" if finding.mark == "green" else f" *{links.plain(finding.advice)}*"
            st.markdown(f"{line}  \n:small[{links.plain(finding.evidence)}{more}]")
