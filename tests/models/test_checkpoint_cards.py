"""What a checkpoint does not say itself: options, the card beside it."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.torch
import torch

from dqviz import cards
from dqviz.models import Classifier, ModelError, build, load_checkpoint, resolve_model
from dqviz.specs import ModelSpec
from tests.models.saving import GIVEN, IMAGES, NETWORK, STATE, logits, save

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


with torch.no_grad():
    EXPECTED = Classifier(NETWORK, mean=MEAN, std=STD)(IMAGES)


CARD = {"arch": "resnet20", "classes": 10, "mean": MEAN, "std": STD}


def test_what_is_not_given_comes_from_the_card_beside(tmp_path):
    file = save(tmp_path, STATE)
    (tmp_path / "net.json").write_text(json.dumps(CARD), encoding="utf-8")
    assert torch.equal(logits(load_checkpoint(file)), EXPECTED)
    assert torch.equal(logits(resolve_model(ModelSpec(checkpoint=str(file)))), EXPECTED)


def test_what_is_given_stands_above_the_card(tmp_path):
    file = save(tmp_path, STATE)
    card = {**CARD, "arch": "resnet32", "mean": [0, 0, 0], "std": [1, 1, 1]}
    (tmp_path / "net.pth.json").write_text(json.dumps(card), encoding="utf-8")
    network = load_checkpoint(file, arch="resnet20", mean=MEAN, std=STD)
    assert torch.equal(logits(network), EXPECTED)


def test_the_files_own_normalisation_is_used_where_nothing_else_says_it(tmp_path):
    file = save(tmp_path, Classifier(NETWORK, mean=MEAN, std=STD).state_dict())
    network = load_checkpoint(file, arch="resnet20", classes=10)
    assert torch.equal(logits(network), EXPECTED)
    given = load_checkpoint(file, arch="resnet20", classes=10, mean=(0, 0, 0), std=(1, 1, 1))
    assert given.normalize.mean.abs().max() == 0


def test_a_broken_card_is_named(tmp_path):
    file = save(tmp_path, STATE)
    (tmp_path / "net.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"net\.json is not JSON"):
        load_checkpoint(file, arch="resnet20", classes=10)
    assert torch.equal(logits(load_checkpoint(file, **GIVEN)), EXPECTED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mean": None, "std": None}, r"--mean 0\.485,0\.456,0\.406 --std"),
        ({"mean": None}, "say how the network's input is normalised"),
        ({"std": (1, 1)}, r"std needs 3 finite positive numbers.*got \(1\.0, 1\.0\)"),
        ({"mean": (0.5,)}, "mean needs 3 finite numbers"),
        ({"std": (1, 0, 1)}, "std needs 3 finite positive"),
        ({"std": (1, float("nan"), 1)}, "std needs 3 finite positive"),
        ({"arch": None}, r"say the architecture.*got arch=None, classes=10"),
        ({"classes": None}, r"say the architecture.*classes=None"),
        ({"classes": "10"}, "classes is a number or a list of names; got '10'"),
        ({"classes": 1}, "number of classes must be 2 to"),
        ({"arch": "resnet21"}, "close to it: .*resnet20"),
        ({"arch": "vit_b_16"}, "MultiheadAttention"),
    ],
)
def test_what_is_missing_or_wrong_is_said(tmp_path, change, said):
    with pytest.raises(ModelError, match=said):
        load_checkpoint(save(tmp_path, STATE), **{**GIVEN, **change})


def test_a_specification_names_the_same_network(tmp_path):
    file = save(tmp_path, STATE)
    spec = ModelSpec(checkpoint=str(file), arch="resnet20", classes=10, mean=MEAN, std=STD)
    assert torch.equal(logits(resolve_model(spec)), EXPECTED)
    with pytest.raises(ModelError, match="asked for"):
        resolve_model(dataclasses.replace(spec, classes=7))


def test_a_written_card_and_its_weights_load_without_any_option(tmp_path):
    safetensors.torch.save_file(STATE, tmp_path / "a-resnet20-b.safetensors")
    card = cards.Card(arch="resnet20", classes=tuple("abcdefghij"), mean=MEAN, std=STD)
    cards.write_card(card, tmp_path / "a-resnet20-b.json")
    network = load_checkpoint(tmp_path / "a-resnet20-b.safetensors")
    assert torch.equal(logits(network), EXPECTED)


def test_images_too_small_for_an_architecture_are_refused_with_what_to_do(tmp_path):
    file = save(tmp_path, build("squeezenet1_1", 3).state_dict())
    network = load_checkpoint(file, arch="squeezenet1_1", classes=3, mean=MEAN, std=STD)
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    said = r"squeezenet1_1 takes no images of 8x8 pixels.* image_size .*made for 224x224"
    with pytest.raises(ModelError, match=said):
        network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(RuntimeError, match="double"):  # torch's other errors stay what they are
        network(torch.zeros(1, 3, 32, 32).double())


@pytest.mark.parametrize("other", ["[1, 2]", '{"rows": 3}', "[" + "1, " * 9 + "1]"])
def test_json_that_is_no_card_does_not_stand_in_the_way(tmp_path, other):
    file = save(tmp_path, STATE)
    (tmp_path / "net.json").write_text(other, encoding="utf-8")
    assert torch.equal(logits(load_checkpoint(file, **GIVEN)), EXPECTED)
    assert cards.card_beside(file) is None
    with pytest.raises(ModelError, match="no card beside the file"):
        load_checkpoint(file)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"arch": 5}, "named by a text .* got 5"),
        ({"classes": 10.0}, "classes is a number .* got 10.0"),
        ({"mean": 0.5}, "mean needs 3 finite numbers.* got 0.5"),
        ({"mean": "0,0,0"}, "mean needs 3 finite numbers.* got '0,0,0'"),
        ({"std": (1e-46, 1, 1)}, "std needs 3 finite positive numbers"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(tmp_path, wrong, said):
    with pytest.raises(ModelError, match=said):
        load_checkpoint(save(tmp_path, STATE), **{**GIVEN, **wrong})


def test_an_array_of_numbers_will_do(tmp_path):
    given = {**GIVEN, "mean": np.array(MEAN), "std": torch.tensor(STD)}
    torch.testing.assert_close(logits(load_checkpoint(save(tmp_path, STATE), **given)), EXPECTED)
