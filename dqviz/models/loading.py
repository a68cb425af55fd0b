"""Networks by id, DATASET/ARCH/WEIGHTS: what there is, what is known of it, and its loading."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib

from dqviz import cards
from dqviz.data import streetdigits
from dqviz.data.published import CLASSES
from dqviz.models import published
from dqviz.models.catalog import architectures, image_size, make_network
from dqviz.models.checkpoint_files import parse_safetensors
from dqviz.models.checkpoints import (
    check_normalisation,
    finish,
    load_checkpoint,
    load_state,
    take_normalisation,
    unwrap,
)
from dqviz.models.errors import ModelError
from dqviz.models.normalize import Classifier
from dqviz.models.squeeze import squeezed
from dqviz.models.stored import unpack
from dqviz.specs import ModelSpec

KNOWN_CLASSES = {**CLASSES, "streetdigits": streetdigits.CLASSES}
"""The names of the classes of the data sets that have a name of their own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is known of a network without loading it.

    `image_size` is the side in pixels of its images, `classes` the names in the order of the
    logits; `named` is False where only their number is known and they are counted from 0.
    `shipped` networks come with the package; others are downloaded or read from a file.
    """

    id: str
    arch: str
    dataset: str
    image_size: int
    classes: tuple[str, ...]
    shipped: bool
    named: bool = True


def list_models() -> tuple[ModelInfo, ...]:
    """Every network that `load_model` knows: the shipped ones first, then torchvision's."""
    shipped = [_shipped_info(id) for id in cards.shipped_ids()]
    return (*shipped, *(_published_info(arch, name) for arch, name in _published_pairs()))


def model_info(spec: ModelSpec) -> ModelInfo:
    """What is known of the network that a specification names, without reading its weights.

    Raises:
        ModelError: if there is no such network, or its classes or architecture are not said.
    """
    if spec.checkpoint is not None:
        return _checkpoint_info(spec, spec.checkpoint)
    dataset, arch, weights = _split_id(spec.id)
    if spec.id in cards.shipped_ids():
        return _shipped_info(spec.id)
    if dataset == published.DATASET:
        return _published_info(arch, weights)
    raise _unknown(spec.id)


def load_model(id: str) -> Classifier:
    """The network of that id; in eval mode, its parameters frozen.

    Images (N, 3, H, W) in [0, 1] in, logits (N, classes) out.

    Raises:
        ModelError: if there is none, or its weights cannot be had or do not match their hash.
    """
    dataset, arch, weights = _split_id(id)
    if id in cards.shipped_ids():
        return _load_shipped(id)
    if dataset == published.DATASET:
        return published.load_published(arch, weights)
    raise _unknown(id)


def resolve_model(spec: ModelSpec) -> Classifier:
    """The network that a specification names, by its id or from its checkpoint.

    Raises:
        ModelError: as `load_model` and `load_checkpoint` do.
    """
    if spec.checkpoint is None:
        return squeezed(load_model(spec.id), spec)
    model = load_checkpoint(
        spec.checkpoint, arch=spec.arch, classes=spec.classes, mean=spec.mean, std=spec.std
    )
    return squeezed(model, spec)


def _load_shipped(id: str) -> Classifier:
    card = _card(id)
    try:
        data = cards.weights_folder().joinpath(card.file).read_bytes()
    except OSError as error:
        raise ModelError(f"the weights of {id} cannot be read: {error}") from error
    received = hashlib.sha256(data).hexdigest()
    if received != card.sha256:
        raise ModelError(
            f"{card.file} is not what its card describes: its SHA-256 is {received}, "
            f"expected {card.sha256}; install the package again"
        )
    tensors = unwrap(parse_safetensors(data, name=card.file), name=card.file)
    take_normalisation(tensors)
    tensors = unpack(tensors, name=card.file)
    network = make_network(card.arch, len(card.classes))
    load_state(network, tensors, classes=len(card.classes), name=card.file)
    mean, std = check_normalisation(card.mean, card.std, name=card.file)
    return finish(network, arch=card.arch, mean=mean, std=std)


def _card(id: str) -> cards.Card:
    try:
        return cards.load_card(id)
    except cards.CardError as error:
        raise ModelError(str(error)) from error


def _shipped_info(id: str) -> ModelInfo:
    card = _card(id)
    classes, named = class_names(card.classes, card.dataset)
    return ModelInfo(
        id=id,
        arch=card.arch,
        dataset=card.dataset,
        image_size=card.image_size,
        classes=classes,
        shipped=True,
        named=named,
    )


def class_names(classes: tuple[str, ...], dataset: str) -> tuple[tuple[str, ...], bool]:
    """A card's classes, by name where it only numbers those of a known data set; and if so named.

    A network trained on files without names has a card that counts its classes from 0.
    """
    if classes != cards.numbered_classes(len(classes)):
        return classes, True
    known = KNOWN_CLASSES.get(dataset, ())
    return (known, True) if len(known) == len(classes) else (classes, False)


def _published_pairs() -> list[tuple[str, str]]:
    return [(arch, name) for arch in architectures() for name in published.published_names(arch)]


def _published_info(arch: str, name: str) -> ModelInfo:
    weights = published.find_weights(arch, name)
    return ModelInfo(
        id=f"{published.DATASET}/{arch}/{weights.name}",
        arch=arch,
        dataset=published.DATASET,
        image_size=published.evaluated_size(weights),
        classes=published.class_names(weights),
        shipped=False,
    )


def _checkpoint_info(spec: ModelSpec, path: str) -> ModelInfo:
    try:
        card = cards.card_beside(path)
    except cards.CardError as error:
        raise ModelError(str(error)) from error
    arch = spec.arch or (card.arch if card else None)
    count = spec.classes or (len(card.classes) if card else None)
    if arch is None or count is None:
        raise ModelError(
            f"{path}: say the architecture and the number of classes; got arch={spec.arch!r}, "
            f"classes={spec.classes!r}, and no card beside the file"
        )
    fits = card is not None and len(card.classes) == count and card.arch == arch
    numbers = cards.numbered_classes(count)
    held, dataset = (card.classes, card.dataset) if card and fits else (numbers, "")
    classes, named = class_names(held, dataset)
    return ModelInfo(
        id=spec.id,
        arch=arch,
        dataset=card.dataset if card else "",
        image_size=card.image_size if card and fits else image_size(arch),
        classes=classes,
        shipped=False,
        named=named,
    )


def _split_id(id: str) -> tuple[str, str, str]:
    parts = id.split("/") if isinstance(id, str) else []
    if len(parts) != 3 or not all(parts):
        raise ModelError(
            "a network's id has three parts, DATASET/ARCH/WEIGHTS, such as "
            f"streetdigits/resnet20/vanilla; got {id!r}"
        )
    return parts[0], parts[1], parts[2]


def _unknown(id: str) -> ModelError:
    shipped = cards.shipped_ids()
    example = f"{published.DATASET}/resnet18/IMAGENET1K_V1"
    close = difflib.get_close_matches(id, shipped, n=3, cutoff=0.5)
    return ModelError(
        f"no network has the id {id!r}; "
        + (f"close to it: {', '.join(close)}; " if close else "")
        + f"with the package come {', '.join(shipped) or 'none'}, torchvision's are named like "
        f"{example}"
    )
