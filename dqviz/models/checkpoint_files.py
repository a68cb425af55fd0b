"""Reads a file of weights without ever running what is in it.

Two formats: safetensors (https://github.com/huggingface/safetensors), and PyTorch files through
`torch.load(weights_only=True)`. A pickle that names anything but tensors is refused; what it names
is found by reading its instructions, never by following them.
"""

from __future__ import annotations

import io
import os
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from dqviz.models.errors import ModelError

MAX_BYTES = 8 * 1024**3
EXPECTED = "expected a safetensors file, or weights saved by torch.save(model.state_dict(), FILE)"

_HARMLESS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\.(storage\.)?\w+Storage|torch\.Size|torch\.device"
    r"|torch\.[a-z]+\d+|torch\._tensor\._rebuild_from_type_v2|torch\.nn\.parameter\.Parameter"
    r"|torch\.serialization\._get_layout|collections\.(OrderedDict|Counter)|_codecs\.encode"
    r"|(__builtin__|builtins)\.(set|dict|list|int|float|str|bytearray)"
)
_CALLS = ("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX")
"""The instructions of a pickle that run what it names."""

_MAX_HEADER_BYTES = 100_000_000
_MAX_OPCODES = 2_000_000
_PICKLES_IN_A_LEGACY_FILE = 5


def read_checkpoint_file(path: str | os.PathLike[str]) -> Any:
    """The content of a checkpoint: for safetensors a dict of tensors, else what was saved.

    Raises:
        ModelError: if the file cannot be read, holds code, is damaged or is something else.
    """
    return parse_checkpoint(read_bytes(path), name=str(path))


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file that may be a checkpoint.

    Raises:
        ModelError: if it does not exist, is a folder, is empty or has more than 8 GiB.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise ModelError(f"{file} is a folder; name the file of weights in it")
        if not file.is_file():
            raise ModelError(f"there is no file {file}")
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{file} has {size:,} bytes; at most {MAX_BYTES:,} are read")
        return file.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{str(file)!r} cannot be read: {error}") from error


def parse_checkpoint(data: bytes, *, name: str) -> Any:
    """The content of a checkpoint's bytes; `name` stands in the messages.

    Raises:
        ModelError: if they hold code, are damaged or are something else.
    """
    if not data:
        raise ModelError(f"{name} is empty (0 bytes); {EXPECTED}")
    if data.startswith(b"PK\x03\x04"):
        return _parse_torch(data, _pickle_in_zip(data, name), name)
    # safetensors begins with the length of its header, which may look like the start of a pickle
    json_at_8 = data[8:9] == b"{"
    if json_at_8 and int.from_bytes(data[:8], "little") < _MAX_HEADER_BYTES:
        return parse_safetensors(data, name=name)
    if data.startswith(b"\x80"):
        return _parse_torch(data, data, name)
    if json_at_8 or name.endswith(".safetensors"):
        return parse_safetensors(data, name=name)
    if data.startswith(b"version https://git-lfs"):
        raise ModelError(f"{name} is a pointer of Git LFS, not the file; fetch it: git lfs pull")
    if _is_pickle(data):  # of protocol 0 or 1: later ones begin with b"\x80"
        raise _refusal(ValueError("its pickle's protocol is older than 2"), data, name)
    raise ModelError(f"{name} is not a checkpoint: it begins with {data[:12]!r}; {EXPECTED}")


