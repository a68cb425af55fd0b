"""DoReFa's quantizers against the paper's formulas, number by number."""

import math

import pytest
import torch

from dqviz.quantize import AffineQuantizer, QuantizeError, affine_parameters, dorefa_weight
from dqviz.quantize.dorefa import ACTIVATIONS


@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_weights_are_on_the_papers_levels(bits):
    weight = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(bits))
    found = dorefa_weight(weight, bits)
    largest = max(abs(math.tanh(w)) for w in weight.flatten().tolist())
    n = 2**bits - 1
    expected = [
        2 * round(n * (math.tanh(w) / (2 * largest) + 0.5)) / n - 1
        for w in weight.flatten().tolist()
    ]
    torch.testing.assert_close(found.flatten(), torch.tensor(expected), atol=1e-6, rtol=0)
    assert found.unique().numel() <= 2**bits
    assert found.abs().max() == 1


def test_the_gradient_passes_the_rounding_and_bends_with_tanh():
    weight = torch.tensor([0.2, -0.4, 1.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(dorefa_weight(weight, 2).sum(), weight)
    # without rounding the weights are tanh(w) / tanh(1), whose maximum is the last
    plain = torch.tanh(weight) / torch.tanh(weight.detach()[-1])
    (expected,) = torch.autograd.grad(plain.sum(), weight)
    torch.testing.assert_close(slope[:2], expected[:2], rtol=1e-5, atol=1e-5)


def test_activations_are_the_affine_quantizer_from_0_to_1():
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0)) + 0.5
    for bits in (1, 2, 4):
        scale, zero_point, low, high = affine_parameters(ACTIVATIONS.low, ACTIVATIONS.high, bits)
        found = AffineQuantizer(scale=scale, zero_point=zero_point, quant_min=low, quant_max=high)(
            x
        )
        n = 2**bits - 1
        torch.testing.assert_close(found, (x.clamp(0, 1) * n).round() / n)


def test_what_cannot_be_quantized_is_refused():
    with pytest.raises(QuantizeError, match="1 to 8 bits; got 9"):
        dorefa_weight(torch.ones(2), 9)
    with pytest.raises(QuantizeError, match="NaN or infinite"):
        dorefa_weight(torch.tensor([1.0, math.nan]), 2)
    assert torch.isfinite(dorefa_weight(torch.zeros(4), 2)).all()
