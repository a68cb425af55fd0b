"""The rule of recipes/SEARCH.md: on made tables, and on the tables that are committed."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def search():
    spec = importlib.util.spec_from_file_location("search", RECIPES / "search.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(*penalties):
    rows = [("none", 0.0, 0.90, 20.0), ("none", 0.0, 0.85, 2.0), *penalties]
    names = ["arm", "beta", "clean_accuracy", "amplification_last_layer"]
    return pd.DataFrame(rows, columns=names)


@pytest.mark.parametrize(
    ("penalties", "taken"),
    [
        ([("raw", 1e-2, 0.895, 5.0), ("folded", 1e-3, 0.895, 9.0)], 2),  # the least amplification
        ([("raw", 1e-2, 0.88, 5.0), ("folded", 1e-3, 0.895, 9.0)], 3),  # the bound on accuracy
        ([("raw", 1e-2, 0.895, 5.0), ("folded", 1e-3, 0.895, 5.05)], 3),  # within 2 %: smaller beta
        ([("folded", 1e-3, 0.895, 5.05), ("raw", 1e-3, 0.895, 5.0)], 3),  # equal betas: the least
        ([("folded", 1e-3, 0.50, 5.05), ("raw", 1e-3, 0.60, 9.0)], 3),  # none eligible
    ],
)
def test_the_rule_on_made_tables(search, penalties, taken):
    marked = search.choose(table(*penalties))
    assert list(marked.index[marked.chosen]) == [0, taken]


SEARCHED = {
    "cifar10": ("cifar10-resnet20", "cifar10-plain20"),
    "streetdigits": ("streetdigits-resnet20", "streetdigits-plain20"),
    "nonorm": ("streetdigits-plain20_nonorm",),
}
"""The networks that take what each search chose."""


@pytest.mark.parametrize("dataset", SEARCHED)
def test_the_committed_choice_follows_from_the_table_and_is_what_was_trained(search, dataset):
    committed = pd.read_csv(RECIPES / f"search-{dataset}.csv")
    again = search.choose(committed.drop(columns=["eligible", "chosen"]))
    pd.testing.assert_frame_equal(again, committed)
    penalty = committed[committed.chosen & (committed.arm != "none")].iloc[0]
    vanilla = committed[committed.chosen & (committed.arm == "none")].iloc[0]
    for network in SEARCHED[dataset]:
        recipe = search.read_recipe(RECIPES / f"{network}-dq.toml")
        assert (recipe.defense.arm, recipe.defense.beta) == (penalty.arm, penalty.beta)
        recipe = search.read_recipe(RECIPES / f"{network}-vanilla.toml")
        assert recipe.weight_decay == vanilla.weight_decay
