"""Killed without warning: three of the trials of `benchmarks/faults.py`, with little to compute."""

import pytest

from benchmarks import faults

GRID = """
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
def study(tmp_path_factory):
    """A grid of twelve cells, and what an undisturbed sweep makes of it.

    Its network is a shipped one: a grid in the app names files of its data folder alone.
    """
    folder = tmp_path_factory.mktemp("faults")
    grid = folder / "grid.toml"
    grid.write_text(GRID, encoding="utf-8")
    return grid, faults.undisturbed(grid, folder / "undisturbed.sqlite")[0]


@pytest.mark.parametrize("victim", ["sweep", "worker", "app"])
def test_no_finished_cell_is_lost_or_computed_twice(study, tmp_path, victim):
    grid, expected = study
    store = tmp_path / "store.sqlite"

    def when(seconds):
        return len(faults.cells_of(faults.result_of(victim, store))) >= 4

    found = faults.trial(victim, when, grid=grid, store=store, expected=expected)
    assert (found.total, found.lost, found.twice, found.equal) == (12, 0, 0, True)
    assert 4 <= found.done < 12
