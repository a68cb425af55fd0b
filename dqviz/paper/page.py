"""All claims with their verdicts and figures, in one HTML file that needs no network."""

from __future__ import annotations

import html

import plotly.io
from plotly.offline import get_plotlyjs

from dqviz import __version__
from dqviz.charts import Chart, bits_by_layer, by_bits, forest, strength, turning_point
from dqviz.charts.strength import MEASURES

from .claim import Claim
from .claims import CLAIMS
from .shown import SHOWN, shown_rows, where
from .tables import Tables, records

STRENGTH = "The penalty's strength, and the kernel that it acts on"
LAYERS = "The noise layer by layer, by bits"
QUANTIZERS = "Noise into a quantizer, and noise out of it"


def page(tables: Tables) -> str:
    """The page of what the experiments found."""
    sections = [_section(claim, tables) for claim in CLAIMS]
    if len(layers := tables.layers):
        sections.append(
            _figures(
                LAYERS,
                *(
                    bits_by_layer(layers, attack=attack, metric="amplification_centred")
                    for attack in dict.fromkeys(layers["attack"])
                ),
            )
        )
    if len(quantizers := tables.quantizers):
        bits = sorted(set(quantizers["act_bits"]), reverse=True)
        sections.append(_figures(QUANTIZERS, *(turning_point(quantizers, bits=b) for b in bits)))
    if len(tables.beta):
        sections.append(_figures(STRENGTH, *(strength(tables.beta, name) for name in MEASURES)))
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


def _figures(title: str, *charts: Chart) -> str:
    return f"<h2>{html.escape(title)}</h2>{''.join(_drawn(chart) for chart in charts)}"


def _drawn(chart: Chart) -> str:
    """A figure that zooms and hovers, and how to read it."""
    drawn = plotly.io.to_html(chart.figure, include_plotlyjs=False, full_html=False)
    return (
        f"<h3>{html.escape(chart.title)}</h3>{drawn}"
        f"<p><small>{html.escape(f'{chart.how_to_read} {chart.note}'.strip())}</small></p>"
    )


def _section(claim: Claim, tables: Tables) -> str:
    verdicts, effects = tables.verdicts, tables.effects
    own = verdicts[verdicts["claim"] == claim.id]
    told = "".join(
        f"<li>{html.escape(row['training'])}: <b>{row['verdict']}</b>, "
        f"{html.escape('; '.join(filter(None, (row['found'], row['why'], row['by_kinds']))))}. "
        f"Masking checks: {row['masking']}.</li>"
        for row in records(own)
    )
    measured = effects[effects["claim"] == claim.id] if len(effects) else effects
    figure = ""
    if len(measured):
        figure = _drawn(forest(measured, own, title=claim.sentence))
    if len(levels := shown_rows(tables.levels, SHOWN[claim.id])):
        figure += _drawn(by_bits(levels, where=where(SHOWN[claim.id])))
    return (
        f"<h2>{html.escape(claim.sentence)}</h2><p>Measured: {html.escape(claim.effect)}.</p>"
        f"<ul>{told}</ul>{figure}<p><small>{html.escape(claim.others)}</small></p>"
    )
