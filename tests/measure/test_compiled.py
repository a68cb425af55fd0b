import math
import subprocess
import sys

import numba
import pytest
import torch

from dqviz.measure.compiled import compiled
from dqviz.measure.distances import difference_norms, norms, norms_around_mean
from dqviz.measure.quantizer_noise import ELEMENT_CLASSES, QUANTITIES, noise_sums
from dqviz.quantize import AffineQuantizer

LARGE = (2, 3, 100, 101)  # more elements than one chunk, and not a multiple of it


def pair(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    clean = torch.randn(shape, generator=generator)
    clean = torch.where(torch.rand(shape, generator=generator) < 0.3, 0.0, clean)
    return clean, clean + 0.2 * torch.randn(shape, generator=generator)


def sums_of(clean, perturbed, **changes):
    quantize = AffineQuantizer(scale=0.25, zero_point=4, quant_min=0, quant_max=7)
    grid = {"step": 0.25, "low": float(quantize.low), "high": float(quantize.high)}
    return noise_sums(clean, perturbed, quantize(clean), quantize(perturbed), **{**grid, **changes})


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 4, 5, 6), LARGE])
def test_the_loop_sums_what_array_operations_sum(shape):
    clean, perturbed = pair(shape)
    found = sums_of(clean, perturbed)
    expected = sums_of(clean.double(), perturbed.double())  # float64 has no loop
    assert found.shape == (shape[0], len(QUANTITIES), len(ELEMENT_CLASSES) + 1)
    torch.testing.assert_close(found, expected, rtol=2e-5, atol=1e-6)
    if shape == LARGE:  # every class has elements, whose codes change
        assert bool((expected[:, QUANTITIES.index("count"), :-1] > 0).all())
        assert bool((expected[:, QUANTITIES.index("flips"), :-1] > 0).all())


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 4, 5, 6), LARGE])
def test_norms_are_those_of_float64(shape):
    clean, perturbed = pair(shape)
    wide, wide_perturbed = clean.double().flatten(1), perturbed.double().flatten(1)
    torch.testing.assert_close(norms(clean), wide.norm(dim=1), rtol=1e-6, atol=0)
    distances = difference_norms(clean, perturbed)
    torch.testing.assert_close(distances, (wide_perturbed - wide).norm(dim=1), rtol=1e-6, atol=0)
    one = difference_norms(clean, perturbed[0])
    torch.testing.assert_close(one, (wide_perturbed[:1] - wide).norm(dim=1), rtol=1e-6, atol=0)
    around = (wide - wide.mean(dim=0)).norm(dim=1)
    torch.testing.assert_close(norms_around_mean(clean), around, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(norms_around_mean(clean.double()), around, rtol=1e-12, atol=0)
    last = difference_norms(clean.double(), perturbed.double())
    torch.testing.assert_close(last, distances, rtol=1e-6, atol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_stays_so(bad):
    clean, perturbed = pair((3, 50))
    perturbed[1, 7] = bad
    assert not math.isfinite(float(difference_norms(clean, perturbed)[1]))
    assert not math.isfinite(float(norms(perturbed)[1]))
    assert not math.isfinite(float(norms_around_mean(perturbed)[1]))
    found = sums_of(clean, perturbed)
    shift = QUANTITIES.index("in_square")
    assert not math.isfinite(float(found[1, shift, -1]))
    assert bool(found[[0, 2]].isfinite().all())
    flips = QUANTITIES.index("flips")
    assert math.isnan(float(found[1, flips, -1])) == math.isnan(bad)


def test_where_nothing_can_be_kept_on_disk_the_loop_is_compiled_all_the_same(monkeypatch):
    real, asked = numba.njit, []

    def njit(loop, **options):
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(loop, **options)

    monkeypatch.setattr("dqviz.measure.compiled.numba.njit", njit)
    double = compiled(lambda value: 2 * value)
    assert double(3.5) == 7
    assert asked == [True, False]


def test_the_page_process_needs_no_compiler():
    code = "import sys, dqviz.specs, dqviz.ui.jobs; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
