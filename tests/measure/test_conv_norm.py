import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dqviz.measure.conv_norm import conv_operator_norm
from dqviz.measure.convolution import read_convolution
from dqviz.measure.errors import MeasureError
from dqviz.measure.periodic_bound import _grid, periodic_bound
from dqviz.measure.power_bound import power_bound
from dqviz.measure.spectrum import largest_eigenvalue_bound

EVEN_KERNELS = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def random_conv(seed, *arguments, **options):
    conv = nn.Conv2d(*arguments, bias=False, **options)
    generator = torch.Generator().manual_seed(seed)
    conv.weight.data = torch.randn(conv.weight.shape, generator=generator)
    return conv.requires_grad_(False)


def dense_norm(conv, shape):
    """The largest singular value of the matrix whose columns are the images of the unit inputs."""
    numbers = math.prod(shape)
    images = conv.double()(torch.eye(numbers, dtype=torch.float64).view(numbers, *shape))
    return float(torch.linalg.svdvals(images.flatten(1)).max())


@st.composite
def geometries(draw):
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    kernel = (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (draw(st.integers(1, 2)), draw(st.integers(1, 3)))
    stride = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    padding = (draw(st.integers(0, 4)), draw(st.integers(0, 3)))
    if draw(st.booleans()) and stride == (1, 1):
        padding = draw(st.sampled_from(["same", "valid"]))
    channels_in, channels_out = (groups * draw(st.integers(1, 3)) for _ in range(2))
    conv = random_conv(
        draw(st.integers(0, 10**6)),
        channels_in,
        channels_out,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    size = tuple(draw(st.integers(max(1, read_convolution(conv).reach[i]), 11)) for i in (0, 1))
    return conv, (channels_in, *size)


@EVEN_KERNELS
@settings(max_examples=120, deadline=None)
@given(geometries())
def test_the_dense_norm_lies_between_the_bounds(case):
    conv, shape = case
    exact = dense_norm(conv, shape)
    lower, upper = conv_operator_norm(conv, shape)
    assert lower <= exact * (1 + 1e-13)
    assert exact <= upper * (1 + 1e-13)
    assert lower >= 0.98 * exact
    # The methods for larger maps, here where the answer is known.
    linear = read_convolution(conv)
    assert 0.98 * exact <= power_bound(linear, shape[1:]) <= exact * (1 + 1e-13)
    assert exact <= periodic_bound(linear, shape[1:]) * (1 + 1e-13)


@EVEN_KERNELS
@settings(max_examples=30, deadline=None)
@given(geometries())
def test_the_adjoint_is_the_transpose(case):
    conv, shape = case
    linear = read_convolution(conv)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(1, *shape, generator=generator, dtype=torch.float64)
    image = linear.apply(x)
    assert torch.allclose(image, conv.double()(x))
    y = torch.randn(image.shape, generator=generator, dtype=torch.float64)
    assert torch.allclose((image * y).sum(), (x * linear.adjoint(y, shape[1:])).sum())


@EVEN_KERNELS
@settings(max_examples=100, deadline=None)
@given(geometries())
def test_nothing_but_padding_comes_around_the_corner(case):
    conv, shape = case
    linear = read_convolution(conv)
    outputs = linear.output_size(shape[1:])
    for i, length in enumerate(_grid(linear, shape[1:])):
        period = length * linear.stride[i]
        starts = [n * linear.stride[i] for n in range(outputs[i])]
        assert len({start % period for start in starts}) == len(starts)
        reach = (conv.kernel_size[i] - 1) * linear.dilation[i] + 1
        places = [
            start + tap - linear.pad_before[i]
            for start in starts
            for tap in range(0, reach, linear.dilation[i])
        ]
        used = min(shape[1 + i], max(places) + 1)  # pixels beyond are never read: they may go
        for place in places:
            assert (0 <= place < used) == (place % period < used)


def test_a_pointwise_convolution_is_its_matrix():
    conv = random_conv(0, 5, 7, 1, stride=2)
    exact = float(torch.linalg.matrix_norm(conv.weight.double().flatten(1), 2))
    lower, upper = conv_operator_norm(conv, (5, 9, 9))
    assert lower <= exact <= upper
    assert upper / lower < 1.001


def test_the_known_norm_of_a_one_dimensional_smoothing():
    # The matrix tridiagonal(1, 2, 1) of n rows has the largest eigenvalue 2 + 2 cos(pi / (n + 1)).
    conv = random_conv(0, 1, 1, (1, 3), padding=(0, 1))
    conv.weight.data = torch.tensor([[[[1.0, 2.0, 1.0]]]])
    exact = 2 + 2 * math.cos(math.pi / 11)
    linear = read_convolution(conv)
    assert power_bound(linear, (4, 10)) <= exact <= periodic_bound(linear, (4, 10)) < exact * 1.0002


def test_two_by_two_maps_are_exact():
    conv = random_conv(3, 4, 6, 3, padding=1, groups=2)
    lower, upper = conv_operator_norm(conv, (4, 2, 2))
    assert upper / lower < 1 + 1e-12
    assert lower <= dense_norm(conv, (4, 2, 2)) * (1 + 1e-13)


@pytest.mark.parametrize("kernel", [3, 4])
def test_a_coarse_grid_still_bounds(monkeypatch, kernel):
    linear = read_convolution(random_conv(5, 4, 4, kernel, padding=2))
    fine = periodic_bound(linear, (70, 70))
    monkeypatch.setattr("dqviz.measure.periodic_bound._WORK", 0.0)
    coarse = periodic_bound(linear, (70, 70))
    assert power_bound(linear, (70, 70)) <= coarse
    assert 0.999 * fine <= coarse <= 1.05 * fine
    assert coarse != fine


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
def test_the_norm_scales_with_the_kernel(factor):
    conv = random_conv(6, 2, 2, 3, padding=1)
    plain = conv_operator_norm(conv, (2, 6, 6))
    conv.weight.data = conv.weight * factor
    assert conv_operator_norm(conv, (2, 6, 6)) == pytest.approx(
        [bound * factor for bound in plain], rel=1e-6
    )


def test_a_kernel_of_zeros_has_norm_zero():
    conv = random_conv(0, 2, 2, 3)
    conv.weight.data.zero_()
    assert conv_operator_norm(conv, (2, 5, 5)) == (0.0, 0.0)


@pytest.mark.parametrize("mode", ["reflect", "circular", "replicate"])
def test_other_padding_is_refused_by_name(mode):
    conv = nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode)
    with pytest.raises(MeasureError, match=mode):
        conv_operator_norm(conv, (2, 8, 8))


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 8), (2, 2, 8)])
def test_a_shape_that_does_not_fit_is_named(shape):
    with pytest.raises(MeasureError, match=str(shape[-1])):
        conv_operator_norm(nn.Conv2d(2, 2, 3), shape)


