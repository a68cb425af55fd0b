"""The noise itself as pictures: where in a layer's feature maps two images differ, and how much."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dqviz.measure.activations import LayerView, halves, observe_pairs, require_pairs
from dqviz.measure.errors import MeasureError


def feature_maps(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    layers: Collection[str],
    *,
    channels: bool = False,
) -> dict[str, NDArray[np.float32]]:
    """The absolute difference of two images at the input of chosen layers, before their quantizer.

    Args:
        model: images in [0, 1] in, logits out; quantized or not, in eval mode.
        images: one clean image, (1, C, H, W).
        adversarial: its perturbed version, (1, C, H, W).
        layers: names as in the rows of `amplification`.
        channels: each channel by itself rather than their mean.

    Returns:
        By layer, in the order of execution: (H, W), or with `channels` (C, H, W), in units of the
        activation, |a' - a|. The input of a linear layer counts as one row of F pixels: (1, F), or
        (1, 1, F).

    Raises:
        MeasureError: if there is not exactly one pair of images, or a layer does not exist.
    """
    require_pairs(images, adversarial)
    if len(images) != 1:
        raise MeasureError(f"expected one image (1, C, H, W); got {tuple(images.shape)}")
    maps: dict[str, NDArray[np.float32]] = {}
    names: list[str] = []

    def visit(view: LayerView) -> None:
        names.append(view.name)
        if view.name in layers:
            clean, perturbed = halves(view.inputs)
            difference = _as_map((perturbed - clean).abs()[0])
            chosen = difference if channels else difference.mean(dim=0)
            maps[view.name] = chosen.float().cpu().numpy()

    observe_pairs(model, images, adversarial, visit)
    missing = [name for name in layers if name not in names]
    if missing:
        raise MeasureError(f"no layer {', '.join(missing)}; the network has {', '.join(names)}")
    return maps


def _as_map(values: torch.Tensor) -> torch.Tensor:
    """(C, H, W) as it is; anything else as (1, 1, elements)."""
    return values if values.dim() == 3 else values.reshape(1, 1, -1)
