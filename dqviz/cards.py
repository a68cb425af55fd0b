"""What is known of a trained network: a JSON card beside its weights.

A shipped network is two files in `dqviz/weights/`, DATASET-ARCH-WEIGHTS.safetensors and the same
name with `.json`. The card says how the network came to be and how good it is, and holds the
activation histograms from training images, so that it can be quantized without training data.
A card beside somebody's own checkpoint needs `arch`, `classes`, `mean` and `std` alone.
Only the standard library is imported here: pages read cards without any network.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

NEEDED = frozenset({"arch", "classes", "mean", "std"})
"""The fields without which a card says nothing of a checkpoint."""

MAX_CARD_BYTES = 64 * 1024**2
"""A larger file is not read: the cards of this project stay below 1 MB."""


class CardError(ValueError):
    """A card that is missing or cannot be used; the message names the file and the field."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """A trained network's description.

    `id` is DATASET/ARCH/WEIGHTS. `classes` are the names in the order of the logits. `mean` and
    `std` are one number a channel for pixels in [0, 1]. `file` is the name of the weights' file,
    in the same folder, and `sha256` the hash of its content. `recipe`, `seed`, `data`, `epochs`,
    `penalty` (`arm`, `beta`) and `date` say how it was trained, `statement` in words what it is.
    `accuracy` holds `value`, `low`, `high`, `n` and `split`. `calibration` maps a layer's name to
    a histogram of its input: `low`, `high` and the `counts` of equally wide bins between them; if
    the network was trained quantized, to its own range: `low`, `high` and `weight_bits`.
    `extra` is for anything else.

    Raises:
        CardError: if a field cannot be what it should.
    """

    arch: str
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    id: str = ""
    dataset: str = ""
    weights: str = ""
    image_size: int = 32
    sha256: str = ""
    file: str = ""
    recipe: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = 0
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    epochs: int = 0
    penalty: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    accuracy: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    date: str = ""
    statement: str = ""
    calibration: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(bool(self.arch), "arch", "the name of an architecture", self.arch)
        _require(len(self.classes) >= 2, "classes", "at least two names", self.classes)
        _require(len(self.mean) >= 1, "mean", "one number a channel", self.mean)
        _require(len(self.std) == len(self.mean), "std", "as many numbers as mean", self.std)
        _require(all(value > 0 for value in self.std), "std", "positive numbers", self.std)
        sane = 8 <= self.image_size <= 1024
        _require(sane, "image_size", "8 to 1024 pixels", self.image_size)
        _require(_is_plain_name(self.file), "file", "a file's name without a folder", self.file)
        hexadecimal = re.fullmatch(r"[0-9a-f]{64}|", self.sha256) is not None
        _require(hexadecimal, "sha256", "64 hexadecimal digits", self.sha256)
        named = self.id in ("", f"{self.dataset}/{self.arch}/{self.weights}")
        _require(named, "id", "dataset/arch/weights as the card's other fields say", self.id)
        for layer, histogram in self.calibration.items():
            _check_histogram(layer, histogram)


def weights_folder() -> Traversable:
    """The folder of the shipped networks, inside the installed package."""
    return resources.files("dqviz").joinpath("weights")


def shipped_ids() -> tuple[str, ...]:
    """The ids of the networks that come with the package, sorted."""
    folder = weights_folder()
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    stems = sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
    shipped = [stem for stem in stems if f"{stem}.safetensors" in names and stem.count("-") >= 2]
    return tuple("/".join(stem.split("-", 2)) for stem in shipped)


def file_stem(id: str) -> str:
    """The files' name without its suffix: `cifar10/resnet20/dq` gives `cifar10-resnet20-dq`."""
    return "-".join(id.split("/"))


def load_card(id: str) -> Card:
    """The card of a shipped network.

    Raises:
        CardError: if no such network is shipped, or its card is not one.
    """
    if id not in shipped_ids():
        shipped = ", ".join(shipped_ids()) or "none"
        raise CardError(f"no network {id!r} comes with the package; there are: {shipped}")
    entry = weights_folder().joinpath(f"{file_stem(id)}.json")
    if not isinstance(entry, Path):  # the package lies in an archive
        return _shipped_card(id, entry.read_text(encoding="utf-8"), entry.name)
    status = entry.stat()
    return _shipped_file(id, entry, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=32)
def _shipped_file(id: str, path: Path, changed_ns: int, size: int) -> Card:
    """The card in a shipped file, read once for as long as the file stays the same."""
    return _shipped_card(id, path.read_text(encoding="utf-8"), path.name)


def _shipped_card(id: str, text: str, name: str) -> Card:
    card = parse_card(text, name=name)
    if card.id != id or not card.file or not card.sha256:
        raise CardError(
            f"{name}: the card of a shipped network needs id {id!r}, file and sha256; "
            f"got id {card.id!r}, file {card.file!r}, sha256 {card.sha256!r}"
        )
    return card


def read_card(path: str | os.PathLike[str]) -> Card:
    """The card in a JSON file.

    Raises:
        CardError: if the file cannot be read or is not a card.
    """
    file = Path(path)
    try:
        if file.stat().st_size > MAX_CARD_BYTES:
            raise CardError(f"{file} has {file.stat().st_size} bytes, too many for a card")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"the card {file} cannot be read: {error}") from error
    return parse_card(text, name=str(file))


