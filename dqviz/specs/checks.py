"""What a specification's fields must be, said in one line with the field and the value received."""

from __future__ import annotations

import dataclasses
import functools
import math
import typing
from types import NoneType, UnionType
from typing import Any

MAX_SEED = 2**63 - 1


class SpecError(ValueError):
    """A specification that cannot be computed; the message says what was given and needed."""


def require(condition: bool, message: str) -> None:
    """Refuses what does not hold.

    Raises:
        SpecError: with that message.
    """
    if not condition:
        raise SpecError(message)


def require_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuses a value that is none of the choices.

    Raises:
        SpecError: naming the value and the choices.
    """
    require(value in choices, f"{what} must be one of {', '.join(choices)}; got {value!r}")


def require_seed(seed: int) -> None:
    """Refuses a seed that random generators do not take.

    Raises:
        SpecError: naming it.
    """
    require(seed >= 0, f"seed must be 0 or more; got {seed}")
    require(seed <= MAX_SEED, f"seed must be at most {MAX_SEED:,}; got {seed:,}")


def check_types(spec: Any) -> None:
    """Refuses a specification with a value of another type than its field's.

    A whole number does for a float; a boolean, NaN or infinity does for no number.

    Raises:
        SpecError: naming the field, the value and what is expected.
    """
    kind: Any = type(spec)
    for name, hint in _hints(kind).items():
        value = getattr(spec, name)
        require(_fits(value, hint), f"{name} must be {_in_words(hint)}; got {value!r}")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """The declared types of a dataclass's fields."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_fits(value, part) for part in typing.get_args(hint))
    if typing.get_origin(hint) is tuple:
        item = typing.get_args(hint)[0]
        return isinstance(value, tuple) and all(_fits(part, item) for part in value)
    if isinstance(value, bool):
        return hint is bool
    if hint is float:
        return isinstance(value, int | float) and -math.inf < value < math.inf
    return isinstance(value, hint)


_WORDS = {
    str: "a text",
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    NoneType: "None",
    tuple[float, ...]: "a tuple of finite numbers",
    tuple[str, ...]: "a tuple of texts",
}


def _in_words(hint: Any) -> str:
    if isinstance(hint, UnionType):
        return " or ".join(_in_words(part) for part in typing.get_args(hint))
    return _WORDS.get(hint) or f"of type {hint.__name__}"
