"""What cannot be quantized, and what is said of it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models.normalize import Classifier
from dqviz.models.operations import UnsupportedOperation
from dqviz.quantize import (
    QuantizeError,
    collect_histograms,
    quantize_model,
    quantized_layers,
)
from dqviz.specs import QuantSpec
from tests.quantize.inputs import conv_inputs


def test_one_bit_names_the_layers_that_would_lose_a_sign(images: torch.Tensor) -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(400, 2),
    )  # fmt: skip
    model = Classifier(net, mean=(0.5,) * 3, std=(0.25,) * 3).eval()
    with pytest.raises(QuantizeError, match=r"both signs: 3; take 2 bits or more"):
        quantize_model(model, QuantSpec(act_bits=1), calibration=images)


def test_one_bit_serves_inputs_of_one_sign(small_net: Classifier, images: torch.Tensor) -> None:
    quantized = quantize_model(small_net, QuantSpec(act_bits=1), calibration=images)
    inputs = conv_inputs(quantized, images)
    assert inputs["net.3"].unique().numel() == 2
    assert inputs["net.0"].unique().numel() > 2


def test_a_missing_calibration_is_said(small_net: Classifier, images: torch.Tensor) -> None:
    spec = QuantSpec(act_bits=4)
    with pytest.raises(QuantizeError, match="need a calibration"):
        quantize_model(small_net, spec)
    histograms = collect_histograms(small_net, images)
    del histograms["net.3"]
    with pytest.raises(QuantizeError, match="lacks 1 of 4 layers: 3; it holds 0, 5, 9"):
        quantize_model(small_net, spec, calibration=histograms)
    with pytest.raises(QuantizeError, match="it holds none"):
        quantize_model(small_net, spec, calibration={})
    with pytest.raises(QuantizeError, match=r"got \(0, 3, 8, 8\)"):
        quantize_model(small_net, spec, calibration=images[:0, :, :8, :8])
    images[0] = math.nan
    with pytest.raises(QuantizeError, match="NaN or infinity"):
        quantize_model(small_net, spec, calibration=images)


def test_weights_only_need_no_calibration(small_net: Classifier, images: torch.Tensor) -> None:
    quantized = quantize_model(small_net, QuantSpec(weight_bits=2))
    assert not torch.allclose(quantized(images), small_net(images))


class Missing(nn.Module):
    """A matrix of weights that no Linear module holds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Parameter(torch.ones(4, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.conv(x)).mean((2, 3)) * self.head[0]


@pytest.mark.parametrize(
    ("net", "name"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(4, 4, 3)), "ConvTranspose2d"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Bilinear(2, 2, 2)), "Bilinear|cannot be traced"),
        (Missing(), "head|Missing|get_attr|net"),
    ],
)
def test_what_cannot_be_quantized_is_refused_by_name(net: nn.Module, name: str) -> None:
    model = Classifier(net, mean=(0.5,) * 3, std=(0.25,) * 3).eval()
    with pytest.raises((UnsupportedOperation, QuantizeError), match=name):
        quantize_model(model, QuantSpec(weight_bits=4))


class Scaled(nn.Module):
    """A convolution and a scale a channel, as ConvNeXt has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = nn.Parameter(torch.full((4, 1, 1), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (self.conv(x) * self.scale).mean((2, 3))


def test_a_scale_a_channel_is_no_matrix_of_weights(images: torch.Tensor) -> None:
    net = Scaled()
    plain = nn.Sequential(net.conv)
    scaled, bare = (
        quantize_model(
            Classifier(n, mean=(0.5,) * 3, std=(0.25,) * 3).eval(), QuantSpec(weight_bits=4)
        )
        for n in (net, plain)
    )
    torch.testing.assert_close(scaled(images), bare(images).mean((2, 3)) * 0.5)


def test_a_layer_that_was_missed_is_detected(small_net: Classifier, images: torch.Tensor) -> None:
    quantized = quantize_model(small_net, QuantSpec(act_bits=4), calibration=images)
    quantized.net._modules["5"] = nn.Conv2d(6, 5, 1)
    with pytest.raises(QuantizeError, match="layer '5' is not quantized"):
        quantized_layers(quantized)
    with pytest.raises(QuantizeError, match="got Classifier"):
        quantized_layers(small_net)


def test_nothing_to_quantize_and_other_precisions_are_refused() -> None:
    with pytest.raises(QuantizeError, match="nothing to quantize"):
        quantize_model(nn.Sequential(nn.Flatten()), QuantSpec(weight_bits=4))
    with pytest.raises(QuantizeError, match=r"'0\.weight' is torch\.float64"):
        quantize_model(nn.Sequential(nn.Linear(2, 2).double()), QuantSpec(weight_bits=4))


def test_weights_that_are_not_finite_are_named(small_net: Classifier) -> None:
    with torch.no_grad():
        small_net.net[3].weight[0, 0, 0, 0] = math.nan
    with pytest.raises(QuantizeError, match="layer '3': weights that are NaN"):
        quantize_model(small_net, QuantSpec(weight_bits=4))
