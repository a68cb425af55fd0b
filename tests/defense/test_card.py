"""The histograms of a card come from training images, drawn by the recipe's seed."""

import numpy as np
import pytest
import torch

from dqviz.data import ImageData
from dqviz.defense.ship import CALIBRATION_IMAGES, describe
from dqviz.defense.trained import Trained
from dqviz.models import Classifier, build
from tests.defense.test_training import recipe

SIDE = 8
NUMBERS = 3 * SIDE**2


def grey(levels, split):
    """Images of one level each."""
    count = len(levels)
    return ImageData(
        images=levels.view(-1, 1, 1, 1).expand(-1, 3, SIDE, SIDE).contiguous(),
        labels=torch.arange(count) % 2,
        classes=("even", "odd"),
        name="made",
        split=split,
        indices=torch.arange(count),
        fingerprint=split,
    )


TRAINING = grey(torch.arange(600) / 1200, "train")  # every image has a level of its own
TEST = grey(torch.linspace(0.8, 1, 16), "test")


@pytest.fixture(scope="module")
def trained():
    network = build("plain20", 2, seed=0)
    model = Classifier(network, mean=(0.0,) * 3, std=(1.0,) * 3).eval().requires_grad_(False)
    return Trained(model, "float32")


@pytest.fixture
def counts_of(trained, tmp_path):
    """How often the images drawn for a card hold each level of the first layer's input."""

    def found(seed):
        weights = tmp_path / "weights"
        weights.touch()
        wanted = recipe(seed=seed, mean=(0.0,) * 3, std=(1.0,) * 3)
        card = describe(wanted, trained, weights, data=TRAINING, test=TEST)
        histogram = next(iter(card.calibration.values()))
        assert 550 / 1200 < histogram["high"] < 0.5, "beyond the first 512, and no test image"
        return np.array(histogram["counts"])

    return found


def test_they_hold_every_pixel_of_distinct_training_images(counts_of):
    counts = counts_of(0)
    assert sorted(set(counts.tolist())) == [0, NUMBERS]
    assert counts.sum() == CALIBRATION_IMAGES * NUMBERS


def test_the_seed_draws_them(counts_of):
    once = counts_of(0)
    assert np.array_equal(once, counts_of(0))
    assert not np.array_equal(once, counts_of(1))
