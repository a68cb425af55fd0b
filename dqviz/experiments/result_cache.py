"""Recent results in memory, bounded by their size, so that a slider moved back is instant."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

RESULT_BYTES = 256 * 1024**2


class Sized(Protocol):
    """Anything that knows about how many bytes of memory it takes."""

    @property
    def nbytes(self) -> int:
        """About how many bytes of memory it takes."""
        ...


T = TypeVar("T", bound=Sized)


class ResultCache(Generic[T]):
    """The most recently used results, `max_bytes` of them together at most. Not thread-safe."""

    def __init__(self, *, max_bytes: int = RESULT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._results: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The result of that key, which is now the most recently used, or None."""
        result = self._results.get(key)
        if result is not None:
            self._results.move_to_end(key)
        return result

    def put(self, key: str, result: T) -> None:
        """Keeps a result, unless it is too large, in place of the least recently used ones."""
        self._results.pop(key, None)
        if result.nbytes > self._max_bytes:
            return
        self._results[key] = result
        while self.nbytes > self._max_bytes:
            self._results.popitem(last=False)

    @property
    def nbytes(self) -> int:
        """About how many bytes all kept results take."""
        return sum(result.nbytes for result in self._results.values())

    def __len__(self) -> int:
        return len(self._results)
