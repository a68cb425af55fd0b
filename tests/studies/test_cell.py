"""A cell's coordinates, and that a table comes back from a store's parts as it was."""

import dataclasses
import json
import math
import sqlite3

import pandas as pd
import pytest
import torch

from dqviz.experiments.result import COLUMNS, Result, make_table
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.specs import (
    AttackSpec,
    Craft,
    DataSpec,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
    SpecError,
    spec_key,
    to_json,
)
from dqviz.studies import Cell, Finding
from dqviz.studies.schema import COORDINATES

VANILLA = ModelSpec(id="cifar10/resnet20/vanilla", fingerprint="v")
SPEC = ExperimentSpec(
    kind="amplification",
    model=VANILLA,
    data=DataSpec(name="cifar10", split="train", n_samples=64, seed=5, fingerprint="d"),
    quant=QuantSpec(weight_bits=8, act_bits=4),
    attack=AttackSpec(name="pgd", norm="l2", epsilons=(0.25,), seed=5),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads on layers this small only wait for one another, long where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def coordinates(**changes):
    return Cell.of(dataclasses.replace(SPEC, **changes)).coordinates


def test_a_cell_is_found_by_its_coordinates():
    assert coordinates() == {
        "kind": "amplification",
        "model": "cifar10/resnet20",
        "weights": "vanilla",
        "weight_bits": 8,
        "act_bits": 4,
        "attack": "pgd",
        "norm": "l2",
        "epsilon": 0.25,
        "data": "cifar10",
        "split": "train",
        "n_samples": 64,
        "seed": 5,
        "crafted_on": "itself",
    }
    assert tuple(coordinates()) == COORDINATES


def test_a_victim_is_named_with_its_bits():
    victim = Craft(model=VANILLA, quant=QuantSpec(act_bits=8))
    assert coordinates(crafted_on=victim)["crafted_on"] == "cifar10/resnet20/vanilla A8"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("folder:my train", "folder:my train"),
        ("parquet:some/train", "parquet:some/train"),
        ("cifar10", "cifar10"),
    ],
)
def test_images_are_named_without_their_split(name, shown):
    data = DataSpec(name=name, split="train", fingerprint="d")
    found = coordinates(data=data)
    assert (found["data"], found["split"], found["n_samples"]) == (shown, "train", None)


def test_a_path_from_the_root_is_cut_to_its_last_name(tmp_path):
    data = DataSpec(name=f"folder:{tmp_path}", fingerprint="d")
    assert coordinates(data=data)["data"] == f"folder:{tmp_path.name}"


@pytest.mark.parametrize(
    ("id", "arch", "shown"),
    [
        ("checkpoint/wrn_10_1/best", "wrn_10_1", ("checkpoint/wrn_10_1", "best")),
        ("best", "wrn_10_1", ("wrn_10_1", "best")),
        ("best", None, ("checkpoint", "best")),
    ],
)
def test_a_checkpoint_is_named_in_two_parts(id, arch, shown):
    model = ModelSpec(id=id, checkpoint="best.pt", arch=arch, fingerprint="f")
    found = coordinates(model=model)
    assert (found["model"], found["weights"]) == shown


def test_a_cell_has_the_key_of_its_specification_and_says_it_all():
    cell = Cell.of(SPEC)
    assert cell.key == spec_key(SPEC)
    assert json.loads(cell.text) == to_json(SPEC)
    assert len({cell, Cell.of(dataclasses.replace(SPEC))}) == 1
    with pytest.raises(SpecError, match="no fingerprint"):
        Cell.of(dataclasses.replace(SPEC, model=ModelSpec()))


