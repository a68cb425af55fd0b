"""Specifications in short, and single numbers out of a table."""

from __future__ import annotations

from dqviz.specs import ExperimentSpec


def spec(kind, model, data, **more):
    return ExperimentSpec(kind=kind, model=model, data=data, **more)


def value(table, metric, statistic="value", **columns):
    chosen = table[(table["metric"] == metric) & (table["statistic"] == statistic)]
    for name, wanted in columns.items():
        chosen = chosen[chosen[name] == wanted]
    assert len(chosen) == 1, f"{len(chosen)} rows"
    return chosen["value"].iloc[0]
