"""`python -m dqviz.defense.lab RECIPE.toml FOLDER`: a training whose course is written down.

How far it is goes to standard output line by line, a share of 0 to 1 and a text; an error is the
last line. What is found on the way is appended to `FOLDER/course.jsonl`, one look a line. The
process gives way to all others. Killed, it goes on where it was when it is started again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

from torch import nn

from dqviz.attacks import AttackError
from dqviz.data import DataError, load_data
from dqviz.defense.errors import TrainError
from dqviz.defense.penalty import Layer
from dqviz.defense.probe import Probe
from dqviz.defense.recipe import read_recipe
from dqviz.defense.ship import train
from dqviz.defense.trained import Progress
from dqviz.specs.training import COURSE

NICENESS = 10
BETWEEN_LOOKS = 2.0
"""Seconds from one look to the next, at least; looks take no more than a tenth of the time."""


class Course:
    """Writes down what is seen of a training."""

    def __init__(self, folder: Path, probe: Probe) -> None:
        self._file = folder / COURSE
        self._probe = probe
        self._next = 0.0

    def watch(self, model: nn.Module, layers: list[Layer], progress: Progress) -> None:
        """One look, if it is time."""
        begun = time.monotonic()
        if begun < self._next and progress.step < progress.steps:
            return
        try:
            look = self._probe.look(model, layers)
        except AttackError:  # the weights are no numbers any more: the next step says so
            return
        took = time.monotonic() - begun
        self._next = begun + max(BETWEEN_LOOKS, 10 * took)
        line = {**dataclasses.asdict(progress), **dataclasses.asdict(look)}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def main(recipe: str, out: str) -> int:
    """Trains; 0 if a network was written."""
    folder = Path(out)
    try:
        asked = read_recipe(Path(recipe))
        _say(0.0, "loading images")
        test = load_data(asked.test)
        course = Course(folder, Probe(test))
        train(asked, folder, progress=_tell, watch=course.watch, test=test)
    except (TrainError, DataError, OSError) as error:
        print(" ".join(str(error).split()), flush=True)
        return 1
    return 0


def _tell(state: Progress) -> None:
    text = f"epoch {state.epoch} of {state.epochs}, {state.images_per_second:.0f} images/s"
    _say(state.step / state.steps, text)


def _say(share: float, text: str) -> None:
    print(f"{share:.3f} {text}", flush=True)


if __name__ == "__main__":
    if hasattr(os, "nice"):  # here alone: whoever calls main is not to give way for good
        os.nice(NICENESS)
    sys.exit(main(*sys.argv[1:]))
