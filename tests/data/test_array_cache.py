"""Arrays kept on disk: written once, never half, and built again when damaged."""

from __future__ import annotations

import multiprocessing
import os
import time

import filelock
import numpy as np
import pytest

from dqviz.data.array_cache import cached_pixels

SHAPE = (3, 4, 4, 3)


def build_and_count(folder):
    (folder / f"built-{os.getpid()}-{time.monotonic_ns()}").touch()
    return np.full(SHAPE, 7, np.uint8)


def build_until_joined(folder):
    """Build, and stay at it for half a second unless somebody else builds as well."""
    pixels = build_and_count(folder)
    end = time.monotonic() + 0.5
    while built(folder) == 1 and time.monotonic() < end:
        pass
    return pixels


def ask(folder, barrier, results):
    barrier.wait()
    pixels = cached_pixels(folder, "array", lambda: build_until_joined(folder), shape=SHAPE)
    results.put(int(pixels.sum()))


def built(folder):
    return len(list(folder.glob("built-*")))


def get(folder, **options):
    return cached_pixels(folder, "array", lambda: build_and_count(folder), shape=SHAPE, **options)


def test_an_array_is_built_once(tmp_path):
    first, second = get(tmp_path), get(tmp_path)
    np.testing.assert_array_equal(first, second)
    assert built(tmp_path) == 1


def test_several_processes_build_it_once(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(3), spawn.Queue()
    processes = [spawn.Process(target=ask, args=(tmp_path, barrier, results)) for _ in range(3)]
    for process in processes:
        process.start()
    sums = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert sums == [7 * np.prod(SHAPE)] * 3
    assert built(tmp_path) == 1
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("damage", ["cut short", "a flipped bit", "empty", "another file", "shape"])
def test_a_damaged_file_is_built_again(tmp_path, damage, caplog):
    get(tmp_path)
    path = tmp_path / "array.npz"
    content = bytearray(path.read_bytes())
    if damage == "cut short":
        path.write_bytes(content[:-100])
    elif damage == "a flipped bit":
        content[content.index(b"\x07" * 20) + 3] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another file":
        path.write_bytes(b"not an archive of arrays")
    else:
        np.savez(path, pixels=np.zeros((2, 2), np.uint8))
    np.testing.assert_array_equal(get(tmp_path), np.full(SHAPE, 7))
    assert built(tmp_path) == 2
    assert "built again" in caplog.text
    get(tmp_path)
    assert built(tmp_path) == 2


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "array.npz", pixels=np.array([print], dtype=object))
    np.testing.assert_array_equal(get(tmp_path), np.full(SHAPE, 7))


def test_who_waits_too_long_builds_for_himself(tmp_path, caplog):
    caplog.set_level("INFO")
    with filelock.FileLock(tmp_path / "array.lock"):
        pixels = get(tmp_path, timeout_s=0.01)
    assert pixels.shape == SHAPE
    assert "without it" in caplog.text


def test_a_folder_that_cannot_be_made_is_no_obstacle(tmp_path):
    (tmp_path / "file").write_text("in the way")
    pixels = cached_pixels(
        tmp_path / "file" / "cache", "array", lambda: np.zeros(SHAPE, np.uint8), shape=SHAPE
    )
    assert pixels.shape == SHAPE


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dqviz.data.array_cache.os.replace", full)
    assert get(tmp_path).shape == SHAPE
    assert not list(tmp_path.glob("*.tmp"))
    assert not (tmp_path / "array.npz").exists()
