"""Convolutions on integer codes, against the same layers in float32."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dqviz.models.normalize import Classifier
from dqviz.models.operations import is_relu
from dqviz.quantize import AffineQuantizer, NoQuantizer, QuantConv2d, coded, quantize_model
from dqviz.quantize.coded import CodedConv2d, most_bits, weight_codes, with_codes
from dqviz.specs import QuantSpec

needs_integers = pytest.mark.skipif(most_bits() == 0, reason="no integer convolutions here")


def quantized_layer(
    generator: torch.Generator, *, bits: int = 4, zero_point: int = 0, estimator: str = "clipped"
) -> QuantConv2d:
    """A convolution of 8 channels in 2 groups, stride 2, padding 1, with 4-bit weights."""
    conv = nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=2)
    with torch.no_grad():
        conv.weight.copy_(torch.randn(conv.weight.shape, generator=generator))
    quantizer = AffineQuantizer(
        scale=0.21, zero_point=zero_point, quant_min=0, quant_max=2**bits - 1, estimator=estimator
    )
    return QuantConv2d(conv, weight_bits=4, input_quantizer=quantizer)


def output_and_gradient(net: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network makes of x, and the gradient there of one sum of it."""
    x = x.clone().requires_grad_()
    output = net(x)
    upstream = torch.linspace(-1, 1, output.numel()).view_as(output)
    return output, torch.autograd.grad(output, x, upstream)[0]


@pytest.fixture
def inputs(generator: torch.Generator) -> torch.Tensor:
    return torch.randn(3, 8, 9, 9, generator=generator) * 2


@needs_integers
@pytest.mark.parametrize("zero_point", [0, 5])
def test_integers_give_what_float32_does(
    zero_point: int, inputs: torch.Tensor, generator: torch.Generator
) -> None:
    layer = quantized_layer(generator, zero_point=zero_point)
    fast = CodedConv2d(layer, integers=True, bfloat16=False)
    assert fast.packed is not None
    torch.testing.assert_close(fast(inputs), layer(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("estimator", ["clipped", "identity", "none"])
@pytest.mark.parametrize("integers", [True, False])
def test_gradients_are_the_layers_own(
    integers: bool, estimator: str, inputs: torch.Tensor, generator: torch.Generator
) -> None:
    layer = quantized_layer(generator, zero_point=5, estimator=estimator)
    _, own = output_and_gradient(layer, inputs)
    _, found = output_and_gradient(CodedConv2d(layer, integers=integers, bfloat16=False), inputs)
    torch.testing.assert_close(found, own, rtol=1e-4, atol=1e-5)
    assert (own == 0).all() == (estimator == "none")


def test_a_backward_pass_in_bfloat16_is_near(
    inputs: torch.Tensor, generator: torch.Generator
) -> None:
    layer = quantized_layer(generator)
    gradients = []
    for bfloat16 in (False, True):
        x = inputs.clone().requires_grad_()
        output = CodedConv2d(layer, integers=True, bfloat16=bfloat16)(x)
        torch.testing.assert_close(output, layer(inputs), rtol=1e-5, atol=1e-5)
        (gradient,) = torch.autograd.grad(output.square().sum(), x)
        gradients.append(gradient)
    assert gradients[1].dtype == torch.float32
    assert 0 < (gradients[1] - gradients[0]).norm() < 0.01 * gradients[0].norm()


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_codes_of_weights_are_whole_and_give_the_weights_back(
    bits: int, small_net: Classifier
) -> None:
    network = quantize_model(small_net, QuantSpec(weight_bits=bits))
    layer = network.get_submodule("net.3")
    codes, scale = weight_codes(layer.weight, layer.weight_bits)
    assert codes.dtype == torch.int8
    torch.testing.assert_close(
        codes * scale.view(-1, 1, 1, 1), layer.weight.data, rtol=1e-6, atol=0
    )
    assert codes.abs().amax() == 2 ** (bits - 1) - 1


def test_a_whole_network_on_codes_is_the_network(resnet: Classifier, images: torch.Tensor) -> None:
    quant = QuantSpec(weight_bits=8, act_bits=4)
    network = quantize_model(resnet, quant, calibration=images)
    before = network(images)
    fast = with_codes(copy.deepcopy(network), integers=True, bfloat16=False)
    kinds = [module for module in fast.modules() if isinstance(module, CodedConv2d)]
    assert len(kinds) == 19
    # Sums in another order may move a few activations across the border of a bucket.
    assert ((fast(images) - before).norm(dim=1) < 0.05 * before.norm(dim=1)).float().mean() > 0.8
    assert torch.equal(network(images), before)


@pytest.mark.parametrize("estimator", ["clipped", "identity", "none"])
@pytest.mark.parametrize("integers", [True, False])
def test_relus_before_quantizers_are_left_out_and_gradients_stay(
    integers: bool, estimator: str, images: torch.Tensor
) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3)
    )
    quant = QuantSpec(act_bits=4, first_bits=4, last_bits=4, estimator=estimator)
    network = quantize_model(net, quant, calibration=images)
    fast = with_codes(copy.deepcopy(network), integers=integers, bfloat16=False)
    assert not any(name in ("1", "3") for name in (node.target for node in fast.graph.nodes))
    own, found = output_and_gradient(network, images), output_and_gradient(fast, images)
    # Sums in another order move few activations across the border of a bucket, if any.
    for theirs, mine in zip(own, found, strict=True):
        assert (mine - theirs).norm() <= 0.01 * theirs.norm()
    assert (own[1] == 0).all() == (estimator == "none")