def parse_safetensors(data: bytes, *, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file.

    Raises:
        ModelError: if the bytes are not such a file, or are damaged.
    """
    header = int.from_bytes(data[:8], "little")
    if header > len(data) - 8:
        raise ModelError(
            f"{name} is not a safetensors file, or is truncated: its header should have "
            f"{header:,} bytes, the file has {len(data):,}"
        )
    try:
        tensors: dict[str, torch.Tensor] = safetensors.torch.load(data)
    except Exception as error:  # SafetensorError, and what a strange header leads to
        raise ModelError(
            f"{name} is not a safetensors file, or is truncated: {_first_line(error)}"
        ) from error
    return tensors


def _pickle_in_zip(data: bytes, name: str) -> bytes:
    """The pickle inside the archive that torch.save writes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
            # torch.save never compresses, so nothing expands unless someone wants it to
            if sum(entries.values()) > 2 * len(data) + 2**20:
                raise ModelError(
                    f"{name} is refused: its {len(data):,} bytes would expand to "
                    f"{sum(entries.values()):,}"
                )
            if any(entry.endswith("/constants.pkl") or "/code/" in entry for entry in entries):
                raise ModelError(
                    f"{name} holds code (a TorchScript or exported program) and was not run; "
                    f"{EXPECTED}"
                )
            pickles = [entry for entry in entries if entry.rpartition("/")[2] == "data.pkl"]
            if not pickles:
                raise ModelError(f"{name} is a zip archive without weights of PyTorch; {EXPECTED}")
            return archive.read(pickles[0])
    except ModelError:
        raise
    except Exception as error:  # a damaged archive can make zipfile raise nearly anything
        raise ModelError(f"{name} is truncated or damaged: {_first_line(error)}") from error


def _parse_torch(data: bytes, pickled: bytes, name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an unusual pickle protocol; it is refused anyway
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make torch.load raise nearly anything
        raise _refusal(error, pickled, name) from None


def _refusal(error: Exception, pickled: bytes, name: str) -> ModelError:
    """Why a pickle was not loaded: it holds code, might hold some, or is none of weights."""
    found = [*pickled_names(pickled), *re.findall(r"GLOBAL ([\w.]+)", str(error))]
    named = list(dict.fromkeys(item for item in found if not _HARMLESS.fullmatch(item)))
    if named:
        more = f" and {len(named) - 5} more" if len(named) > 5 else ""
        return ModelError(
            f"{name} holds code and was not run: besides tensors its pickle names "
            f"{', '.join(named[:5])}{more}; {EXPECTED}"
        )
    reason = _first_line(error)
    if isinstance(error, pickle.UnpicklingError):
        reason = _torch_reason(error)
        if any(opcode in _CALLS for opcode, _ in _instructions(pickled)):
            return ModelError(
                f"{name} is damaged, or holds what cannot be proved harmless, and was not run: "
                f"{reason}; {EXPECTED}"
            )
    return ModelError(
        f"{name} is truncated or damaged, or is not a file of weights: {reason}; {EXPECTED}"
    )


def _is_pickle(data: bytes) -> bool:
    """Whether the data begins with a whole pickle of some instructions."""
    return [opcode for opcode, _ in _instructions(data, pickles=1)][1:][-1:] == ["STOP"]


def _instructions(
    data: bytes, *, pickles: int = _PICKLES_IN_A_LEGACY_FILE
) -> Iterator[tuple[str, Any]]:
    """The instructions of the pickles at the start of `data`, until something is none.

    Files of old PyTorch versions hold five pickles one after the other, and then raw numbers.
    """
    stream = io.BytesIO(data)
    read = 0
    try:
        for _ in range(pickles):
            for opcode, argument, _position in pickletools.genops(stream):
                read += 1
                if read > _MAX_OPCODES:
                    return
                yield opcode.name, argument
    except Exception:  # not a pickle from here on: what was found stands
        return


def pickled_names(data: bytes) -> Iterator[str]:
    """Every `module.name` that the pickles at the start of `data` would import, found by reading.

    A number in Python's registry of extensions stands for a name too.
    """
    texts: list[str] = []
    memo: dict[Any, str] = {}
    for opcode, argument in _instructions(data):
        if opcode in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode == "STACK_GLOBAL":
            yield ".".join(texts[-2:])
        elif opcode in ("EXT1", "EXT2", "EXT4"):
            yield f"copyreg extension {argument}"
        elif opcode == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else ""
        elif opcode in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = texts[-1] if texts else ""
        elif opcode in ("GET", "BINGET", "LONG_BINGET"):
            texts.append(memo.get(argument, ""))
        elif isinstance(argument, str):
            texts.append(argument)


def _torch_reason(error: Exception) -> str:
    """What was wrong, out of torch's long message, which advises to load the file unsafely."""
    found = re.search(r"WeightsUnpickler error:\s*(.+)", str(error))
    return found[1].strip()[:120] if found else "its pickle cannot be read as weights only"


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
