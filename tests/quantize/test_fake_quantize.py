"""fake_quantize against torch's own functions, and its gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dqviz.quantize import AffineQuantizer, QuantizeError, fake_quantize

VALUES = st.floats(-1e6, 1e6, width=32)
SCALES = st.floats(2.0**-20, 2.0**10, width=32)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=5)
RANGES = st.sampled_from([(0, 1), (0, 3), (0, 15), (0, 255), (-1, 1), (-7, 7), (-127, 127)])


def tensors(shape: tuple[int, ...], scale: float) -> st.SearchStrategy[torch.Tensor]:
    """Numbers at large, and numbers within a few steps where rounding and ties matter."""
    steps = st.integers(-600, 600).map(lambda k: float(np.float32(k / 2 * scale)))
    return hnp.arrays(np.float32, shape, elements=VALUES | steps).map(torch.from_numpy)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    whole = torch.int64 if a.dtype == torch.float64 else torch.int32
    return a.dtype == b.dtype and torch.equal(a.view(whole), b.view(whole))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(data=st.data(), shape=SHAPES, scale=SCALES, codes=RANGES)
def test_equals_torch_per_tensor(
    dtype: torch.dtype,
    data: st.DataObject,
    shape: tuple[int, ...],
    scale: float,
    codes: tuple[int, int],
) -> None:
    x = data.draw(tensors(shape, scale)).to(dtype)
    zero_point = data.draw(st.integers(*codes))
    ours = fake_quantize(
        x, scale=scale, zero_point=zero_point, quant_min=codes[0], quant_max=codes[1]
    )
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero_point, *codes)
    assert same_bits(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@given(data=st.data(), shape=SHAPES, codes=RANGES)
def test_equals_torch_per_channel(
    dtype: torch.dtype, data: st.DataObject, shape: tuple[int, ...], codes: tuple[int, int]
) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    slices = shape[axis]
    scale = data.draw(hnp.arrays(np.float32, slices, elements=SCALES).map(torch.from_numpy))
    zero_points = st.integers(*codes)
    zero_point = data.draw(hnp.arrays(np.int32, slices, elements=zero_points).map(torch.from_numpy))
    x = data.draw(tensors(shape, float(scale[0]))).to(dtype)
    ours = fake_quantize(
        x, scale=scale, zero_point=zero_point, quant_min=codes[0], quant_max=codes[1], axis=axis
    )
    positive = axis % len(shape)
    theirs = torch.fake_quantize_per_channel_affine(x, scale, zero_point, positive, *codes)
    assert same_bits(ours, theirs)


@given(data=st.data(), shape=SHAPES, scale=SCALES, codes=RANGES)
def test_clipped_gradient_equals_torch(
    data: st.DataObject, shape: tuple[int, ...], scale: float, codes: tuple[int, int]
) -> None:
    x = data.draw(tensors(shape, scale)).requires_grad_()
    zero_point = data.draw(st.integers(*codes))
    upstream = torch.arange(1.0, x.numel() + 1).view(shape)
    ours = fake_quantize(
        x, scale=scale, zero_point=zero_point, quant_min=codes[0], quant_max=codes[1]
    )
    theirs = torch.fake_quantize_per_tensor_affine(x, scale, zero_point, *codes)
    (our_gradient,) = torch.autograd.grad(ours, x, upstream)
    (their_gradient,) = torch.autograd.grad(theirs, x, upstream)
    assert torch.equal(our_gradient, their_gradient)


def test_identity_gradient_passes_everywhere() -> None:
    x = torch.tensor([-5.0, 0.1, 0.9, 7.0], requires_grad=True)
    for estimator, expected in (("identity", [1.0, 1, 1, 1]), ("clipped", [0.0, 1, 1, 0])):
        y = fake_quantize(x, scale=0.5, zero_point=0, quant_min=0, quant_max=3, estimator=estimator)
        assert torch.autograd.grad(y.sum(), x)[0].tolist() == expected
        assert y.tolist() == [0.0, 0.0, 1.0, 1.5]


@given(data=st.data(), scale=SCALES, codes=RANGES)
def test_the_edges_of_the_range_part_the_same_numbers_as_the_codes(
    data: st.DataObject, scale: float, codes: tuple[int, int]
) -> None:
    zero_point = data.draw(st.integers(*codes))
    quantizer = AffineQuantizer(
        scale=scale, zero_point=zero_point, quant_min=codes[0], quant_max=codes[1]
    )
    assert quantizer.edges is not None
    around = torch.tensor(quantizer.edges)
    steps = [around]
    for away in (torch.tensor(-math.inf), torch.tensor(math.inf)):
        neighbours = around
        for _ in range(4):
            neighbours = torch.nextafter(neighbours, away)
            steps.append(neighbours)
    drawn = data.draw(tensors((40,), scale))
    x = torch.cat([*steps, drawn, torch.tensor([math.inf, -math.inf])]).requires_grad_()
    (gradient,) = torch.autograd.grad(quantizer(x).sum(), x)
    unclamped = torch.round(x.detach() * torch.tensor(scale).reciprocal()) + zero_point
    inside = (unclamped >= codes[0]) & (unclamped <= codes[1])
    assert torch.equal(gradient, inside.float())
    assert 0 < int(inside.sum()) < len(x)


def test_edges_serve_bfloat16_and_move_with_a_loaded_scale() -> None:
    every = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    x = every[every.isfinite()].requires_grad_()
    quantizer = AffineQuantizer(scale=0.013, zero_point=100, quant_min=0, quant_max=255)
    other = AffineQuantizer(scale=0.4, zero_point=3, quant_min=0, quant_max=255)
    other.load_state_dict(quantizer.state_dict())
    for each in (quantizer, other):
        (gradient,) = torch.autograd.grad(each(x).sum(), x)
        codes = torch.round(x.detach().float() * torch.tensor(0.013).reciprocal()) + 100
        assert torch.equal(gradient.float(), ((codes >= 0) & (codes <= 255)).float())


def test_true_rounding_has_no_gradient_at_all() -> None:
    x = torch.linspace(-1, 3, 50, requires_grad=True)
    options = {"scale": 0.5, "zero_point": 0, "quant_min": 0, "quant_max": 3}
    none = fake_quantize(x, estimator="none", **options)
    assert torch.equal(none, fake_quantize(x, **options))
    upstream = torch.linspace(1, 2, 50)
    assert torch.equal(torch.autograd.grad(none, x, upstream)[0], torch.zeros(50))


def test_a_quantizer_alone_has_no_unquantized_gradient() -> None:
    x = torch.linspace(-1, 3, 50, requires_grad=True)
    options = {"scale": 0.5, "zero_point": 0, "quant_min": 0, "quant_max": 3}
    y = fake_quantize(x, estimator="unquantized", **options)
    assert torch.equal(y, fake_quantize(x, **options))
    with pytest.raises(QuantizeError, match="'unquantized' goes backward through a whole network"):
        torch.autograd.grad(y.sum(), x)


def test_a_second_derivative_is_that_of_what_follows() -> None:
    x = torch.tensor([0.6], requires_grad=True)
    y = fake_quantize(x, scale=0.5, zero_point=0, quant_min=0, quant_max=3)
    (first,) = torch.autograd.grad(y**3, x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert first.item() == pytest.approx(3 * 0.5**2)
    assert second.item() == pytest.approx(6 * 0.5)


def test_infinities_saturate_and_nan_stays() -> None:
    x = torch.tensor([float("inf"), -float("inf"), 1e30, -1e30, float("nan")])
    per_tensor = fake_quantize(x, scale=0.5, zero_point=1, quant_min=0, quant_max=3)
    per_channel = fake_quantize(
        x[None],
        scale=torch.tensor([0.5]),
        zero_point=torch.tensor([1]),
        quant_min=0,
        quant_max=3,
        axis=0,
    )
    for result in (per_tensor, per_channel[0]):
        assert result[:4].tolist() == [1.0, -0.5, 1.0, -0.5]
        assert result[4].isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_equal_torch_and_keep_their_dtype(
    dtype: torch.dtype, generator: torch.Generator
) -> None:
    x = (torch.randn(1000, generator=generator) * 3).to(dtype)
    ours = fake_quantize(x, scale=0.013, zero_point=100, quant_min=0, quant_max=255)
    theirs = torch.fake_quantize_per_tensor_affine(x, 0.013, 100, 0, 255)
    assert ours.dtype == dtype
    assert torch.equal(ours, theirs)


def test_codes_survive_autocast(generator: torch.Generator) -> None:
    x = torch.rand(4000, generator=generator)
    options = {"scale": 1 / 255, "zero_point": 0, "quant_min": 0, "quant_max": 255}
    with torch.autocast("cpu", torch.bfloat16):
        inside = fake_quantize(x, **options)
    assert same_bits(inside, fake_quantize(x, **options))
    assert inside.unique().numel() == 256


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "positive and finite"),
        ({"scale": float("nan")}, "positive and finite"),
        ({"zero_point": 9}, "from 0 to 3; got"),
        ({"quant_min": 4}, "got 4 and 3"),
        ({"axis": 2}, "axis 2 is not a dimension"),
        ({"axis": 0}, r"shape \(2,\); got"),
        ({"scale": torch.tensor([1.0, 2.0])}, "without an axis; got 2"),
        ({"estimator": "straight"}, "identity, clipped, unquantized, none; got 'straight'"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, object], message: str) -> None:
    good = {"scale": 1.0, "zero_point": 0, "quant_min": 0, "quant_max": 3}
    with pytest.raises(QuantizeError, match=message):
        fake_quantize(torch.zeros(2, 3), **(good | options))


def test_integers_are_refused() -> None:
    with pytest.raises(QuantizeError, match=r"torch\.int64"):
        fake_quantize(torch.arange(3), scale=1.0, zero_point=0, quant_min=0, quant_max=3)
