"""What the experiments leave in a folder: verdicts, effects and numbers as tables, and one page."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.io
from plotly.offline import get_plotlyjs

from dqviz import __version__
from dqviz.cards import load_card
from dqviz.charts import Chart, forest, strength
from dqviz.charts.strength import MEASURES
from dqviz.data import fingerprint_data
from dqviz.experiments.result import Result
from dqviz.experiments.whole_file import write_whole
from dqviz.specs import DataSpec

from .claim import Claim
from .claims import CLAIMS
from .findings import Tested, effect_table, verdict_table
from .networks import Network
from .plan import Part

VERDICTS, EFFECTS, ABOUT, PAGE = "verdicts.csv", "effects.csv", "about.json", "paper.html"
BETA = "beta.csv"
STRENGTH = "The penalty's strength, and the kernel that it acts on"


def write_files(
    folder: Path,
    networks: Sequence[Network],
    results: Mapping[Part, Result],
    tested: Sequence[Tested],
    strengths: pd.DataFrame,
) -> list[str]:
    """Writes everything, each file whole or not at all; returns the names.

    `about.json` says with which version and weights it was computed; `strengths` is what
    `series_table` returned.
    """
    verdicts, effects = verdict_table(tested), effect_table(tested)
    files = {
        VERDICTS: verdicts.to_csv(index=False),
        EFFECTS: effects.to_csv(index=False),
        ABOUT: json.dumps(about(networks, results), indent=2),
        BETA: strengths.to_csv(index=False),
        PAGE: page(verdicts, effects, strengths),
    }
    for experiment in dict.fromkeys(part.experiment for part in results):
        tables = [result.table for part, result in results.items() if part.experiment == experiment]
        files[f"{experiment}.csv"] = pd.concat(tables, ignore_index=True).to_csv(index=False)
    for name, text in files.items():
        write_whole(folder / name, text.encode())
    return list(files)


def about(networks: Sequence[Network], results: Mapping[Part, Result]) -> dict[str, object]:
    """With what it was computed: version, weights, images, libraries."""
    names = {network.dataset for network in networks}
    made = [r.provenance for r in results.values() if r.provenance is not None]
    return {
        "version": __version__,
        "weights": {network.id: load_card(network.id).sha256 for network in networks},
        "data": {name: fingerprint_data(DataSpec(name=name)) for name in sorted(names)},
        "results": len(results),
        "seconds": round(sum(p.seconds for p in made), 1),
        "libraries": sorted({words for p in made for words in _in_words(p.libraries)}),
        "precision": sorted({p.precision for p in made}),
    }


def _in_words(libraries: str) -> list[str]:
    """Each library with its version: `torch 2.15.0`."""
    return [f"{name} {version}" for name, version in json.loads(libraries).items()]


def page(verdicts: pd.DataFrame, effects: pd.DataFrame, strengths: pd.DataFrame) -> str:
    """All claims with their verdicts and figures, in one HTML file that needs no network."""
    sections = [_section(claim, verdicts, effects) for claim in CLAIMS]
    if len(strengths):
        drawn = "".join(_drawn(strength(strengths, measure)) for measure in MEASURES)
        sections.append(f"<h2>{html.escape(STRENGTH)}</h2>{drawn}")
    style = (
        ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;"
        "margin:2rem auto;padding:0 1rem}small{opacity:.75}"
    )
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        f"<title>The paper's claims</title><style>{style}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><h1>The paper's claims</h1>"
        f"<p>dqviz {__version__}</p>{''.join(sections)}</body></html>\n"
    )


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _drawn(chart: Chart) -> str:
    """A figure that zooms and hovers, and how to read it."""
    drawn = plotly.io.to_html(chart.figure, include_plotlyjs=False, full_html=False)
    return (
        f"<h3>{html.escape(chart.title)}</h3>{drawn}"
        f"<p><small>{html.escape(chart.how_to_read)}</small></p>"
    )


def _section(claim: Claim, verdicts: pd.DataFrame, effects: pd.DataFrame) -> str:
    own = verdicts[verdicts["claim"] == claim.id]
    told = "".join(
        f"<li>{html.escape(row['training'])}: <b>{row['verdict']}</b>, "
        f"{html.escape(row['found'])}; {html.escape(row['why'])}. "
        f"Masking checks: {row['masking']}.</li>"
        for row in records(own)
    )
    measured = effects[effects["claim"] == claim.id] if len(effects) else effects
    figure = ""
    if len(measured):
        figure = _drawn(forest(measured, own, title=claim.sentence))
    return (
        f"<h2>{html.escape(claim.sentence)}</h2><p>Measured: {html.escape(claim.effect)}.</p>"
        f"<ul>{told}</ul>{figure}<p><small>{html.escape(claim.others)}</small></p>"
    )
