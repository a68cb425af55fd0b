"""Backward through the unquantized network, against both networks computed by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.models.normalize import Classifier
from dqviz.quantize import BackwardThrough, collect_histograms, quantize_model
from dqviz.specs import QuantSpec

W4A3 = QuantSpec(weight_bits=4, act_bits=3, estimator="unquantized")


@pytest.fixture
def quantized(small_net: Classifier, images: torch.Tensor) -> nn.Module:
    return quantize_model(small_net, W4A3, calibration=collect_histograms(small_net, images))


def test_logits_are_the_quantized_networks_and_gradients_the_unquantized_ones(
    small_net: Classifier, quantized: nn.Module, images: torch.Tensor, generator: torch.Generator
) -> None:
    both = BackwardThrough(quantized, backward=small_net)
    x = images.clone().requires_grad_()
    logits = both(x)
    assert torch.equal(logits, quantized(images))
    assert not torch.allclose(logits, small_net(images), atol=1e-2)
    vector = torch.randn(logits.shape, generator=generator)
    (gradient,) = torch.autograd.grad(logits, x, vector)
    y = images.clone().requires_grad_()
    (expected,) = torch.autograd.grad((small_net(y) * vector).sum(), y)
    assert torch.equal(gradient, expected)


def test_the_loss_is_taken_at_the_quantized_logits() -> None:
    """By hand: f(x) = W round(x), so that d loss / dx = W^T (softmax(W round(x)) - onehot)."""

    class Rounds(nn.Module):
        def __init__(self, weight: torch.Tensor) -> None:
            super().__init__()
            self.weight = nn.Parameter(weight)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.round() @ self.weight.T

    weight = torch.tensor([[1.0, -2.0], [0.5, 3.0], [-1.0, 0.25]])
    linear = nn.Linear(2, 3, bias=False)
    linear.weight = nn.Parameter(weight * 1.5)
    x = torch.tensor([[0.8, 0.3], [0.4, 1.7]], requires_grad=True)
    labels = torch.tensor([2, 0])
    logits = BackwardThrough(Rounds(weight), backward=linear)(x)
    (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels, reduction="sum"), x)
    residual = logits.detach().softmax(1) - F.one_hot(labels, 3)
    rounded = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    torch.testing.assert_close(logits, rounded @ weight.T)
    torch.testing.assert_close(gradient, residual @ (1.5 * weight))
    assert linear.weight.grad is None


def test_without_a_gradient_it_is_the_quantized_network(
    small_net: Classifier, quantized: nn.Module, images: torch.Tensor
) -> None:
    both = BackwardThrough(quantized, backward=copy.deepcopy(small_net))
    assert not both.training
    with torch.no_grad():
        assert torch.equal(both(images), quantized(images))
