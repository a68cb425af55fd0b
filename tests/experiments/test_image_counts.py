"""Images counted without reading them, and requests for more than there are."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from dqviz.data import DataError, count_images
from dqviz.data.loading import open_source
from dqviz.experiments import at_most_all
from dqviz.experiments.run import run
from dqviz.specs import DataSpec, QuantSpec
from tests.experiments.tables import spec


@pytest.fixture
def folder(tmp_path):
    """Six test images of two classes, and one for training."""
    for name, count in (("test/cat", 4), ("test/dog", 2), ("train/cat", 1)):
        (tmp_path / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(tmp_path / name / f"{index}.png")
    return DataSpec(name=f"folder:{tmp_path}")


@pytest.fixture
def cifar10(images_folder, monkeypatch, tmp_path):
    """Parquet files in place of CIFAR-10's own."""
    shutil.copytree(images_folder, tmp_path / "cifar10")
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    return DataSpec(name="cifar10")


@pytest.fixture
def sets(folder, data, cifar10):
    """One data set of every kind that can be opened here."""
    return [folder, data, cifar10, DataSpec(name="streetdigits")]


def test_as_many_are_counted_as_are_opened(sets):
    for whole in sets:
        for split in ("train", "test"):
            one = dataclasses.replace(whole, split=split)
            assert count_images(one) == len(open_source(one).labels)


def test_published_sets_are_known_without_their_files(monkeypatch, tmp_path):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    assert count_images(DataSpec(name="cifar10", split="train")) == 50_000
    assert count_images(DataSpec(name="svhn")) == 26_032


def test_counting_stops_when_there_are_enough(folder):
    assert count_images(folder, enough=3) == 4
    assert count_images(folder, enough=5) == 6


def test_more_than_there_are_become_all_of_them(model, data):
    wanted = spec("accuracy", model, dataclasses.replace(data, n_samples=64))
    cut = at_most_all(wanted)
    assert cut == dataclasses.replace(wanted, data=dataclasses.replace(data, n_samples=12))
    with pytest.raises(DataError, match="64"):
        run(wanted)
    result = run(cut)
    assert set(result.table["n_samples"]) == {12}
    assert "The data set has only 12 images in its test split: all are used." in result.notes


def test_requests_that_can_be_met_stay_as_they_are(model, data, tmp_path):
    missing = DataSpec(name=f"folder:{tmp_path / 'none'}", n_samples=64)
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    unreadable = DataSpec(name=f"parquet:{broken}", n_samples=64)
    whole = dataclasses.replace(data, n_samples=None)
    for images in (data, dataclasses.replace(data, n_samples=12), whole, missing, unreadable):
        wanted = spec("accuracy", model, images)
        assert at_most_all(wanted) is wanted
    assert not any("has only" in note for note in run(spec("accuracy", model, data)).notes)


def test_a_calibration_takes_what_there_is(model, data):
    calibration = dataclasses.replace(data, split="train", n_samples=256)
    wanted = spec("accuracy", model, data, quant=QuantSpec(act_bits=4), calibration=calibration)
    (source,) = set(run(wanted).table["calibration"])
    assert source.endswith("train (20)")


def test_a_playground_says_which_images_there_are(model, data):
    wanted = spec("playground", model, dataclasses.replace(data, n_samples=512), sample=12)
    with pytest.raises(DataError, match=r"no image 12 among the 12 images of .*0 to 11"):
        run(at_most_all(wanted))


def test_counting_needs_no_torch(images_folder):
    code = (
        "import sys; from dqviz.experiments import at_most_all\n"
        "from dqviz.specs import DataSpec, ExperimentSpec\n"
        f"data = DataSpec(name={f'parquet:{images_folder}'!r}, n_samples=64)\n"
        "print(at_most_all(ExperimentSpec(kind='accuracy', data=data)).data.n_samples)\n"
        "print('torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.split() == ["12", "False"]
