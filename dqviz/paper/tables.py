"""What the experiments found, as tables: read where they are shipped, made where it is computed."""

from __future__ import annotations

import dataclasses
from importlib.resources.abc import Traversable
from typing import Any

import pandas as pd

DIGITS = "%.9g"
"""How numbers are written where there are many: epsilons are told apart by the first six digits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables by name; a table that was not made is empty.

    `verdicts` and `effects` are those of `findings`, `beta` that of `series_table`, `levels` that
    of `level_table`, `layers` and `quantizers` those of `depths`.
    """

    verdicts: pd.DataFrame
    effects: pd.DataFrame
    beta: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    levels: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    layers: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)
    quantizers: pd.DataFrame = dataclasses.field(default_factory=pd.DataFrame)

    def files(self) -> dict[str, str]:
        """The content of every file, by its name."""
        return {
            f"{name}.csv": table.to_csv(index=False, float_format=DIGITS)
            for name, table in self._named().items()
        }

    def _named(self) -> dict[str, pd.DataFrame]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}


def read_tables(folder: Traversable) -> Tables:
    """The tables in a folder that `Tables.files` was written to; one that is not there is empty."""
    names = [field.name for field in dataclasses.fields(Tables)]
    return Tables(**{name: _read(folder.joinpath(f"{name}.csv")) for name in names})


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _read(file: Traversable) -> pd.DataFrame:
    if not file.is_file():
        return pd.DataFrame()
    with file.open("rb") as content:
        try:
            return pd.read_csv(content, dtype={"by_kinds": "str"}).fillna({"by_kinds": ""})
        except pd.errors.EmptyDataError:  # written without a column
            return pd.DataFrame()
