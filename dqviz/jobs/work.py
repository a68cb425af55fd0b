"""What is being done for a job: a page's results, or the cells of a study."""

from __future__ import annotations

import abc
import dataclasses
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from dqviz.experiments import Engine, Handle
from dqviz.experiments.errors import describe
from dqviz.experiments.handle import CANCELLED, DONE, FAILED, QUEUED, RUNNING, time_left
from dqviz.experiments.resolve import Look, resolve
from dqviz.specs import ExperimentSpec
from dqviz.studies import Store, Sweep, parse_grid
from dqviz.studies.cells import resolve_cells
from dqviz.studies.sweep import Progress as SweepProgress

from .confine import confined
from .record import Record


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """How a job stands: `queued`, `running`, `done`, `failed` or `cancelled`, and how far it is.

    `fraction` is 0 to 1, `before` how many computations of others and one's own come first.
    """

    record: Record
    state: str
    fraction: float = 0.0
    text: str = ""
    seconds_left: float | None = None
    before: int = 0


class Work(abc.ABC):
    """What is done for one job; `look` may be called at any time, from any thread."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @abc.abstractmethod
    def look(self) -> View:
        """How it stands."""

    @abc.abstractmethod
    def outcome(self) -> Record | None:
        """The record once it is over; None until then."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """Stops it within a moment."""


class PageWork(Work):
    """The results that a page has asked for.

    Args:
        record: the job.
        engine: what computes it.
        anew: whether it is found again after the server has ended: files may have changed, and it
            is known to take long.
    """

    def __init__(self, record: Record, engine: Engine, *, anew: bool = False) -> None:
        super().__init__(record)
        self._engine = engine
        self._channel = f"job {record.id}"
        self._cancelled = False
        specs = [_as_now(spec) for spec in record.specs] if anew else record.specs
        self._handles: Sequence[Handle] = engine.submit(
            specs, owner=record.user, channel=self._channel, background=anew
        )

    def look(self) -> View:
        """See `Work.look`."""
        left = [handle for handle in self._handles if not handle.is_over]
        shares = [1.0 if h.is_over else h.progress.fraction for h in self._handles]
        running = [handle for handle in left if handle.status == RUNNING]
        return View(
            record=self.record,
            state=RUNNING if running or len(left) < len(self._handles) else QUEUED,
            fraction=sum(shares) / max(len(shares), 1),
            text=(running or left)[0].progress.text if left else "done",
            seconds_left=seconds_left(self._handles),
            before=min((handle.before for handle in left), default=0),
        )

    def outcome(self) -> Record | None:
        """See `Work.outcome`."""
        if self._cancelled:
            return self.record.over(CANCELLED)
        if not all(handle.is_over for handle in self._handles):
            return None
        for handle in self._handles:
            if handle.status == FAILED:
                return self.record.over(
                    FAILED, error=handle.error or "", error_kind=handle.error_kind or ""
                )
        # What was cancelled by nobody ended with the engine, and is taken up by the next server.
        done = all(handle.status == DONE for handle in self._handles)
        return self.record.over(DONE) if done else None

    def cancel(self) -> None:
        """See `Work.cancel`."""
        self._cancelled = True
        self._engine.release(self.record.user, self._channel)


class StudyWork(Work):
    """A sweep, in a thread of its own.

    Args:
        record: the job.
        engine: what computes the cells.
        stores: the folder of stores.
        on_end: called when it is over.
    """

    def __init__(
        self, record: Record, engine: Engine, *, stores: Path, on_end: Callable[[], None]
    ) -> None:
        super().__init__(record)
        self._engine = engine
        self._stores = stores
        self._on_end = on_end
        self._sweep: Sweep | None = None
        self._text = "looking at the grid"
        self._progress = SweepProgress(total=0)
        self._outcome: Record | None = None
        self._cancelled = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="dqviz-study").start()

    def look(self) -> View:
        """See `Work.look`."""
        at = self._progress
        over = at.done + at.failed
        failed = f", {at.failed} failed" if at.failed else ""
        cells = f"{over} of {at.total} cells{failed}" if at.total else self._text
        return View(
            record=self.record,
            state=RUNNING,
            fraction=over / at.total if at.total else 0.0,
            text=f"{cells}; {at.at_work}" if at.at_work else cells,
            seconds_left=at.seconds_left,
        )

    def outcome(self) -> Record | None:
        """See `Work.outcome`."""
        return self._outcome

    def cancel(self) -> None:
        """See `Work.cancel`; what is finished stays in the store."""
        self._cancelled.set()
        if self._sweep is not None:
            self._sweep.stop()

    def _run(self) -> None:
        try:
            self._outcome = self._compute()
        except Exception as error:
            message, kind = describe(error)
            self._outcome = self.record.over(FAILED, error=message, error_kind=kind)
        self._on_end()

    def _compute(self) -> Record:
        grid = confined(parse_grid(self.record.grid), self._stores.parent)
        cells = resolve_cells(grid, progress=self._resolving)
        self._stores.mkdir(parents=True, exist_ok=True)
        with Store(self._stores / self.record.store, write=True) as store:
            self._sweep = Sweep(
                cells,
                store,
                self._engine,
                report=self._swept,
                asker=self.record.user,
                background=True,
            )
            if self._cancelled.is_set():
                self._sweep.stop()
            found = self._progress = self._sweep.run()
        if self._cancelled.is_set():
            return self.record.over(CANCELLED)
        if found.failed:
            message = f"{found.failed} of {found.total} cells have failed; the store says why"
            return self.record.over(FAILED, error=message, error_kind="StoreError")
        return self.record.over(DONE)

    def _resolving(self, share: float, text: str) -> None:
        if self._cancelled.is_set():
            raise InterruptedError("cancelled")
        self._text = text

    def _swept(self, progress: SweepProgress) -> None:
        self._progress = progress


def seconds_left(handles: Sequence[Handle]) -> float | None:
    """About how long several computations still take; None while that cannot be said."""
    computed = [handle for handle in handles if handle.begun is not None or not handle.is_over]
    begun = [handle.begun for handle in computed if handle.begun is not None]
    if not begun:
        return None
    shares = [1.0 if handle.is_over else handle.progress.fraction for handle in computed]
    return time_left(min(begun), sum(shares) / len(shares))


def _as_now(spec: ExperimentSpec) -> ExperimentSpec:
    """The specification with its files as they are now; one that cannot be is refused later."""
    try:
        return resolve(spec, Look())
    except ValueError:
        return spec
