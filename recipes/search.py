"""The small search for the penalty: train the candidates, measure them on held-out images.

    python recipes/search.py cifar10 train [FIRST LAST]   # candidates FIRST to LAST, resumable
    python recipes/search.py cifar10 table                # measure, choose, write the table

The rule is in SEARCH.md beside this file.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from dqviz.defense.recipe import Recipe, read_recipe
from dqviz.specs import DefenseSpec

HERE = Path(__file__).parent
EPOCHS = {"cifar10": 3, "streetdigits": 2}
HOLD_OUT = 5000
VANILLA = (
    {"weight_decay": 5e-4},
    {"weight_decay": 1e-4},
    {"weight_decay": 1e-3},
    {"weight_decay": 5e-4, "learning_rate": 0.1},
)
PENALTIES = (("folded", 1e-2), ("folded", 2e-3), ("raw", 2e-3), ("folded", 3e-2))


def candidates(dataset: str) -> dict[str, Recipe]:
    """Every run of the search by its name."""
    base = read_recipe(HERE / f"{dataset}-resnet20-vanilla.toml")
    base = dataclasses.replace(
        base, epochs=EPOCHS[dataset], warmup_epochs=0.75, hold_out=HOLD_OUT, defense=DefenseSpec()
    )
    runs = {}
    for change in VANILLA:
        recipe = dataclasses.replace(base, **change)
        runs[f"vanilla-wd{recipe.weight_decay:g}-lr{recipe.learning_rate:g}"] = recipe
    for arm, beta in PENALTIES:
        defense = DefenseSpec(arm=arm, beta=beta)
        runs[f"dq-{arm}-{beta:g}"] = dataclasses.replace(base, defense=defense)
    return runs


def train(dataset: str, folder: Path, first: int, last: int) -> None:
    """Train candidates number `first` to `last` (from 0), leaving those that are finished."""
    from safetensors.torch import save_file

    from dqviz.data import load_data
    from dqviz.defense.train import train_network

    runs = candidates(dataset)
    data = load_data(next(iter(runs.values())).data)
    for name, recipe in list(runs.items())[first : last + 1]:
        done = folder / f"{name}.safetensors"
        if done.exists():
            continue
        model = train_network(
            recipe,
            folder / name,
            data=data,
            report=lambda p, name=name: print(name, p, flush=True) if p.step % 20 == 0 else None,
        )
        save_file(model.state_dict(), done)


if __name__ == "__main__":
    dataset, what = sys.argv[1:3]
    folder = Path("runs") / f"search-{dataset}"
    folder.mkdir(parents=True, exist_ok=True)
    if what == "train":
        first, last = (int(text) for text in sys.argv[3:5] or ("0", "99"))
        train(dataset, folder, first, last)
