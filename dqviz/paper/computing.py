"""Computing the parts that a folder lacks, several at once, each kept as soon as it is there."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from dqviz.experiments import Engine, Handle
from dqviz.experiments.handle import DONE, FAILED
from dqviz.experiments.kept import KeptResults
from dqviz.experiments.resolve import Look, resolve
from dqviz.experiments.result import Result
from dqviz.specs import spec_key

from .plan import Part

POLL_SECONDS = 0.05
KEPT_BYTES = 4 * 1024**3


class PaperError(ValueError):
    """Experiments that cannot be computed; the message says why and what to do."""


@dataclasses.dataclass(kw_only=True)
class Progress:
    """How far it is: parts done and to do, those that were there before, and what is at work."""

    total: int
    done: int = 0
    before: int = 0
    seconds: float = 0.0
    at_work: str = ""

    @property
    def seconds_left(self) -> float | None:
        """About how long the rest takes; None while nothing has been computed."""
        computed = self.done - self.before
        return (self.total - self.done) * self.seconds / computed if computed else None


def compute(
    parts: Sequence[Part],
    folder: Path,
    engine: Engine,
    *,
    report: Callable[[Progress], None] = lambda progress: None,
) -> dict[Part, Result]:
    """The result of every part, computed where the folder has none yet.

    Whatever ends this process, what is finished lies in the folder, and the same call goes on.

    Args:
        parts: what is wanted.
        folder: where results are kept, one file each.
        engine: what computes them, started.
        report: called with the progress, several times a second.

    Raises:
        PaperError: if a part fails or the engine does not run any more; what is finished is kept.
    """
    kept = KeptResults(folder, max_bytes=KEPT_BYTES)
    look = Look()
    resolved = {part: resolve(part.spec, look) for part in parts}
    results = {}
    for part, spec in resolved.items():
        if (found := kept.get(spec_key(spec))) is not None:
            results[part] = found
    progress = Progress(total=len(parts), done=len(results), before=len(results))
    waiting = deque(part for part in parts if part not in results)
    sent: dict[Part, Handle] = {}
    begin = time.monotonic()
    try:
        while waiting or sent:
            while waiting and len(sent) <= engine.width():
                part = waiting.popleft()
                (sent[part],) = engine.submit(
                    [resolved[part]], owner="paper", channel=spec_key(resolved[part])
                )
            for part, handle in list(sent.items()):
                if handle.status == DONE:
                    results[part] = handle.result(0)
                    kept.put(results[part])
                    progress.done += 1
                    del sent[part]
                elif handle.status == FAILED:
                    raise PaperError(
                        f"{part.experiment} of {part.network.id}: {handle.error}; what is finished "
                        "is kept"
                    )
                elif handle.begun is not None:
                    progress.at_work = f"{part.experiment} of {part.network.id}"
            if engine.state == "failed":
                raise PaperError(f"{engine.message}; what is finished is kept, start again")
            progress.seconds = time.monotonic() - begin
            report(progress)
            time.sleep(POLL_SECONDS)
    finally:
        for handle in sent.values():
            handle.cancel()
    return results
