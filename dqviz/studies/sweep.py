"""Computing what a store lacks of a grid: the one process that hands out cells and writes results.

Cells are claimed just before they are sent, so that several sweeps of one grid share the work.
Whatever ends this process, what is finished is in the store and the next sweep goes on from there.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence

from dqviz.experiments import Engine, Handle
from dqviz.experiments.handle import DONE, FAILED, RUNNING
from dqviz.experiments.worker import OTHER_CODE

from .cell import DONE as CELL_DONE
from .cell import FAILED as CELL_FAILED
from .cell import Cell
from .errors import StoreError
from .groups import Group, group
from .owner import Owner
from .selection import in_levels
from .store import Failure, Store

BEAT_SECONDS = 10.0
POLL_SECONDS = 0.02
BACKGROUND_POLL_SECONDS = 0.1
REPORT_SECONDS = 0.2
ELSEWHERE_SECONDS = 1.0
"""How often it is asked whether other sweeps have finished what they have claimed."""

LOST = "worker"
"""The kind of a failure that is no fault of the cell's: its process was lost."""


@dataclasses.dataclass(kw_only=True)
class Progress:
    """How far a sweep is.

    `done` and `failed` count cells, `before` those of the done ones that were there at the start;
    `seconds` is how long it has run; `at_work` names the cell at work, in words.
    """

    total: int
    done: int = 0
    failed: int = 0
    before: int = 0
    seconds: float = 0.0
    at_work: str = ""

    @property
    def rate(self) -> float:
        """Cells finished in a second."""
        return (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """About how long the rest takes; None while no cell is finished."""
        left = self.total - self.done - self.failed
        return left / self.rate if self.rate > 0 else None


@dataclasses.dataclass
class _Sent:
    """A group that the engine has, and since when a worker is at it."""

    handle: Handle
    group: Group
    begun: float | None = None


class Sweep:
    """One run over the cells of a grid.

    Args:
        cells: what is wanted.
        store: where results go; open for writing.
        engine: what computes them, started.
        retry_failed: whether cells that have failed before are tried again. Those whose process
            was lost are, up to three times in all.
        cell_seconds: how long a task may take, a cell alone or several computed together; it
            has failed then. None sets no limit.
        report: called with the progress, several times a second.
        asker: who asks the engine for the cells; None takes a token of this sweep's own.
        background: whether the cells are long jobs of an engine that also serves pages.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        store: Store,
        engine: Engine,
        *,
        retry_failed: bool = False,
        cell_seconds: float | None = None,
        report: Callable[[Progress], None] | None = None,
        asker: str | None = None,
        background: bool = False,
    ) -> None:
        self._cells = list(dict.fromkeys(cells))
        self._store = store
        self._engine = engine
        self._retry_failed = retry_failed
        self._limit = cell_seconds
        self._report = report or (lambda progress: None)
        self._owner = Owner.new()
        self._asker = asker or self._owner.token
        self._background = background
        self._poll = BACKGROUND_POLL_SECONDS if background else POLL_SECONDS
        self._stopped = False
        self._sent: list[_Sent] = []
        self._elsewhere: list[Cell] = []
        self._again: set[str] = set()
        self._asked = self._beaten = self._reported = time.monotonic()
        self.progress = Progress(total=len(self._cells))

    def run(self) -> Progress:
        """Computes what is missing, and waits for what other sweeps have claimed.

        Raises:
            StoreError: if the store cannot be written, or the engine does not run any more; what
                is finished is kept.
        """
        begin = time.monotonic()
        waiting = collections.deque(group(self._missing()))
        try:
            while (waiting or self._sent or self._elsewhere) and not self._stopped:
                self._fill(waiting)
                self._collect()
                waiting.extend(group(self._returned()))
                self.progress.seconds = time.monotonic() - begin
                self._tell()
                self._check_engine()
                time.sleep(self._poll)
        finally:
            for sent in self._sent:
                sent.handle.cancel()
            with contextlib.suppress(StoreError):  # then the claims end with this process
                self._store.release(self._owner)
        return self.progress

    def stop(self) -> None:
        """Has `run` end within a moment, from any thread; what is finished is kept."""
        self._stopped = True

    def _missing(self) -> list[Cell]:
        """What is neither done nor has failed for good."""
        states = self._store.states(cell.key for cell in self._cells)
        again = self._again = self._store.to_retry(every=self._retry_failed)
        missing = []
        for cell in self._cells:
            state = states.get(cell.key)
            if state == CELL_DONE:
                self.progress.done += 1
            elif state == CELL_FAILED and cell.key not in again:
                self.progress.failed += 1
            else:
                missing.append(cell)
        self.progress.before = self.progress.done
        return missing

    def _fill(self, waiting: collections.deque[Group]) -> None:
        """Sends as much as keeps every worker busy, and one task more."""
        width = self._engine.width(background=self._background)
        while waiting and len(self._sent) <= width:
            wanted = waiting.popleft()
            mine = self._store.claim(wanted.cells, self._owner, again=self._again)
            self._elsewhere += [cell for cell in wanted.cells if cell not in mine]
            if mine:
                ours = Group(tuple(mine))
                (handle,) = self._engine.submit(
                    [ours.spec],
                    owner=self._asker,
                    channel=f"{self._owner.token} {mine[0].key}",
                    background=self._background,
                )
                self._sent.append(_Sent(handle, ours))

    def _collect(self) -> None:
        """Keeps what is finished."""
        for sent in list(self._sent):
            handle = sent.handle
            if handle.status != RUNNING:
                sent.begun = None
            else:
                sent.begun = sent.begun or time.monotonic()
                self.progress.at_work = f"{name(sent.group)}: {handle.progress.text}"
            if handle.status == DONE:
                self._keep(sent)
            elif handle.status == FAILED:
                self._fail(sent, Failure(message=handle.error or "", kind=handle.error_kind or ""))
            elif self._is_late(sent):
                handle.cancel()
                seconds = f"{self._limit:g} seconds"
                self._fail(sent, Failure(message=f"it took more than {seconds}", kind="timeout"))

    def _is_late(self, sent: _Sent) -> bool:
        if self._limit is None or sent.begun is None:
            return False
        return time.monotonic() - sent.begun > self._limit

    def _keep(self, sent: _Sent) -> None:
        result = sent.handle.result(0)
        assert result.provenance is not None
        self._sent.remove(sent)
        kept = self._store.finish(sent.group.split(result), self._owner, result.provenance)
        self.progress.done += len(kept)
        # Taken over by another sweep meanwhile.
        self._elsewhere += [cell for cell in sent.group.cells if cell not in kept]

    def _fail(self, sent: _Sent, failure: Failure) -> None:
        if self._engine.state == "failed":
            return  # no cell's fault; see _check_engine
        if failure.kind == OTHER_CODE:
            raise StoreError(f"{failure.message}; what is finished is kept")
        self._sent.remove(sent)
        self._store.fail(sent.group.cells, self._owner, failure)
        self.progress.failed += len(sent.group.cells)

    def _returned(self) -> list[Cell]:
        """What other sweeps had claimed and have given back; what they finished is counted."""
        now = time.monotonic()
        if not self._elsewhere or now - self._asked < ELSEWHERE_SECONDS:
            return []
        self._asked = now
        states = self._store.states(cell.key for cell in self._elsewhere)
        self.progress.done += sum(states.get(c.key) == CELL_DONE for c in self._elsewhere)
        self.progress.failed += sum(states.get(c.key) == CELL_FAILED for c in self._elsewhere)
        left = [c for c in self._elsewhere if states.get(c.key) not in (CELL_DONE, CELL_FAILED)]
        free = self._store.free(cell.key for cell in left)
        self._elsewhere = [cell for cell in left if cell.key not in free]
        return [cell for cell in left if cell.key in free]

    def _tell(self) -> None:
        """The store that this sweep lives, and whoever looks on how far it is."""
        now = time.monotonic()
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._store.beat(self._owner)
        if now - self._reported >= REPORT_SECONDS:
            self._reported = now
            self._report(self.progress)

    def _check_engine(self) -> None:
        if self._engine.state == "failed":
            raise StoreError(
                f"{self._engine.message}; what is finished is kept, start again to go on"
            )


def name(cells: Group | Sequence[Cell]) -> str:
    """A task in words: the network, its bits, the attack and its epsilons."""
    members = cells.cells if isinstance(cells, Group) else tuple(cells)
    spec = members[0].spec
    bits = f"W{spec.quant.weight_bits} A{spec.quant.act_bits}"
    epsilons = [in_levels(cell.spec.attack.epsilons[0]) for cell in members]
    several = epsilons[0] if len(epsilons) == 1 else f"{epsilons[0]} to {epsilons[-1]}"
    return f"{spec.model.label} {bits} {spec.attack.name} {several}"
