"""`accuracy --save-images`: attacked images as files, and what the network makes of those."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .asked import experiment_spec
from .output import format_table
from .terminal import ProgressLine

if TYPE_CHECKING:
    from dqviz.experiments.saved_images import Saved


def save_and_check(options: argparse.Namespace, progress: ProgressLine) -> str:
    """Writes the files, and reports the check of what was loaded again, one line an epsilon."""
    from dqviz.experiments.resolve import resolve
    from dqviz.experiments.run import BENCH
    from dqviz.experiments.saved_images import save_images
    from dqviz.experiments.steps import Steps

    spec = resolve(experiment_spec("accuracy", options))
    saved = save_images(spec, Path(options.save_images), BENCH, Steps(progress))
    progress.clear()
    lines = [_line(one) for one in saved]
    count = sum(one.loaded.n for one in saved)
    changed = sum(one.changed for one in saved)
    check = "all as they were written" if changed == 0 else f"{changed} NOT as they were written"
    return (
        f"saved {count} images in {options.save_images}, rounded to 8 bits, and loaded them again: "
        f"{check}\n{format_table(lines, list(lines[0]))}"
    )


def _line(one: Saved) -> dict[str, object]:
    return {
        "epsilon": f"{one.epsilon * 255:.4g}/255",
        "folder": str(one.folder),
        "accuracy as rounded, percent": 100 * one.written.value,
        "as loaded": 100 * one.loaded.value,
    }
