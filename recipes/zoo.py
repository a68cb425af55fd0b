"""Train every network of the zoo that is missing, one after the other.

Then those are trained again whose start has got other weights since.

Start it once for every processor: each runner takes what none of the others is at.

    nice -n 19 python recipes/zoo.py            # goes on where a kill stopped it
    python recipes/zoo.py list                  # what there is, and what is missing

A network is moved into `dqviz/weights/` once its file and its card are whole, the card last, so
that nothing half-written is ever taken for a network. Trainings in progress lie in `runs/zoo/`.
One thread is used, whatever the machine has: on a busy one that costs less than half the processor
time of two, and it is what the networks were trained with.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from filelock import FileLock, Timeout

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.cards import file_stem, load_card, shipped_ids
from dqviz.defense import Progress, read_recipe, train
from dqviz.defense.recipe import Recipe

HERE = Path(__file__).parent
WORK = HERE.parent / "runs" / "zoo"
WEIGHTS = HERE.parent / "dqviz" / "weights"
ORDER = HERE / "zoo.txt"
"""The networks in the order in which they are trained; one that others start from comes first."""


def members() -> list[Path]:
    """The recipes of the zoo, in order."""
    names = [line.partition("#")[0].strip() for line in ORDER.read_text().splitlines()]
    return [HERE / f"{name}.toml" for name in names if name]


def missing() -> list[Recipe]:
    """The recipes whose networks are not there, then those to be trained anew."""
    left = [recipe for recipe in map(read_recipe, members()) if not is_there(recipe)]
    return sorted(left, key=lambda recipe: recipe.id in shipped_ids())


def is_there(recipe: Recipe) -> bool:
    """Whether the network is there, and was fine-tuned from what is there of its start."""
    shipped = shipped_ids()
    if recipe.id not in shipped or recipe.start not in shipped:
        return recipe.id in shipped
    return load_card(recipe.id).extra.get("start_sha256") == load_card(recipe.start).sha256


def train_next() -> bool:
    """Train the first missing network that nobody is at; False where there is none.

    A network whose start is not trained yet is left for later.
    """
    for recipe in missing():
        if recipe.start and recipe.start not in shipped_ids():
            continue
        try:
            with FileLock(WORK / f"{file_stem(recipe.id)}.lock", timeout=0):
                if not is_there(recipe):  # another runner may just have finished it
                    train_one(recipe)
                return True
        except Timeout:
            continue
    return False


def train_one(recipe: Recipe) -> None:
    """Train one network, or go on with it, and put it among the shipped ones."""
    weights = train(recipe, WORK, progress=lambda state: say(recipe, state))
    for suffix in (".safetensors", ".json"):
        os.replace(weights.with_suffix(suffix), WEIGHTS / f"{file_stem(recipe.id)}{suffix}")
    print(f"{recipe.id} is done", flush=True)


def say(recipe: Recipe, state: Progress) -> None:
    """One line for every fiftieth step, into whatever log there is."""
    if state.step % 50 == 0 or state.step == state.steps:
        print(
            f"{recipe.id}  step {state.step}/{state.steps}  loss {state.loss:.3f}  "
            f"accuracy {100 * state.accuracy:.1f} %",
            flush=True,
        )


def main() -> None:
    """Train until nothing is left to take; the list is read anew before every network."""
    torch.set_num_threads(1)
    WORK.mkdir(parents=True, exist_ok=True)
    while train_next():
        pass


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        left = {recipe.id for recipe in missing()}
        for recipe in map(read_recipe, members()):
            print("missing" if recipe.id in left else "there  ", recipe.id)
    elif sys.argv[1:]:
        sys.exit(f"say list, or nothing to train; got {' '.join(sys.argv[1:])!r}")
    else:
        main()
