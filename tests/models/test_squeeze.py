"""Feature squeezing: what it does to pixels, its gradient, and networks and attacks round it."""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage
import torch

from dqviz.attacks import FGSM, PGD
from dqviz.attacks.prepare import prepare_for_attack
from dqviz.data import load_data
from dqviz.experiments.run import run
from dqviz.measure.network_bounds import network_lipschitz, upper_bound
from dqviz.models import resolve_model
from dqviz.models.squeeze import Squeeze
from dqviz.quantize import collect_histograms, quantize_model
from dqviz.specs import (
    AttackSpec,
    DataSpec,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
    SpecError,
    spec_key,
)

ID = "streetdigits/resnet20/vanilla"


@pytest.fixture
def images():
    return torch.rand(3, 2, 9, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("bits", range(1, 9))
def test_pixels_are_rounded_to_so_many_bits(images, bits):
    found = Squeeze(bits=bits)(images)
    steps = np.linspace(0, 1, 2**bits, dtype=np.float64)
    nearest = steps[np.abs(images.double().numpy()[..., None] - steps).argmin(-1)]
    np.testing.assert_allclose(found.numpy(), nearest, atol=1e-6)
    assert len(found.unique()) <= 2**bits


@pytest.mark.parametrize("size", range(2, 6))
def test_the_median_is_that_of_scipy(images, size):
    found = Squeeze(median=size)(images)
    expected = scipy.ndimage.median_filter(images.numpy(), size=(1, 1, size, size), mode="nearest")
    np.testing.assert_array_equal(found.numpy(), expected)


def test_gradients_pass_through_rounding_and_go_to_the_middle_pixel(images):
    x = images.clone().requires_grad_(True)
    weights = torch.rand_like(images)
    (gradient,) = torch.autograd.grad((Squeeze(bits=2)(x) * weights).sum(), x)
    assert torch.equal(gradient, weights)
    found = Squeeze(median=3)(x)
    (gradient,) = torch.autograd.grad(found[0, 0, 4, 3], x)
    assert int(gradient.count_nonzero()) == 1
    (where,) = gradient.nonzero()
    assert x[tuple(where)] == found[0, 0, 4, 3]


def test_a_network_sees_squeezed_images_at_every_bit_width():
    data = load_data(DataSpec(n_samples=8))
    spec = ModelSpec(id=ID, squeeze_bits=3, squeeze_median=2)
    plain, model = resolve_model(ModelSpec(id=ID)), resolve_model(spec)
    seen = Squeeze(bits=3, median=2)(data.images)
    assert torch.equal(model(data.images), plain(seen))
    assert not torch.equal(model(data.images), plain(data.images))
    histograms = collect_histograms(plain, data.images)
    bits = QuantSpec(weight_bits=8, act_bits=4)
    quantized = quantize_model(model, bits, calibration=histograms)
    expected = quantize_model(plain, bits, calibration=histograms)(seen)
    assert torch.equal(quantized(data.images), expected)


def test_attacks_go_through_it_and_the_fast_path_does_too():
    data = load_data(DataSpec(n_samples=32))
    model = resolve_model(ModelSpec(id=ID, squeeze_bits=5))
    before = (model(data.images).argmax(1) == data.labels).float().mean()
    for copy in (None, prepare_for_attack(model, precision="bfloat16")):
        attack = PGD(model, eps=4 / 255, steps=5, gradients_of=copy)
        attacked = attack(data.images, data.labels)
        after = (model(attacked).argmax(1) == data.labels).float().mean()
        assert after < before - 0.3
    (moved,) = FGSM(model, eps=1 / 255).each(data.images, data.labels)
    assert float((moved - data.images).abs().max()) > 0


def test_no_bound_is_claimed_for_rounding_and_a_sound_one_for_the_median(images):
    rounding = resolve_model(ModelSpec(id=ID, squeeze_bits=4))
    told = network_lipschitz(rounding, (3, 32, 32), images=torch.rand(2, 3, 32, 32))
    assert set(told.reasons) == {"upper", "lower"}
    assert "rounded" in told.reasons["lower"]
    plain = upper_bound(resolve_model(ModelSpec(id=ID)), (3, 32, 32))
    median = upper_bound(resolve_model(ModelSpec(id=ID, squeeze_median=3)), (3, 32, 32))
    assert median == pytest.approx(3 * plain)
    squeeze = Squeeze(median=3)
    spread = torch.zeros(1, 1, 9, 9)
    spread[..., ::3, ::3] = spread[..., 1::3, ::3] = 1.0  # middle pixels of many windows
    for base in (images[:1, :1], torch.full((1, 1, 9, 9), 0.5)):
        moved = spread[..., : base.shape[2], : base.shape[3]] * 0.1
        stretched = (squeeze(base + moved) - squeeze(base)).norm()
        assert stretched <= 3 * moved.norm()


def test_an_experiment_on_a_squeezed_network_is_another_one():
    spec = ExperimentSpec(
        kind="accuracy",
        model=ModelSpec(id=ID, squeeze_bits=1),
        data=DataSpec(n_samples=32),
        attack=AttackSpec(name="fgsm", epsilons=(1 / 255,)),
    )
    squeezed = run(spec)
    plain = run(dataclasses.replace(spec, model=ModelSpec(id=ID)))
    assert squeezed.spec_key != plain.spec_key
    assert set(squeezed.table["weights"]) == {"vanilla, squeezed (1 bit)"}
    clean = squeezed.table[squeezed.table["metric"] == "clean_accuracy"]
    data = load_data(DataSpec(n_samples=32))
    logits = resolve_model(ModelSpec(id=ID))((data.images * 1).round())
    right = float((logits.argmax(1) == data.labels).float().mean())
    assert clean.loc[clean["statistic"] == "value", "value"].iloc[0] == pytest.approx(right)


def test_older_specifications_keep_their_keys():
    model = ModelSpec(id=ID, fingerprint="card:abc")
    assert spec_key(model) != spec_key(dataclasses.replace(model, squeeze_median=2))
    assert spec_key(model) == "bfc99a737ff4c4b5450d3d31752004c1"


@pytest.mark.parametrize(
    ("field", "value"),
    [("squeeze_bits", 0), ("squeeze_bits", 9), ("squeeze_median", 1), ("squeeze_median", 10)],
)
def test_what_cannot_be_squeezed_is_refused(field, value):
    with pytest.raises(SpecError, match=f"{field} must be"):
        ModelSpec(id=ID, **{field: value})
