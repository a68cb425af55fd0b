"""Networks by id: the shipped ones, their hash, what is known of them without loading."""

import dataclasses
import hashlib
import json

import pytest
import safetensors.torch
import torch

from dqviz import cards
from dqviz.models import (
    Classifier,
    ModelError,
    build,
    list_models,
    load_model,
    model_info,
    resolve_model,
)
from dqviz.specs import ModelSpec

ID = "streetdigits/resnet20/test"
MEAN, STD = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder with one network, as the package ships them, and its card."""
    monkeypatch.setattr(cards, "weights_folder", lambda: tmp_path)
    data = safetensors.torch.save(build("resnet20", 10, seed=7).state_dict())
    file = f"{cards.file_stem(ID)}.safetensors"
    (tmp_path / file).write_bytes(data)
    card = cards.Card(
        id=ID,
        dataset="streetdigits",
        arch="resnet20",
        weights="test",
        classes=tuple("0123456789"),
        mean=MEAN,
        std=STD,
        file=file,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    write(card, tmp_path)
    return tmp_path, card


def write(card, folder):
    cards.write_card(card, folder / f"{cards.file_stem(ID)}.json")


@pytest.mark.usefixtures("shipped")
def test_a_shipped_network_is_loaded_with_the_cards_normalisation():
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = Classifier(build("resnet20", 10, seed=7), mean=MEAN, std=STD).eval()
    network = load_model(ID)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    with torch.no_grad():
        assert torch.equal(network(images), expected(images))
        assert torch.equal(resolve_model(ModelSpec(id=ID))(images), expected(images))


@pytest.mark.usefixtures("shipped")
def test_a_shipped_network_is_listed_first():
    info = list_models()[0]
    assert (info.id, info.arch, info.dataset) == (ID, "resnet20", "streetdigits")
    assert (info.image_size, info.shipped, len(info.classes)) == (32, True, 10)
    assert model_info(ModelSpec(id=ID)) == info


def test_weights_that_differ_from_the_cards_hash_are_refused(shipped):
    folder, card = shipped
    data = bytearray((folder / card.file).read_bytes())
    data[-1] ^= 1
    (folder / card.file).write_bytes(data)
    with pytest.raises(ModelError, match=rf"SHA-256 is [0-9a-f]{{64}}, expected {card.sha256}"):
        load_model(ID)


def test_a_card_of_another_network_is_refused(shipped):
    folder, card = shipped
    write(dataclasses.replace(card, classes=("a", "b")), folder)
    with pytest.raises(ModelError, match="the file is for 10 classes, 2 were asked for"):
        load_model(ID)
    write(dataclasses.replace(card, mean=(0.5,), std=(0.5,)), folder)
    with pytest.raises(ModelError, match="mean needs 3"):
        load_model(ID)


def test_a_card_that_names_a_missing_file(shipped):
    folder, card = shipped
    write(dataclasses.replace(card, file="other.safetensors"), folder)
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(ID)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("streetdigits/resnet20/tast", f"close to it: {ID}"),
        ("x/y/z", rf"with the package come {ID}.*imagenet/resnet18/IMAGENET1K_V1"),
        ("resnet20", "three parts, DATASET/ARCH/WEIGHTS.*got 'resnet20'"),
        ("a//b", "three parts"),
        ("", "three parts"),
        ("../../etc/passwd", "three parts"),
    ],
)
def test_an_unknown_id_says_what_there_is(id, said):
    with pytest.raises(ModelError, match=said):
        load_model(id)


def test_what_is_known_of_a_checkpoint(tmp_path):
    path = str(tmp_path / "net.pth")
    with pytest.raises(ModelError, match="say the architecture"):
        model_info(ModelSpec(checkpoint=path))
    info = model_info(ModelSpec(id="mine", checkpoint=path, arch="resnet18", classes=3))
    assert (info.id, info.arch, info.image_size) == ("mine", "resnet18", 224)
    assert info.classes == ("0", "1", "2")
    card = {"arch": "resnet18", "classes": ["a", "b"], "mean": [0] * 3, "std": [1] * 3}
    (tmp_path / "net.json").write_text(json.dumps({**card, "image_size": 64}), encoding="utf-8")
    info = model_info(ModelSpec(checkpoint=path))
    assert (info.arch, info.image_size, info.classes) == ("resnet18", 64, ("a", "b"))
    assert model_info(ModelSpec(checkpoint=path, classes=5)).classes == tuple("01234")


def test_what_is_known_of_a_published_network_needs_no_download():
    info = model_info(ModelSpec(id="imagenet/inception_v3/IMAGENET1K_V1"))
    assert (info.image_size, info.dataset, len(info.classes)) == (299, "imagenet", 1000)
    with pytest.raises(ModelError, match="no network has the id"):
        model_info(ModelSpec(id="a/b/c"))


@pytest.mark.parametrize("id", cards.shipped_ids())
def test_every_shipped_network_loads_and_fits_its_card(id):
    card = cards.load_card(id)
    network = load_model(id)
    with torch.no_grad():
        out = network(torch.zeros(1, 3, card.image_size, card.image_size))
    assert out.shape == (1, len(card.classes))
