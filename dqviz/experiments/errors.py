"""What can go wrong with an experiment, and the short text that a person reads."""

from __future__ import annotations

from dqviz.data.locations import readable

BAD_INPUT = (ValueError, OSError)
"""The errors that what was asked for can cause. Every room's own error is a ValueError."""


class ExperimentError(ValueError):
    """An experiment that failed; the message is one clear text, `kind` the name of its cause.

    `kind` is the name of the error's class (`DataError`, `ModelError`, ...), `internal` where the
    fault is this program's, `worker` where the computing process was lost.
    """

    def __init__(self, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


class Cancelled(Exception):
    """The computation stopped because nobody wants it any more."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, which torch says in an error of another kind."""
    texts = ("not enough memory", "can't allocate memory", "out of memory")
    return isinstance(error, MemoryError) or any(text in str(error).lower() for text in texts)


def describe(error: BaseException) -> tuple[str, str]:
    """(message, kind) of whatever stopped an experiment, without a stack trace."""
    message, kind = _describe(error)
    return readable(message), kind


def _describe(error: BaseException) -> tuple[str, str]:
    kind = type(error).__name__
    if isinstance(error, ExperimentError):
        return str(error), error.kind
    if is_out_of_memory(error):
        return "not enough memory: take fewer images or a smaller batch", "MemoryError"
    if isinstance(error, BAD_INPUT):
        return str(error) or kind, kind
    first = (str(error).splitlines() or [""])[0]
    return f"internal error, please report it: {kind}: {first}", "internal"