def stored(finding):
    """What comes back from a database and JSON."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE TABLE numbers (a TEXT, b REAL, c TEXT, d INT, e TEXT, f TEXT, g REAL)"
    )
    marks = ", ".join("?" * 7)
    connection.executemany(f"INSERT INTO numbers VALUES ({marks})", finding.numbers)
    numbers = connection.execute("SELECT * FROM numbers ORDER BY rowid").fetchall()
    connection.close()
    return Finding(
        numbers=tuple(numbers),
        shared=json.loads(json.dumps(finding.shared)),
        notes=tuple(json.loads(json.dumps(finding.notes))),
    )


def assert_comes_back(result):
    finding = Finding.of(result)
    assert stored(finding) == finding
    pd.testing.assert_frame_equal(finding.table(), result.table, check_exact=True)
    pd.testing.assert_frame_equal(stored(finding).table(), result.table, check_exact=True)
    assert finding.notes == result.notes


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("accuracy", {}),
        ("amplification", {}),
        ("amplification", {"controls": True}),
        ("amplification", {"details": True, "quant": QuantSpec(act_bits=4)}),
        ("amplification", {"attack": AttackSpec(epsilons=(0,))}),
        ("lipschitz", {}),
        ("lipschitz", {"details": True}),
        ("lipschitz", {"details": True, "quant": QuantSpec(weight_bits=2, act_bits=2)}),
    ],
)
def test_the_table_of_a_real_result_comes_back(kind, more, model, data):
    result = run(ExperimentSpec(kind=kind, model=model, data=data, **more), bench=Workbench())
    assert len(result.table) > 5
    assert_comes_back(result)


def result_of(rows, extra=(), **shared):
    """A result made by hand: what rows leave out is zero, or the empty text."""
    usual = {"layer": "conv1", "depth": 0, "metric": "gain", "statistic": "mean", "value": 0.5}
    shared = {"model": "some/net", "weight_bits": 8, "n_samples": 4, "seed": 0, **shared}
    table = make_table([{**usual, **row} for row in rows], extra, shared=shared)
    return Result(table=table, arrays={}, notes=("One.", "Two."), spec_key="0", version="1")


EVERY = {"attack": "fgsm", "epsilon": 0.1}


@pytest.mark.parametrize(
    "values",
    [
        [math.nan, math.inf, -math.inf, 0.5],
        [math.nan],
        [math.inf, 1e-320, -1e308, 0.1 + 0.2],
        [None, 1.0],
    ],
)
def test_numbers_without_end_and_no_numbers_come_back(values):
    result = result_of([{**EVERY, "value": value} for value in values])
    assert_comes_back(result)
    found = [number[-1] for number in Finding.of(result).numbers]
    assert found == [None if v is None or math.isnan(v) else v for v in values]


@pytest.mark.parametrize(
    "rows",
    [
        [{}, {}],
        [{}, EVERY],
        [EVERY, {}, EVERY],
        [{"attack": "fgsm"}, {}],
        [{"epsilon": 0.1}, {"epsilon": 0}],
    ],
    ids=["none", "last", "middle", "no epsilon", "no attack"],
)
def test_rows_without_an_attack_come_back(rows):
    assert_comes_back(result_of(rows))


def test_what_all_rows_share_comes_back_whatever_it_is():
    shared = {"data": None, "n_samples": None, "clean_accuracy": math.inf, "seed": 2**63 - 1}
    result = result_of([EVERY, EVERY], **shared)
    assert_comes_back(result)
    assert Finding.of(result).shared["n_samples"] is None
    assert "version" not in Finding.of(result).shared


def test_columns_of_a_kinds_own_come_back_in_order():
    result = result_of([EVERY, EVERY], ("sample", "label"), sample=3, label="dog")
    assert tuple(result.table.columns) == (*COLUMNS, "sample", "label")
    assert_comes_back(result)


def test_what_a_finding_holds_is_plain():
    finding = Finding.of(result_of([EVERY, {}], clean_accuracy=0.75))
    values = [*finding.shared.values(), *(v for number in finding.numbers for v in number)]
    assert {type(value) for value in values} == {str, int, float, type(None)}


def test_a_column_that_differs_between_rows_is_refused():
    result = result_of([{"seed": 0}, {"seed": 1}])
    with pytest.raises(ValueError, match="the column seed differs between the rows of one cell"):
        Finding.of(result)
