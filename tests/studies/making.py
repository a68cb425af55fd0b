"""Results made by hand."""

import math

from dqviz.experiments.columns import common_columns
from dqviz.experiments.result import Result, make_table
from dqviz.studies import Finding
from tests.studies.stores import MADE

__all__ = ["MADE", "finding", "result_of"]


def result_of(cell, value=0.5):
    """A result with three rows: a number, one that is none, and one without end."""
    epsilon = cell.spec.attack.epsilons[0]
    rows = [
        {"layer": "network", "depth": -1, "metric": name, "statistic": "value", "value": number}
        for name, number in [("robust_accuracy", value), ("margin", math.nan), ("sqnr", math.inf)]
    ]
    table = make_table(
        [{**row, "attack": cell.spec.attack.name, "epsilon": epsilon} for row in rows],
        shared={
            **common_columns(cell.spec),
            "clean_accuracy": 0.9,
            "clean_accuracy_full": 0.9,
            "calibration": "none",
        },
    )
    return Result(table=table, arrays={}, notes=("a note",), spec_key=cell.key, version="0.1.0")


def finding(cell, value=0.5):
    """What a store keeps of it."""
    return Finding.of(result_of(cell, value))
