"""`results`: what a store holds, as a table or a file; stores brought together, and looked at."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd

from dqviz.studies import StoreError
from dqviz.studies.checking import check_store
from dqviz.studies.merge import merge
from dqviz.studies.queries import cell_table, count_numbers, number_table, reading
from dqviz.studies.selection import select

from . import results_views as views
from .late import Late
from .output import write_rows
from .results_options import wanted
from .terminal import ProgressLine, message

SHOWN = 40
PROBLEMS_SHOWN = 20


def run_results(options: argparse.Namespace, progress: ProgressLine) -> str | None:
    """Does what a subcommand says; the text that it gives back is for standard output.

    Raises:
        StoreError: for a file that is no store, a filter that matches nothing, and a store that is
            not sound.
        ValueError: if --out names the store.
    """
    if options.out is not None and Path(options.out).resolve() == Path(options.store).resolve():
        raise ValueError(f"--out: {options.out} is the store; choose another file")
    with Late(progress, "at work") as report:
        return COMMANDS[options.subcommand](options, report)


def _list(options: argparse.Namespace, report: Late) -> str | None:
    with reading(options.store) as connection:
        selection = select(connection, wanted(options))
        cells = cell_table(connection, selection)
        numbers = count_numbers(connection, selection)
    if options.out is not None:
        _write(cells, options.out, report)
        return None
    states = {str(name): count for name, count in cells["state"].value_counts().items()}
    summary = views.counted(states, numbers)
    return f"{views.cell_lines(cells)}\n\n{summary}" if len(cells) else summary


def _show(options: argparse.Namespace, report: Late) -> str | None:
    limit = None if options.out is not None else SHOWN
    with reading(options.store) as connection:
        selection = select(connection, wanted(options))
        total = count_numbers(connection, selection)
        table = number_table(connection, selection, limit=limit, report=report)
    if options.out is not None:
        _write(table, options.out, report)
        return None
    if not total:
        return "no number is all of this at once" if any(wanted(options).values()) else "no numbers"
    more = f"\n\nand {total - SHOWN:,} more: --out FILE writes them all" if total > SHOWN else ""
    return f"{views.number_lines(table)}{more}"


def _export(options: argparse.Namespace, report: Late) -> None:
    with reading(options.store) as connection:
        selection = select(connection, wanted(options))
        table = number_table(connection, selection, made=True, report=report)
    _write(table, options.out, report)


def _merge(options: argparse.Namespace, report: Late) -> str:
    merged = merge(options.target, options.sources, report=report)
    return "\n".join(views.merged_lines(part, options.target) for part in merged)


def _check(options: argparse.Namespace, report: Late) -> str:
    found = check_store(options.store, report=report)
    gone = views.gone(found)
    if not found.problems:
        said = f"{options.store} is sound: {views.counted(found.states, found.numbers)}"
        return f"{said}; {gone}" if gone else said
    report.close()
    for problem in (*found.problems[:PROBLEMS_SHOWN], *filter(None, [gone])):
        message(problem)
    count = len(found.problems)
    first = f", the first {PROBLEMS_SHOWN} of them named above" if count > PROBLEMS_SHOWN else ""
    many = "1 problem" if count == 1 else f"{count:,} problems{first}"
    raise StoreError(f"{options.store} is not sound: {many}")


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Late], str | None]] = {
    "list": _list,
    "show": _show,
    "export": _export,
    "merge": _merge,
    "check": _check,
}


def _write(table: pd.DataFrame, file: str, report: Late) -> None:
    report(1.0, f"writing {len(table):,} rows")
    write_rows(table, file)
    report.close()
    message(f"wrote {len(table)} rows to {file}")
