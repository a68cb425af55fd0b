"""`train`: a recipe in, a network and its card out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .output import check_folder
from .terminal import ProgressLine

if TYPE_CHECKING:
    from dqviz.defense import Progress

LOG_SECONDS = 30.0


def train_recipe(options: argparse.Namespace, progress: ProgressLine) -> str:
    """Trains, or goes on where a killed run in the same folder stopped; says what was written."""
    recipe = Path(options.recipe)
    if not recipe.is_file():
        raise ValueError(f"there is no recipe {options.recipe}")
    folder = Path(options.out)
    check_folder(options.out)
    from dqviz.defense import train

    try:
        weights = train(
            recipe,
            folder,
            progress=lambda state: progress.say(describe(state), log_every=LOG_SECONDS),
            loading=lambda done, total: progress(done / max(total, 1), "loading images"),
        )
    except KeyboardInterrupt:
        progress.clear()
        raise
    progress.clear()
    return f"wrote {weights} and its card"


def describe(state: Progress) -> str:
    """A training's state in one line."""
    return (
        f"epoch {state.epoch}/{state.epochs}  step {state.step}/{state.steps}  "
        f"{state.images_per_second:.0f} images/s  loss {state.loss:.3f}  "
        f"accuracy {100 * state.accuracy:.1f} %  "
        f"largest folded norm {state.largest_folded_norm:.2f}"
    )
