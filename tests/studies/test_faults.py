"""Killed without warning: some of the trials of `benchmarks/faults.py`, with little to compute."""

import json

import pytest

from benchmarks import faults

GRID = """
kind = "accuracy"

[model]
checkpoint = {checkpoint}
arch = "wrn_10_1"
classes = 4
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[data]
name = {data}
n_samples = 8
seed = [0, 1]

[quant]
act_bits = [8, 4, 3, 2]

[attack]
name = "pgd"
steps = 5
epsilon = ["1/255", "2/255", "4/255"]
"""

SHIPPED = """
kind = "accuracy"
model = "streetdigits/resnet20/dq"

[data]
n_samples = 16
seed = [0, 1]

[quant]
act_bits = [4, 3]

[attack]
name = "pgd"
steps = 5
epsilon = ["1/255", "2/255", "4/255"]
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory, checkpoint, images_folder):
    """A grid of twenty-four cells, and what an undisturbed sweep makes of it."""
    folder = tmp_path_factory.mktemp("faults")
    grid = folder / "grid.toml"
    names = {
        "checkpoint": json.dumps(str(checkpoint)),
        "data": json.dumps(f"parquet:{images_folder}"),
    }
    grid.write_text(GRID.format(**names), encoding="utf-8")
    return grid, faults.undisturbed(grid, folder / "undisturbed.sqlite")[0]


@pytest.fixture(scope="module")
def shipped_study(tmp_path_factory):
    """The same of a shipped network: a grid in the app names files of its data folder alone."""
    folder = tmp_path_factory.mktemp("shipped")
    grid = folder / "grid.toml"
    grid.write_text(SHIPPED, encoding="utf-8")
    return grid, faults.undisturbed(grid, folder / "undisturbed.sqlite")[0]


@pytest.mark.parametrize("victim", ["sweep", "worker", "scheduler"])
def test_no_finished_cell_is_lost_or_computed_twice(study, tmp_path, victim):
    kill_after_some_cells(victim, study, tmp_path / "store.sqlite", cells=24)


def test_no_finished_cell_is_lost_or_computed_twice_with_the_app(shipped_study, tmp_path):
    kill_after_some_cells("app", shipped_study, tmp_path / "store.sqlite", cells=12)


def kill_after_some_cells(victim, study, store, *, cells):
    grid, expected = study

    def when(seconds):
        return len(faults.cells_of(faults.result_of(victim, store))) >= 5

    found = faults.trial(victim, when, grid=grid, store=store, expected=expected)
    assert (found.total, found.lost, found.twice, found.equal) == (cells, 0, 0, True)
    assert 5 <= found.done < cells
