"""All architectures of this project. A new network is one file, and one `register` call here."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import nn

from dqviz.models import resnet, vision, wrn
from dqviz.models.errors import ModelError
from dqviz.models.initialisation import initialise
from dqviz.models.operations import UnsupportedOperation
from dqviz.models.registry import Architecture, Registry, Series
from dqviz.specs import MAX_CLASSES

REGISTRY = Registry()
register = REGISTRY.register


def _small(name: str, family: str, make: Callable[[int], nn.Module]) -> Architecture:
    return Architecture(name=name, family=family, make=make, image_size=32)


def _wide(name: str) -> Architecture:
    wrn.parse_name(name)
    return _small(name, "wrn", functools.partial(wrn.wide_resnet, name))


register(_small("resnet20", "cifar_resnet", resnet.resnet20))
register(_small("resnet32", "cifar_resnet", resnet.resnet32))
register(_small("resnet44", "cifar_resnet", resnet.resnet44))
register(_small("resnet56", "cifar_resnet", resnet.resnet56))
register(_small("plain20", "cifar_plain", resnet.plain20))
register(_small("plain20_nonorm", "cifar_plain_nonorm", resnet.plain20_nonorm))
REGISTRY.register_series(
    Series(prefix="wrn_", form="wrn_DEPTH_WIDTH", examples=wrn.EXAMPLES, parse=_wide)
)
REGISTRY.register_late(vision.vision_architectures)


def architectures() -> tuple[str, ...]:
    """Every architecture by name; of the open series `wrn_DEPTH_WIDTH` a few examples."""
    return REGISTRY.names()


def find_architecture(arch: str) -> Architecture:
    """The architecture of that name.

    Raises:
        UnsupportedOperation: if it is known not to be soundly quantizable; names the operation.
        ModelError: if there is none of that name; names the closest ones.
    """
    if not isinstance(arch, str):
        raise ModelError(f"an architecture is named by a text such as 'resnet20'; got {arch!r}")
    operation = vision.refused_operation(arch)
    if operation is not None:
        raise UnsupportedOperation(
            f"{arch!r} cannot be quantized soundly: its {operation} multiplies activations with "
            "each other and never fires the hooks of the layers inside it; "
            "convolutional networks are supported"
        )
    return REGISTRY.find(arch)


def image_size(arch: str) -> int:
    """The side in pixels of the images that the architecture was designed for."""
    return find_architecture(arch).image_size


def make_network(arch: str, classes: int) -> nn.Module:
    """The bare network, its weights still to be loaded or drawn.

    Raises:
        ModelError: if the architecture is unknown, or the number of classes is not sensible.
    """
    architecture = find_architecture(arch)
    if isinstance(classes, bool) or not isinstance(classes, int):
        raise ModelError(f"the number of classes must be a whole number; got {classes!r}")
    if not 2 <= classes <= MAX_CLASSES:
        raise ModelError(f"the number of classes must be 2 to {MAX_CLASSES:,}; got {classes}")
    return architecture.make(classes)


def build(
    arch: str, classes: int, *, seed: int = 0, generator: torch.Generator | None = None
) -> nn.Module:
    """A new network with random weights: normalised images (N, 3, H, W) to logits (N, classes).

    The weights are drawn from `generator`, or from a generator of their own started at `seed`.

    Raises:
        ModelError: if the architecture is unknown or refused, or `classes` is not 2 to 100,000.
    """
    network = make_network(arch, classes)
    return initialise(network, generator or torch.Generator().manual_seed(seed))
