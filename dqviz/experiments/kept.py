"""Results of long computations, kept in a folder so that they outlive the process.

One file a result, named by its key and by the code that made it: a ZIP archive of two Parquet
tables, NumPy arrays and JSON. Nothing in it can run code. A file that is damaged counts as not
there, and is computed anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .provenance import Provenance, code_hash
from .result import Result
from .whole_file import write_whole

KEPT_BYTES = 1024**3
SUFFIX = ".result"


class KeptResults:
    """A folder of results, `max_bytes` of them together at most.

    Several processes may use it at once. The results that were asked for longest ago give way.
    """

    def __init__(self, folder: str | Path, *, max_bytes: int = KEPT_BYTES) -> None:
        self._folder = Path(folder)
        self._max_bytes = max_bytes

    def __contains__(self, key: str) -> bool:
        return self._path(key).exists()

    def get(self, key: str) -> Result | None:
        """The result of that key; None where there is none, or none that can be read."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                result = read_result(file.read())
            os.utime(path)
        except Exception:  # damage shows in a dozen ways, each in another layer of the archive
            return None
        return result if result.spec_key == key else None

    def put(self, result: Result) -> None:
        """Keeps a result. A folder that cannot be written keeps nothing, and says nothing."""
        content = write_result(result)
        if len(content) > self._max_bytes:
            return
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(result.spec_key), content)
            self._make_room()

    @property
    def nbytes(self) -> int:
        """How many bytes all kept results take."""
        return sum(size for _, size, _ in self._files())

    def _make_room(self) -> None:
        files = sorted(self._files())
        excess = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, path in files:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """When each was last asked for, its size and its path."""
        found = []
        for path in self._folder.glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found

    def _path(self, key: str) -> Path:
        if not re.fullmatch(r"\w+", key):
            raise ValueError(f"expected a key of letters and digits; got {key!r}")
        return self._folder / f"{key}-{code_hash()}{SUFFIX}"


def write_result(result: Result) -> bytes:
    """A result as the bytes of a ZIP archive; `read_result` is the way back."""
    arrays = io.BytesIO()
    np.savez(arrays, *result.arrays.values())
    about = {
        "arrays": list(result.arrays),
        "notes": list(result.notes),
        "spec_key": result.spec_key,
        "version": result.version,
        "reasons": dict(result.reasons),
        "epsilon_notes": [[e, list(notes)] for e, notes in result.epsilon_notes.items()],
        "provenance": result.provenance and dataclasses.asdict(result.provenance),
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.json", json.dumps(about))
        archive.writestr("table.parquet", result.table.to_parquet(index=False))
        archive.writestr("samples.parquet", result.samples.to_parquet(index=False))
        archive.writestr("arrays.npz", arrays.getvalue())
    return content.getvalue()


def read_result(content: bytes) -> Result:
    """The result in an archive; what is no archive of a result raises whatever its layers raise.

    A part whose checksum is wrong is refused before its content is looked at.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        about: dict[str, Any] = json.loads(archive.read("about.json"))
        table, samples = (
            pd.read_parquet(io.BytesIO(archive.read(f"{name}.parquet")))
            for name in ("table", "samples")
        )
        with np.load(io.BytesIO(archive.read("arrays.npz")), allow_pickle=False) as arrays:
            pictures = [arrays[f"arr_{number}"] for number in range(len(about["arrays"]))]
    made = about["provenance"]
    return Result(
        table=table,
        arrays=dict(zip(about["arrays"], pictures, strict=True)),
        notes=tuple(about["notes"]),
        spec_key=about["spec_key"],
        version=about["version"],
        samples=samples,
        reasons=about["reasons"],
        epsilon_notes={epsilon: tuple(notes) for epsilon, notes in about["epsilon_notes"]},
        provenance=None if made is None else Provenance(**made),
    )
