"""The jobs of all visitors of one server: what they are, how they stand, and that they end.

Whatever ends the server, the jobs that were not over are taken up again by the next one.
"""

from __future__ import annotations

import dataclasses
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from dqviz.experiments import Engine
from dqviz.experiments.handle import DONE, FAILED, RUNNING
from dqviz.specs import ExperimentSpec
from dqviz.studies import parse_grid
from dqviz.studies.shipped import find_store

from .confine import confined
from .folder import JobFolder
from .record import OPEN, Address, Record
from .work import View, Work
from .workshop import Workshop

LOOK_SECONDS = 0.2
MAX_OPEN = 20
"""So many jobs one user may have that are not over."""

MAX_OPEN_OF_ALL = 500
KEPT = 50
"""Of one user's jobs that are over, the latest so many stay listed."""

MAX_CELLS = 100_000
"""A page starts no larger grid; the command line does."""


class JobError(ValueError):
    """A job that cannot be started; the message says why and what to do."""


class Book:
    """All jobs.

    Args:
        engine: what computes them.
        folder: where they are written down.
        stores: the folder of the stores, whose parent is the data folder.
    """

    def __init__(self, engine: Engine, folder: JobFolder, *, stores: Path) -> None:
        self._folder = folder
        self._stores = stores
        self._lock = threading.RLock()
        self._records = {record.id: record for record in folder.load()}
        self._work: dict[str, Work] = {}
        self._changed = threading.Event()
        self._workshop = Workshop(engine, stores=stores, on_end=self._changed.set)
        self._closed = False
        self._watcher = threading.Thread(target=self._watch, daemon=True, name="dqviz-jobs")
        self._watcher.start()

    @property
    def is_kept(self) -> bool:
        """Whether jobs are written down, so that they are found again."""
        return self._folder.is_ours

    def add_page(
        self, user: str, *, title: str, address: Address, specs: Sequence[ExperimentSpec]
    ) -> Record | None:
        """What a page asks for becomes a job; None where the user has too many already.

        The same request of the same user is the same job.
        """
        with self._lock:
            same = [r for r in self.records(user) if r.specs == tuple(specs)]
            for record in same:
                if record.state == OPEN:
                    return record
            if self._room(user):
                return None
            for record in same:
                self.remove(record.id, user)
            record = Record(user=user, title=title, address=address, specs=tuple(specs))
            self._begin(record, self._workshop.work(record))
            return record

    def add_study(self, user: str, *, grid: str, store: str) -> Record:
        """Starts a grid of experiments, whose results go into a store.

        Raises:
            GridError, SpecError: for a grid that cannot be computed.
            JobError: for another name than a store may have, and where there are too many jobs.
        """
        if not re.fullmatch(r"\w[\w -]{0,60}\.(sqlite|db)", store):
            raise JobError(
                "the name of a store has letters, digits, spaces, - and _ and ends in .sqlite; "
                f"got {store!r}"
            )
        wanted = confined(parse_grid(grid), self._stores.parent)
        if wanted.product > MAX_CELLS:
            raise JobError(
                f"the grid has {wanted.product:,} cells; a page starts up to {MAX_CELLS:,}: use "
                "`python -m dqviz sweep`"
            )
        with self._lock:
            if reason := self._room(user):
                raise JobError(reason)
            title = f"Study {store}: {wanted.product:,} cells"
            address = ("studies", (("store", store),))
            record = Record(user=user, title=title, address=address, grid=grid, store=store)
            self._begin(record, self._workshop.work(record))
            return record

    def add_report(self, user: str, *, store: str) -> Record:
        """Starts a report on a store; where this user has one being written, that is returned.

        Raises:
            JobError: for a path, and where there are too many jobs.
            StoreError: if no such store comes with the package.
        """
        if Path(store).name != store:
            raise JobError(f"a report is on a store in the folder of stores; got {store!r}")
        find_store(store)
        with self._lock:
            for record in self._open():
                if (record.user, record.report, record.store) == (user, True, store):
                    return record
            if reason := self._room(user):
                raise JobError(reason)
            address = ("studies", (("store", store),))
            title = f"Report on {store}"
            record = Record(user=user, title=title, address=address, store=store, report=True)
            self._begin(record, self._workshop.work(record))
            return record

    def report_file(self, id: str) -> Path:
        """Where the report of that job is, once it is written."""
        return self._workshop.report_file(id)

    def training_folder(self, id: str) -> Path:
        """Where the recipe, the course, the weights and the card of a training lie."""
        return self._workshop.training_folder(id)

    def add_training(self, user: str, *, recipe: str, title: str) -> Record:
        """Starts a training by a recipe, a TOML text; it goes on where a killed one stopped.

        Raises:
            JobError: where there are too many jobs, or the folder cannot be written.
        """
        with self._lock:
            if reason := self._room(user):
                raise JobError(reason)
            record = Record(user=user, title=title, address=("lab", ()), recipe=recipe)
            record = dataclasses.replace(record, address=("lab", (("run", record.id),)))
            try:
                work = self._workshop.work(record)
            except OSError as error:
                raise JobError(f"the training cannot be kept: {error.strerror or error}") from error
            self._begin(record, work)
            return record

    def records(self, user: str) -> list[Record]:
        """What is written down of one user's jobs, the latest first."""
        with self._lock:
            mine = [record for record in self._records.values() if record.user == user]
        return sorted(mine, key=lambda record: -record.made)

    def jobs(self, user: str) -> list[View]:
        """How the jobs of one user stand, the latest first."""
        with self._lock:
            return [self._view(record) for record in self.records(user)]

    def view(self, id: str) -> View | None:
        """How one job stands; None if there is none."""
        with self._lock:
            record = self._records.get(id)
            return None if record is None else self._view(record)

    def others(self, user: str) -> tuple[int, int]:
        """How many jobs of other users are at work, and how many wait."""
        with self._lock:
            views = [self._view(record) for record in self._open() if record.user != user]
        running = sum(view.state == RUNNING for view in views)
        return running, len(views) - running

    def cancel(self, id: str, user: str) -> None:
        """Stops a job of this user's; what a study has computed stays in its store."""
        with self._lock:
            record, work = self._records.get(id), self._work.get(id)
            if record is None or record.user != user or record.state != OPEN:
                return
            if work is not None:
                work.cancel()
            self._end(record.over("cancelled"))

    def again(self, id: str, user: str) -> None:
        """Starts a job of this user's once more that has failed or was cancelled.

        Raises:
            JobError, GridError, SpecError: as `add_study`; the job stays as it is.
        """
        with self._lock:
            record = self._records.get(id)
            if record is None or record.user != user or record.state == OPEN:
                return
            if reason := self._room(user):
                raise JobError(reason)
            if record.is_study:
                self.add_study(user, grid=record.grid, store=record.store)
            elif record.report:
                self.add_report(user, store=record.store)
            elif record.recipe:
                self.add_training(user, recipe=record.recipe, title=record.title)
            else:
                title, address = record.title, record.address
                self.add_page(user, title=title, address=address, specs=record.specs)
            self.remove(id, user)

    def remove(self, id: str, user: str) -> None:
        """Takes a job that is over from the list."""
        with self._lock:
            record = self._records.get(id)
            if record is not None and record.user == user and record.state != OPEN:
                del self._records[id]
                self._folder.remove(id)
                self._workshop.clear(record)

    def close(self) -> None:
        """Lets go of the folder; what is open stays so."""
        self._closed = True
        self._changed.set()
        self._watcher.join(timeout=5)
        for work in list(self._work.values()):
            work.cancel()
        self._folder.close()

    def _open(self) -> list[Record]:
        return [record for record in self._records.values() if record.state == OPEN]

    def _room(self, user: str) -> str:
        """Why there is no room for one more job; empty if there is."""
        mine = sum(record.user == user for record in self._open())
        if mine >= MAX_OPEN:
            return f"{mine} of your jobs are not over: cancel one, or wait for one"
        if len(self._open()) >= MAX_OPEN_OF_ALL:
            return "the server has as many jobs as it takes: try again later"
        return ""

    def _begin(self, record: Record, work: Work) -> None:
        self._records[record.id] = record
        self._work[record.id] = work
        self._folder.save(record)
        self._changed.set()

    def _end(self, record: Record) -> None:
        self._records[record.id] = record
        self._work.pop(record.id, None)
        self._folder.save(record)
        over = [other for other in self.records(record.user) if other.state != OPEN]
        for old in sorted(over, key=lambda r: -(r.ended or 0.0))[KEPT:]:
            self.remove(old.id, old.user)

    def _view(self, record: Record) -> View:
        work = self._work.get(record.id)
        if work is not None:
            return work.look()
        if record.state == OPEN:
            return View(record=record, state="queued", text="waiting")
        return View(record=record, state=record.state, fraction=float(record.state == DONE))

    # What follows runs in a thread of its own.

    def _watch(self) -> None:
        for record in self._open():
            if not self._closed:
                self._take_up(record)
        while not self._closed:
            self._changed.wait(LOOK_SECONDS if self._work else None)
            self._changed.clear()
            with self._lock:
                for work in list(self._work.values()):
                    over = work.outcome()
                    if over is not None:
                        self._end(over)

    def _take_up(self, record: Record) -> None:
        """Goes on with a job that an earlier server has left."""
        try:
            work = self._workshop.work(record, anew=True)
        except Exception as error:
            with self._lock:
                self._end(record.over(FAILED, error=str(error), error_kind="internal"))
            return
        with self._lock:
            if self._records[record.id].state == OPEN:
                self._work[record.id] = work
            else:
                work.cancel()
