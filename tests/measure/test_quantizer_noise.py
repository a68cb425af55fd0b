import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dqviz.measure.quantizer_noise import (
    ELEMENT_CLASSES,
    noise_metrics,
    noise_sums,
    predicted_square,
)
from dqviz.quantize import AffineQuantizer


def quantizer(scale=0.25, zero_point=4, quant_max=15):
    return AffineQuantizer(scale=scale, zero_point=zero_point, quant_min=0, quant_max=quant_max)


def metrics_of(clean, perturbed, quantize):
    step = float(quantize.scale)
    sums = noise_sums(
        clean,
        perturbed,
        quantize(clean),
        quantize(perturbed),
        step=step,
        low=float(quantize.low),
        high=float(quantize.high),
    )
    return noise_metrics(sums, step=step)


def naive_metrics(clean, perturbed, quantize):
    """One sample, element by element, straight from the definitions."""
    u, v = clean.double().numpy().ravel(), perturbed.double().numpy().ravel()
    qu = quantize(clean).double().numpy().ravel()
    qv = quantize(perturbed).double().numpy().ravel()
    codes = quantize.codes(clean).numpy().ravel(), quantize.codes(perturbed).numpy().ravel()
    clipped = (quantize.clip(clean) != clean).numpy().ravel()
    step = float(quantize.scale)
    found = {}
    for suffix in ("", *(f"_{name}" for name in ELEMENT_CLASSES)):
        squares = {"in": 0.0, "out": 0.0, "predicted": 0.0}
        absolute = {"in": 0.0, "out": 0.0}
        count = flips = 0
        for i in range(len(u)):
            kind = "zero" if u[i] == 0 else "clipped" if clipped[i] else "inside"
            if suffix not in ("", f"_{kind}"):
                continue
            shift, moved = v[i] - u[i], qv[i] - qu[i]
            fraction = math.modf(abs(shift) / step)[0]
            squares["in"] += shift**2
            squares["out"] += moved**2
            squares["predicted"] += shift**2 + step**2 * fraction * (1 - fraction)
            absolute["in"] += abs(shift)
            absolute["out"] += abs(moved)
            count += 1
            flips += codes[0][i] != codes[1][i]
        for name, value in squares.items():
            found[f"quantizer_noise_{name}{suffix}"] = math.sqrt(value) / np.linalg.norm(u)
        for name, value in absolute.items():
            found[f"quantizer_noise_{name}{suffix}_l1"] = value / np.abs(u).sum()
        found[f"quantizer_noise_predicted{suffix}_l1"] = absolute["in"] / np.abs(u).sum()
        squares_gain = math.sqrt(squares["out"] / squares["in"]) if squares["in"] else math.nan
        found[f"quantizer_gain{suffix}"] = squares_gain
        gain = absolute["out"] / absolute["in"] if absolute["in"] else math.nan
        found[f"quantizer_gain{suffix}_l1"] = gain
        found[f"bucket_flip_rate{suffix}"] = flips / count if count else math.nan
        if suffix:
            found[f"element_share{suffix}"] = count / len(u)
    return found


@pytest.mark.parametrize("zero_point", [4, 0])
@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (5, 7), (2, 2, 300, 300)])
def test_every_metric_equals_a_naive_loop(shape, zero_point):
    generator = torch.Generator().manual_seed(1)
    clean = torch.randn(shape, generator=generator) * 1.5
    clean = torch.where(torch.rand(shape, generator=generator) < 0.3, 0.0, clean)
    perturbed = clean + 0.2 * torch.randn(shape, generator=generator)
    perturbed = torch.where(torch.rand(shape, generator=generator) < 0.2, clean, perturbed)
    quantize = quantizer(zero_point=zero_point)
    found = metrics_of(clean, perturbed, quantize)
    samples = range(shape[0]) if clean.numel() < 10_000 else [1]  # the loop is slow
    for sample in samples:
        expected = naive_metrics(clean[sample], perturbed[sample], quantize)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert float(found[name][sample]) == pytest.approx(value, rel=1e-4, nan_ok=True), name


