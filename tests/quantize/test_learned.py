"""The learned step against the paper's formula, and against autograd through plain operations."""

import pytest
import torch

from dqviz.quantize import LearnedQuantizer, QuantizeError, fake_quantize, learned_quantize


def by_autograd(x, step, quant_max):
    """The same by clamping, and rounding whose gradient is that of the identity."""
    inside = (x / step).clamp(0, quant_max)
    return (inside + (inside.round() - inside).detach()) * step


def test_gradients_are_those_of_the_paper():
    # u = x / s: -1, 0.3, 1.6, 2.5, 9 with Q = 3; equation 3
    x = torch.tensor([-0.5, 0.15, 0.8, 1.25, 4.5], requires_grad=True)
    step = torch.tensor(0.5, requires_grad=True)
    y = learned_quantize(x, step, quant_max=3)
    torch.testing.assert_close(y, torch.tensor([0.0, 0.0, 1.0, 1.0, 1.5]))
    slopes = []
    for value in y:
        (slope,) = torch.autograd.grad(value, step, retain_graph=True)
        slopes.append(slope)
    expected = torch.tensor([0.0, -0.3, 2 - 1.6, 2 - 2.5, 3.0])
    torch.testing.assert_close(torch.stack(slopes), expected)
    (to_x,) = torch.autograd.grad(y.sum(), x)
    assert to_x.tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_it_is_what_autograd_gives(bits):
    generator = torch.Generator().manual_seed(bits)
    x = torch.randn(4, 3, 5, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    step = torch.tensor(2.0 / (2**bits - 1), dtype=torch.float64, requires_grad=True)
    ours = learned_quantize(x, step, quant_max=2**bits - 1, gain=0.25)
    theirs = by_autograd(x, step, 2**bits - 1)
    torch.testing.assert_close(ours, theirs)
    found = torch.autograd.grad((ours * weights).sum(), (x, step))
    expected = torch.autograd.grad((theirs * weights).sum(), (x, step))
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], 0.25 * expected[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_ends_of_the_range_belong_to_it(dtype):
    ends = torch.tensor([0.0, 3.0], dtype=dtype)
    below = torch.nextafter(ends, torch.tensor([-9.0, -9.0], dtype=dtype))
    above = torch.nextafter(ends, torch.tensor([9.0, 9.0], dtype=dtype))
    x = torch.cat([ends, below, above, -ends[:1]]).requires_grad_()
    step = torch.tensor(1.0, requires_grad=True)
    y = learned_quantize(x, step, quant_max=3)
    weights = torch.arange(1, 8, dtype=dtype)
    to_x, to_step = torch.autograd.grad((y * weights).sum(), (x, step))
    inside = torch.tensor([1, 1, 0, 1, 1, 0, 1])
    assert torch.equal(to_x, weights * inside)
    assert to_x.dtype == dtype
    slopes = x.detach().double().round().clamp(0, 3) - x.detach().double() * inside
    assert to_step.item() == pytest.approx(float((slopes * weights.double()).sum()), abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_rounds_as_the_affine_quantizer_does(dtype):
    x = (torch.rand(4, 1000, generator=torch.Generator().manual_seed(0)) * 3).to(dtype)
    quantizer = LearnedQuantizer(high=2.5, bits=8)
    grid = {"zero_point": 0, "quant_min": 0, "quant_max": 255}
    expected = fake_quantize(x, scale=quantizer.step.detach(), **grid)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(quantizer(x), expected)
    levels = (quantizer.codes(x) * quantizer.step).to(dtype)
    assert torch.equal(levels, expected)
    assert quantizer.clip(x).max().item() == pytest.approx(2.5, rel=1e-2)


def test_the_gradient_of_the_step_is_scaled_by_the_features_of_one_image():
    x = torch.full((4, 2, 3, 3), 0.4, requires_grad=True)
    quantizer = LearnedQuantizer(high=3.0, bits=2)
    quantizer(x).sum().backward()
    # u = 0.4 rounds to 0: each of the 72 numbers gives -0.4
    assert quantizer.step.grad.item() == pytest.approx(-0.4 * 72 / (18 * 3) ** 0.5)


def test_a_step_never_reaches_zero():
    quantizer = LearnedQuantizer(high=3.0, bits=2)
    quantizer.step.data.fill_(-1.0)
    quantizer.hold_positive()
    assert 0 < quantizer.step.item() < 1e-5


@pytest.mark.parametrize(("high", "bits"), [(0.0, 4), (1.0, 0), (1.0, 9)])
def test_an_impossible_quantizer_is_refused(high, bits):
    with pytest.raises(QuantizeError, match=f"1 to 8 bits and a range above 0; got {bits}"):
        LearnedQuantizer(high=high, bits=bits)
