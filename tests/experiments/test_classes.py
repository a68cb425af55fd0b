"""What is said where the classes of a network are not those of the images."""

from __future__ import annotations

import dataclasses
import json

import pytest

from dqviz.cards import Card, write_card
from dqviz.data.published import CIFAR10_CLASSES as NAMES
from dqviz.experiments.run import run
from dqviz.models import model_info
from dqviz.specs import DataSpec, ExperimentSpec, ModelSpec
from tests.data.making_images import pictures, png, write

DIGITS = ModelSpec(id="streetdigits/resnet20/vanilla")
OBJECTS = ModelSpec(id="cifar10/resnet20/vanilla")
NOTE = "are not those of the images"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Ten images with the classes of CIFAR-10."""
    path = tmp_path_factory.mktemp("photographs") / "test.parquet"
    images = [png(pixels) for pixels in pictures(10)]
    return DataSpec(name=write(path, images, list(range(10)), names=NAMES))


def notes_of(model, data, kind="accuracy"):
    return [
        note
        for note in run(ExperimentSpec(kind=kind, model=model, data=data)).notes
        if NOTE in note
    ]


def test_a_network_of_digits_knows_its_classes_by_name(photographs):
    (note,) = notes_of(DIGITS, photographs)
    assert "The network's classes (0, 1, 2, ...)" in note
    assert "(airplane, automobile, bird, ...): accuracies mean little here" in note
    (note,) = notes_of(OBJECTS, DataSpec(name="streetdigits", n_samples=4))
    assert "(airplane, automobile, bird, ...)" in note


def test_nothing_is_said_where_they_agree(photographs):
    assert notes_of(OBJECTS, photographs) == []
    assert notes_of(DIGITS, DataSpec(name="streetdigits", n_samples=4)) == []


def test_numbers_without_names_may_be_anything(tmp_path):
    images = [png(pixels) for pixels in pictures(10)]
    unnamed = DataSpec(name=write(tmp_path / "a.parquet", images, list(range(10))))
    few = DataSpec(name=write(tmp_path / "b.parquet", images[:4], list(range(4))))
    assert notes_of(DIGITS, unnamed) == notes_of(OBJECTS, unnamed) == notes_of(DIGITS, few) == []
    assert len(notes_of(OBJECTS, few)) == 1


def test_the_playground_keeps_the_digits_names(photographs):
    result = run(ExperimentSpec(kind="playground", model=DIGITS, data=photographs))
    assert set(result.table["class"].dropna()) == set("0123456789")
    assert any(NOTE in note for note in result.notes)


def test_a_checkpoint_that_says_a_number_alone_names_nothing(tmp_path):
    path = tmp_path / "net.safetensors"
    alone = ModelSpec(checkpoint=str(path), arch="resnet20", classes=10)
    assert not model_info(alone).named
    card = Card(arch="resnet20", classes=tuple("0123456789"), mean=(0.5,), std=(0.5,))
    for dataset, named in (("", False), ("mnist", False), ("svhn", True), ("cifar10", True)):
        write_card(dataclasses.replace(card, dataset=dataset), tmp_path / "net.json")
        info = model_info(ModelSpec(checkpoint=str(path)))
        assert info.named == named
        assert info.classes == (NAMES if dataset == "cifar10" else card.classes)
    document = {"arch": "resnet20", "classes": list(NAMES), "mean": [0.5], "std": [0.5]}
    (tmp_path / "net.json").write_text(json.dumps(document), encoding="utf-8")
    assert model_info(ModelSpec(checkpoint=str(path))).named
