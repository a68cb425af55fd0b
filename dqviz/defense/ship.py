"""From a recipe to the two files of a network: its weights and its card."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from dqviz import __version__
from dqviz.cards import Card, file_stem, load_card, numbered_classes, write_card
from dqviz.data import ImageData, load_data
from dqviz.defense.batches import CALIBRATION_IMAGES
from dqviz.defense.errors import TrainError
from dqviz.defense.keep import keep
from dqviz.defense.recipe import Recipe, read_recipe
from dqviz.defense.trained import Diverged, Progress, Trained, Watch
from dqviz.defense.training import train_network
from dqviz.measure import accuracy, layer_norms
from dqviz.models.normalize import Classifier
from dqviz.quantize import collect_histograms, quantize_model, to_json
from dqviz.specs.training import LAST_GOOD


def train(
    recipe: Recipe | Path | str,
    out_dir: Path | str,
    *,
    progress: Callable[[Progress], None] | None = None,
    loading: Callable[[int, int], None] | None = None,
    watch: Watch | None = None,
    test: ImageData | None = None,
) -> Path:
    """Train a recipe, or go on where it was killed, and write the network and its card.

    Args:
        recipe: a recipe or the path of its TOML file.
        out_dir: the folder for DATASET-ARCH-WEIGHTS.safetensors and .json; the checkpoint of the
            unfinished training lies in a folder of the network's name inside it.
        progress: called about once a second.
        watch: called likewise with the network; see `train_network`.
        test: the test images, where they are already loaded.
        loading: called while images are downloaded or read, with what is done and what there is.

    Returns:
        The path of the weights; the card lies beside it.

    Raises:
        TrainError: for a recipe that cannot be used or a training that diverges; then the last good
            weights are written, with their card, as WEIGHTS-last-good.
        DataError: if the images cannot be had.
    """
    recipe = recipe if isinstance(recipe, Recipe) else read_recipe(Path(recipe))
    folder = Path(out_dir)
    unfinished = folder / file_stem(recipe.id)
    data = load_data(recipe.data, progress=loading)
    test = load_data(recipe.test, progress=loading) if test is None else test
    _require_match(data, test)
    try:
        trained = train_network(recipe, unfinished, data=data, report=progress, watch=watch)
    except Diverged as error:
        if error.last_good is None:
            raise
        rest = dataclasses.replace(recipe, id=recipe.id + LAST_GOOD)
        kept = _write(rest, error.last_good, folder, data=data, test=test)
        raise TrainError(f"{error}; the last good weights are kept as {kept.name}") from error
    return _write(recipe, trained, folder, data=data, test=test)


def _write(
    recipe: Recipe, trained: Trained, folder: Path, *, data: ImageData, test: ImageData
) -> Path:
    """Writes the network, then its card; returns the path of the weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{file_stem(recipe.id)}.safetensors"
    partial = weights.with_suffix(".partial")
    save_file(keep(trained, recipe), partial)
    partial.chmod(0o644)  # it is made readable to its owner alone
    partial.replace(weights)
    write_card(
        describe(recipe, trained, weights, data=data, test=test), weights.with_suffix(".json")
    )
    return weights


def _require_match(data: ImageData, test: ImageData) -> None:
    """Refuse test images of other classes or another size than the training images."""
    numbers = numbered_classes(len(data.classes))
    named = numbers not in (data.classes, test.classes)
    if len(test.classes) != len(data.classes) or (named and test.classes != data.classes):
        raise TrainError(
            f"the classes of {data.name} and {test.name} must be the same; got {len(data.classes)} "
            f"({', '.join(data.classes[:3])}, ...) and {len(test.classes)} "
            f"({', '.join(test.classes[:3])}, ...)"
        )
    if data.images.shape[1:] != test.images.shape[1:]:
        raise TrainError(
            f"images of {data.name} and {test.name} must have one size; got "
            f"{tuple(data.images.shape[1:])} and {tuple(test.images.shape[1:])}: set one image_size"
        )


