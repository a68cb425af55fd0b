"""What is done for each kind of job, and where its files lie."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from dqviz.experiments import Engine
from dqviz.experiments.whole_file import write_whole
from dqviz.studies.shipped import PREFIX, find_store

from .process_work import ProcessWork
from .record import Record
from .work import PageWork, StudyWork, Work

RECIPE = "recipe.toml"


class Workshop:
    """Begins the work of jobs.

    Args:
        engine: what computes experiments.
        stores: the folder of the stores, whose parent is the data folder.
        on_end: called when a job's work is over.
    """

    def __init__(self, engine: Engine, *, stores: Path, on_end: Callable[[], None]) -> None:
        self._engine = engine
        self._stores = stores
        self._on_end = on_end

    def work(self, record: Record, *, anew: bool = False) -> Work:
        """Begins a job; `anew` says that an earlier server has left it.

        Raises:
            OSError: if its folder cannot be written.
        """
        if record.is_study:
            return StudyWork(record, self._engine, stores=self._stores, on_end=self._on_end)
        if record.report:
            return self._report(record)
        if record.recipe:
            return self._training(record)
        return PageWork(record, self._engine, anew=anew)

    def clear(self, record: Record) -> None:
        """Deletes the files of a job that nobody wants to see any more."""
        if record.report:
            with contextlib.suppress(OSError):
                self.report_file(record.id).unlink(missing_ok=True)
        if record.recipe:
            shutil.rmtree(self.training_folder(record.id), ignore_errors=True)

    def report_file(self, id: str) -> Path:
        """Where the report of that job is, once it is written."""
        return self._stores.parent / "reports" / f"{id}.html"

    def training_folder(self, id: str) -> Path:
        """Where the recipe, the course, the weights and the card of a training lie."""
        return self._stores.parent / "lab" / id

    def _report(self, record: Record) -> ProcessWork:
        name, out = record.store, self.report_file(record.id)
        store = find_store(name) if name.startswith(PREFIX) else self._stores / name
        with contextlib.suppress(OSError):  # the process says why it cannot write there
            out.parent.mkdir(parents=True, exist_ok=True)
        module = ("dqviz.reports", str(store.absolute()), str(out.absolute()))
        return self._process(record, *module, first="reading the store", kind="ReportError")

    def _training(self, record: Record) -> ProcessWork:
        folder = self.training_folder(record.id)
        folder.mkdir(parents=True, exist_ok=True)
        recipe = folder / RECIPE
        write_whole(recipe, record.recipe.encode())
        module = ("dqviz.defense.lab", str(recipe.absolute()), str(folder.absolute()))
        return self._process(record, *module, first="starting", kind="TrainError")

    def _process(self, record: Record, *module: str, first: str, kind: str) -> ProcessWork:
        return ProcessWork(record, *module, first=first, kind=kind, on_end=self._on_end)
