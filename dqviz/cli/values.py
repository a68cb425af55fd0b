"""Texts from the command line as numbers and names. Each raises one clear line on bad input."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

SUFFIXES = (".json", ".csv", ".parquet")


def number(text: str) -> float:
    """A number: `0.00392`, `1e-3` or a fraction, `1/255`."""
    parts = text.split("/")
    try:
        if len(parts) > 2:
            raise ValueError
        top, bottom = float(parts[0]), float(parts[1]) if len(parts) == 2 else 1.0
        value = top / bottom
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(
            f"expected a number or a fraction such as 1/255; got {text!r}"
        ) from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"expected a finite number; got {text!r}")
    return value


def numbers(text: str) -> tuple[float, ...]:
    """One or several numbers with commas between them: `1/255,2/255`."""
    return tuple(number(part.strip()) for part in text.split(","))


def whole(low: int, high: int | None = None) -> Callable[[str], int]:
    """A converter for whole numbers from `low` to `high` (None: without end)."""
    span = f"from {low} to {high}" if high is not None else f"of {low} or more"

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"expected a whole number {span}; got {text!r}")
        return value

    return convert


def bits(low: int) -> Callable[[str], int]:
    """A converter for bit-widths from `low` to 8, or 32 for full precision."""

    def convert(text: str) -> int:
        if text.isdecimal() and (low <= int(text) <= 8 or int(text) == 32):
            return int(text)
        raise argparse.ArgumentTypeError(
            f"expected {low} to 8 bits, or 32 for full precision; got {text!r}"
        )

    return convert


def positive(text: str) -> float:
    """A number above 0."""
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0; got {text!r}")
    return value


def part_of(text: str) -> tuple[int, int]:
    """One of several parts, counted from 1: `3/10`."""
    part, slash, parts = text.partition("/")
    if slash and part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts) <= 10**6:
        return int(part), int(parts)
    raise argparse.ArgumentTypeError(f"expected a part and their number such as 3/10; got {text!r}")


def out_file(text: str) -> str:
    """The name of a file to write, by its suffix.

    Raises:
        argparse.ArgumentTypeError: for another suffix, named with those there are, or a name that
            no file can have.
    """
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"no file can be called {text!r}")
    if Path(text).suffix.lower() not in SUFFIXES:
        raise argparse.ArgumentTypeError(
            f"the suffix of the file to write must be {', '.join(SUFFIXES)}; got {text!r}"
        )
    return text


def html_file(text: str) -> str:
    """The name of a report to write.

    Raises:
        argparse.ArgumentTypeError: for another suffix than .html.
    """
    if "\0" in text or Path(text).suffix.lower() not in (".html", ".htm"):
        raise argparse.ArgumentTypeError(f"the report's name must end in .html; got {text!r}")
    return text


def out_folder(text: str) -> str:
    """The name of a folder to write into.

    Raises:
        argparse.ArgumentTypeError: for a name that no folder can have.
    """
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"no folder can be called {text!r}")
    return text


def channels(values: Sequence[float] | None, what: str) -> tuple[float, ...] | None:
    """One number a colour channel, or None.

    Raises:
        ValueError: if there are not three.
    """
    if values is not None and len(values) != 3:
        raise ValueError(f"{what} needs 3 numbers, one a colour channel; got {len(values)}")
    return None if values is None else tuple(values)
