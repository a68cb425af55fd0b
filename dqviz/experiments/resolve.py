"""Filling in what a specification leaves open, so that its key names its result. Needs no torch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dqviz import cards
from dqviz.data import DataError, fingerprint_data
from dqviz.data.fingerprint import fingerprint_files
from dqviz.data.progress import Progress, silent
from dqviz.models.aliases import canonical_id
from dqviz.specs import Craft, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

CALIBRATION_IMAGES = 256
"""How many images calibrate a network that has no card, where the user names none."""


class Look:
    """One look at files: the content of each is named once, however often it is mentioned.

    Thousands of files take a quarter of a second to be asked for their time of change.

    Args:
        progress: called with the bytes read and the bytes to read, for one file or folder after
            the other; what this process read before is not read again.
    """

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._splits: dict[tuple[str, str], str] = {}

    def data(self, spec: DataSpec) -> DataSpec:
        """The same choice of images, with the fingerprint of its content.

        Raises:
            DataError: for data that cannot be found.
        """
        split = (spec.name, spec.split)
        if split not in self._splits:
            self._splits[split] = fingerprint_data(spec, progress=self._progress)
        return dataclasses.replace(spec, fingerprint=self._splits[split])

    def model(self, spec: ModelSpec) -> ModelSpec:
        """The same network by its one id, with the fingerprint of its weights.

        A shipped network has the hash on its card, a checkpoint the hash of the file and of the
        card beside it, and torchvision's networks, whose weights never change under one name,
        their id.

        Raises:
            ModelError, CardError: for a network that cannot be found.
        """
        if spec.checkpoint is not None:
            return self._checkpoint(spec, Path(spec.checkpoint))
        if spec.id.startswith("imagenet/"):
            id = canonical_id(spec.id)
            return dataclasses.replace(spec, id=id, fingerprint=f"torchvision:{id}")
        return dataclasses.replace(spec, fingerprint=f"card:{cards.load_card(spec.id).sha256}")

    def _checkpoint(self, spec: ModelSpec, path: Path) -> ModelSpec:
        if not path.is_file():
            raise cards.CardError(f"there is no checkpoint file {spec.checkpoint}")
        beside = cards.card_beside(path)
        card = "" if beside is None else f"+{hash_text(cards.format_card(beside))}"
        weights = fingerprint_files([path], progress=self._progress)
        return dataclasses.replace(spec, fingerprint=f"file:{weights}{card}")


def resolve(spec: ExperimentSpec, look: Look | None = None) -> ExperimentSpec:
    """The specification with every fingerprint filled in, and its calibration chosen.

    A quantized network without a card's histograms is calibrated on the training split of the data
    set, else on the evaluated images: the choice is written into `calibration`, so that it is part
    of the key.

    Args:
        spec: what is wanted.
        look: shared by specifications that name the same files; None for one alone.

    Raises:
        DataError: for data that cannot be found.
        ModelError, CardError: for a network that cannot be found.
    """
    look = look or Look()
    data, model, craft = look.data(spec.data), look.model(spec.model), spec.crafted_on
    if craft is not None:
        craft = Craft(model=look.model(craft.model), quant=craft.quant)
    calibration = spec.calibration
    if calibration is not None:
        calibration = look.data(calibration)
    elif needs_calibration(model, spec.quant):
        calibration = default_calibration(data, look)
    return dataclasses.replace(
        spec, data=data, model=model, crafted_on=craft, calibration=calibration
    )


def is_resolved(spec: ExperimentSpec) -> bool:
    """Whether every fingerprint is filled in, so that nothing need be looked at."""
    parts: list[DataSpec | ModelSpec] = [spec.model, spec.data]
    if spec.crafted_on is not None:
        parts.append(spec.crafted_on.model)
    if spec.calibration is not None:
        parts.append(spec.calibration)
    return all(part.fingerprint is not None for part in parts)


def hash_text(text: str) -> str:
    """The first 16 hexadecimal digits of a text's SHA-256."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def needs_calibration(model: ModelSpec, quant: QuantSpec) -> bool:
    """Whether activations are quantized and no card says how they are distributed."""
    return quant.act_bits != 32 and not has_histograms(model)


def has_histograms(model: ModelSpec) -> bool:
    """Whether the network's card holds the histograms that calibration needs."""
    if model.checkpoint is not None:
        card = cards.card_beside(model.checkpoint)
        return card is not None and bool(card.calibration)
    return model.id in cards.shipped_ids() and bool(cards.load_card(model.id).calibration)


def default_calibration(data: DataSpec, look: Look) -> DataSpec:
    """The training split of a data set (its first images by seed 0), else the evaluated images."""
    training = dataclasses.replace(
        data, split="train", n_samples=CALIBRATION_IMAGES, seed=0, fingerprint=None
    )
    try:
        found = look.data(training)
    except DataError:
        return data
    # One file without splits holds the same images under both names.
    return data if found.fingerprint == data.fingerprint else found