def test_weights_that_are_not_finite_are_refused():
    conv = random_conv(0, 1, 1, 3)
    conv.weight.data[0, 0, 0, 0] = math.nan
    with pytest.raises(MeasureError, match="NaN"):
        conv_operator_norm(conv, (1, 5, 5))


@pytest.mark.parametrize("kind", [torch.float64, torch.complex128])
def test_the_eigenvalue_bound_is_above_and_near(kind):
    generator = torch.Generator().manual_seed(0)
    factors = torch.randn(20, 6, 9, generator=generator, dtype=kind)
    grams = factors @ factors.mH
    exact = float(torch.linalg.eigvalsh(grams).max())
    assert exact <= largest_eigenvalue_bound(grams) <= exact * 1.01
    assert largest_eigenvalue_bound(grams, at_least=2 * exact) >= 2 * exact


def test_a_poor_guess_is_raised_until_the_proof_succeeds(monkeypatch):
    monkeypatch.setattr("dqviz.measure.spectrum.power_guesses", lambda m, steps: m[:, 0, 0])
    matrices = torch.diag_embed(torch.tensor([[1.0, 3.0], [1.0, 2.0]], dtype=torch.float64))
    assert 3 <= largest_eigenvalue_bound(matrices) <= 6


def layers_of_resnet20(folder):
    file = folder / "checkpoints" / "resnet20-12fca82f.th"
    if not file.is_file():
        pytest.skip(f"needs {file.name} in the development folder")
    state = torch.load(file, map_location="cpu", weights_only=True)
    size = 32
    for name, weight in state["state_dict"].items():
        if weight.dim() == 4:
            stride = 2 if name.endswith(("layer2.0.conv1.weight", "layer3.0.conv1.weight")) else 1
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, stride, 1, bias=False)
            conv.weight.data = weight
            yield name, conv.requires_grad_(False), (weight.shape[1], size, size)
            size //= stride


def test_a_trained_resnet20_is_bounded_tightly(shared_folder):
    found = 0
    for name, conv, shape in layers_of_resnet20(shared_folder):
        lower, upper = conv_operator_norm(conv, shape)
        sigma = float(torch.linalg.matrix_norm(conv.weight.double().flatten(1), 2))
        assert sigma <= upper < math.ceil(3 / conv.stride[0]) * sigma, name
        assert lower <= upper <= 1.05 * lower, name
        found += 1
    assert found == 19
