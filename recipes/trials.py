"""What the small searches have in common: training their runs, and loading what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file

from dqviz.data import ImageData, load_data
from dqviz.defense.recipe import Recipe
from dqviz.defense.training import train_network
from dqviz.models import build
from dqviz.models.normalize import Classifier


def data_of(runs: Mapping[str, Recipe]) -> ImageData:
    """The images that all runs of a search are trained on."""
    return load_data(next(iter(runs.values())).data)


def train_runs(runs: Mapping[str, Recipe], folder: Path, first: int, last: int) -> None:
    """Train runs number `first` to `last` (from 0), leaving those that are finished."""
    data = data_of(runs)
    for name, recipe in list(runs.items())[first : last + 1]:
        done = folder / f"{name}.safetensors"
        if done.exists():
            continue
        trained = train_network(
            recipe,
            folder / name,
            data=data,
            report=lambda p, name=name: print(name, p, flush=True) if p.step % 20 == 0 else None,
        )
        save_file(trained.model.state_dict(), done)


def trained_run(recipe: Recipe, folder: Path, name: str, classes: int) -> Classifier:
    """A finished run's network, without gradients, in eval mode."""
    model = Classifier(build(recipe.arch, classes), mean=recipe.mean, std=recipe.std).eval()
    model.load_state_dict(load_file(folder / f"{name}.safetensors"))
    return model.requires_grad_(False)
