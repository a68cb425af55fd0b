import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from dqviz.measure.jacobian import jacobian_norms
from dqviz.measure.lipschitz import layer_norms
from dqviz.measure.network_bounds import network_lipschitz, upper_bound
from dqviz.models import Classifier
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from tests.measure.wrapping import Residual, wrapped


def values(found):
    return {(row.metric, row.statistic): row.value for row in found.rows}


class Concatenation(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def small(seed=0):
    """Convolutions, BatchNorm, a shortcut and a linear layer for images of 6x6 pixels."""
    conv = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
    net = nn.Sequential(nn.Conv2d(3, 4, 3), Residual(conv), nn.Flatten(), nn.Linear(64, 10))
    generator = torch.Generator().manual_seed(seed)
    for tensor in net.parameters():
        tensor.data = torch.randn(tensor.shape, generator=generator) * 0.3
    return wrapped(net)


class Squeeze(nn.Module):
    """A squeeze-excitation: the channels times a gate of their own means."""

    def __init__(self, channels):
        super().__init__()
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


class Chunked(nn.Module):
    """Half of the channels through a ReLU, then shuffled, sliced, scaled and padded."""

    def forward(self, x):
        first, second = x.chunk(2, dim=1)
        x = torch.cat([first, F.relu(second)], 1)
        batch, channels, height, width = x.size()
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        x = x.view(batch, -1, height, width) * 0.5
        return F.pad(x[:, :, ::2, ::2], (1, 1, 1, 1))


ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Sigmoid, nn.Tanh, nn.ELU)


@st.composite
def networks(draw):
    """A random network of 8 channels: chains, residuals, concatenations, strides, groups, pools."""
    blocks = [nn.Conv2d(3, 8, 3, padding=1)]
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "residual", "concat", "pool", "chunk", "norm"]))
        groups, stride = draw(st.sampled_from([1, 2, 8])), draw(st.integers(1, 2))
        kernel = draw(st.sampled_from([1, 3]))
        conv = nn.Conv2d(8, 8, kernel, padding=kernel // 2, groups=groups)
        act = draw(st.sampled_from(ACTIVATIONS))()
        if kind == "conv":
            strided = nn.Conv2d(8, 8, 3, stride, padding=draw(st.integers(0, 1)), groups=groups)
            blocks += [strided, nn.BatchNorm2d(8), act]
        elif kind == "residual":
            blocks.append(Residual(nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), conv, act)))
        elif kind == "concat":
            branches = (nn.Sequential(conv, act), nn.Identity())
            blocks += [Concatenation(*branches), nn.Conv2d(16, 8, 1)]
        elif kind == "pool":
            average = nn.AvgPool2d(3, stride, 1, count_include_pad=draw(st.booleans()))
            blocks.append(draw(st.sampled_from([nn.MaxPool2d(3, stride, 1), average])))
        elif kind == "chunk":
            blocks.append(Chunked())
        else:
            blocks.append(Residual(nn.BatchNorm2d(8)))
    size = draw(st.sampled_from([1, 3]))
    net = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(size), nn.Flatten())
    net.append(nn.Linear(8 * size * size, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    for tensor in [*net.parameters()]:
        tensor.data = torch.randn(tensor.shape, generator=generator) * 0.5
    return wrapped(net), torch.rand(4, 3, 17, 17, generator=generator)


@settings(max_examples=30, deadline=None)
@given(networks())
def test_the_lower_bound_is_below_the_upper(case):
    model, images = case
    generator = torch.Generator().manual_seed(0)
    perturbed = images + 0.05 * torch.randn(images.shape, generator=generator)
    found = network_lipschitz(model, (3, 17, 17), images=images, adversarial=perturbed)
    assert found.reasons == {}
    bounds = values(found)
    assert 0 <= bounds["lipschitz", "lower"] <= bounds["lipschitz", "upper"] < math.inf


def test_an_affine_network_is_known_exactly():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    model = wrapped(net, std=(0.5, 0.5, 0.5))
    exact = float(torch.linalg.matrix_norm(net[1].weight.detach().double(), 2)) / 0.5
    found = values(network_lipschitz(model, (3, 2, 2), images=torch.rand(2, 3, 2, 2)))
    assert found["lipschitz", "upper"] == pytest.approx(exact, rel=1e-9)
    assert found["lipschitz", "upper"] >= exact
    assert exact * 0.999 <= found["lipschitz", "lower"] <= exact


def test_a_residual_network_by_hand():
    conv = nn.Conv2d(3, 3, 1, bias=False)
    conv.weight.data = 2 * torch.eye(3).view(3, 3, 1, 1)
    net = nn.Sequential(Residual(nn.Sequential(conv, nn.ReLU())), nn.AdaptiveAvgPool2d(1))
    upper = upper_bound(wrapped(net.append(nn.Flatten()), std=(0.2, 0.5, 0.5)), (3, 4, 4))
    assert upper == pytest.approx((1 / 0.2) * (1 + 2) / 4)  # the mean of 16 numbers: 1 / sqrt(16)


def test_a_concatenation_by_hand():
    three, four = (nn.Conv2d(3, 3, 1, bias=False) for _ in range(2))
    three.weight.data = 3 * torch.eye(3).view(3, 3, 1, 1)
    four.weight.data = 4 * torch.eye(3).view(3, 3, 1, 1)
    net = nn.Sequential(Concatenation(three, four), nn.Flatten())
    assert upper_bound(wrapped(net, std=(1.0, 1.0, 1.0)), (3, 2, 2)) == pytest.approx(5)


def test_the_jacobian_norm_equals_autograds_jacobian():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(4 * 9, 6))
    model, images = wrapped(net), torch.rand(3, 3, 5, 5)
    found = jacobian_norms(model, images, batch_size=2)
    for image, norm in zip(images, found, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: model(x[None])[0], image)
        exact = float(torch.linalg.matrix_norm(jacobian.flatten(1).double(), 2))
        assert exact * 0.9998 <= float(norm) <= exact


def test_many_classes_give_a_smaller_lower_bound():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 150, bias=False))
    exact = float(torch.linalg.matrix_norm(net[1].weight.detach().double(), 2)) / 0.25
    norms = jacobian_norms(wrapped(net), torch.rand(2, 3, 2, 2))
    assert ((norms > 0) & (norms <= exact)).all()


