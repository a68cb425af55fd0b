"""Small stores made by hand: cells that need no network, and numbers that nobody has measured."""

import itertools
import sqlite3
from contextlib import closing

from dqviz.experiments.columns import common_columns
from dqviz.experiments.provenance import Provenance
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec
from dqviz.studies import Cell, Failure, Finding, Owner, Store
from dqviz.studies.queries import cell_table, count_numbers, number_table, reading
from dqviz.studies.selection import select

MADE = Provenance(
    version="0.1.0",
    code="c0de",
    libraries='{"torch": "2"}',
    precision="float32",
    threads=3,
    machine="here",
    seconds=2.5,
)
FAILURE = Failure(message="the images are gone\nall of them", kind="DataError")


def cell(
    act_bits=4, epsilon=1 / 255, *, model="some/net/vanilla", attack="fgsm", kind="accuracy", seed=0
):
    """A cell of a network and images that need not exist."""
    return Cell.of(
        ExperimentSpec(
            kind=kind,
            model=ModelSpec(id=model, fingerprint="card:0"),
            data=DataSpec(n_samples=8, seed=seed, fingerprint="0"),
            quant=QuantSpec(weight_bits=8, act_bits=act_bits),
            attack=AttackSpec(name=attack, epsilons=(epsilon,), seed=seed),
        )
    )


MODELS = ("some/net/vanilla", "some/net/dq", "other/net/dq")
DONE = [
    cell(bits, epsilon, model=model, attack=attack, seed=seed)
    for model, bits, epsilon, attack, seed in itertools.product(
        MODELS, (8, 2), (0.5 / 255, 1 / 255), ("fgsm", "pgd"), (0, 1)
    )
]
FAILED, CLAIMED = cell(3, kind="amplification"), cell(5)
"""A grid of 48 cells, and two beside it."""


def numbers(cell, value=0.5, *, clean=0.9):
    """Four numbers: a value and a missing one, for the network and for a layer."""
    attack, epsilon = cell.spec.attack.name, cell.spec.attack.epsilons[0]
    rows = [
        (attack, epsilon, layer, depth, metric, statistic, number)
        for layer, depth in (("network", -1), ("conv1", 0))
        for metric, statistic, number in (
            ("robust_accuracy", "value", value),
            ("margin", "median", None),
        )
    ]
    shared = {**common_columns(cell.spec), "clean_accuracy": clean, "calibration": "a card's"}
    return Finding(numbers=tuple(rows), shared=shared, notes=("a note",))


def fill(path, *, done=(), failed=(), claimed=(), value=0.5, clean=0.9, owner=None):
    """Adds cells to a store, made if it is not there; returns its path."""
    owner = owner or Owner.new()
    with Store(path, write=True) as store:
        store.claim([*done, *failed, *claimed], owner)
        if done:
            findings = [(each, numbers(each, value, clean=clean)) for each in done]
            store.finish(findings, owner, MADE)
        store.fail(failed, owner, FAILURE)
    return path


def change(path, *statements):
    """Does to a store what nobody should."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement, *values in statements:
            connection.execute(statement, values)


def rows_of(path, query):
    """What SQLite says of a store, without any code of this project."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def traces(path):
    """What would show that a store was written to: its content, its time, the files beside it."""
    return path.read_bytes(), path.stat().st_mtime_ns, sorted(path.parent.iterdir())


def found(path, **wanted):
    """The keys of the cells found, twice: by their own table and by that of their numbers."""
    with reading(path) as connection:
        selection = select(connection, wanted)
        cells = cell_table(connection, selection)
        table = number_table(connection, selection)
        assert count_numbers(connection, selection) == len(table)
    assert set(table["key"]) == set(cells["key"][cells["state"] == "done"])
    return set(cells["key"])
