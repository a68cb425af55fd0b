"""The bound of each operation, and what has none."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from dqviz.measure.gain_rules import GELU, RULES, SILU
from dqviz.measure.network_bounds import network_lipschitz, upper_bound
from dqviz.measure.operation import NoBound, Rules
from dqviz.measure.pooling_rules import max_pool_gain, most_windows
from tests.measure.wrapping import Residual, wrapped


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (F.silu, SILU),
        (F.gelu, GELU),
        (lambda x: F.gelu(x, approximate="tanh"), GELU),
        (F.hardswish, 1.5),
        (F.hardsigmoid, 1 / 6),
        (torch.sigmoid, 1 / 4),
    ],
)
def test_slopes_are_bounded_and_reached(function, slope):
    x = torch.linspace(-8, 8, 160_001, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    assert 0.999 * slope <= float(gradient.abs().max()) <= slope * (1 + 1e-7)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 10**6), st.booleans()
)
def test_max_pooling_stays_below_its_bound(kernel, stride, dilation, seed, ceil_mode):
    pool = nn.MaxPool2d(kernel, stride, kernel // 2, dilation, ceil_mode=ceil_mode)
    generator = torch.Generator().manual_seed(seed)
    x = torch.zeros(1, 1, 15, 15, dtype=torch.float64)
    spike = torch.rand(x.shape, generator=generator) < 0.05  # lone numbers fill many windows
    moved = pool(x + spike) - pool(x)
    gain = max_pool_gain((kernel, kernel), (stride, stride), (dilation, dilation))
    assert moved.norm() <= gain * spike.double().norm() * (1 + 1e-12)
    if dilation == 1:
        assert gain == math.ceil(kernel / stride)


def test_a_spike_reaches_the_bound_of_max_pooling():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = 1
    assert float(F.max_pool2d(x, 3, 1).norm()) == max_pool_gain((3, 3), (1, 1)) == 3


@pytest.mark.parametrize(("size", "outputs"), [(7, 3), (8, 4), (5, 7), (1, 4), (6, 6)])
def test_adaptive_windows_are_counted(size, outputs):
    reached = 0.0
    for place in range(size):
        x = torch.zeros(1, 1, size)
        x[0, 0, place] = 1
        reached = max(reached, float(F.adaptive_max_pool1d(x, outputs).sum()))
    assert reached == most_windows(size, outputs)


@pytest.mark.parametrize(
    "pool",
    [
        nn.AvgPool2d(3, 2, 1),
        nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        nn.AvgPool2d(3, 2, 1, ceil_mode=True),
        nn.AdaptiveAvgPool2d((3, 2)),
        nn.AdaptiveAvgPool2d(1),
    ],
)
def test_average_pooling_has_its_exact_norm(pool):
    upper = upper_bound(wrapped(nn.Sequential(pool), std=(1.0, 1.0, 1.0)), (3, 6, 7))
    basis = torch.eye(42, dtype=torch.float64).view(42, 1, 6, 7)
    exact = float(torch.linalg.matrix_norm(pool(basis).flatten(1), 2))
    assert exact <= upper <= exact * (1 + 1e-9)


def test_an_operation_without_a_rule_is_named():
    found = network_lipschitz(wrapped(nn.Sequential(Residual(nn.Softmax(1)))), (3, 2, 2))
    assert "Softmax" in found.reasons["upper"] or "softmax" in found.reasons["upper"]


def test_an_operation_has_one_rule():
    rules = Rules(RULES)
    with pytest.raises(ValueError, match="already"):
        rules.register(nn.ReLU)(lambda operation: 0.0)


class _Written(nn.Module):
    """A network with one convolution and an operation of its own after it."""

    def __init__(self, operation):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.operation = operation

    def forward(self, images):
        return self.operation(self.conv(images)).flatten(1)


def _overwritten(x):
    changed = x.mul_(3)
    return x + changed


def _added_in_place(x):
    changed = x
    changed += 2 * x
    return x + changed


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (_overwritten, "overwrites"),
        (lambda x: x + x.mT, "no known Lipschitz constant"),
        (lambda x: torch.add(input=x, other=x.mean(dim=1, keepdim=True)), "repeats"),
        (lambda x: x[0:1] + x, "indexing along the batch"),
        (lambda x: torch.cat([x, x], -4), "along the batch"),
        (lambda x: x // 2, "no known Lipschitz constant"),
    ],
)
def test_what_would_make_the_bound_too_small_has_none(operation, reason):
    model = torch.fx.symbolic_trace(_Written(operation)).eval()
    with pytest.raises(NoBound, match=reason):
        upper_bound(model, (3, 4, 4))


def test_in_place_without_further_use_keeps_its_bound():
    model = torch.fx.symbolic_trace(_Written(lambda x: x.mul_(3))).eval()
    plain = torch.fx.symbolic_trace(_Written(lambda x: x * 3)).eval()
    plain.load_state_dict(model.state_dict())
    assert upper_bound(model, (3, 4, 4)) == upper_bound(plain, (3, 4, 4))
