"""The times of `speeds`, measured once on a machine and kept in a file.

The file is in the cache folder and named after all that the times depend on. It may be deleted at
any time; one that is damaged counts as missing. Processes that want it at once wait for the first,
so that all of them take the same arithmetic and the same specification gives the same numbers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import torch

import dqviz
from dqviz.attacks.arithmetic import PRECISIONS, Arithmetic, own_arithmetic
from dqviz.attacks.speeds import Seconds, Speeds, measure_speeds
from dqviz.data.folder_paths import cache_folder

WAITED_SECONDS = 120.0
"""So long a process waits for another one that measures, then it measures for itself."""

log = logging.getLogger(__name__)


def speeds() -> Speeds:
    """The seconds of a gradient in each arithmetic that this machine has.

    Read from the cache folder, or measured now and kept there. A folder that cannot be written to
    keeps nothing; then they are this process' own.
    """
    return _speeds(str(cache_folder()), torch.get_num_threads())


@functools.cache
def _speeds(folder: str, threads: int) -> Speeds:
    described = machine(threads)
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    path = Path(folder) / f"attack-speeds-{digest}.json"
    with _alone(path.with_suffix(".lock")):
        found = read_speeds(path, described)
        if found is None:
            found = measure_speeds()
            _write(path, described, found)
    return found


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """While no other process is here, where the folder can be written to."""
    lock = filelock.FileLock(path, timeout=WAITED_SECONDS)
    with contextlib.suppress(OSError, filelock.Timeout):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def machine(threads: int) -> dict[str, str | int]:
    """All that the times depend on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return {
        "package": dqviz.__version__,
        "torch": torch.__version__,
        "processor": _processor(),
        "gpu": gpu,
        "threads": threads,
    }


@functools.cache
def _processor() -> str:
    """Its name, and a digest of what it can do: machines of one name may differ in that."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return name
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    flags = " ".join(sorted(named.get("flags", named.get("Features", "")).split()))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:8]
    return f"{named.get('model name', name)} {os.cpu_count()} {digest}"


def read_speeds(path: Path, described: dict[str, str | int]) -> Speeds | None:
    """The times in a file; None if there is none, or none of this machine that can be used."""
    try:
        document = json.loads(path.read_text())
        if document["machine"] != described:
            return None
        found = {kind: _seconds(document["seconds"][kind]) for kind in PRECISIONS}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("%s is damaged (%r) and is measured again", path, error)
        return None
    usual = own_arithmetic()
    return found if all(usual in seconds for seconds in found.values()) else None


def _seconds(rows: list[dict[str, Any]]) -> Seconds:
    found = {}
    for row in rows:
        seconds = float(row.pop("seconds"))
        if not (math.isfinite(seconds) and seconds > 0):
            raise ValueError(f"seconds must be positive; got {seconds}")
        found[Arithmetic(**row)] = seconds
    return found


def _write(path: Path, described: dict[str, str | int], found: Speeds) -> None:
    rows = {
        kind: [{**dataclasses.asdict(a), "seconds": s} for a, s in seconds.items()]
        for kind, seconds in found.items()
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"machine": described, "seconds": rows}, indent=1))
        os.replace(temporary, path)
    except OSError as error:
        log.info("%s could not be written (%s)", path, error)
        with contextlib.suppress(OSError):
            temporary.unlink()
