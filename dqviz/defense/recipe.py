"""A recipe: everything that decides what a training gives, as a TOML file and a dataclass."""

from __future__ import annotations

import dataclasses
import math
import re
import tomllib
from pathlib import Path
from typing import Any

from dqviz.defense.adversary import Adversary, pixel_units
from dqviz.defense.errors import TrainError
from dqviz.defense.quantized import TrainQuant
from dqviz.models.checkpoints import LEAST_STD
from dqviz.specs import DataSpec, DefenseSpec, SpecError

MOST = 2**30 - 1
"""No whole number of a recipe is larger: seeds for every step are made of them."""

_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,80}")


_LATER = frozenset({"start", "quant", "adversary", "stored"})
"""Settings that the first recipes did not have: said only where they are set."""


@dataclasses.dataclass(frozen=True, kw_only=True, repr=False)
class Recipe:
    """What is trained, on what, and how.

    `id` is DATASET/ARCH/WEIGHTS of the result. `hold_out` keeps the last images of the training
    split for choosing settings. `crop` is the padding of the random crop in pixels (0: none).
    The learning rate rises linearly to `learning_rate` for `warmup_epochs` and falls linearly to 0.
    A gradient longer than `clip` (Euclidean norm of all parameters) is shortened to it (0: never).
    `precision` is `auto` (bfloat16 where this machine gains from it), `float32` or `bfloat16`.
    `start` is the id of a network that comes with the package, which is trained on; empty begins
    with weights drawn by the seed. `quant` are quantizers to train with; None trains at full
    precision. `adversary` attacks the training images; None trains on clean ones. `stored` is the
    type of the numbers in the file of weights, `float32`, `float16`, or `int8` where `quant` rounds
    the weights to affine codes (what is no such weight is float16 there).

    Raises:
        TrainError: for a value that cannot be.
    """

    id: str
    data: DataSpec
    test: DataSpec
    defense: DefenseSpec = DefenseSpec()
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.2
    warmup_epochs: float = 2.0
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 0.0
    crop: int = 4
    flip: bool = False
    hold_out: int = 0
    seed: int = 0
    precision: str = "auto"
    start: str = ""
    quant: TrainQuant | None = None
    adversary: Adversary | None = None
    stored: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise TrainError(f"{name} must be finite and positive; got {self._said(name)}")
        not_negative = ("warmup_epochs", "momentum", "weight_decay", "clip", "crop", "hold_out")
        for name in (*not_negative, "seed"):
            if not 0 <= getattr(self, name) < math.inf:
                raise TrainError(f"{name} must be finite, 0 or more; got {self._said(name)}")
        for name in ("epochs", "batch_size", "crop", "hold_out", "seed"):
            if getattr(self, name) > MOST:
                raise TrainError(f"{name} must be at most {MOST:,}; got {self._said(name)}")
        if self.momentum >= 1:
            raise TrainError(f"momentum must be less than 1; got {self.momentum}")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise TrainError(f"{name} must be three finite numbers; got {list(values)}")
        if min(self.std) < LEAST_STD:
            raise TrainError(f"std must be at least {LEAST_STD}; got {list(self.std)}")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise TrainError(f"precision must be auto, float32 or bfloat16; got {self.precision!r}")
        if self.stored not in ("float32", "float16", "int8"):
            raise TrainError(f"stored must be float32, float16 or int8; got {self.stored!r}")
        if self.stored == "int8" and (self.quant is None or not self.quant.rounds_to_codes):
            raise TrainError("stored = 'int8' needs quant with affine weights at 8 bits or fewer")
        for name in ("id", "start"):
            self._require_id(name)

    def _require_id(self, name: str) -> None:
        id = getattr(self, name)
        parts = id.split("/")
        if (len(parts) != 3 or not all(map(_NAME.fullmatch, parts))) and (id or name == "id"):
            raise TrainError(
                f"{name} must be DATASET/ARCH/WEIGHTS; got {id[:300]!r} (each part has 1 to 80 "
                "letters, digits or _ . + -)"
            )

    def settings(self) -> dict[str, Any]:
        """Every setting by name, without those of later versions that are not set.

        So a recipe from before them is the same recipe still, in checkpoints and on cards.
        """
        said = [field for field in dataclasses.fields(self) if not self._is_unset(field)]
        return {field.name: getattr(self, field.name) for field in said}

    def _is_unset(self, field: dataclasses.Field[Any]) -> bool:
        return field.name in _LATER and getattr(self, field.name) == field.default

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self.settings().items())
        return f"{type(self).__qualname__}({said})"

    def _said(self, name: str) -> str:
        return str(getattr(self, name))[:30]

    @property
    def arch(self) -> str:
        """The architecture's name, the middle part of the id."""
        return self.id.split("/")[1]


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file.

    Raises:
        TrainError: if the file is missing, is not TOML, or holds unknown or wrong settings.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TrainError(f"there is no recipe at {path}") from error
    except (ValueError, RecursionError, OSError) as error:
        raise TrainError(f"{path} is not a readable TOML file: {error}") from error
    try:
        return from_table(table)
    except (TrainError, SpecError, TypeError) as error:
        raise TrainError(f"{path}: {error}") from error


def from_table(table: dict[str, Any]) -> Recipe:
    """The recipe of a parsed TOML table; see `recipes/` for examples.

    Raises:
        TrainError: for unknown settings, missing ones, or values of the wrong type.
    """
    known = {field.name: field for field in dataclasses.fields(Recipe)}
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise TrainError(f"unknown setting {unknown[0]!r}; known are {', '.join(known)}")
    missing = [name for name in ("id", "data", "test") if name not in table]
    if missing:
        raise TrainError(f"setting {missing[0]!r} is missing")
    values = dict(table)
    for name, kind in _PARTS.items():
        if name in values:
            values[name] = _part(name, kind, values[name])
    for name in ("mean", "std"):
        if name in values:
            values[name] = _numbers(name, values[name])
    for name, value in values.items():
        _check_type(known[name], value)
    return Recipe(**values)


_PARTS: dict[str, type] = {
    "data": DataSpec,
    "test": DataSpec,
    "defense": DefenseSpec,
    "quant": TrainQuant,
    "adversary": Adversary,
}
"""Settings that are tables of their own."""
_LENGTHS = frozenset({"epsilon", "alpha"})
"""Settings in pixel units, which may be written as fractions."""


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    numbers = value if isinstance(value, list) else [value]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TrainError(f"{name} must be a list of numbers; got {value!r}")
    return tuple(float(number) for number in numbers)


def _part(name: str, kind: type, value: Any) -> Any:
    if not isinstance(value, dict):
        raise TrainError(f"{name} must be a table; got {value!r}")
    fields = [field.name for field in dataclasses.fields(kind)]
    unknown = sorted(set(value) - set(fields))
    if unknown:
        raise TrainError(f"unknown setting {name}.{unknown[0]!r}; known are {', '.join(fields)}")
    lengths = {key: pixel_units(value[key], name=f"{name}.{key}") for key in _LENGTHS & set(value)}
    return kind(**{**value, **lengths})


def _check_type(field: dataclasses.Field[Any], value: Any) -> None:
    allowed: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "bool": (bool,),
    }
    kinds = allowed.get(str(field.type))
    wrong_bool = isinstance(value, bool) and field.type != "bool"
    if kinds is not None and (wrong_bool or not isinstance(value, kinds)):
        raise TrainError(f"{field.name} must be of type {field.type}; got {value!r}")
