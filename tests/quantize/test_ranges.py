"""Ranges and grids against NumPy on the samples themselves, and against torch's observer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.ao.quantization import MinMaxObserver

from dqviz.quantize import Histogram, QuantizeError, affine_parameters, choose_range


def histogram_of(values: np.ndarray, bins: int = 1024) -> Histogram:
    counts, edges = np.histogram(values, bins=bins)
    return Histogram(float(edges[0]), float(edges[-1]), counts.astype(np.int64))


def error_on_samples(values: np.ndarray, low: float, high: float, bits: int) -> float:
    scale, zero_point, quant_min, quant_max = affine_parameters(low, high, bits)
    quantized = torch.fake_quantize_per_tensor_affine(
        torch.from_numpy(values).float(), scale, zero_point, quant_min, quant_max
    )
    return float(np.square(quantized.double().numpy() - values).mean())


@pytest.fixture
def signed() -> np.ndarray:
    return np.random.default_rng(0).normal(0.3, 1.0, 100_000)


def test_minmax_includes_zero(signed: np.ndarray) -> None:
    assert choose_range(histogram_of(signed), bits=4, method="minmax") == (
        signed.min(),
        signed.max(),
    )
    assert choose_range(histogram_of(np.full(9, 3.0)), bits=4, method="minmax") == (0.0, 3.5)
    assert choose_range(histogram_of(signed - 20), bits=4, method="minmax")[1] == 0.0


def test_percentile_is_that_of_the_samples(signed: np.ndarray) -> None:
    low, high = choose_range(histogram_of(signed), bits=4, method="percentile", percentile=99.0)
    assert low == pytest.approx(np.percentile(signed, 1.0), abs=0.01)
    assert high == pytest.approx(np.percentile(signed, 99.0), abs=0.01)
    positive = np.maximum(signed, 0)
    low, high = choose_range(histogram_of(positive), bits=4, method="percentile", percentile=99.0)
    assert low == 0
    assert high == pytest.approx(np.percentile(positive, 99.0), abs=0.01)


def test_a_percentile_that_leaves_only_zero_gives_the_whole_range() -> None:
    values = np.zeros(100_000)
    values[0] = 5.0
    for percentile in (90.0, 99.9):
        found = choose_range(
            histogram_of(values), bits=4, method="percentile", percentile=percentile
        )
        assert found == (0.0, 5.0)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("relu", [True, False])
def test_mse_is_within_two_percent_of_a_brute_force_search(
    signed: np.ndarray, bits: int, relu: bool
) -> None:
    values = np.maximum(signed, 0)[:20_000] if relu else signed[:20_000]
    low, high = choose_range(histogram_of(values), bits=bits, method="mse")
    fractions = np.linspace(0.1, 1, 25)
    lows = values.min() * fractions if not relu else [0.0]
    best = min(error_on_samples(values, a, b, bits) for a in lows for b in values.max() * fractions)
    assert error_on_samples(values, low, high, bits) <= 1.02 * best
    whole = choose_range(histogram_of(values), bits=bits, method="minmax")
    assert error_on_samples(values, low, high, bits) <= error_on_samples(values, *whole, bits)


@given(low=st.floats(-1e4, 0, width=32), high=st.floats(0, 1e4, width=32), bits=st.integers(2, 8))
def test_zero_is_a_level_and_the_range_is_covered(low: float, high: float, bits: int) -> None:
    scale, zero_point, quant_min, quant_max = affine_parameters(low, high, bits)
    assert (quant_min, quant_max) == (0, 2**bits - 1)
    assert isinstance(zero_point, int)
    assert quant_min <= zero_point <= quant_max
    if high - low > 1e-30:
        assert (quant_min - zero_point) * scale == pytest.approx(low, abs=0.51 * scale)
        assert (quant_max - zero_point) * scale == pytest.approx(high, abs=0.51 * scale)


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated")
@pytest.mark.filterwarnings("ignore:Please use quant_min and quant_max")
def test_eight_bits_agree_with_torchs_observer(signed: np.ndarray) -> None:
    observer = MinMaxObserver(dtype=torch.quint8, qscheme=torch.per_tensor_affine)
    observer(torch.from_numpy(signed).float())
    scale, zero_point = observer.calculate_qparams()
    ours = affine_parameters(*choose_range(histogram_of(signed), bits=8, method="minmax"), 8)
    assert ours[0] == pytest.approx(scale.item(), rel=1e-6)
    assert ours[1] == zero_point.item()


def test_one_bit_keeps_zero_and_the_other_end() -> None:
    assert affine_parameters(0.0, 2.0, 1) == (2.0, 0, 0, 1)
    assert affine_parameters(-2.0, 0.0, 1) == (2.0, 1, 0, 1)
    with pytest.raises(QuantizeError, match=r"both signs of the range -1\.0 to 2\.0"):
        affine_parameters(-1.0, 2.0, 1)


def test_a_range_of_one_point_gets_a_grid() -> None:
    assert affine_parameters(0.0, 0.0, 4) == (1.0, 0, 0, 15)


def test_what_does_not_fit_is_refused(signed: np.ndarray) -> None:
    h = histogram_of(signed)
    with pytest.raises(QuantizeError, match="percentile, minmax, mse; got 'max'"):
        choose_range(h, bits=4, method="max")
    with pytest.raises(QuantizeError, match="at most 100; got 101"):
        choose_range(h, bits=4, percentile=101)
    with pytest.raises(QuantizeError, match="include 0; got 1"):
        affine_parameters(1.0, 2.0, 4)
    with pytest.raises(QuantizeError, match="1 to 8 bits; got 9"):
        affine_parameters(0.0, 2.0, 9)
