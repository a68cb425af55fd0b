"""The convolutional families of torchvision, by torchvision's own names.

https://docs.pytorch.org/vision/stable/models.html. Auxiliary classifiers, which serve training
only, are left out: every network returns logits. Families with attention are refused by the name
of the operation that cannot be quantized soundly.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from dqviz.models.registry import Architecture, State

FAMILIES = {
    "alexnet": "alexnet",
    "convnext": "convnext_",
    "densenet": "densenet",
    "efficientnet": "efficientnet_b",
    "efficientnet_v2": "efficientnet_v2_",
    "googlenet": "googlenet",
    "inception": "inception_v3",
    "mnasnet": "mnasnet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3": "mobilenet_v3_",
    "regnet_x": "regnet_x_",
    "regnet_y": "regnet_y_",
    "resnet": "resnet",
    "resnext": "resnext",
    "shufflenet": "shufflenet_v2_",
    "squeezenet": "squeezenet",
    "vgg": "vgg",
    "wide_resnet": "wide_resnet",
}
"""A family's name, and how the names of its members start."""

ATTENTION = {
    "vit_": "MultiheadAttention",
    "swin_v2_": "ShiftedWindowAttentionV2",
    "swin_": "ShiftedWindowAttention",
    "maxvit_": "RelativePositionalMultiHeadAttention",
}
"""How the names of refused families start, and the operation that stands in the way."""

WITHOUT_HEADS: dict[str, dict[str, Any]] = {
    "googlenet": {"aux_logits": False, "init_weights": False, "transform_input": False},
    "inception_v3": {"aux_logits": False, "init_weights": False, "transform_input": False},
}
"""Options of the two families with auxiliary classifiers and a normalisation of their own."""

_DENSE_LAYER = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))\.([12]\..*)$")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


def zoo() -> Any:
    """`torchvision.models`, imported when it is first needed: that takes a second."""
    from torchvision import models

    return models


def family_of(name: str) -> str | None:
    """The family of a torchvision name, or None where it has none here."""
    found = [family for family, prefix in FAMILIES.items() if name.startswith(prefix)]
    return max(found, key=lambda family: len(FAMILIES[family]), default=None)


def vision_architectures() -> Iterator[Architecture]:
    """Every convolutional classifier of the installed torchvision."""
    return (
        Architecture(
            name=name,
            family=family,
            make=functools.partial(_make, name),
            image_size=default_image_size(name),
            adapt=adapt_names,
        )
        for name in zoo().list_models(module=zoo())
        if (family := family_of(name)) is not None
    )


def refused_operation(name: str) -> str | None:
    """The operation for which a torchvision network is refused, or None."""
    return next(
        (operation for start, operation in ATTENTION.items() if name.startswith(start)), None
    )


def default_image_size(name: str) -> int:
    """The side in pixels that the first published weights were evaluated at."""
    weights = next(iter(zoo().get_model_weights(name)))
    size: int = weights.transforms().crop_size[0]
    return size


def adapt_names(state: State) -> State:
    """Published names to the current ones: DenseNet's `norm.1`, no auxiliary classifiers."""
    kept = {key: tensor for key, tensor in state.items() if not key.startswith(_AUXILIARY)}
    return {_DENSE_LAYER.sub(r"\1\2", key): tensor for key, tensor in kept.items()}


def _make(name: str, classes: int) -> nn.Module:
    options = WITHOUT_HEADS.get(name, {})
    network: nn.Module = zoo().get_model(name, weights=None, num_classes=classes, **options)
    return network