def test_relus_that_others_see_too_stay(resnet: Classifier, images: torch.Tensor) -> None:
    quant = QuantSpec(weight_bits=8, act_bits=4)
    network = quantize_model(resnet, quant, calibration=images)
    fast = with_codes(copy.deepcopy(network), integers=True, bfloat16=False)
    relus = [sum(is_relu(each, node) for node in each.graph.nodes) for each in (network, fast)]
    assert relus == [19, 10]  # a block's last ReLU is also that of the shortcut after it


def test_a_relu_before_a_quantizer_with_levels_below_zero_stays(images: torch.Tensor) -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))
    quant = QuantSpec(act_bits=4, first_bits=4, last_bits=4)
    network = quantize_model(net, quant, calibration=images)
    last = network.get_submodule("2")
    last.input_quantizer = AffineQuantizer(scale=0.1, zero_point=3, quant_min=0, quant_max=15)
    fast = with_codes(copy.deepcopy(network), integers=True, bfloat16=False)
    torch.testing.assert_close(fast(images), network(images), rtol=1e-4, atol=1e-4)
    assert sum(is_relu(fast, node) for node in fast.graph.nodes) == 1


def test_what_has_no_codes_is_left_alone(small_net: Classifier, images: torch.Tensor) -> None:
    network = quantize_model(small_net, QuantSpec(weight_bits=4), calibration=images)
    fast = with_codes(copy.deepcopy(network), integers=True, bfloat16=False)
    assert not any(isinstance(module, CodedConv2d) for module in fast.modules())
    assert torch.equal(fast(images), network(images))
    assert any(isinstance(module, NoQuantizer) for module in fast.modules())


@pytest.mark.parametrize("fault", ["missing", "wrong", "other numbers"])
def test_integers_that_are_missing_or_wrong_are_not_used(
    fault: str,
    inputs: torch.Tensor,
    generator: torch.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = coded._convolve

    def convolve(*args: object) -> torch.Tensor:
        if fault == "missing":
            raise AttributeError("no such operation")
        result = right(*args)
        return result.clamp(max=30_000) if fault == "wrong" else result.half()

    monkeypatch.setattr(coded, "_convolve", convolve)
    most_bits.cache_clear()
    try:
        assert most_bits() == 0
        layer = quantized_layer(generator)
        fast = CodedConv2d(layer, integers=True, bfloat16=False)
        assert fast.packed is None
        assert torch.equal(fast(inputs), layer(inputs))
    finally:
        most_bits.cache_clear()
