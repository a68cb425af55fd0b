"""The adversarially trained networks that come with the package withstand what breaks vanilla."""

import pytest

from dqviz.attacks import PGD
from dqviz.cards import load_card, shipped_ids
from dqviz.data import load_data
from dqviz.measure import accuracy
from dqviz.models import load_model
from dqviz.specs import DataSpec

START = "streetdigits/resnet20/vanilla"
TRAINED = [id for id in shipped_ids() if "/resnet20/rfgsm" in id]


@pytest.fixture(scope="module")
def images():
    return load_data(DataSpec(name="streetdigits", n_samples=48))


def robust(id, images, epsilon):
    model = load_model(id)
    attack = PGD(model, eps=epsilon, steps=10)
    (adversarial,) = attack.each(images.images, images.labels, early_stop=True)
    return accuracy(model, adversarial, images.labels).value


@pytest.fixture(scope="module")
def vanilla(images):
    return robust(START, images, 4 / 255)


@pytest.mark.parametrize("id", TRAINED)
def test_pgd_leaves_far_more_than_of_the_start(id, images, vanilla):
    card = load_card(id)
    assert card.recipe["start"] == START
    assert card.recipe["adversary"]["epsilon"] == 4 / 255
    assert robust(id, images, 4 / 255) > vanilla + 0.2


def test_there_are_some():
    assert TRAINED
