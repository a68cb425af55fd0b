"""Whose turn it is: of all who wait, the one of whom the least is being computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .handle import Job

KEPT_OWNERS = 1000
"""Of more owners than these it is forgotten who had a turn long ago."""


class Turns:
    """Turns among those who want something computed. Not thread-safe.

    Next is whoever has the fewest computations under way; among equals, whoever has waited longest
    since the last turn; and of one owner, what was asked for first. What several want is the turn
    of each of them.
    """

    def __init__(self) -> None:
        self._number = 0
        self._last: dict[str, int] = {}
        """By owner, the number of the last turn."""

    def take(self, waiting: Sequence[Job], working: Iterable[Job]) -> Job:
        """The next of the waiting ones, in the order in which they were asked for; never empty."""
        at_work = Counter(owner for job in working for owner in owners(job))
        job = min(waiting, key=lambda job: self._rank(job, at_work))
        self._number += 1
        self._last.update(dict.fromkeys(owners(job), self._number))
        if len(self._last) > KEPT_OWNERS:
            latest = sorted(self._last.items(), key=lambda item: item[1])[KEPT_OWNERS // 2 :]
            self._last = dict(latest)
        return job

    def before(self, job: Job, waiting: Sequence[Job], working: Iterable[Job]) -> int:
        """How many of the waiting ones come before `job`, if nothing else is asked for."""
        trial = Turns()
        trial._number, trial._last = self._number, dict(self._last)
        left, ahead = list(waiting), list(working)
        while left:
            taken = trial.take(left, ahead)
            if taken is job:
                break
            left.remove(taken)
            ahead.append(taken)
        return len(waiting) - len(left)

    def _rank(self, job: Job, at_work: Counter[str]) -> tuple[int, int]:
        ranks = [(at_work[owner], self._last.get(owner, 0)) for owner in owners(job)]
        return min(ranks, default=(0, 0))


def owners(job: Job) -> set[str]:
    """Who wants a job."""
    return {owner for owner, _ in job.wants}