def test_margins_are_in_pixels_and_ignore_the_scale_of_logits():
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3))
    images = torch.rand(5, 3, 2, 2)
    once = values(network_lipschitz(wrapped(net), (3, 2, 2), images=images))
    with torch.no_grad():
        net[1].weight *= 10
        net[1].bias *= 10
    again = values(network_lipschitz(wrapped(net), (3, 2, 2), images=images))
    metric = "margin_over_lipschitz"
    for statistic in ("mean", "median", "q10", "q90"):
        assert again[metric, statistic] == pytest.approx(once[metric, statistic], rel=1e-4)
    assert again["lipschitz", "upper"] == pytest.approx(10 * once["lipschitz", "upper"], rel=1e-6)


def test_the_certified_radius_of_two_classes_by_hand():
    # Logits (x, -x): the margin is 2 |x|, the constant sqrt(2), and |x| the distance to the border.
    net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    net[1].weight.data = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
    model = Classifier(net, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)).eval()
    images = torch.full((1, 3, 1, 1), 0.75)
    found = values(network_lipschitz(model, (3, 1, 1), images=images))
    assert found["margin_over_lipschitz", "median"] == pytest.approx(0.75)


def test_squeeze_excitation_has_no_upper_bound_and_says_why():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), Squeeze(4), nn.Flatten(), nn.Linear(36, 2))
    found = network_lipschitz(wrapped(net), (3, 5, 5), images=torch.rand(2, 3, 5, 5))
    bounds = values(found)
    assert math.isnan(bounds["lipschitz", "upper"])
    assert bounds["lipschitz", "lower"] > 0
    assert "squeeze-excitation" in found.reasons["upper"]
    assert list(found.reasons) == ["upper"]
    assert bounds["margin_over_lipschitz", "nan_count"] == 2


def test_a_network_that_cannot_be_traced_says_why():
    class Branching(nn.Module):
        def forward(self, x):
            return x.flatten(1) if x.sum() > 0 else 2 * x.flatten(1)

    found = network_lipschitz(wrapped(Branching()), (3, 2, 2), images=torch.rand(1, 3, 2, 2))
    assert "traced" in found.reasons["upper"]
    assert values(found)["lipschitz", "lower"] > 0


def test_rounding_leaves_no_bound_and_says_why():
    images = torch.rand(2, 3, 6, 6)
    spec = QuantSpec(weight_bits=8, act_bits=4)
    network = quantize_model(small(), spec, calibration=images)
    found = network_lipschitz(network, (3, 6, 6), images=images)
    assert "straight-through" in found.reasons["lower"]
    assert "discontinuous" in found.reasons["upper"]
    assert all(math.isnan(values(found)["lipschitz", s]) for s in ("lower", "upper"))


def test_quantized_weights_alone_leave_both_bounds():
    network = quantize_model(small(), QuantSpec(weight_bits=4))
    found = network_lipschitz(network, (3, 6, 6), images=torch.rand(1, 3, 6, 6))
    assert found.reasons == {}
    assert values(found)["lipschitz", "lower"] <= values(found)["lipschitz", "upper"]


def test_norms_already_known_are_used():
    model = small()
    rows = layer_norms(model, (3, 6, 6))
    fresh = upper_bound(model, (3, 6, 6))
    assert upper_bound(model, (3, 6, 6), norms_by_layer=rows) == pytest.approx(fresh, rel=1e-12)
    doubled = [row._replace(value=2 * row.value) if row.layer == "3" else row for row in rows]
    assert upper_bound(model, (3, 6, 6), norms_by_layer=doubled) == pytest.approx(2 * fresh)


def test_folding_a_network_leaves_its_bound():
    model = small()
    folded = quantize_model(model, QuantSpec(fold_batchnorm=True))
    assert upper_bound(folded, (3, 6, 6)) == pytest.approx(upper_bound(model, (3, 6, 6)), rel=1e-5)


def test_without_images_there_is_no_lower_bound():
    found = network_lipschitz(wrapped(nn.Flatten()), (3, 2, 2))
    assert "images" in found.reasons["lower"]
    assert [row.statistic for row in found.rows] == ["lower", "upper"]


def _added_in_place(x):
    changed = x
    changed += 2 * x
    return x + changed
