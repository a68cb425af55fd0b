"""A whole network quantized on the fly, from full-precision weights and histograms."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx, nn

from dqviz.models.graph import LAYERS, display_name, fold_batchnorm, trace
from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.histogram import Spread, collect_histograms
from dqviz.quantize.modules import (
    AffineQuantizer,
    NoQuantizer,
    QuantConv2d,
    Quantizer,
    QuantLinear,
)
from dqviz.quantize.own import OwnRange
from dqviz.quantize.ranges import affine_parameters, choose_range
from dqviz.specs import FULL_PRECISION, QuantSpec

Calibration = Mapping[str, Spread] | torch.Tensor | None


def quantize_model(
    model: nn.Module, spec: QuantSpec, *, calibration: Calibration = None
) -> fx.GraphModule:
    """A new network in which every convolution and linear layer is quantized as `spec` says.

    Weights are quantized per output channel, activations at the input of each layer, with ranges
    frozen. Where weights or activations are quantized, the first layer takes `first_bits` and the
    last one `last_bits` for them; at 32 bits nothing is quantized. Parameter-free shortcuts,
    pooling and biases stay in full precision. With `fold_batchnorm` a BatchNorm that alone follows
    a convolution becomes part of its weights first.

    The result is in eval mode, its parameters ask for no gradient, and gradients flow to its input
    by `spec.estimator`. Module names stay what they were; every layer is a `QuantConv2d` or
    `QuantLinear`, also at 32 bits. The given network is not changed.

    Args:
        model: a network of float32 numbers that is traced without refusal.
        spec: bits, ranges and estimator.
        calibration: histograms by layer (`collect_histograms`), or images (N, C, H, W) in [0, 1]
            to collect them from; needed only where activations are quantized. A network trained
            quantized has its layers' own ranges in their place (see `OwnRange`).

    Raises:
        QuantizeError: if the calibration is missing, empty, not finite or lacks a layer, if weights
            are not finite or not float32, if the network has no layer to quantize, or if 1 bit
            meets a layer whose input has both signs.
        UnsupportedOperation: if the network holds an operation that cannot be quantized soundly.
    """
    _require_float32(model)
    network = fold_batchnorm(model) if spec.fold_batchnorm else trace(model)
    names = _layer_names(network)
    if not names:
        raise QuantizeError(
            f"{type(model).__name__} has no convolution or linear layer: nothing to quantize"
        )
    weight_bits = _bits_by_layer(names, spec.weight_bits, spec)
    act_bits = _bits_by_layer(names, spec.act_bits, spec)
    histograms = _histograms(model, calibration, [n for n in names if act_bits[n] < FULL_PRECISION])
    _refuse_lost_signs(histograms, act_bits)
    for name in names:
        quantizer = _quantizer(histograms.get(name), act_bits[name], spec)
        kept = _keeps_weights(calibration, name, weight_bits[name])
        _replace(network, name, weight_bits[name], quantizer, kept)
    _refuse_missed(network)
    network.requires_grad_(False)
    return network.eval()


def quantized_layers(model: nn.Module) -> list[tuple[str, QuantConv2d | QuantLinear]]:
    """The layers of a quantized network by name, in the order of execution.

    Raises:
        QuantizeError: if the network does not come from `quantize_model`.
    """
    if not isinstance(model, fx.GraphModule):
        raise QuantizeError(
            f"only a network from quantize_model has quantized layers; got {type(model).__name__}"
        )
    found: list[tuple[str, QuantConv2d | QuantLinear]] = []
    for name in _layer_names(model):
        layer = model.get_submodule(name)
        if not isinstance(layer, QuantConv2d | QuantLinear):
            raise QuantizeError(f"layer {display_name(name)!r} is not quantized but a plain layer")
        found.append((name, layer))
    return found


def _layer_names(network: fx.GraphModule) -> list[str]:
    return [
        str(node.target)
        for node in network.graph.nodes
        if node.op == "call_module" and isinstance(network.get_submodule(node.target), LAYERS)
    ]


def _bits_by_layer(names: list[str], bits: int, spec: QuantSpec) -> dict[str, int]:
    by_layer = dict.fromkeys(names, bits)
    if bits < FULL_PRECISION:
        by_layer[names[-1]] = spec.last_bits
        by_layer[names[0]] = spec.first_bits
    return by_layer


def _histograms(
    model: nn.Module, calibration: Calibration, needed: list[str]
) -> Mapping[str, Spread]:
    if not needed:
        return {}
    if calibration is None:
        raise QuantizeError(
            "quantized activations need a calibration: histograms by layer, or images "
            "(N, C, H, W) in [0, 1]; got none"
        )
    if isinstance(calibration, torch.Tensor):
        return collect_histograms(model, calibration)
    if not isinstance(calibration, Mapping):
        raise QuantizeError(
            "a calibration is histograms by layer, or a tensor of images (N, C, H, W); "
            f"got a {type(calibration).__name__}"
        )
    held = {display_name(name): histogram for name, histogram in calibration.items()}
    missing = [name for name in map(display_name, needed) if name not in held]
    if missing:
        raise QuantizeError(
            f"the calibration lacks {len(missing)} of {len(needed)} layers: {', '.join(missing)}; "
            f"it holds {', '.join(held) or 'none'}"
        )
    return {name: held[display_name(name)] for name in needed}


def _refuse_lost_signs(histograms: Mapping[str, Spread], act_bits: dict[str, int]) -> None:
    signed = [
        display_name(name)
        for name, histogram in histograms.items()
        if act_bits[name] == 1 and histogram.low < 0 < histogram.high
    ]
    if signed:
        raise QuantizeError(
            "at 1 activation bit an affine quantizer loses one sign, and these layers take inputs "
            f"of both signs: {', '.join(signed)}; take 2 bits or more"
        )


def _quantizer(histogram: Spread | None, bits: int, spec: QuantSpec) -> Quantizer:
    if histogram is None or bits == FULL_PRECISION:
        return NoQuantizer()
    low, high = choose_range(histogram, bits=bits, method=spec.ranges, percentile=spec.percentile)
    scale, zero_point, quant_min, quant_max = affine_parameters(low, high, bits)
    return AffineQuantizer(
        scale=scale,
        zero_point=zero_point,
        quant_min=quant_min,
        quant_max=quant_max,
        estimator=spec.estimator,
    )


def _keeps_weights(calibration: Calibration, name: str, bits: int) -> bool:
    """Whether the layer's weights are levels already; only a layer's own range says so."""
    held = calibration if isinstance(calibration, Mapping) else {}
    own = held.get(name, held.get(display_name(name)))
    try:
        return isinstance(own, OwnRange) and own.keeps_weights(bits)
    except QuantizeError as error:
        raise QuantizeError(f"layer {display_name(name)!r}: {error}") from None


def _replace(
    network: fx.GraphModule, name: str, weight_bits: int, quantizer: Quantizer, kept: bool
) -> None:
    parent, _, child = name.rpartition(".")
    layer = network.get_submodule(name)
    quantizer = quantizer.to(next(layer.parameters()).device)
    quantized: QuantConv2d | QuantLinear
    rounded = FULL_PRECISION if kept else weight_bits
    try:
        if isinstance(layer, nn.Conv2d):
            quantized = QuantConv2d(layer, weight_bits=rounded, input_quantizer=quantizer)
        elif isinstance(layer, nn.Linear):
            quantized = QuantLinear(layer, weight_bits=rounded, input_quantizer=quantizer)
        else:
            raise QuantizeError(f"a {type(layer).__name__} cannot be quantized")
    except QuantizeError as error:
        raise QuantizeError(f"layer {display_name(name)!r}: {error}") from None
    quantized.weight_bits = weight_bits
    setattr(network.get_submodule(parent), child, quantized)


def _refuse_missed(network: fx.GraphModule) -> None:
    """No matrix of weights may be left that is not a quantized layer's.

    A vector in the shape of a channel dimension, such as ConvNeXt's layer scale (C, 1, 1), only
    scales or shifts, as a BatchNorm does.
    """
    missed = [
        f"{display_name(name)} ({type(module).__name__})"
        for name, module in network.named_modules()
        if not isinstance(module, QuantConv2d | QuantLinear)
        and any(_is_matrix(parameter) for parameter in module.parameters(recurse=False))
    ]
    if missed:
        raise QuantizeError(
            f"these hold weights that were not quantized: {', '.join(missed)}; only Conv2d and "
            "Linear layers that are called as modules can be"
        )


def _is_matrix(parameter: nn.Parameter) -> bool:
    return sum(length > 1 for length in parameter.shape) >= 2


def _require_float32(model: nn.Module) -> None:
    for name, parameter in model.named_parameters():
        if parameter.dtype != torch.float32:
            raise QuantizeError(
                f"networks are quantized from float32; parameter {name!r} is {parameter.dtype}"
            )
