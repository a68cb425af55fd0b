"""Results that outlive their process."""

import dataclasses
import os
import zipfile

import numpy as np
import pandas as pd
import pytest

from dqviz.experiments import kept
from dqviz.experiments.kept import KeptResults, read_result, write_result
from dqviz.experiments.provenance import provenance
from dqviz.experiments.result import SAMPLE_COLUMNS, Result, make_samples, make_table


def result(key="a" * 8, *, size=4):
    rows = [
        {"metric": "robust_accuracy", "value": 0.5, "epsilon": 1 / 255, "attack": "pgd"},
        {"metric": "clean_accuracy", "value": float("nan"), "depth": 3},
    ]
    image = np.random.default_rng(0).random((3, size, size), dtype=np.float32)
    return Result(
        table=make_table(rows, ("added",), shared={"model": "x", "seed": 1}),
        arrays={"clean": image, "noise@0.003": image[0] - 1},
        notes=("one note", "ein Maß"),
        spec_key=key,
        version="1",
        samples=make_samples(
            [dict.fromkeys(SAMPLE_COLUMNS, "x") | {"value": np.array([1.0, 0.0])}]
        ),
        reasons={"upper": "why"},
        epsilon_notes={1 / 255: ("at one",)},
        provenance=provenance(precision="float32", threads=2, seconds=3.5),
    )


def assert_same(one, other):
    pd.testing.assert_frame_equal(one.table, other.table)
    pd.testing.assert_frame_equal(one.samples, other.samples)
    assert list(one.arrays) == list(other.arrays)
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        np.testing.assert_array_equal(array, other.arrays[name])
    for field in ("notes", "spec_key", "version", "reasons", "epsilon_notes", "provenance"):
        assert getattr(one, field) == getattr(other, field)


def test_a_result_comes_back_as_it_was():
    assert_same(read_result(write_result(result())), result())
    bare = dataclasses.replace(result(), arrays={}, provenance=None, samples=make_samples(()))
    assert_same(read_result(write_result(bare)), bare)


def test_another_process_finds_it(tmp_path):
    folder = KeptResults(tmp_path / "kept")
    assert "a" * 8 not in folder
    assert folder.get("a" * 8) is None
    folder.put(result())
    again = KeptResults(tmp_path / "kept")
    assert "a" * 8 in again
    assert_same(again.get("a" * 8), result())
    assert [file.suffix for file in (tmp_path / "kept").iterdir()] == [kept.SUFFIX]


def test_what_other_code_has_made_is_not_found(tmp_path, monkeypatch):
    KeptResults(tmp_path).put(result())
    monkeypatch.setattr(kept, "code_hash", lambda: "other")
    assert "a" * 8 not in KeptResults(tmp_path)
    assert KeptResults(tmp_path).get("a" * 8) is None


def test_a_damaged_file_counts_as_not_there(tmp_path):
    folder = KeptResults(tmp_path)
    folder.put(result())
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for end in range(0, len(content), 97):
        file.write_bytes(content[:end])
        assert folder.get("a" * 8) is None
    for place in range(0, len(content), 61):
        file.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        found = folder.get("a" * 8)
        if found is not None:  # a byte that nothing depends on
            assert_same(found, result())


def test_a_file_under_another_name_is_not_taken_for_it(tmp_path):
    folder = KeptResults(tmp_path)
    folder.put(result())
    (file,) = tmp_path.iterdir()
    file.rename(folder._path("b" * 8))
    assert folder.get("b" * 8) is None


def test_nothing_in_it_runs_code(tmp_path):
    """An array of objects would be a pickle: it is refused."""
    folder = KeptResults(tmp_path)
    folder.put(result())
    (file,) = tmp_path.iterdir()
    np.savez(tmp_path / "objects.npz", np.array([{"a": 1}, None], dtype=object))
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["arrays.npz"] = (tmp_path / "objects.npz").read_bytes()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert folder.get("a" * 8) is None


def test_the_folder_stays_within_its_bounds(tmp_path):
    size = len(write_result(result(size=64)))
    folder = KeptResults(tmp_path, max_bytes=int(3.5 * size))
    keys = ["a" * 8, "b" * 8, "c" * 8, "d" * 8]
    for number, key in enumerate(keys[:3]):
        folder.put(result(key, size=64))
        os.utime(folder._path(key), (number, number))
    assert folder.get("a" * 8) is not None  # asked for just now
    folder.put(result("d" * 8, size=64))
    assert [key in folder for key in keys] == [True, False, True, True]
    assert folder.nbytes <= 3.5 * size
    folder.put(result("e" * 8, size=256))
    assert "e" * 8 not in folder  # larger than all the folder may hold


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = KeptResults(tmp_path / "file" / "kept")
    folder.put(result())
    assert "a" * 8 not in folder
    assert folder.get("a" * 8) is None


def test_a_key_is_no_path(tmp_path):
    with pytest.raises(ValueError, match="letters and digits"):
        KeptResults(tmp_path).get("../../etc/passwd")
