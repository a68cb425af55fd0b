"""Lipschitz constants layer by layer: of the kernel, of the layer as applied, and as measured.

Three numbers go by that name. `sigma_matrix`, the largest singular value of the reshaped kernel,
is what the Defensive Quantization penalty acts on (Lin, Gan, Han,
https://arxiv.org/abs/1904.08444). `operator_norm` is that of the layer as applied; for zero padding
it lies between sigma_matrix (given one patch without padding) and ceil(k / stride) times it.
`measured_gain` is how much the layer stretches differences that do occur, never more than the
operator norm.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx, nn
from torch.nn import functional as F

from dqviz.measure.activations import LayerView, halves, observe_pairs, require_pairs
from dqviz.measure.distances import norms, ratio
from dqviz.measure.folded import folded_map, linear_map
from dqviz.measure.matrix_norm import (
    Bounds,
    around,
    orthogonality_deviation,
    singular_values,
)
from dqviz.measure.rows import Row, summary_rows, value_rows
from dqviz.models.graph import LAYERS, LayerInfo, display_name, layers, trace

MOST_SINGULAR_VALUES = 64
"""A layer's rows hold its largest singular values, this many at most."""


def layer_norms(
    model: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """What the weights alone say of every convolution and linear layer.

    - `sigma_matrix`, statistics `lower` and `upper`: the largest singular value of the kernel as a
      matrix (out, in * k * k); of a grouped convolution the largest over its groups;
    - `operator_norm`, `lower` and `upper`: see `conv_operator_norm`;
    - `operator_norm_folded`, `lower` and `upper`: with BatchNorm by the rules of `folded`; absent
      where there is no BatchNorm to fold;
    - `orthogonality_deviation`, statistic `value`: ||G - I||_F of the smaller Gram matrix of the
      kernel as a matrix, not divided by anything; the root of the sum of squares over groups;
    - `singular_value`, statistics `0`, `1`, ...: of the kernel as a matrix, the largest first (of
      all groups together), at most 64.

    Args:
        model: a network that can be traced, or a quantized one (the quantized weights count).
        input_shape: (C, H, W) of one image.
        progress: called after each layer with the layers done and in all; may raise to cancel.

    Raises:
        UnsupportedOperation: if the network cannot be traced.
        MeasureError: if weights are not finite or padding is not with zeros.
    """
    traced = graph_of(model)
    infos = layers(traced, input_shape)
    rows = []
    for done, info in enumerate(infos, 1):
        rows += _weight_rows(traced, info)
        if progress is not None:
            progress(done, len(infos))
    return rows


def graph_of(model: nn.Module) -> fx.GraphModule:
    """The network's graph; a network that is one already, such as a quantized one, as it is."""
    return model if isinstance(model, fx.GraphModule) else trace(model)


def _weight_rows(traced: fx.GraphModule, info: LayerInfo) -> list[Row]:
    plain, folded = linear_map(traced, info), folded_map(traced, info)
    matrices = plain.matrices
    spectrum = singular_values(matrices)
    largest = spectrum[:MOST_SINGULAR_VALUES].tolist()
    sigma = around(largest[0], matrices)
    metrics: dict[str, dict[str, float]] = {
        "sigma_matrix": _statistics(sigma),
        "operator_norm": _statistics(sigma if plain.conv is None else plain.norm()),
    }
    if folded is not None:
        metrics["operator_norm_folded"] = _statistics(folded.norm())
    metrics["orthogonality_deviation"] = {"value": orthogonality_deviation(matrices)}
    metrics["singular_value"] = {str(rank): value for rank, value in enumerate(largest)}
    name = display_name(info.name)
    return [
        row
        for metric, statistics in metrics.items()
        for row in value_rows(name, info.depth, metric, statistics.items())
    ]


def _statistics(bounds: Bounds) -> dict[str, float]:
    return {"lower": bounds.lower, "upper": bounds.upper}


def measured_gain(
    model: nn.Module,
    images: torch.Tensor,
    adversarial: torch.Tensor,
    *,
    batch_size: int = 64,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """`measured_gain` of every layer: ||A d||_2 / ||d||_2, summarised over the images.

    d is the difference, between an image and its perturbed version, of what the layer's linear map
    A receives, after the quantizer where there is one; A holds the weights really used, without the
    bias. A difference of zero gives NaN, which is counted. Besides mean, median, 10 and 90 %
    quantiles there is the `max`, a lower bound of the operator norm (up to float32 rounding).

    Args:
        model: images in, logits out, in eval mode; quantized or not.
        images: (N, C, H, W), clean, pixels in [0, 1].
        adversarial: their perturbed versions, the same shape.
        batch_size: pairs a step.
        progress: called after each step with the images done and in all; may raise to cancel.

    Raises:
        MeasureError: if the two sets of images differ in shape.
    """
    require_pairs(images, adversarial)
    modules = {
        display_name(name): module
        for name, module in model.named_modules()
        if isinstance(module, LAYERS)
    }
    gains: dict[str, list[torch.Tensor]] = {}

    def visit(view: LayerView) -> None:
        clean, perturbed = halves(view.quantized)
        gains.setdefault(view.name, []).append(gain(modules[view.name], perturbed - clean).cpu())

    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        observe_pairs(model, images[part], adversarial[part], visit)
        if progress is not None:
            progress(min(start + batch_size, len(images)), len(images))
    rows = []
    for depth, (name, parts) in enumerate(gains.items()):
        values = torch.cat(parts)
        rows += summary_rows(name, depth, "measured_gain", values)
        numbers = values[~values.isnan()]
        most = float(numbers.max()) if len(numbers) else float("nan")
        rows.append(Row(name, depth, "measured_gain", "max", most))
    return rows


def gain(layer: nn.Module, difference: torch.Tensor) -> torch.Tensor:
    """||A d|| / ||d|| by sample, (N,) float64, for differences d (N, ...) and the layer's A."""
    with torch.no_grad():
        if isinstance(layer, nn.Conv2d):
            image = layer._conv_forward(difference, layer.weight, None)
        else:
            assert isinstance(layer, nn.Linear)
            image = F.linear(difference, layer.weight)
    return ratio(norms(image), norms(difference))
