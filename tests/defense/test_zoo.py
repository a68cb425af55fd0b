"""The zoo's recipes are what their generator writes, and its runner goes on after a kill."""

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from dqviz import cards
from dqviz.defense import ship
from dqviz.defense.recipe import read_recipe
from tests.defense.test_training import Killed, hurried, images

__all__ = ["hurried"]

RECIPES = Path(__file__).parents[2] / "recipes"
TINY = """
id = "made/plain20/{name}"
data = {{ name = "streetdigits", split = "train" }}
test = {{ name = "streetdigits", split = "test" }}
epochs = 1
batch_size = 32
crop = 0
precision = "float32"
"""


def script(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recipes():
    return script("zoo_recipes")


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """The runner on two tiny networks, the second of which starts from the first."""
    module = script("zoo")
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "ORDER", tmp_path / "zoo.txt")
    monkeypatch.setattr(module, "WORK", tmp_path / "work")
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "weights")
    monkeypatch.setattr(cards, "weights_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())
    (tmp_path / "weights").mkdir()
    (tmp_path / "zoo.txt").write_text("# two\nmade-plain20-one\nmade-plain20-two  # after one\n")
    (tmp_path / "made-plain20-one.toml").write_text(TINY.format(name="one"))
    second = TINY.format(name="two") + 'start = "made/plain20/one"\nquant = { act_bits = 2 }\n'
    (tmp_path / "made-plain20-two.toml").write_text(second)
    threads = torch.get_num_threads()
    yield module
    torch.set_num_threads(threads)


def test_the_recipes_are_what_the_generator_writes(recipes):
    for member in recipes.in_order():
        path = RECIPES / f"{member.stem}.toml"
        assert path.read_text(encoding="utf-8") == member.text()
        recipe = read_recipe(path)
        assert recipe.id.replace("/", "-") == member.stem
    for member in recipes.members():
        recipe = read_recipe(RECIPES / f"{member.stem}.toml")
        assert recipe.quant.act_bits == member.act_bits
    for member in recipes.seeds():
        recipe = read_recipe(RECIPES / f"{member.stem}.toml")
        basis = read_recipe(RECIPES / f"{member.stem.rpartition('-')[0]}.toml")
        same = {"id": basis.id, "seed": basis.seed, "stored": basis.stored}
        assert recipe.seed == member.seed
        assert dataclasses.replace(recipe, **same) == basis
    for member in recipes.series():
        recipe = read_recipe(RECIPES / f"{member.stem}.toml")
        assert recipe.quant is None
        assert (recipe.defense.arm, recipe.defense.beta) == (member.arm, member.beta)


def test_everything_starts_from_what_is_there_or_comes_before(recipes):
    order = [line for line in (RECIPES / "zoo.txt").read_text().splitlines() if line[0] != "#"]
    assert sorted(order) == sorted([*recipes.BY_HAND, *(m.stem for m in recipes.in_order())])
    assert len(set(order)) == len(order)
    there = {"-".join(id.split("/")) for id in cards.shipped_ids()} - set(order)
    for stem in order:
        recipe = read_recipe(RECIPES / f"{stem}.toml")
        assert not recipe.start or recipe.start.replace("/", "-") in there
        assert recipe.start or recipe.quant is None
        there.add(stem)


@pytest.mark.usefixtures("hurried")
def test_a_killed_runner_goes_on_and_ships_whole_networks_alone(zoo, tmp_path, monkeypatch):
    say = zoo.say

    def stop(recipe, state):
        if recipe.id.endswith("two") and state.step == 2:
            raise Killed

    monkeypatch.setattr(zoo, "say", stop)
    with pytest.raises(Killed):
        zoo.main()
    assert cards.shipped_ids() == ("made/plain20/one",)
    assert [path.name for path in (tmp_path / "weights").iterdir() if "two" in path.name] == []
    first = (tmp_path / "weights" / "made-plain20-one.safetensors").stat().st_mtime_ns
    begun = []
    monkeypatch.setattr(zoo, "say", lambda recipe, state: begun.append((recipe.id, state.step)))
    zoo.main()
    assert begun[0] == ("made/plain20/two", 3)
    assert cards.shipped_ids() == ("made/plain20/one", "made/plain20/two")
    assert (tmp_path / "weights" / "made-plain20-one.safetensors").stat().st_mtime_ns == first
    assert zoo.missing() == []
    monkeypatch.setattr(zoo, "say", say)
    zoo.main()  # nothing is left to do


@pytest.mark.usefixtures("hurried")
def test_a_second_runner_takes_what_the_first_is_not_at(zoo, tmp_path):
    (tmp_path / "zoo.txt").write_text("made-plain20-one\nmade-plain20-two\nmade-plain20-three\n")
    (tmp_path / "made-plain20-three.toml").write_text(TINY.format(name="three"))
    zoo.WORK.mkdir()
    with FileLock(zoo.WORK / "made-plain20-one.lock"):
        zoo.main()  # the second network starts from the one that is locked
        assert cards.shipped_ids() == ("made/plain20/three",)
    zoo.main()
    assert zoo.missing() == []


def test_the_table_of_accuracies_is_that_of_the_cards():
    accuracies = script("accuracies")
    assert accuracies.FILE.read_text(encoding="utf-8") == accuracies.text()
    for id in cards.shipped_ids():
        value = 100 * cards.load_card(id).accuracy["value"]
        assert f"{value:.1f} (" in accuracies.text()


def test_what_started_from_other_weights_is_trained_anew(zoo, tmp_path):
    zoo.main()
    assert zoo.missing() == []
    card = cards.load_card("made/plain20/one")
    other = dataclasses.replace(card, sha256="0" * 64)
    cards.write_card(other, tmp_path / "weights" / "made-plain20-one.json")
    assert [recipe.id for recipe in zoo.missing()] == ["made/plain20/two"]
    (tmp_path / "weights" / "made-plain20-one.json").unlink()
    assert [recipe.id for recipe in zoo.missing()] == ["made/plain20/one"]
