"""How a result was made: by which code and libraries, on which machine, how fast."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import dqviz

LIBRARIES = ("torch", "torchvision", "numpy", "numba", "pandas")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """What the numbers of a result may depend on besides its specification, and what it took.

    `code` is a hash of this package's source, `libraries` their versions as JSON, `precision` the
    arithmetic of the path taken, `threads` how many torch used, `seconds` how long it took.
    """

    version: str
    code: str
    libraries: str
    precision: str
    threads: int
    machine: str
    seconds: float

    def columns(self, *, share: int = 1) -> dict[str, Any]:
        """As columns of a store, for one of `share` cells that were computed together."""
        return {**dataclasses.asdict(self), "seconds": self.seconds / share}


def provenance(*, precision: str, threads: int, seconds: float) -> Provenance:
    """That of a result made by this process."""
    return Provenance(
        version=dqviz.__version__,
        code=code_hash(),
        libraries=_libraries(),
        precision=precision,
        threads=threads,
        machine=_machine(),
        seconds=seconds,
    )


@functools.cache
def code_hash() -> str:
    """16 hexadecimal digits that name the source of this package, as it is on disk now."""
    root = Path(dqviz.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py"), key=lambda file: file.relative_to(root).parts):
        digest.update(f"{file.relative_to(root).as_posix()}\n".encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


@functools.cache
def _libraries() -> str:
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        versions[name] = importlib.metadata.version(name)
    return json.dumps(versions)


@functools.cache
def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{platform.node()}, {system}, {os.cpu_count()} processors"
