"""The times of `speeds`, measured once on a machine and kept in a file.

The file is in the cache folder and named after all that the times depend on. It may be deleted at
any time; one that is damaged counts as missing.
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
from pathlib import Path
from typing import Any

import torch

import dqviz
from dqviz.attacks.arithmetic import PRECISIONS, Arithmetic, own_arithmetic
from dqviz.attacks.speeds import Seconds, Speeds, measure_speeds
from dqviz.data.folder_paths import cache_folder

BUSY = 1.5
"""Processes that want to run, for each processor: beyond that, times are not kept."""

log = logging.getLogger(__name__)


def speeds() -> Speeds:
    """The seconds of a gradient in each arithmetic that this machine has.

    Read from the cache folder, or measured now. They are kept there if it can be written to and the
    machine is not too busy to measure well, and by this process in any case.
    """
    return _speeds(str(cache_folder()), torch.get_num_threads())


@functools.cache
def _speeds(folder: str, threads: int) -> Speeds:
    described = machine(threads)
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]
    path = Path(folder) / f"attack-speeds-{digest}.json"
    found = read_speeds(path, described)
    if found is None:
        found = measure_speeds()
        if is_calm():
            _write(path, described, found)
    return found


def is_calm() -> bool:
    """Whether the machine has been free for a while, so that times taken now hold for later too."""
    if not hasattr(os, "getloadavg"):
        return True
    return os.getloadavg()[0] <= BUSY * (os.cpu_count() or 1)


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
