"""What a process has loaded or computed lately, kept for the next experiment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """Values by key, made when first asked for; the least recently used go first.

    Args:
        max_entries: how many values are kept.
        max_bytes: how many bytes they may take together; None sets no limit. A larger value is
            not kept.
        size: about how many bytes a value takes.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        size: Callable[[T], int] = lambda value: 0,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._size = size
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of that key, made now unless it is there. What `make` raises is not kept."""
        if key not in self._values:
            return self.put(key, make())
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: Hashable, value: T) -> T:
        """Keeps a value that was made elsewhere, and returns it."""
        self._values[key] = value
        self._values.move_to_end(key)
        self._let_go()
        return value

    def peek(self, key: Hashable) -> T | None:
        """The value of that key if it is there, which counts as a use."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def _let_go(self) -> None:
        while len(self._values) > self._max_entries or self._is_too_large():
            self._values.popitem(last=False)

    def _is_too_large(self) -> bool:
        if self._max_bytes is None:
            return False
        return sum(map(self._size, self._values.values())) > self._max_bytes

    def __len__(self) -> int:
        return len(self._values)
