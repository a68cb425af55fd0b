"""What the package offers, and what it offers without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import dqviz.data
from dqviz.data import DataError, data_folder, fingerprint_data, list_data, load_data
from dqviz.data.loading import choose_rows
from dqviz.specs import DataSpec


def test_names_folders_and_fingerprints_need_no_torch():
    code = (
        "import sys, dqviz.data as d, dqviz.data.folder_paths, dqviz.data.fingerprint\n"
        "from dqviz.specs import DataSpec\n"
        "d.data_folder(), d.list_data(), d.fingerprint_data(DataSpec()), dir(d)\n"
        "assert not {'torch', 'torchvision', 'pandas', 'streamlit'} & set(sys.modules)\n"
        "d.load_data\n"
        "assert 'torch' in sys.modules\n"
    )
    root = Path(dqviz.data.__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_every_public_name_exists():
    for name in dqviz.data.__all__:
        assert getattr(dqviz.data, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'load_date'"):
        _ = dqviz.data.load_date


def test_the_data_folder_is_the_variables_or_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.setenv("DQVIZ_DATA", " ")
    assert data_folder().name == "dqviz"
    monkeypatch.delenv("DQVIZ_DATA")
    assert data_folder().is_absolute()


def test_the_list_says_what_is_here(monkeypatch, tmp_path):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    listed = {info.name: info for info in list_data()}
    assert next(iter(listed)) == "streetdigits"
    assert set(listed) == {"streetdigits", "cifar10", "svhn", "parquet:PATH", "folder:PATH"}
    assert listed["streetdigits"].present
    assert not listed["cifar10"].present
    assert not listed["svhn"].present
    assert listed["svhn"].folder == str(tmp_path / "svhn")
    assert "train_32x32.mat" in listed["svhn"].expected
    assert all("\n" not in info.description for info in listed.values())


@pytest.mark.parametrize("name", ["mnist", "CIFAR10", "zip:a", "streetdigits:x"])
def test_unknown_names_are_refused_with_the_known_ones(name):
    for function in (load_data, fingerprint_data):
        with pytest.raises(DataError, match=r"no data set is called .* expected streetdigits, "):
            function(DataSpec(name=name))


def test_a_choice_of_rows_is_the_same_for_ever():
    assert choose_rows(10, n_samples=4, seed=0).tolist() == [0, 8, 9, 3]
    assert choose_rows(3, n_samples=None, seed=5).tolist() == [0, 1, 2]
    assert sorted(choose_rows(50, n_samples=50, seed=1).tolist()) == list(range(50))


@pytest.mark.parametrize("size", [64, 1024])
def test_images_that_fit_no_memory_are_refused_at_every_size(size, monkeypatch):
    monkeypatch.setattr("dqviz.data.source.MAX_BYTES", 2 * size * size * 3 * 4 - 1)
    with pytest.raises(DataError, match=r"2 images of .* ask for fewer images"):
        load_data(DataSpec(name="streetdigits", n_samples=2, image_size=size))
