"""Every kind of data set keeps what `DataSpec` promises."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from PIL import Image

from dqviz.data import fingerprint_data, load_data, streetdigits
from dqviz.data.locations import NAMED, PATH_KINDS
from dqviz.data.streetdigits import render
from dqviz.experiments.resolve import Look
from dqviz.specs import DataSpec
from tests.data.making_images import pictures, png, write

KINDS = (*NAMED, *PATH_KINDS)
ROWS = {"train": range(0, 20), "test": range(20, 34)}
"""Which of 34 pictures are in a split; the label is the row modulo 3."""


def write_splits(folder, size=32):
    pixels = pictures(34, size)
    for split, rows in ROWS.items():
        images = [png(pixels[row]) for row in rows]
        write(folder / f"{split}.parquet", images, [row % 3 for row in rows])
    return folder


def make_cifar10(data_folder):
    write_splits(data_folder / "cifar10")
    return "cifar10"


def make_svhn(data_folder):
    write_splits(data_folder / "svhn")
    return "svhn"


def make_parquet(data_folder):
    return f"parquet:{write_splits(data_folder / 'mine', size=40)}"


def make_folder(data_folder):
    pixels = pictures(34, 40)
    for split, rows in ROWS.items():
        for row in rows:
            path = data_folder / "mine" / split / "abc"[row % 3] / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[row]).save(path)
    return f"folder:{data_folder / 'mine'}"


MAKERS = {
    "streetdigits": lambda _: "streetdigits",
    "cifar10": make_cifar10,
    "svhn": make_svhn,
    "parquet": make_parquet,
    "folder": make_folder,
}
"""Each makes a small data set in the data folder and returns its name in a specification."""


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """An empty one, with few images to render."""
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    for split in streetdigits.IMAGES:
        monkeypatch.setitem(streetdigits.IMAGES, split, render.BLOCK)
    render.labels.cache_clear()
    yield tmp_path
    render.labels.cache_clear()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=ROWS)
def spec(request, data_folder, kind):
    """Six images of a small data set."""
    return DataSpec(name=MAKERS[kind](data_folder), split=request.param, n_samples=6, seed=1)


def load(spec, **changes):
    return load_data(dataclasses.replace(spec, **changes))


def other_split(spec):
    return dataclasses.replace(spec, split="test" if spec.split == "train" else "train")


def test_every_kind_has_a_maker():
    assert sorted(MAKERS) == sorted(KINDS)


def test_images_labels_and_classes_have_the_promised_form(spec):
    data = load(spec)
    assert data.images.dtype == torch.float32
    assert data.images.shape == (6, 3, 32, 32)
    assert 0 <= data.images.min() < data.images.max() <= 1
    assert data.labels.dtype == torch.int64
    assert data.labels.shape == (6,)
    assert 0 <= data.labels.min() <= data.labels.max() < len(data.classes)
    assert len(data.classes) >= 2
    assert all(isinstance(name, str) and name for name in data.classes)
    assert (data.name, data.split) == (spec.name, spec.split)
    large = load(spec, image_size=48)
    assert large.images.dtype == torch.float32
    assert large.images.shape == (6, 3, 48, 48)
    assert 0 <= large.images.min() < large.images.max() <= 1
    assert torch.equal(large.labels, data.labels)


def test_a_seed_chooses_images_once_and_for_all(spec, monkeypatch):
    data = load(spec)
    again, fewer, whole = load(spec), load(spec, n_samples=4), load(spec, n_samples=None)
    monkeypatch.setattr("dqviz.data.source.MAX_CACHED_BYTES", 0)
    for found, expected in (
        (again.images, data.images),
        (again.labels, data.labels),
        (fewer.images, data.images[:4]),
        (fewer.labels, data.labels[:4]),
        (whole.images[data.indices], data.images),
        (whole.labels[data.indices], data.labels),
        (load(spec).images, data.images),  # now without the cache
    ):
        assert torch.equal(found, expected)
    assert len(set(data.indices.tolist())) == 6
    assert not torch.equal(load(spec, seed=2).images, data.images)


def test_splits_share_classes_and_no_images(spec):
    data, other = load(spec, n_samples=None), load(other_split(spec), n_samples=None)
    assert data.classes == other.classes
    assert {i.numpy().tobytes() for i in data.images}.isdisjoint(
        i.numpy().tobytes() for i in other.images
    )


def test_a_fingerprint_names_the_split(spec):
    resolved = Look().data(spec)
    assert resolved.fingerprint == fingerprint_data(spec)
    assert Look().data(resolved) == Look().data(spec) == resolved
    assert load(spec).fingerprint == load(resolved).fingerprint == resolved.fingerprint
    assert fingerprint_data(other_split(spec)) != resolved.fingerprint
