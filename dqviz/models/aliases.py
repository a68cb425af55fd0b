"""torchvision's name for the best weights of an architecture, DEFAULT, as the name it stands for.

https://docs.pytorch.org/vision/stable/models.html. A network must have one id, also where no torch
is loaded, so what torchvision's enumerations say is written down here; a test compares the two.
"""

from __future__ import annotations

ALIAS = "DEFAULT"

SECOND_VERSION = (
    "efficientnet_b1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "regnet_x_16gf",
    "regnet_x_1_6gf",
    "regnet_x_32gf",
    "regnet_x_3_2gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_8gf",
    "regnet_y_16gf",
    "regnet_y_1_6gf",
    "regnet_y_32gf",
    "regnet_y_3_2gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_8gf",
    "resnet101",
    "resnet152",
    "resnet50",
    "resnext101_32x8d",
    "resnext50_32x4d",
    "wide_resnet101_2",
    "wide_resnet50_2",
)
"""The architectures whose best weights are IMAGENET1K_V2."""

OTHERS = {"regnet_y_128gf": "IMAGENET1K_SWAG_E2E_V1"}


def weights_name(arch: str, name: str) -> str:
    """The name of published weights: DEFAULT becomes what it stands for, others stay."""
    if name != ALIAS:
        return name
    version = "IMAGENET1K_V2" if arch in SECOND_VERSION else "IMAGENET1K_V1"
    return OTHERS.get(arch, version)


def canonical_id(id: str) -> str:
    """The one id of a network: `imagenet/resnet50/DEFAULT` is `imagenet/resnet50/IMAGENET1K_V2`."""
    dataset, _, rest = id.partition("/")
    arch, _, name = rest.partition("/")
    return f"imagenet/{arch}/{weights_name(arch, name)}" if dataset == "imagenet" else id
