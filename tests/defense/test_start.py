"""A training that begins with a trained network."""

import pytest
import torch

from dqviz import cards
from dqviz.cards import read_card, write_card
from dqviz.defense import TrainError, ship, train, train_network
from dqviz.defense.start import start_network
from dqviz.models import build
from tests.defense.test_training import images, recipe

FIRST = "made/plain20/vanilla"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of shipped networks with one in it."""
    place = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ship, "load_data", lambda _, progress: images(32))
        train(recipe(epochs=1), place)
    return place


@pytest.fixture(autouse=True)
def shipped(folder, monkeypatch):
    monkeypatch.setattr(cards, "weights_folder", lambda: folder)


def test_the_start_is_the_trained_network_and_free_to_be_trained():
    begun = start_network(recipe(start=FIRST), classes=2)
    new = start_network(recipe(), classes=2)
    drawn = build("plain20", 2, seed=0).conv1.weight
    assert torch.equal(new.net.conv1.weight, drawn)
    assert not torch.equal(begun.net.conv1.weight, drawn)
    assert all(p.requires_grad for model in (begun, new) for p in model.parameters())


def test_hardly_any_rate_leaves_the_start_as_it_was(tmp_path):
    wanted = recipe(start=FIRST, epochs=1, learning_rate=1e-12)
    after = train_network(wanted, tmp_path, data=images(32)).model
    torch.testing.assert_close(
        after.net.conv1.weight, start_network(wanted, classes=2).net.conv1.weight
    )


def test_the_card_says_what_it_was_trained_from(tmp_path, monkeypatch, folder):
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images(32))
    path = train(recipe(id="made/plain20/more", start=FIRST, epochs=1), tmp_path)
    card = read_card(path.with_suffix(".json"))
    start = read_card(folder / "made-plain20-vanilla.json")
    assert card.statement == f"no penalty, trained at full precision, fine-tuned from {FIRST}"
    assert card.recipe["start"] == FIRST
    assert card.extra["start_sha256"] == start.sha256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start": "made/plain20/none"}, "start = 'made/plain20/none' cannot be had: no network"),
        ({"id": "made/resnet20/x"}, r"architecture plain20, expected resnet20$"),
        ({"mean": (0.1, 0.1, 0.1)}, r": mean .*, expected \(0.1, 0.1, 0.1\)$"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(change, said):
    with pytest.raises(TrainError, match=said):
        start_network(recipe(**{"start": FIRST, **change}), classes=2)
    with pytest.raises(TrainError, match=r": number of classes 2, expected 3$"):
        start_network(recipe(start=FIRST), classes=3)


def test_damaged_weights_are_no_start(tmp_path, monkeypatch, folder):
    card = read_card(folder / "made-plain20-vanilla.json")
    write_card(card, tmp_path / "made-plain20-vanilla.json")
    (tmp_path / card.file).write_bytes(b"other")
    monkeypatch.setattr(cards, "weights_folder", lambda: tmp_path)
    with pytest.raises(TrainError, match=r"cannot be had: .* is not what its card describes"):
        start_network(recipe(start=FIRST), classes=2)


def test_a_start_that_is_no_id_is_refused():
    with pytest.raises(TrainError, match="start must be DATASET/ARCH/WEIGHTS; got 'vanilla'"):
        recipe(start="vanilla")
