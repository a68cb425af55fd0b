"""A specification's network and its card, and whether images and labels fit it."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from dqviz import cards
from dqviz.data import ClassesError, ImageData
from dqviz.models import ModelError, resolve_model
from dqviz.specs import FULL_PRECISION, Craft, ModelSpec

from .resolve import Look


def at_full_precision(craft_spec: Craft) -> Craft:
    """The same network with 32 bits throughout."""
    quant = dataclasses.replace(
        craft_spec.quant, weight_bits=FULL_PRECISION, act_bits=FULL_PRECISION
    )
    return dataclasses.replace(craft_spec, quant=quant)


def card_of(model: ModelSpec) -> cards.Card | None:
    """The card of a shipped network, or the one beside a checkpoint."""
    if model.checkpoint is not None:
        return cards.card_beside(model.checkpoint)
    return cards.load_card(model.id) if model.id in cards.shipped_ids() else None


def check_size(network: nn.Module, size: int) -> int:
    """Refuses images too small for a network, which once quantized cannot say what it is.

    Raises:
        ModelError: naming the architecture and the size.
    """
    with torch.no_grad():
        network(torch.zeros(1, 3, size, size))
    return size


def check_labels(network: nn.Module, data: ImageData, *, name: str) -> None:
    """Refuses images whose labels the network, which has that name, has no logit for.

    Raises:
        ClassesError: if there is such a label.
    """
    with torch.no_grad():
        classes = network(data.images[:1]).shape[1]
    highest = int(data.labels.max())
    if highest >= classes:
        raise ClassesError(
            f"{data.name} has labels up to {highest}, the network {name} has {classes} classes "
            f"(labels 0 to {classes - 1})"
        )


def load_network(spec: ModelSpec) -> nn.Module:
    """The network that a resolved specification names.

    Raises:
        ModelError: if its file is no longer what the specification's fingerprint says.
    """
    network = resolve_model(spec)
    found = Look().model(spec).fingerprint
    if spec.fingerprint is not None and found != spec.fingerprint:
        raise ModelError(
            f"{spec.checkpoint or spec.id} has changed: its fingerprint is {found}, "
            f"expected {spec.fingerprint}"
        )
    return network
