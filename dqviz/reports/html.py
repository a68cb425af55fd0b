"""A report: figures that zoom and hover without a network, tables, and how every number was made.

The one file holds Plotly's own JavaScript; opening it asks nobody for anything.
"""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import plotly.io
from plotly.offline import get_plotlyjs

from dqviz import __version__
from dqviz.charts import Chart
from dqviz.charts.style import BACKGROUNDS
from dqviz.studies.queries import cell_table, number_table, reading
from dqviz.studies.selection import Wanted, select

from .figures import charts_of
from .tables import asked, made, table_html

Report = Callable[[float, str], None]

ROWS_SHOWN = 2000
"""So many rows of numbers are written out; the store, or an export, holds all of them."""

STYLE = f"""
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; background: light-dark({BACKGROUNDS["light"]}, {BACKGROUNDS["dark"]});
  color: light-dark(#1f2430, #e8eaee); }}
table {{ border-collapse: collapse; font-size: 0.85rem; }}
th, td {{ text-align: left; padding: 0.15rem 0.6rem; border-bottom: 1px solid #8884; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.scroll {{ overflow: auto; max-height: 30rem; }}
figure {{ margin: 1rem 0; }}
figcaption, .small {{ color: light-dark(#555b66, #a6acb6); font-size: 0.9rem; }}
"""


READING = 0.3
"""About this share of the time goes into reading the store."""


class ReportError(ValueError):
    """A report that cannot be written; the message says why and what to do."""


def write_report(
    store: str | Path,
    out: str | Path,
    *,
    wanted: Wanted | None = None,
    title: str | None = None,
    report: Report | None = None,
) -> int:
    """Writes the report of a store, or of a part of it; returns how many cells it covers.

    Args:
        store: the file of results.
        out: the HTML file; replaced in one step.
        wanted: which cells; see `selection.select`. None takes all.
        title: the heading; None takes the store's name.
        report: called with a share of 0 to 1 and a text.

    Raises:
        StoreError: if the store cannot be read.
        ReportError: if nothing in it is finished, or the file cannot be written.
    """
    path = Path(out)
    if path.absolute().resolve() == Path(store).absolute().resolve():
        raise ReportError(f"{out} is the store itself; name another file for the report")
    text, cells = report_text(store, wanted=wanted, title=title, report=report)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise ReportError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return cells


def report_text(
    store: str | Path,
    *,
    wanted: Wanted | None = None,
    title: str | None = None,
    report: Report | None = None,
) -> tuple[str, int]:
    """The report as a text, and how many cells it covers; arguments and errors as above."""
    with reading(store) as connection:
        selection = select(connection, wanted or {})
        cells = cell_table(connection, selection)
        numbers = number_table(
            connection, selection, made=True, report=_within(report, 0.0, READING)
        )
    if numbers.empty:
        raise ReportError(f"{store} has no finished cell to report on")
    text = render(
        cells, numbers, title=title or Path(store).stem, report=_within(report, READING, 1.0)
    )
    return text, int((cells["state"] == "done").sum())


def _within(report: Report | None, low: float, high: float) -> Report | None:
    """The same listener, told a part of the whole."""
    if report is None:
        return None
    return lambda share, text: report(low + (high - low) * share, text)


def render(
    cells: pd.DataFrame, numbers: pd.DataFrame, *, title: str, report: Report | None = None
) -> str:
    """The report as a text: `cells` as of `cell_table`, `numbers` as of `number_table`, made."""
    counts = cells["state"].value_counts().to_dict()
    states = ", ".join(f"{counts[state]:,} {state}" for state in counts)
    sections = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p class=small>dqviz {__version__}; {len(cells):,} cells: {states}; "
        f"{len(numbers):,} numbers.</p>",
        "<h2>What was asked</h2>",
        asked(cells),
        "<h2>Figures</h2>",
        *[_figure(chart) for chart in charts_of(numbers, report=report)],
        "<h2>Numbers</h2>",
        _numbers(numbers),
        "<h2>How they were made</h2>",
        made(numbers),
        _failures(cells),
    ]
    head = f"<meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
    script = f"<script>{get_plotlyjs()}</script>"
    body = "\n".join(section for section in sections if section)
    return f"<!doctype html><html lang=en><head>{head}{script}</head><body>{body}</body></html>\n"


def _figure(chart: Chart) -> str:
    drawn = plotly.io.to_html(
        chart.figure, include_plotlyjs=False, full_html=False, config={"displaylogo": False}
    )
    words = " ".join(part for part in (chart.how_to_read, chart.note) if part)
    return (
        f'<figure role="img" aria-label="{html.escape(chart.alt, quote=True)}">'
        f"<h3>{html.escape(chart.title)}</h3>{drawn}"
        f"<figcaption>{html.escape(words)}</figcaption></figure>"
    )


def _numbers(numbers: pd.DataFrame) -> str:
    names = [
        *("model", "weights", "weight_bits", "act_bits", "attack", "epsilon", "layer", "metric"),
        *("statistic", "value", "clean_accuracy", "data", "n_samples", "seed", "key"),
    ]
    note = ""
    if len(numbers) > ROWS_SHOWN:
        note = (
            f"<p class=small>The first {ROWS_SHOWN:,} of {len(numbers):,} rows; "
            "<code>python -m dqviz results export</code> writes all.</p>"
        )
    return f"{note}{table_html(numbers[names].head(ROWS_SHOWN))}"


def _failures(cells: pd.DataFrame) -> str:
    failed = cells[cells["state"] == "failed"]
    if failed.empty:
        return ""
    names = ["kind", "model", "weights", "act_bits", "attack", "epsilon", "seed", "error"]
    return f"<h2>What failed</h2>{table_html(failed[names])}"
