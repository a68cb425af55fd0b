"""The embedded default, `streetdigits`, as a source of images."""

from __future__ import annotations

from . import streetdigits
from .array_cache import Pixels
from .progress import Progress
from .source import Rows, Source
from .streetdigits import render


class StreetDigits(Source):
    """House numbers rendered on the fly; see `dqviz.data.streetdigits`."""

    def __init__(self, split: str, *, fingerprint: str) -> None:
        self.split = split
        super().__init__(
            labels=render.labels(split),
            classes=streetdigits.CLASSES,
            fingerprint=fingerprint,
            native_size=streetdigits.SIZE,
            fixed_size=True,
        )

    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """See `Source.decode`; the whole split is rendered."""
        return render.render(self.split, progress)[rows]
