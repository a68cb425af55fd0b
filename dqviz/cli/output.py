"""Rows into files by their suffix, and rows as a table that people read."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from dqviz.cards import card_file_beside
from dqviz.data.locations import PATH_KINDS, find_path


def check_writable(file: str) -> None:
    """Refuses a file that cannot be written, by trying it, before anything is computed.

    Raises:
        ValueError: if its folder does not exist, it is a folder itself, or the trial fails.
    """
    path = Path(file)
    try:
        if path.is_dir():
            raise ValueError(f"--out: {file} is a folder, expected the name of a file")
        folder = path.absolute().parent
        if not folder.is_dir():
            raise ValueError(f"--out: there is no folder {folder}")
        if path.exists() and not os.access(path, os.W_OK):
            raise ValueError(f"--out: {file} cannot be written, permission is denied")
        _try(_partial(path))
    except OSError as error:
        raise ValueError(f"--out: {file} cannot be written: {error.strerror or error}") from error


def refuse_inputs(options: argparse.Namespace) -> None:
    """Refuses to write over what is read: a checkpoint, the card beside it, a file of images.

    Raises:
        ValueError: if --out names one of them, or the images are not there.
    """
    out = Path(options.out).absolute().resolve()
    checkpoint = getattr(options, "checkpoint", None)
    read = [Path(checkpoint), card_file_beside(checkpoint)] if checkpoint else []
    for option in ("data", "calibration"):
        kind, _, path = (getattr(options, option, None) or "").partition(":")
        if kind in PATH_KINDS and path:
            read.append(find_path(path))
    for file in read:
        if file is None:
            continue
        source = file.absolute().resolve()
        holds_tables = source.is_dir() and out.suffix.lower() == ".parquet"
        if out == source or (holds_tables and source in out.parents):
            raise ValueError(f"--out: {options.out} belongs to what is read; choose another file")


def check_folder(folder: str, *, option: str = "--out") -> None:
    """Refuses a folder that cannot be written into, by trying it; what is made is removed again.

    Raises:
        ValueError: if it or a part of its path is a file, or cannot be made or written into.
    """
    path = Path(folder)
    made: list[Path] = []
    try:
        missing = [part for part in (path, *path.parents) if not part.exists()]
        in_the_way = path if not missing else missing[-1].parent
        if not in_the_way.is_dir():
            raise ValueError(f"{option}: {in_the_way} is a file, expected a folder")
        for part in reversed(missing):
            part.mkdir()
            made.append(part)
        _try(_partial(path / "trial"))
    except OSError as error:
        raise ValueError(
            f"{option}: {folder} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        for part in reversed(made):
            part.rmdir()


def _try(path: Path) -> None:
    path.touch()
    path.unlink()


def _partial(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def write_rows(table: pd.DataFrame, file: str) -> None:
    """Writes all rows, in JSON as a list of objects with null for what is not a number.

    The file is replaced in one step, so that an interruption leaves no half of one.
    """
    path = Path(file)
    partial = _partial(path)
    try:
        if path.suffix.lower() == ".csv":
            table.to_csv(partial, index=False)
        elif path.suffix.lower() == ".parquet":
            table.to_parquet(partial, index=False)
        else:
            partial.write_text(to_json(table), encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def to_json(table: pd.DataFrame) -> str:
    """A list of rows, one a line."""
    rows = [
        json.dumps({str(key): _plain(value) for key, value in row.items()}, allow_nan=False)
        for row in table.to_dict(orient="records")
    ]
    return "[\n" + ",\n".join(rows) + "\n]\n"


def _plain(value: Any) -> Any:
    """NaN, infinity and missing values as None: JSON has no word for them."""
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def format_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows in columns as wide as need be; texts on the left, numbers on the right."""
    cells = [[format_cell(row.get(column)) for column in columns] for row in rows]
    widths = [
        max([len(column), *(len(line[place]) for line in cells)])
        for place, column in enumerate(columns)
    ]
    right = [any(isinstance(row.get(column), int | float) for row in rows) for column in columns]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.rjust(width) if on_right else text.ljust(width)
            for text, width, on_right in zip(texts, widths, right, strict=True)
        ]
        return "  ".join(padded).rstrip()

    return "\n".join([line(list(columns)), *(line(cell) for cell in cells)])


def format_cell(value: Any) -> str:
    """A value in a few letters; `-` where there is none."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
