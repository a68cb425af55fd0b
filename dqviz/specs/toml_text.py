"""Settings as TOML, which the standard library reads and does not write."""

from __future__ import annotations

import json
from collections.abc import Mapping


def toml_text(settings: Mapping[str, object]) -> str:
    """A line a setting; a table within is written inline.

    Args:
        settings: texts, numbers, booleans, lists of them, and mappings to these, by bare keys.
    """
    return "".join(f"{key} = {_value(value)}\n" for key, value in settings.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)  # texts, numbers, lists and booleans are written alike
