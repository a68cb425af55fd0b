"""Which cells of a store, and which of their numbers, a person asks for."""

from __future__ import annotations

import dataclasses
import math
import sqlite3
from collections.abc import Mapping, Sequence

from .errors import StoreError

CELL_FILTERS = (
    *("kind", "model", "weights", "weight_bits", "act_bits", "attack", "epsilon"),
    *("data", "seed", "state"),
)
NUMBER_FILTERS = ("metric", "statistic", "layer")
"""The columns that may be asked for, of the cells and of their numbers."""

EXPRESSIONS = {"model": ("model", "model || '/' || weights")}
"""Where a value may be found that is not the column of its name alone."""

NAMED = 10
"""So many values are named that would have been right."""

ROUNDING = 1e-9
"""Epsilons that differ by no more, relatively, are the same: 0.5/255 and 1/510."""

Value = str | int | float
Wanted = Mapping[str, Sequence[Value]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selection:
    """Conditions on cells and on numbers: SQL with question marks, and what stands for these."""

    cells: str = "TRUE"
    cell_values: tuple[Value, ...] = ()
    numbers: str = "TRUE"
    number_values: tuple[Value, ...] = ()

    @property
    def joined(self) -> str:
        """The condition on numbers that holds for their cell as well."""
        if self.cells == "TRUE":
            return self.numbers
        # The plus keeps SQLite from going through a whole metric where few cells are asked for.
        return f"cell IN (SELECT id FROM cells WHERE {self.cells}) AND +({self.numbers})"

    @property
    def joined_values(self) -> tuple[Value, ...]:
        """What stands for the question marks of `joined`."""
        return (*self.cell_values, *self.number_values)


def select(connection: sqlite3.Connection, wanted: Wanted) -> Selection:
    """Those cells and numbers that have, on each column named, one of the values wanted.

    Args:
        connection: see `queries.reading`.
        wanted: values by column, of `CELL_FILTERS` and `NUMBER_FILTERS`; a column without values
            counts for nothing. A model may be `cifar10/resnet20` or a whole id,
            `cifar10/resnet20/dq`; epsilons are in pixel units.

    Raises:
        StoreError: for a value that the store has nowhere on that column, naming what there is,
            and for a column of another name.
    """
    unknown = [name for name in wanted if name not in (*CELL_FILTERS, *NUMBER_FILTERS)]
    if unknown:
        known = ", ".join((*CELL_FILTERS, *NUMBER_FILTERS))
        raise StoreError(f"nothing is found by {unknown[0]!r}; expected {known}")
    cells, cell_values = _condition(connection, "cells", CELL_FILTERS, wanted)
    numbers, number_values = _condition(connection, "numbers", NUMBER_FILTERS, wanted)
    return Selection(
        cells=cells, cell_values=cell_values, numbers=numbers, number_values=number_values
    )


def in_levels(epsilon: float) -> str:
    """An epsilon (pixel units) in grey levels: `1/255`."""
    return f"{255 * epsilon:.4g}/255"


def _condition(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], wanted: Wanted
) -> tuple[str, tuple[Value, ...]]:
    """A condition on one table, with the values as the store has them."""
    asked = {name: EXPRESSIONS.get(name, (name,)) for name in columns if wanted.get(name)}
    places = [place for expressions in asked.values() for place in expressions]
    if not places:
        return "TRUE", ()
    found = connection.execute(f"SELECT DISTINCT {', '.join(places)} FROM {table}").fetchall()
    held = {place: {row[number] for row in found} for number, place in enumerate(places)}
    clauses, values = [], []
    for name, expressions in asked.items():
        _refuse_unknown(name, wanted[name], [held[place] for place in expressions])
        either = []
        for place in expressions:
            chosen = [v for v in held[place] if any(_same(v, w) for w in wanted[name])]
            either.append(f"{place} IN ({', '.join('?' * len(chosen))})")
            values += chosen
        clauses.append(f"({' OR '.join(either)})")
    return " AND ".join(clauses), tuple(values)


def _refuse_unknown(name: str, values: Sequence[Value], held: Sequence[set[Value]]) -> None:
    """Refuses a value that is nowhere; the last of the sets says most."""
    for value in values:
        if not any(_same(known, value) for part in held for known in part):
            there = [_text(name, known) for known in sorted(held[-1])]
            more = f" and {len(there) - NAMED:,} more" if len(there) > NAMED else ""
            said = f"there are {', '.join(there[:NAMED])}{more}" if there else "it is empty"
            title = name.replace("_", " ")
            raise StoreError(f"nothing in the store has the {title} {_text(name, value)}; {said}")


def _same(stored: Value, wanted: Value) -> bool:
    if isinstance(stored, float) and not isinstance(wanted, str):
        return math.isclose(stored, wanted, rel_tol=ROUNDING)
    return stored == wanted


def _text(name: str, value: Value) -> str:
    if name == "epsilon" and not isinstance(value, str):
        return in_levels(value)
    return str(value) or "''"