def describe(
    recipe: Recipe, trained: Trained, weights: Path, *, data: ImageData, test: ImageData
) -> Card:
    """The card of a trained network: how it came to be, what it scores, how it is calibrated."""
    model = trained.model
    dataset, arch, name = recipe.id.split("/")
    shape = (int(test.images.shape[1]), int(test.images.shape[2]), int(test.images.shape[3]))
    clean = accuracy(_as_trained(recipe, trained), test.images, test.labels)
    return Card(
        id=recipe.id,
        dataset=dataset,
        arch=arch,
        weights=name,
        classes=data.classes,
        mean=recipe.mean,
        std=recipe.std,
        image_size=shape[-1],
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        file=weights.name,
        recipe=_plain(recipe),
        seed=recipe.seed,
        data={"name": data.name, "split": data.split, "n": len(data), "sha": data.fingerprint},
        epochs=recipe.epochs,
        penalty={"arm": recipe.defense.arm, "beta": recipe.defense.beta},
        accuracy={
            "value": clean.value,
            "low": clean.low,
            "high": clean.high,
            "n": clean.n,
            "data": test.name,
            "split": test.split,
            "sha": test.fingerprint,
        },
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        statement=_statement(recipe) + (f", {trained.stopped}" if trained.stopped else ""),
        calibration=_calibration(recipe, trained, data),
        extra={
            "dqviz": __version__,
            "torch": str(torch.__version__),
            "precision": trained.precision,
            "threads": torch.get_num_threads(),
            **({} if recipe.stored == "float32" else {"stored": recipe.stored}),
            **({"start_sha256": load_card(recipe.start).sha256} if recipe.start else {}),
            "calibration_images": min(CALIBRATION_IMAGES, len(data)),
            "folded_norms": _folded_norms(model, shape),
        },
    )


_KERNELS = {
    "raw": "raw kernel",
    "folded": "BatchNorm-folded kernel",
    "operator": "operator norm above 1",
}


def _statement(recipe: Recipe) -> str:
    """What the network is, in words."""
    quant = recipe.quant
    how = "trained at full precision" if quant is None else f"trained with {quant.words}"
    if recipe.defense.beta == 0 or recipe.defense.arm == "none":
        said = f"no penalty, {how}"
    else:
        only = "penalty only" if recipe.adversary is None else "penalty"
        said = f"{only}, {how} ({_KERNELS[recipe.defense.arm]})"
    said += f", fine-tuned from {recipe.start}" if recipe.start else ""
    return said + ("" if recipe.adversary is None else f", on {recipe.adversary.words}")


def _as_trained(recipe: Recipe, trained: Trained) -> nn.Module:
    """The network that the training was about: with its own quantizers, if it has some."""
    if recipe.quant is None:
        return trained.model
    return quantize_model(trained.model, recipe.quant.spec, calibration=trained.ranges)


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values."""
    table = {
        key: value for key, value in dataclasses.asdict(recipe).items() if key in recipe.settings()
    }
    table["mean"], table["std"] = list(recipe.mean), list(recipe.std)
    return table


def _calibration(recipe: Recipe, trained: Trained, data: ImageData) -> dict[str, Any]:
    """The layers' own ranges, or histograms of their inputs on training images by the seed."""
    if trained.ranges is not None:
        return to_json(trained.ranges)
    generator = torch.Generator().manual_seed(recipe.seed)
    chosen = torch.randperm(len(data), generator=generator)[:CALIBRATION_IMAGES]
    return to_json(collect_histograms(trained.model, data.images[chosen]))


def _folded_norms(model: Classifier, shape: tuple[int, int, int]) -> dict[str, float]:
    """The certified upper bound of every layer's folded operator norm."""
    rows = layer_norms(model, shape)
    chosen = ("operator_norm_folded", "upper")
    return {row.layer: row.value for row in rows if (row.metric, row.statistic) == chosen}
