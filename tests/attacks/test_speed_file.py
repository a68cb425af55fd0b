"""Times that are measured once: the file they are kept in, and what makes it worthless."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import dqviz
from dqviz.attacks import speed_file
from dqviz.attacks.arithmetic import PRECISIONS, Arithmetic, own_arithmetic
from dqviz.attacks.speeds import Speeds, _counted, candidates, measure_speeds

OWN = own_arithmetic()
ROUNDED = Arithmetic(precision="bfloat16", device="cpu", threads=OWN.threads)
TIMES: Speeds = {
    "full": {OWN: 3.0, ROUNDED: 1.0},
    "rounded": {OWN: 3.0},
    "coded": {OWN: 3.0, ROUNDED: 2.5},
}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[int]]:
    """How often it was measured, one entry each time; the folder is empty."""
    calls: list[int] = []

    def measure() -> Speeds:
        calls.append(1)
        return TIMES

    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    monkeypatch.setattr(speed_file, "measure_speeds", measure)
    forget()
    yield calls
    forget()


def forget() -> None:
    """As a new process."""
    speed_file._speeds.cache_clear()


def the_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache").glob("attack-speeds-*.json")
    return path


def test_times_are_measured_once_for_all_processes(measured: list[int], tmp_path: Path) -> None:
    assert speed_file.speeds() == TIMES
    assert speed_file.speeds() == TIMES
    forget()
    assert speed_file.speeds() == TIMES
    assert len(measured) == 1
    assert json.loads(the_file(tmp_path).read_text())["machine"]["torch"] == torch.__version__


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"machine": {}, "seconds": {}}',
        "half",
        "no seconds",
        "negative",
        "not a number",
        "unknown field",
        "without the usual",
    ],
)
def test_a_damaged_file_counts_as_missing(
    content: bytes | str, measured: list[int], tmp_path: Path
) -> None:
    speed_file.speeds()
    path = the_file(tmp_path)
    whole = path.read_bytes()
    document = json.loads(whole)
    row = document["seconds"]["coded"][0]
    if content == "half":
        content = whole[: len(whole) // 2]
    elif content == "no seconds":
        del document["seconds"]["coded"]
    elif content == "negative":
        row["seconds"] = -1.0
    elif content == "not a number":
        row["seconds"] = "nan"
    elif content == "unknown field":
        row["memory"] = 1
    elif content == "without the usual":
        del document["seconds"]["coded"][0]
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(document).encode())
    forget()
    assert speed_file.speeds() == TIMES
    assert len(measured) == 2
    assert path.read_bytes() == whole


def test_another_version_machine_or_number_of_threads_is_measured_anew(
    measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speed_file.speeds()
    for target, name, value in (
        (dqviz, "__version__", "9.9"),
        (torch, "__version__", "9.9.0"),
        (speed_file, "_processor", lambda: "another"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, value)
            forget()
            speed_file.speeds()
    assert len(measured) == 4
    assert len(list((tmp_path / "cache").glob("*.json"))) == 4
    described = speed_file.machine(7)
    assert described["threads"] == 7
    assert speed_file.read_speeds(the_first(tmp_path), described) is None


def the_first(tmp_path: Path) -> Path:
    return min((tmp_path / "cache").glob("*.json"))


def test_a_folder_that_cannot_be_written_to_keeps_nothing(
    measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "file"))
    assert speed_file.speeds() == TIMES
    assert speed_file.speeds() == TIMES
    assert len(measured) == 1


def test_whoever_comes_second_waits_for_the_first(
    measured: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> Speeds:
        measured.append(1)
        begun.set()
        assert go_on.wait(60)
        return TIMES

    monkeypatch.setattr(speed_file, "measure_speeds", slow)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(speed_file._speeds.__wrapped__, str(tmp_path / "cache"), 1)
        assert begun.wait(60)
        second = pool.submit(speed_file._speeds.__wrapped__, str(tmp_path / "cache"), 1)
        assert not concurrent.futures.wait([second], timeout=0.3).done
        go_on.set()
        assert first.result(60) == second.result(60) == TIMES
    assert len(measured) == 1


def test_fewer_threads_count_by_their_slowest_time() -> None:
    fewer = dataclasses.replace(OWN, threads=OWN.threads - 1)
    for arithmetic, counted in ((OWN, 1.0), (ROUNDED, 1.0), (fewer, 3.0)):
        assert _counted([2.0, 1.0, 3.0], arithmetic) == counted


def test_measuring_times_the_usual_arithmetic_and_leaves_the_threads_alone() -> None:
    threads = torch.get_num_threads()
    found = measure_speeds()
    assert torch.get_num_threads() == threads
    assert list(found) == list(PRECISIONS)
    for kind, seconds in found.items():
        assert OWN in seconds
        assert set(seconds) <= set(candidates(kind))
        assert all(0 < taken < 600 for taken in seconds.values())
