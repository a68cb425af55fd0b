"""`sweep`: a grid in, its cells computed where they are missing, the results in a store."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dqviz.data import data_folder
from dqviz.experiments import Engine
from dqviz.experiments.cluster import Tls
from dqviz.experiments.durations import duration, remaining
from dqviz.studies import Cell, GridError, Progress, Store, StoreError, Sweep, read_grid
from dqviz.studies.cell import DONE
from dqviz.studies.cells import resolve_cells, shard

from .estimate import dry_run
from .started import started
from .sweep_options import MANY
from .terminal import ProgressLine, message

if TYPE_CHECKING:
    from dqviz.specs import SweepSpec

LOG_SECONDS = 30.0

TRUST = (
    "whoever can reach {address} can run code on its workers and send code to this process: use it "
    "within a network that you trust, or tls:// with --tls-ca, --tls-cert and --tls-key"
)


def run_sweep(options: argparse.Namespace, progress: ProgressLine) -> str:
    """Computes what the store lacks; says what came of it.

    Raises:
        GridError, StoreError: with what was wrong.
        ValueError: for options that do not go together.
    """
    _check(options)
    grid = read_grid(options.grid)
    _ask(grid, options)
    cells = _cells(grid, options, progress)
    path = store_path(options.store)
    if options.dry_run:
        return dry_run(cells, path, workers=options.workers or 2, progress=progress)
    with Store(path, write=True) as store:
        states = store.states(cell.key for cell in cells)
        if all(states.get(cell.key) == DONE for cell in cells):
            return f"all {len(cells)} cells are in {path} already"
        with _engine(options, progress) as engine:
            state = _compute(cells, store, engine, options, progress)
    progress.clear()
    return summary(state, path)


def _compute(
    cells: list[Cell],
    store: Store,
    engine: Engine,
    options: argparse.Namespace,
    progress: ProgressLine,
) -> Progress:
    sweep = Sweep(
        cells,
        store,
        engine,
        retry_failed=options.retry_failed,
        cell_seconds=options.cell_timeout,
        report=lambda state: progress.say(
            describe(state, alone=not engine.has_workers()), log_every=LOG_SECONDS
        ),
    )
    try:
        return sweep.run()
    except KeyboardInterrupt:
        progress.clear()
        message(f"{sweep.progress.done} of {len(cells)} cells are kept; start again to go on")
        raise


def describe(state: Progress, *, alone: bool = False) -> str:
    """A sweep's state in one line; `alone` says that there is no worker."""
    text = f"{state.done} of {state.total} cells"
    if alone:
        return f"{text}; the scheduler has no workers yet, waiting for one"
    if state.failed:
        text += f", {state.failed} failed"
    if state.seconds_left is not None:
        text += f", {state.rate:.2g} a second{remaining(state.seconds_left)}"
    return f"{text}; {state.at_work}" if state.at_work else text


def summary(state: Progress, path: Path) -> str:
    """What a sweep has done."""
    computed = state.done - state.before
    text = f"{state.done} of {state.total} cells are in {path}"
    text += f", {computed} of them computed now in {duration(state.seconds)}"
    if state.failed:
        text += (
            f"\n{state.failed} cells have failed: see `python -m dqviz results list {path} "
            "--state failed`, and --retry-failed"
        )
    return text


def store_path(given: str | None) -> Path:
    """The file of the store; the folder of the default one is made."""
    if given is not None:
        return Path(given)
    folder = data_folder() / "results"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}") from error
    return folder / "store.sqlite"


def _check(options: argparse.Namespace) -> None:
    """Refuses options that do not go together."""
    tls = [options.tls_ca, options.tls_cert, options.tls_key]
    if options.scheduler is None:
        if any(tls):
            raise ValueError("--tls-ca, --tls-cert and --tls-key are for a --scheduler at tls://")
        return
    if options.workers is not None:
        raise ValueError("a --scheduler has workers of its own: leave --workers out")
    scheme = options.scheduler.partition("://")[0]
    if scheme not in ("tcp", "tls") or "://" not in options.scheduler:
        raise ValueError(
            f"--scheduler: expected tcp://HOST:PORT or tls://HOST:PORT; got {options.scheduler!r}"
        )
    if (scheme == "tls") != all(tls) or (scheme == "tcp" and any(tls)):
        raise ValueError("a scheduler at tls:// needs all of --tls-ca, --tls-cert, --tls-key")
    for file in filter(None, tls):
        if not Path(file).is_file():
            raise ValueError(f"there is no file {file}")


def _ask(grid: SweepSpec, options: argparse.Namespace) -> None:
    """Asks before a grid is computed that is large beyond reason."""
    if grid.product <= MANY or options.yes:
        return
    text = f"{options.grid} has {grid.product:,} cells before exclusions"
    if not sys.stdin.isatty():
        raise GridError(f"{text}; if that is meant, say --yes")
    if input(f"{text}. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise GridError(f"{text}: not started")


def _cells(grid: SweepSpec, options: argparse.Namespace, progress: ProgressLine) -> list[Cell]:
    cells = resolve_cells(grid, progress=progress)
    if not cells:
        raise GridError(f"{options.grid}: everything is excluded, so that there is no cell")
    if options.shard is not None:
        cells = shard(cells, *options.shard)
    progress.clear()
    return cells


def _engine(
    options: argparse.Namespace, progress: ProgressLine
) -> contextlib.AbstractContextManager[Engine]:
    """A started engine: processes of this machine, or a running scheduler."""
    if options.scheduler is not None and options.tls_ca is None:
        message(f"note: {TRUST.format(address=options.scheduler)}")
    tls = None
    if options.tls_ca is not None:
        tls = Tls(ca=options.tls_ca, certificate=options.tls_cert, key=options.tls_key)
    engine = Engine(scheduler=options.scheduler, tls=tls, workers=options.workers or 2, jobs=0)
    return started(engine, progress, StoreError)
