"""`models` and `data`: what there is to choose from."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from dqviz import __version__

from .output import format_table, write_rows
from .terminal import ProgressLine, message

MODEL_COLUMNS = ("id", "shipped", "classes", "image_size", "accuracy", "statement")
DATA_COLUMNS = ("name", "here", "description", "folder")


def show(
    rows: list[dict[str, Any]], columns: Sequence[str], options: argparse.Namespace
) -> str | None:
    """The rows as a table of some columns; with `--out` all of them go to the file instead.

    Raises:
        ValueError, OSError: if the file cannot be written.
    """
    if options.out is None:
        return format_table(rows, columns)
    import pandas as pd

    write_rows(pd.DataFrame(rows), options.out)
    message(f"wrote {len(rows)} rows to {options.out}")
    return None


def model_rows(options: argparse.Namespace, progress: ProgressLine) -> list[dict[str, Any]]:
    """One row a network: the shipped ones with their card's accuracy, then torchvision's."""
    from dqviz.cards import load_card
    from dqviz.models import list_models

    rows = []
    for info in list_models():
        card = load_card(info.id) if info.shipped else None
        rows.append(
            {
                "id": info.id,
                "arch": info.arch,
                "dataset": info.dataset,
                "shipped": info.shipped,
                "classes": len(info.classes),
                "image_size": info.image_size,
                "accuracy": None if card is None else card.accuracy.get("value"),
                "statement": "published with torchvision" if card is None else card.statement,
                "version": __version__,
            }
        )
    return rows


def short_model_list(rows: list[dict[str, Any]]) -> str:
    """The shipped networks as a table, and how many others there are."""
    shipped = [row for row in rows if row["shipped"]]
    table = format_table(shipped, MODEL_COLUMNS) if shipped else "no network is shipped"
    others = len(rows) - len(shipped)
    return (
        f"{table}\n\nand {others} published with torchvision, such as "
        "imagenet/resnet18/IMAGENET1K_V1: --all lists them"
    )


def data_rows(options: argparse.Namespace, progress: ProgressLine) -> list[dict[str, Any]]:
    """One row a data set."""
    from dqviz.data import list_data

    return [
        {
            "name": info.name,
            "here": info.present,
            "description": info.description,
            "folder": info.folder,
            "expected": info.expected,
            "version": __version__,
        }
        for info in list_data()
    ]
