"""`training.pt`: where an unfinished training is, so that it goes on after a kill."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from dqviz.defense.errors import TrainError

NAME = "training.pt"


def read_checkpoint(folder: Path, *, recipe: str, device: torch.device) -> dict[str, Any] | None:
    """The state of the training in a folder; None if there is none. Nothing in the file is run.

    Args:
        folder: where the file lies.
        recipe: what the training must be of.
        device: where its tensors go.

    Raises:
        TrainError: if the file is damaged or that of another recipe.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        found = state["recipe"]
    except Exception as error:  # a damaged file can make torch.load raise nearly anything
        raise damaged(folder, error) from error
    if found != recipe:
        raise TrainError(
            f"{path} is the checkpoint of another recipe; choose another folder or delete it"
        )
    return state


def damaged(folder: Path, error: Exception) -> TrainError:
    """What is said of a checkpoint that cannot be used."""
    return TrainError(
        f"{folder / NAME} is damaged or not the checkpoint of a training, and nothing in it was "
        f"run ({type(error).__name__}): delete it to start again"
    )


def write_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the state whole or not at all.

    Raises:
        OSError: if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{NAME}.{os.getpid()}.part"
    torch.save(state, part)
    with part.open("rb+") as file:
        os.fsync(file.fileno())  # else a power cut can leave the name without the content
    os.replace(part, folder / NAME)
