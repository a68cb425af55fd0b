"""`paper`: the paper's claims put to the test, in a folder that a killed run goes on with."""

from __future__ import annotations

import argparse
from pathlib import Path

from dqviz.experiments import Engine
from dqviz.experiments.durations import remaining
from dqviz.paper import (
    QUICK,
    WHOLE,
    PaperError,
    Progress,
    compute,
    records,
    work_here,
    write_files,
)

from .output import check_folder, format_table
from .started import started
from .terminal import ProgressLine, message

LOG_SECONDS = 30.0
COLUMNS = ["claim", "training", "verdict", "pairs", "masking"]


def run_paper(options: argparse.Namespace, progress: ProgressLine) -> str:
    """Computes what the folder lacks, writes the verdicts; says what came of it.

    Raises:
        ValueError: for a folder that cannot be written, and data that are not there.
    """
    check_folder(options.out)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    work = work_here(QUICK if options.quick else WHOLE)
    for name, error in work.missing.items():
        message(f"the networks trained on {name} are left out: {error}")
    with started(Engine(workers=options.workers, jobs=0), progress, PaperError) as engine:
        results = compute(
            work.parts,
            folder / "results",
            engine,
            report=lambda state: progress.say(describe(state), log_every=LOG_SECONDS),
        )
    tables = work.outcome(results)
    names = write_files(folder, work.subjects, results, tables)
    progress.clear()
    table = format_table(records(tables.verdicts[COLUMNS]), COLUMNS)
    return f"{table}\n\nwrote {', '.join(names)} to {folder}"


def describe(state: Progress) -> str:
    """How far it is, in one line."""
    text = f"{state.done} of {state.total} results{remaining(state.seconds_left)}"
    return f"{text}; {state.at_work}" if state.at_work else text
