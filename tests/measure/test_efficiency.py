"""What a network costs, against counts made by hand."""

import pytest
import torch
from torch import nn

from dqviz.measure import Efficiency, efficiency, efficiency_rows
from dqviz.models import ModelError, build
from dqviz.models.normalize import Classifier
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from tests.measure.small_networks import full_precision, images_of


class Mixed(nn.Module):
    """A strided convolution, a depthwise one of a rectangular kernel, a grouped one."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, (1, 5), groups=8, padding=(0, 2))
        self.grouped = nn.Conv2d(8, 4, 1, groups=2, bias=False)
        self.flatten = nn.Flatten()
        self.last = nn.Linear(256, 5)

    def forward(self, x):
        x = self.grouped(self.depthwise(self.bn(self.conv(x))))
        return self.last(self.flatten(x))


MIXED = (3 * 9 * 8 * 64, 5 * 8 * 64, 4 * 4 * 64, 256 * 5)
"""Its multiply-accumulates at 16 x 16 pixels, layer by layer: 64 outputs a channel."""


def mixed():
    return Classifier(Mixed(), mean=[0.5] * 3, std=[0.25] * 3).eval()


def test_a_mixed_network_by_hand():
    cost = efficiency(mixed(), (3, 16, 16))
    weights = 3 * 9 * 8 + 5 * 8 + 4 * 4 + 256 * 5
    biases, norm = 8 + 5, 2 * 8
    assert cost.parameters == weights + biases + norm
    assert cost.weight_bytes == 4 * weights
    assert cost.other_bytes == 4 * (biases + 2 * norm)  # running mean and variance too
    assert cost.macs == sum(MIXED)
    assert cost.bit_operations == 32 * 32 * sum(MIXED)


def test_every_layer_counts_at_its_own_bits():
    """Quantized in small_networks: the first layer to 4 bits, the last to 3, the other as asked."""
    spec = QuantSpec(weight_bits=5, act_bits=2, first_bits=4, last_bits=3)
    network = quantize_model(full_precision(), spec, calibration=images_of(16)[0])
    cost = efficiency(network, (2, 6, 6))
    first, middle, last = 2 * 9 * 4 * 36, 4 * 9 * 3 * 9, 27 * 3
    assert cost.macs == first + middle + last
    assert cost.bit_operations == first * 4 * 4 + middle * 5 * 2 + last * 3 * 3
    assert cost.weight_bytes == (72 * 4 + 108 * 5 + 81 * 3) / 8
    assert cost.other_bytes == 4 * (4 + 3 + 3)


def test_only_what_is_quantized_gets_cheaper():
    weights_alone = quantize_model(full_precision(), QuantSpec(weight_bits=2))
    cost, full = efficiency(weights_alone, (2, 6, 6)), efficiency(full_precision(), (2, 6, 6))
    first, middle, last = 2 * 9 * 4 * 36, 4 * 9 * 3 * 9, 27 * 3
    assert cost.bit_operations == 32 * (8 * first + 2 * middle + 8 * last)
    assert (cost.macs, cost.parameters) == (full.macs, full.parameters)


def test_resnet20_costs_what_is_known_of_it():
    """He et al., 2015, table 6: 0.27 million parameters."""
    network = build("resnet20", 10)
    cost = efficiency(network, (3, 32, 32))
    stages = [6 * 16 * 16, 16 * 32 + 5 * 32 * 32, 32 * 64 + 5 * 64 * 64]
    convolutions = [9 * s * (32 // 2**i) ** 2 for i, s in enumerate(stages)]
    assert cost.macs == 9 * 3 * 16 * 1024 + sum(convolutions) + 640
    assert cost.macs == pytest.approx(40.6e6, rel=0.01)
    assert cost.parameters == sum(p.numel() for p in network.parameters())
    assert cost.parameters == pytest.approx(0.27e6, rel=0.02)


def test_folding_takes_the_batchnorm_away():
    network = build("resnet20", 10)
    folded = quantize_model(network, QuantSpec(weight_bits=4))
    kept = quantize_model(network, QuantSpec(weight_bits=4, fold_batchnorm=False))
    one, other = (efficiency(n, (3, 32, 32)) for n in (folded, kept))
    assert one.weight_bytes == other.weight_bytes
    assert one.bit_operations == other.bit_operations
    channels = 16 * 7 + 32 * 6 + 64 * 6
    assert other.other_bytes - one.other_bytes == 4 * 3 * channels


def test_a_convolution_works_on_more_pixels_of_a_larger_image():
    network = build("resnet20", 10)
    small, large = (efficiency(network, (3, size, size)) for size in (32, 64))
    assert large.macs - 640 == 4 * (small.macs - 640)
    assert large.parameters == small.parameters


def test_the_network_given_stays_as_it_is():
    network = mixed()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    efficiency(network, (3, 16, 16))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_rows_are_of_the_whole_network():
    cost = Efficiency(parameters=1, weight_bytes=0.5, other_bytes=2, macs=3, bit_operations=4)
    rows = efficiency_rows(cost)
    assert {(r.layer, r.depth, r.statistic) for r in rows} == {("network", -1, "value")}
    assert {r.metric: r.value for r in rows} == {
        "parameters": 1.0,
        "weight_bytes": 0.5,
        "other_bytes": 2.0,
        "macs": 3.0,
        "bit_operations": 4.0,
    }


def test_images_too_small_are_named():
    with pytest.raises(ModelError, match="no images of 3x3 pixels, they shrink to nothing"):
        efficiency(nn.Sequential(nn.Conv2d(3, 4, 5), nn.Flatten(), nn.Linear(4, 2)), (3, 3, 3))
