"""Each corruption against another way to the same pixels; seeds; and the experiment on them."""

import colorsys
import io

import numpy as np
import pytest
import scipy.ndimage
import torch
from PIL import Image

from dqviz.data import load_data
from dqviz.data.corruptions import corrupt
from dqviz.experiments.run import run
from dqviz.models import resolve_model
from dqviz.specs import CORRUPTIONS, DataSpec, ExperimentSpec, ModelSpec, SpecError


@pytest.fixture(scope="module")
def images():
    return load_data(DataSpec(n_samples=12)).images


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_brightness_is_added_to_the_value_of_hsv(images, severity):
    some = torch.cat([images[:2], torch.zeros(1, *images.shape[1:])])
    found = corrupt(some, "brightness", severity=severity)
    added = {1: 0.05, 3: 0.15, 5: 0.3}[severity]
    expected = np.empty(tuple(some.shape))
    for n, row, column in np.ndindex(len(some), *some.shape[2:]):
        hue, saturation, value = colorsys.rgb_to_hsv(*some[n, :, row, column].tolist())
        expected[n, :, row, column] = colorsys.hsv_to_rgb(hue, saturation, min(value + added, 1))
    assert np.abs(found.numpy() * 255 - 255 * expected).max() <= 0.501


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_blur_is_that_of_scipy_inside_the_image(images, severity):
    sigma = {1: 0.4, 3: 0.7, 5: 1.0}[severity]
    found = corrupt(images, "gaussian_blur", severity=severity).numpy() * 255
    filtered = scipy.ndimage.gaussian_filter(images.double().numpy(), (0, 0, sigma, sigma))
    inside = np.s_[:, :, 5:-5, 5:-5]
    assert np.abs(found - 255 * filtered)[inside].max() < 0.51


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_contrast_shrinks_the_spread_and_keeps_the_mean(images, severity):
    found = corrupt(images, "contrast", severity=severity)
    factor = {1: 0.75, 3: 0.4, 5: 0.15}[severity]
    np.testing.assert_allclose(found.mean((2, 3)), images.mean((2, 3)), atol=1e-3)
    np.testing.assert_allclose(found.std((2, 3)), factor * images.std((2, 3)), atol=2e-3)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_jpeg_is_what_a_saved_file_gives(images, severity):
    found = corrupt(images[:3], "jpeg", severity=severity)
    quality = {1: 80, 3: 58, 5: 40}[severity]
    for image, back in zip(images[:3], found, strict=True):
        file = io.BytesIO()
        pixels = np.asarray((image * 255).round(), dtype=np.uint8).transpose(1, 2, 0)
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file))
        np.testing.assert_array_equal(np.round(back.numpy().transpose(1, 2, 0) * 255), expected)
    assert corrupt(images[:1, :1], "jpeg", severity=5).shape == (1, 1, *images.shape[2:])


def test_noise_has_its_strength_and_its_seed():
    grey = torch.full((40, 3, 32, 32), 0.5)
    for severity, sigma in enumerate((0.04, 0.06, 0.08, 0.09, 0.10), start=1):
        found = corrupt(grey, "gaussian_noise", severity=severity, seed=3)
        assert float((found - grey).std()) == pytest.approx(sigma, rel=0.01)
        assert abs(float((found - grey).mean())) < 0.001
    assert torch.equal(corrupt(grey[:5], "gaussian_noise", severity=5, seed=3), found[:5])
    assert not torch.equal(corrupt(grey, "gaussian_noise", severity=5, seed=4), found)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_worse_is_worse_and_images_stay_images(images, name):
    distances = []
    for severity in range(1, 6):
        found = corrupt(images, name, severity=severity)
        assert found.dtype == torch.float32
        assert found.shape == images.shape
        assert 0 <= float(found.min()) <= float(found.max()) <= 1
        np.testing.assert_allclose((found * 255).round(), found * 255, atol=1e-4)
        distances.append(float((found - images).norm()))
    assert distances == sorted(distances)


def test_the_experiment_counts_what_is_right():
    data = DataSpec(n_samples=32)
    result = run(ExperimentSpec(kind="corruptions", data=data, severities=(5,)))
    values = result.table.set_index(["attack", "metric", "statistic"])["value"]
    images = load_data(data)
    model = resolve_model(ModelSpec())
    for name in CORRUPTIONS:
        moved = corrupt(images.images, name, severity=5)
        right = (model(moved).argmax(1) == images.labels).float()
        assert values[name, "corrupted_accuracy_5", "value"] == pytest.approx(float(right.mean()))
        own = result.samples[result.samples["attack"] == name]
        np.testing.assert_array_equal(own["value"].to_numpy(), right.numpy())
    assert result.table["epsilon"].isna().all()
    assert values["none", "clean_accuracy", "value"] >= values["contrast"].min()


@pytest.mark.parametrize("severities", [(), (0,), (6,), (1, 1)])
def test_other_severities_are_refused(severities):
    with pytest.raises(SpecError, match="severities must be different numbers of 1 to 5"):
        ExperimentSpec(kind="corruptions", severities=severities)