def card_beside(path: str | os.PathLike[str]) -> Card | None:
    """The card beside a checkpoint: for `net.pth` either `net.json` or `net.pth.json`, else None.

    A JSON file that is plainly something else, such as a table of results, is passed over.

    Raises:
        CardError: if there is such a file, and it is a damaged card or no JSON.
    """
    file = card_file_beside(path)
    return None if file is None else read_card(file)


def card_file_beside(path: str | os.PathLike[str]) -> Path | None:
    """The file that `card_beside` reads, None where there is none."""
    file = Path(path)
    for candidate in (file.with_name(f"{file.name}.json"), file.with_suffix(".json")):
        if candidate.is_file() and candidate != file and not _is_something_else(candidate):
            return candidate
    return None


def _is_something_else(file: Path) -> bool:
    """Whether a JSON file holds a list, or an object without any field that a card needs."""
    try:
        with file.open("rb") as stream:
            if stream.read(100).lstrip().startswith(b"["):
                return True
        if file.stat().st_size > MAX_CARD_BYTES:
            return False
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return not (isinstance(document, dict) and NEEDED & set(document))


def parse_card(text: str, *, name: str = "card") -> Card:
    """The card in a JSON text; `name` stands in the messages.

    Raises:
        CardError: if it is not JSON, lacks a field, has an unknown one or one of the wrong kind.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CardError(f"{name} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise CardError(f"{name} is not a card: expected an object, got {type(document).__name__}")
    fields = {field.name: field for field in dataclasses.fields(Card)}
    unknown = sorted(set(document) - set(fields))
    missing = sorted(NEEDED - set(document))
    if unknown or missing:
        raise CardError(
            f"{name} is not a card: missing {missing or 'nothing'}, unknown {unknown or 'nothing'} "
            f"(what has no field of its own goes under 'extra')"
        )
    try:
        values = {key: _convert(key, str(fields[key].type), document[key]) for key in document}
        return Card(**values)
    except CardError as error:
        raise CardError(f"{name}: {error}") from None


def numbered_classes(count: int) -> tuple[str, ...]:
    """The names of classes that have none: they are counted from 0."""
    return tuple(str(index) for index in range(count))


def write_card(card: Card, path: str | os.PathLike[str]) -> None:
    """Writes a card that `read_card` reads back equal; the file is replaced in one step."""
    file = Path(path)
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    partial.write_text(format_card(card), encoding="utf-8")
    partial.replace(file)


def format_card(card: Card) -> str:
    """The card as JSON, one field a line and one layer's histogram a line."""
    fields = [(f.name, getattr(card, f.name)) for f in dataclasses.fields(card)]
    lines = [f"  {_json(name)}: {_json(value)}" for name, value in fields if name != "calibration"]
    layers = [f"    {_json(name)}: {_json(value)}" for name, value in card.calibration.items()]
    lines.append(
        '  "calibration": {' + ("\n" + ",\n".join(layers) + "\n  " if layers else "") + "}"
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: object) -> str:
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise CardError(f"a card holds plain JSON values only: {error}") from error


def _require(condition: bool, field: str, expected: str, received: object) -> None:
    if not condition:
        shown = repr(received)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise CardError(f"{field} must be {expected}; got {shown}")


def _is_plain_name(name: str) -> bool:
    return name not in (".", "..") and not any(mark in name for mark in "/\\\0")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30


def _convert(field: str, kind: str, value: Any) -> Any:
    """A JSON value as the field's type, which is one of the five that `Card` uses."""
    if kind == "tuple[str, ...]":
        if isinstance(value, int) and not isinstance(value, bool) and 2 <= value <= 100_000:
            return numbered_classes(value)
        names = isinstance(value, list) and all(isinstance(item, str) for item in value)
        _require(names, field, "a list of names or their number", value)
        return tuple(value)
    if kind == "tuple[float, ...]":
        numbers = isinstance(value, list) and all(_is_number(item) for item in value)
        _require(numbers, field, "a list of finite numbers", value)
        return tuple(float(item) for item in value)
    if kind == "int":
        _require(
            isinstance(value, int) and not isinstance(value, bool), field, "a whole number", value
        )
    elif kind == "str":
        _require(isinstance(value, str), field, "a text", value)
    else:
        _require(isinstance(value, dict), field, "an object", value)
    return value


def _check_histogram(layer: str, histogram: object) -> None:
    field = f"calibration[{layer!r}]"
    parts = histogram if isinstance(histogram, Mapping) else {}
    limits = [parts.get("low"), parts.get("high")]
    counts = parts.get("counts")
    ordered = all(_is_number(limit) for limit in limits) and limits[0] <= limits[1]  # type: ignore[operator]
    _require(ordered, field, "an object with finite numbers low <= high", histogram)
    if counts is None and parts.get("weight_bits") in range(9):
        return  # the layer's own range
    whole = isinstance(counts, list | tuple) and all(
        isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**53
        for count in counts
    )
    _require(whole and bool(counts), f"{field}.counts", "whole numbers from 0 to 2^53", counts)