def test_channels_last_tensors_give_the_same():
    generator = torch.Generator().manual_seed(2)
    clean = torch.randn(2, 4, 5, 6, generator=generator)
    perturbed = clean + 0.1 * torch.randn(2, 4, 5, 6, generator=generator)
    plain = metrics_of(clean, perturbed, quantizer())
    last = torch.channels_last
    other = metrics_of(clean.to(memory_format=last), perturbed.to(memory_format=last), quantizer())
    mixed = metrics_of(clean.to(memory_format=last), perturbed, quantizer())
    for name, values in plain.items():
        torch.testing.assert_close(other[name], values, equal_nan=True, rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(mixed[name], values, equal_nan=True, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shift", [0.002, 0.03, 0.1, 0.25, 0.31, 0.9])
def test_the_prediction_is_what_a_simulation_gives(shift):
    generator = torch.Generator().manual_seed(3)
    step = 0.25
    clean = (torch.rand(1, 400_000, generator=generator) - 0.5) * step + step  # one whole bucket
    wide = quantizer(scale=step, zero_point=100, quant_max=255)
    moved = wide(clean + shift) - wide(clean)
    predicted = float(predicted_square(torch.tensor(shift), step))
    assert float(moved.square().mean()) == pytest.approx(predicted, rel=0.05)
    assert float(moved.abs().mean()) == pytest.approx(shift, rel=0.05)  # the mean gain is 1
    found = metrics_of(clean, clean + shift, wide)
    assert float(found["quantizer_noise_out"]) == pytest.approx(
        float(found["quantizer_noise_predicted"]), rel=0.03
    )


def test_spread_out_inputs_are_never_damped_but_zeros_are():
    generator = torch.Generator().manual_seed(4)
    spread = 5 * torch.rand(64, 4096, generator=generator) + 0.3
    relu = torch.relu(torch.randn(64, 4096, generator=generator))
    wide = quantizer(scale=0.25, zero_point=0, quant_max=255)
    for size in (0.01, 0.1, 0.3):
        noise = size * torch.randn(64, 4096, generator=generator)
        found = metrics_of(spread, spread + noise, wide)
        assert bool((found["quantizer_gain"] > 0.98).all())
    noise = 0.02 * torch.randn(64, 4096, generator=generator)
    found = metrics_of(relu, torch.relu(relu + noise), wide)
    assert bool((found["quantizer_gain_zero"] < 1e-6).all())  # 0.02 never leaves a bucket's centre
    assert bool((found["quantizer_gain_inside"] > 1).all())


def test_small_noise_is_enlarged_by_the_root_of_step_over_shift():
    shift, step = 1e-4, 0.25
    gain = math.sqrt(float(predicted_square(torch.tensor(shift), step))) / shift
    assert gain == pytest.approx(math.sqrt(step / shift), rel=1e-3)


def test_beyond_the_range_nothing_passes():
    clean = torch.full((1, 10), 9.0)
    found = metrics_of(clean, clean + 1, quantizer())
    assert float(found["quantizer_gain_clipped"]) == 0
    assert float(found["element_share_clipped"]) == 1
    assert math.isnan(float(found["quantizer_gain_inside"]))


def test_no_noise_has_no_gain():
    clean = torch.ones(1, 4)
    found = metrics_of(clean, clean, quantizer())
    assert float(found["quantizer_noise_in"]) == 0
    assert math.isnan(float(found["quantizer_gain"]))


# The square of a number below 1e-19 is no float32 number, and sums of squares are float32 here.
ACTIVATIONS = st.floats(-3, 3, width=32).map(lambda u: u if abs(u) > 1e-15 else 0.0)


@settings(max_examples=50, deadline=None)
@given(
    u=st.lists(ACTIVATIONS, min_size=1, max_size=20),
    noise=st.integers(0, 2**16),
    step=st.floats(0.0625, 1, width=32),
)
def test_classes_add_up_and_no_element_moves_more_than_a_step(u, noise, step):
    clean = torch.tensor([u])
    generator = torch.Generator().manual_seed(noise)
    perturbed = clean + step * torch.randn(clean.shape, generator=generator)
    quantize = quantizer(scale=step)
    shift, moved = perturbed - clean, quantize(perturbed) - quantize(clean)
    assert float(moved.abs().max()) <= float(shift.abs().max()) + step * (1 + 1e-4)
    found = metrics_of(clean, perturbed, quantize)
    shares = [float(found[f"element_share_{name}"]) for name in ELEMENT_CLASSES]
    assert math.fsum(shares) == pytest.approx(1)
    if not any(u):
        return
    for name in ("in", "out", "predicted"):
        parts = [found[f"quantizer_noise_{name}_{kind}"] ** 2 for kind in ELEMENT_CLASSES]
        torch.testing.assert_close(sum(parts), found[f"quantizer_noise_{name}"] ** 2)
