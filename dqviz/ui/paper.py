"""The paper's claims as a visitor reads them: verdict, numbers, figure, and where to explore."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable
from importlib import resources
from typing import Any

import pandas as pd
import streamlit as st

from dqviz import charts
from dqviz.charts.tidy import bits_words
from dqviz.paper import CLAIMS, WHOLE, Claim, Tables, Work, read_tables, records, work_here
from dqviz.paper.verdicts import FAILS, FEWEST, HOLDS, UNKNOWN
from dqviz.ui import jobs, links, paper_figures, show
from dqviz.ui.choices import networks as shipped_networks

WHAT = (
    "What Lin, Gan and Han claim in *Defensive Quantization: When Efficiency Meets Robustness* "
    "(ICLR 2019), each claim measured on the networks that come with this app. A verdict speaks "
    "of these networks and this way of training them, never of the paper's own experiments."
)
AGAIN_HELP = (
    "Runs every experiment here, as a job: about an hour on two processors. It goes on when you "
    "leave the page, and what is finished is kept."
)
NOTHING = "No results come with this copy. Compute them here, or by `python -m dqviz paper`."
RULE = (
    "Stated before any number was seen; two claims were asked afterwards, as their cards say. An "
    "effect is measured on every pair of trained networks, one pair a data set, architecture and "
    "seed. Their mean has Student's 95 % interval over the pairs. "
    f"A claim **{HOLDS}** if the whole interval lies on its side. "
    f"It **{FAILS}** if the whole interval lies on the other side, or ends below the smallest "
    "effect worth speaking of: one percentage point, or a factor of 1.05. "
    f"Otherwise, and with fewer than {FEWEST} pairs, one **{UNKNOWN}**. "
    "Seeds of one data set and architecture may be more alike than that interval takes them for: "
    "as a check that was added later, the same rule is told once more *over the means of the kinds "
    "of network*, one mean a data set and architecture. "
    "Attacks are compared on the images that both networks classify correctly unattacked. *Masking "
    "checks* are those of the page Can you trust it?, on the networks that a verdict rests on."
)
LOOKS = {
    HOLDS: ("check_circle", "green"),
    FAILS: ("cancel", "red"),
    UNKNOWN: ("help", "orange"),
}
"""How each verdict looks: an icon and a colour; the word stands beside them."""

FOLDER = "paper"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """What the experiments found; `made` says how, `key` tells it from others."""

    tables: Tables
    made: str
    key: Hashable


@st.cache_resource(max_entries=1, show_spinner=False)
def shipped() -> Found | None:
    """What comes with the package; None where nothing does."""
    folder = resources.files("dqviz").joinpath("results", FOLDER)
    if not folder.joinpath("verdicts.csv").is_file():
        return None
    about: dict[str, Any] = json.loads(folder.joinpath("about.json").read_text(encoding="utf-8"))
    made = (
        f"Shipped results: dqviz {about['version']}, {about['results']} experiments on "
        f"{len(about['weights'])} networks, {', '.join(about['libraries'])}."
    )
    return Found(tables=read_tables(folder), made=made, key="shipped")


def computed() -> Found | None:
    """The same computed by this machine; None until all of it is there."""
    work = _work_here()
    view = jobs.run([part.spec for part in work.parts], view="paper")
    if view.busy or view.stale or view.partial or len(view.results) < len(work.parts):
        return None
    return _found(view.keys, work, view.results)


@st.cache_resource(max_entries=4, show_spinner=False)
def _found(keys: tuple[str, ...], _work: Work, _results: Any) -> Found:
    tables = _work.outcome(dict(zip(_work.parts, _results, strict=True)))
    return Found(tables=tables, made="Computed on this machine.", key=keys)


@st.cache_resource(max_entries=1, show_spinner=False)
def _work_here() -> Work:
    return work_here(WHOLE)


def draw(found: Found) -> None:
    """How many claims hold, a card for each, and the experiments behind them."""
    verdicts = found.tables.verdicts
    bits = verdicts.groupby("act_bits")["pairs"].sum().idxmax()  # most networks speak
    there = verdicts[verdicts["act_bits"] == bits]
    counts = there["verdict"].value_counts()
    said = [f"{word} {counts.get(word, 0)}" for word in LOOKS]
    st.markdown(f"**At {bits} activation bits, {len(there)} claims: {', '.join(said)}.**")
    st.caption(links.plain(found.made))
    for place, claim in enumerate(CLAIMS):
        own = verdicts[verdicts["claim"] == claim.id]
        if len(own):
            with st.container(border=True, key=f"claim_{claim.id}", gap="xsmall"):
                _card(claim, own, found, opened=place == 0)
    paper_figures.draw(found.tables, found.key)


def _card(claim: Claim, own: pd.DataFrame, found: Found, *, opened: bool) -> None:
    told = [f"**{links.plain(claim.sentence)}**", *[_told(row) for row in records(own)]]
    st.markdown("\n\n".join(told))  # one element: a browser takes long to lay out a hundred
    more = st.expander(
        "Figure, measure, and what others found",
        expanded=opened,
        key=f"open_{claim.id}",
        on_change="rerun",
    )
    if not more.open:
        return
    with more:
        st.markdown(f"**Measured**: {links.plain(claim.effect)}.")
        effects = found.tables.effects
        effects = effects[effects["claim"] == claim.id] if len(effects) else effects
        show.of_store(
            f"forest_{claim.id}",
            ("paper", found.key),
            lambda: charts.forest(effects, own, title=claim.sentence),
            select=False,
        )
        paper_figures.behind(claim.id, found.tables, found.key)
        st.markdown(f"**Others**: {links.plain(claim.others)}")
        _explore(claim, own, effects)


def _told(row: dict[str, Any]) -> str:
    """What came of a claim at one bit-width."""
    icon, colour = LOOKS[row["verdict"]]
    pairs = f"{row['pairs']} pair{'s' * (row['pairs'] != 1)}, {row['seeds']} seed"
    pairs += "s" * (row["seeds"] != 1)
    why = "; ".join(filter(None, (row["why"], row["by_kinds"])))
    return (
        f":{colour}[:material/{icon}:] {bits_words(row['act_bits'])}: **{row['verdict']}**, "
        f"{links.plain(row['found'])} :small[({pairs}; {links.plain(why)}; masking checks: "
        f"{row['masking']})]"
    )


def _explore(claim: Claim, own: pd.DataFrame, effects: pd.DataFrame) -> None:
    """A link to the page that shows it, with the networks of the first pair."""
    if effects.empty:
        return
    row = effects.iloc[0]
    known = [id for id in str(row["networks"]).split() if id in shipped_networks()]
    query = [("net", id) for id in known]
    query += [("wbits", "8"), ("abits", str(row["act_bits"])), *claim.link.items()]
    st.link_button(
        "Explore it at this setting",
        links.address(claim.page, query),
        icon=":material/open_in_new:",
    )
