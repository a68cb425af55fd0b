"""How far an experiment is, and whether anybody still wants it, asked between two batches."""

from __future__ import annotations

from collections.abc import Callable

from .errors import Cancelled

Report = Callable[[float, str], None]
Counter = Callable[[int, int], None]


class Steps:
    """Progress of a computation that is done in parts.

    Args:
        report: called with a share of 0 to 1 and a text.
        cancelled: asked at every step; where it says yes, `Cancelled` is raised.
    """

    def __init__(
        self, report: Report | None = None, cancelled: Callable[[], bool] | None = None
    ) -> None:
        self._report = report or (lambda fraction, text: None)
        self._cancelled = cancelled or (lambda: False)
        self._low = 0.0
        self._high = 1.0

    def at(self, fraction: float, text: str) -> None:
        """Says how far this part is, 0 to 1.

        Raises:
            Cancelled: if nobody wants the result any more.
        """
        if self._cancelled():
            raise Cancelled
        share = min(max(fraction, 0.0), 1.0)
        self._report(self._low + share * (self._high - self._low), text)

    def counter(self, text: str) -> Counter:
        """What the other rooms call with the number of images (or steps) done and in all."""

        def count(done: int, total: int) -> None:
            self.at(done / max(total, 1), text)

        return count

    def part(self, low: float, high: float) -> Steps:
        """The progress of a part that leads from one share to another."""
        span = self._high - self._low
        part = Steps(self._report, self._cancelled)
        part._low, part._high = self._low + low * span, self._low + high * span
        return part

    def split(self, weights: list[float]) -> list[Steps]:
        """One part after the other, with lengths in these proportions."""
        total = sum(weights) or 1.0
        ends = [sum(weights[: index + 1]) / total for index in range(len(weights))]
        return [self.part(low, high) for low, high in zip([0.0, *ends], ends, strict=False)]
