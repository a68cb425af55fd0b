"""One request of a page, from the files that it names to the results that it gets."""

from __future__ import annotations

import dataclasses
import time

from dqviz.experiments import Engine, Handle, Lookup, Progress, Result
from dqviz.experiments.costs import LONG_SECONDS
from dqviz.experiments.handle import CANCELLED, DONE, QUEUED
from dqviz.jobs.work import seconds_left
from dqviz.specs import ExperimentSpec


class Request:
    """What a page last asked for, and the engine's handles for it.

    Its files are looked at first, in a thread; then `wait`, called by the page, sends it.

    Args:
        specs: what is wanted.
        first: of a specification with many epsilons, the one (pixel units) to compute before the
            rest; None for no such preview.
        engine: what computes it.
        owner: who asks.
        channel: what for; see `Engine.submit`.
        place: the page and the view on it that the results are for.

    Attributes:
        handles: one a specification, in order; none before it is sent.
        given_up: whether the visitor cancelled it.
        drawn: whether something of it has been drawn.
        job: the id of the job that it has become; empty if there was no room for one more.
    """

    def __init__(
        self,
        specs: tuple[ExperimentSpec, ...],
        first: float | None,
        *,
        engine: Engine,
        owner: str,
        channel: str,
        place: tuple[str, str] = ("", ""),
    ) -> None:
        self.specs = specs
        self.first = first
        self.handles: tuple[Handle, ...] = ()
        self.given_up = False
        self.drawn = False
        self.job: str | None = None
        self.place = place
        self._sent_at = 0.0
        self.lookup = Lookup(specs)
        self._engine = engine
        self._owner = owner
        self._channel = channel
        self._sent = False
        self._previews: dict[int, Handle] = {}
        """Handles of smaller requests, by the place of the one that they stand in for."""
        engine.start_in_background()

    def answers(self, specs: tuple[ExperimentSpec, ...], first: float | None) -> bool:
        """Whether this is the request for these specifications, and not lost."""
        lost = not self.given_up and any(h.status == CANCELLED for h in self.handles)
        return self.specs == specs and not lost and (self.first == first or not self.is_busy)

    @property
    def is_looking(self) -> bool:
        """Whether its files are still being looked at."""
        return not self.given_up and not self.lookup.is_over

    @property
    def is_busy(self) -> bool:
        """Whether anything is still to come."""
        if not self._sent:
            return not self.given_up
        return not all(handle.is_over for handle in self.handles)

    @property
    def can_be_sent(self) -> bool:
        """Whether its files have been looked at, and a run of the page is to send it."""
        return self.lookup.is_over and not self._sent and not self.given_up

    @property
    def over(self) -> int:
        """How many of the handles are over, previews included."""
        return sum(handle.is_over for handle in (*self._previews.values(), *self.handles))

    @property
    def progress(self) -> Progress:
        """How far it is, 0 to 1, and in words."""
        if not self._sent:
            fraction, text = self.lookup.progress
            return Progress(fraction, text[:1].upper() + text[1:])
        shares = [1.0 if handle.is_over else handle.progress.fraction for handle in self.handles]
        texts = [handle.progress.text for handle in self.handles if not handle.is_over]
        text = f"Computing: {texts[0] if texts else 'done'}"
        return Progress(sum(shares) / max(len(shares), 1), text)

    @property
    def is_long(self) -> bool:
        """Whether it takes longer than two seconds, its files apart."""
        return self._sent and self.is_busy and time.monotonic() - self._sent_at > LONG_SECONDS

    @property
    def seconds_left(self) -> float | None:
        """About how many seconds it still takes; None while that cannot be said."""
        return seconds_left(self.handles)

    @property
    def before(self) -> int:
        """How many computations come before the first of its own; 0 once one has begun."""
        if any(handle.status != QUEUED for handle in self.handles):
            return 0
        return min((handle.before for handle in self.handles), default=0)

    def wait(self, seconds: float) -> None:
        """Sends it once its files are looked at, and waits until all is over or the time is up."""
        deadline = time.monotonic() + seconds
        if self.given_up or not self.lookup.wait(seconds):
            return
        if not self._sent:
            self._send()
        for handle in self.handles:
            left = deadline - time.monotonic()
            if left <= 0 or not handle.wait(left):
                return

    def done(self) -> tuple[Result, ...]:
        """The results that are there, a preview's where there is no more yet."""
        found = []
        for place, handle in enumerate(self.handles):
            for candidate in (handle, self._previews.get(place)):
                if candidate is not None and candidate.status == DONE:
                    found.append(candidate.result(0))
                    break
        return tuple(found)

    def give_up(self) -> None:
        """Cancels whatever is still to come."""
        self.given_up = True
        self.lookup.cancel()
        for handle in (*self._previews.values(), *self.handles):
            handle.cancel()

    def _send(self) -> None:
        self._sent, self._sent_at = True, time.monotonic()
        wanted = self.lookup.specs
        places = [place for place, spec in enumerate(wanted) if self._is_long(spec)]
        previews = [at_epsilon(wanted[place], self.first or 0.0) for place in places]
        handles = self._engine.submit(
            [*previews, *wanted], owner=self._owner, channel=self._channel
        )
        self._previews = dict(zip(places, handles[: len(places)], strict=True))
        self.handles = tuple(handles[len(places) :])

    def _is_long(self, spec: ExperimentSpec) -> bool:
        """Whether a preview is worth its while."""
        if self.first is None or len(spec.attack.epsilons) == 1:
            return False
        return not self._engine.is_known(spec)


def at_epsilon(spec: ExperimentSpec, epsilon: float) -> ExperimentSpec:
    """The same specification at one epsilon (pixel units) alone."""
    attack = dataclasses.replace(spec.attack, epsilons=(epsilon,))
    return dataclasses.replace(spec, attack=attack)
