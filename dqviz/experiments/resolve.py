"""Filling in what a specification leaves open, so that its key names its result. Needs no torch."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator
from pathlib import Path

from dqviz import cards
from dqviz.data import DataError, fingerprint_data
from dqviz.data.fingerprint import file_sha256
from dqviz.models.aliases import canonical_id
from dqviz.specs import Craft, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

CALIBRATION_IMAGES = 256
"""How many images calibrate a network that has no card, where the user names none."""

_LOOKED_UP: contextvars.ContextVar[dict[tuple[str, str], str] | None] = contextvars.ContextVar(
    "looked_up", default=None
)


@contextlib.contextmanager
def looking_once() -> Iterator[None]:
    """Within, each split of a data set is looked at once, however many specifications name it.

    Thousands of files take a second to be asked for their time of change.
    """
    token = _LOOKED_UP.set({})
    try:
        yield
    finally:
        _LOOKED_UP.reset(token)


def resolve(spec: ExperimentSpec) -> ExperimentSpec:
    """The specification with every fingerprint filled in, and its calibration chosen.

    A quantized network without a card's histograms is calibrated on the training split of the data
    set, else on the evaluated images: the choice is written into `calibration`, so that it is part
    of the key.

    Raises:
        DataError: for data that cannot be found.
        ModelError, CardError: for a network that cannot be found.
    """
    data = resolve_data(spec.data)
    model = resolve_model_spec(spec.model)
    craft = spec.crafted_on
    if craft is not None:
        craft = Craft(model=resolve_model_spec(craft.model), quant=craft.quant)
    calibration = spec.calibration
    if calibration is not None:
        calibration = resolve_data(calibration)
    elif needs_calibration(model, spec.quant):
        calibration = default_calibration(data)
    return dataclasses.replace(
        spec, data=data, model=model, crafted_on=craft, calibration=calibration
    )


def resolve_data(spec: DataSpec) -> DataSpec:
    """The same choice of images, with the fingerprint of its content."""
    shared, split = _LOOKED_UP.get(), (spec.name, spec.split)
    known = {} if shared is None else shared
    if split not in known:
        known[split] = fingerprint_data(spec)
    return dataclasses.replace(spec, fingerprint=known[split])


def resolve_model_spec(spec: ModelSpec) -> ModelSpec:
    """The same network by its one id, with the fingerprint of its weights.

    A shipped network has the hash on its card, a checkpoint the hash of the file and of the card
    beside it, and torchvision's networks, whose weights never change under one name, their id.
    """
    if spec.checkpoint is not None:
        path = Path(spec.checkpoint)
        if not path.is_file():
            raise cards.CardError(f"there is no checkpoint file {spec.checkpoint}")
        beside = cards.card_beside(path)
        card = "" if beside is None else f"+{hash_text(cards.format_card(beside))}"
        return dataclasses.replace(spec, fingerprint=f"file:{file_sha256(path)}{card}")
    if spec.id.startswith("imagenet/"):
        id = canonical_id(spec.id)
        return dataclasses.replace(spec, id=id, fingerprint=f"torchvision:{id}")
    return dataclasses.replace(spec, fingerprint=f"card:{cards.load_card(spec.id).sha256}")


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


def default_calibration(data: DataSpec) -> DataSpec:
    """The training split of a data set (its first images by seed 0), else the evaluated images."""
    training = dataclasses.replace(
        data, split="train", n_samples=CALIBRATION_IMAGES, seed=0, fingerprint=None
    )
    try:
        found = resolve_data(training)
    except DataError:
        return data
    # One file without splits holds the same images under both names.
    return data if found.fingerprint == data.fingerprint else found
