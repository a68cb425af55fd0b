"""Whole networks: every layer quantized, levels counted, nothing missed, the original untouched."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models.normalize import Classifier
from dqviz.quantize import (
    AffineQuantizer,
    Histogram,
    NoQuantizer,
    QuantConv2d,
    QuantizeError,
    QuantLinear,
    collect_histograms,
    quantize_model,
    quantize_weight,
    quantized_layers,
)
from dqviz.specs import QuantSpec
from tests.quantize.inputs import conv_inputs


@pytest.mark.parametrize("ranges", ["percentile", "minmax", "mse"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("fold", [True, False])
def test_inputs_take_at_most_two_to_the_bits_levels(
    resnet: Classifier, images: torch.Tensor, ranges: str, bits: int, fold: bool
) -> None:
    spec = QuantSpec(
        act_bits=bits,
        weight_bits=bits,
        first_bits=3,
        last_bits=5,
        ranges=ranges,
        fold_batchnorm=fold,
    )
    quantized = quantize_model(resnet, spec, calibration=collect_histograms(resnet, images))
    layers = quantized_layers(quantized)
    assert len(layers) == 20
    assert layers[0][0] == "net.conv1"
    assert layers[-1][0] == "net.linear"
    inputs = conv_inputs(quantized, images)
    for index, (name, layer) in enumerate(layers):
        expected = {0: 3, 19: 5}.get(index, bits)
        assert (layer.act_bits, layer.weight_bits) == (expected, expected)
        assert 2 <= inputs[name].unique().numel() <= 2**expected
        channels = layer.weight.flatten(1)
        assert max(len(row.unique()) for row in channels) <= 2**expected - 1
    assert not torch.allclose(quantized(images), resnet(images), atol=1e-3)


def test_more_bits_come_closer_to_full_precision(resnet: Classifier, images: torch.Tensor) -> None:
    histograms = collect_histograms(resnet, images)
    full = resnet(images)
    distances = [
        (quantize_model(resnet, spec, calibration=histograms)(images) - full).norm().item()
        for spec in (QuantSpec(act_bits=b, weight_bits=b, ranges="minmax") for b in (2, 4, 6, 8))
    ]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.1 * full.norm().item()


@pytest.mark.parametrize("fold", [True, False])
def test_32_bits_are_full_precision(
    small_net: Classifier, images: torch.Tensor, fold: bool
) -> None:
    quantized = quantize_model(small_net, QuantSpec(fold_batchnorm=fold))
    torch.testing.assert_close(quantized(images), small_net(images), rtol=1e-5, atol=1e-5)
    for _, layer in quantized_layers(quantized):
        assert isinstance(layer.input_quantizer, NoQuantizer)
        assert (layer.weight_bits, layer.act_bits) == (32, 32)


@pytest.mark.parametrize(("fold", "norms"), [(True, 0), (False, 1)])
def test_batchnorm_is_folded_only_if_asked(small_net: Classifier, fold: bool, norms: int) -> None:
    quantized = quantize_model(small_net, QuantSpec(weight_bits=4, fold_batchnorm=fold))
    assert sum(isinstance(m, nn.BatchNorm2d) for m in quantized.modules()) == norms
    first = quantized.get_submodule("net.0")
    raw = quantize_weight(small_net.net[0].weight, 8)
    assert torch.allclose(first.weight, raw) is not fold


@pytest.mark.parametrize(("weight_bits", "act_bits"), [(4, 32), (32, 4)])
def test_first_and_last_bits_serve_only_what_is_quantized(
    small_net: Classifier, images: torch.Tensor, weight_bits: int, act_bits: int
) -> None:
    spec = QuantSpec(weight_bits=weight_bits, act_bits=act_bits, first_bits=8, last_bits=6)
    layers = quantized_layers(quantize_model(small_net, spec, calibration=images))
    weights = [layer.weight_bits for _, layer in layers]
    acts = [layer.act_bits for _, layer in layers]
    assert weights == ([8, 4, 4, 6] if weight_bits == 4 else [32] * 4)
    assert acts == ([8, 4, 4, 6] if act_bits == 4 else [32] * 4)


def test_equals_the_same_arithmetic_by_hand(small_net: Classifier, images: torch.Tensor) -> None:
    histograms = collect_histograms(small_net, images)
    spec = QuantSpec(
        weight_bits=4, act_bits=4, first_bits=4, last_bits=4, ranges="minmax", fold_batchnorm=False
    )
    quantized = quantize_model(small_net, spec, calibration=histograms)

    x = small_net.normalize(images)
    for index, module in enumerate(small_net.net):
        if isinstance(module, nn.Conv2d | nn.Linear):
            h = histograms[f"net.{index}"]
            low, high = min(h.low, 0.0), max(h.high, 0.0)
            scale = (high - low) / 15
            x = torch.fake_quantize_per_tensor_affine(x, scale, round(-low / scale), 0, 15)
            weight = module.weight
            scales = weight.flatten(1).abs().amax(1) / 7
            weight = torch.fake_quantize_per_channel_affine(
                weight, scales, torch.zeros(len(scales), dtype=torch.int32), 0, -7, 7
            )
            if isinstance(module, nn.Linear):
                x = F.linear(x, weight, module.bias)
            else:
                x = F.conv2d(
                    x, weight, module.bias, module.stride, module.padding, 1, module.groups
                )
        else:
            x = module(x)
    torch.testing.assert_close(quantized(images), x, rtol=1e-5, atol=1e-5)


def test_the_given_network_is_not_changed(small_net: Classifier, images: torch.Tensor) -> None:
    before = {name: value.clone() for name, value in small_net.state_dict().items()}
    modules = [type(module) for module in small_net.modules()]
    quantized = quantize_model(small_net, QuantSpec(weight_bits=2, act_bits=2), calibration=images)
    with torch.no_grad():
        for parameter in quantized.parameters():
            parameter.zero_()
    assert [type(module) for module in small_net.modules()] == modules
    assert list(before) == list(small_net.state_dict())
    assert all(torch.equal(before[k], v) for k, v in small_net.state_dict().items())


def test_a_network_in_training_is_quantized_in_eval_mode(
    small_net: Classifier, images: torch.Tensor
) -> None:
    small_net.train().requires_grad_(True)
    quantized = quantize_model(small_net, QuantSpec(weight_bits=8, act_bits=8), calibration=images)
    assert small_net.training
    assert not any(module.training for module in quantized.modules())
    assert not any(parameter.requires_grad for parameter in quantized.parameters())
    alone, together = quantized(images[:1]), quantized(images)[:1]
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("estimator", ["identity", "clipped"])
def test_gradients_reach_the_input(
    small_net: Classifier, images: torch.Tensor, estimator: str
) -> None:
    spec = QuantSpec(weight_bits=3, act_bits=3, estimator=estimator)
    quantized = quantize_model(small_net, spec, calibration=images)
    images.requires_grad_()
    (gradient,) = torch.autograd.grad(quantized(images).square().sum(), images)
    assert gradient.abs().sum(dim=(1, 2, 3)).min() > 0
    assert all(
        layer.input_quantizer.estimator == estimator for _, layer in quantized_layers(quantized)
    )


@pytest.mark.parametrize("bits", range(2, 9))
def test_weight_codes_are_symmetric_whole_numbers(bits: int, generator: torch.Generator) -> None:
    weight = torch.randn(6, 4, 3, 3, generator=generator)
    weight[2] = 0
    levels = quantize_weight(weight, bits)
    top = 2 ** (bits - 1) - 1
    scale = weight.flatten(1).abs().amax(1).clamp_min(1e-9).view(-1, 1, 1, 1) / top
    codes = levels / scale
    torch.testing.assert_close(codes, codes.round(), rtol=0, atol=1e-3)
    assert codes.abs().max().round() == top
    assert (levels[2] == 0).all()
    assert ((levels - weight).abs() <= 0.501 * scale).all()


def test_the_quantizer_shows_codes_and_clipping() -> None:
    quantizer = AffineQuantizer(scale=0.5, zero_point=2, quant_min=0, quant_max=7)
    x = torch.tensor([-9.0, -0.8, 0.0, 0.3, 1.0, 9.0])
    assert quantizer.codes(x).tolist() == [0, 0, 2, 3, 4, 7]
    assert quantizer.codes(x).dtype == torch.int32
    assert quantizer.clip(x).tolist() == pytest.approx([-1.0, -0.8, 0.0, 0.3, 1.0, 2.5])
    assert quantizer(x).tolist() == [-1.0, -1.0, 0.0, 0.5, 1.0, 2.5]
    assert quantizer.bits == 3
    with pytest.raises(QuantizeError, match="no codes"):
        NoQuantizer().codes(x)


def test_layers_are_recognised_as_what_they_quantize(
    small_net: Classifier, images: torch.Tensor
) -> None:
    layers = [layer for _, layer in quantized_layers(quantize_model(small_net, QuantSpec()))]
    assert [type(layer) for layer in layers] == [QuantConv2d] * 3 + [QuantLinear]
    assert isinstance(layers[0], nn.Conv2d)
    assert isinstance(layers[-1], nn.Linear)


def test_a_resnet_with_256_calibration_images_takes_under_two_seconds(
    resnet: Classifier, generator: torch.Generator
) -> None:
    images = torch.rand(256, 3, 32, 32, generator=generator)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        quantize_model(
            resnet, QuantSpec(weight_bits=8, act_bits=4, ranges="mse"), calibration=images
        )
        seconds.append(time.process_time() - start)
    # Processor time over all threads, so that a busy machine does not fail it; 0.8 s on one thread.
    assert min(seconds) < 2 * torch.get_num_threads()


def test_a_histogram_from_elsewhere_serves(small_net: Classifier) -> None:
    names = [name for name, _ in quantized_layers(quantize_model(small_net, QuantSpec()))]
    counts = np.ones(8, dtype=np.int64)
    calibration = {name: Histogram(-1.0, 3.0, counts) for name in names}
    spec = QuantSpec(act_bits=4, ranges="minmax")
    layers = dict(quantized_layers(quantize_model(small_net, spec, calibration=calibration)))
    quantizer = layers["net.3"].input_quantizer
    assert isinstance(quantizer, AffineQuantizer)
    assert float(quantizer.scale) == pytest.approx(4 / 15)
    assert int(quantizer.zero_point) == 4
