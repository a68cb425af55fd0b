import dataclasses
from pathlib import Path

import pytest

from dqviz.defense import TrainError, read_recipe
from dqviz.defense.adversary import Adversary

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
GOOD = """
id = "streetdigits/resnet20/dq"
data = { name = "streetdigits", split = "train" }
test = { name = "streetdigits", split = "test" }
defense = { arm = "folded", beta = 0.01 }
epochs = 5
"""


def read(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(path)


def test_a_recipe_is_read(tmp_path):
    recipe = read(tmp_path, GOOD)
    assert recipe.arch == "resnet20"
    assert recipe.defense.beta == 0.01
    assert recipe.data.split == "train"


def test_an_adversary_is_read(tmp_path):
    text = GOOD + 'adversary = { name = "pgd", epsilon = "4/255", alpha = "1/255", steps = 7 }'
    adversary = read(tmp_path, text).adversary
    assert adversary == Adversary(name="pgd", epsilon=4 / 255, alpha=1 / 255, steps=7)


def test_a_recipe_without_the_later_settings_is_written_as_it_always_was(tmp_path):
    """A checkpoint holds this text, and goes on only if it is the recipe's."""
    recipe = read(tmp_path, GOOD)
    assert repr(recipe).startswith("Recipe(id='streetdigits/resnet20/dq', data=DataSpec(name=")
    assert repr(recipe).endswith("hold_out=0, seed=0, precision='auto')")
    assert "adversary" not in recipe.settings()
    later = dataclasses.replace(recipe, stored="float16")
    assert repr(later).endswith("precision='auto', stored='float16')")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_is_read_and_is_named_as_its_network(path):
    assert read_recipe(path).id.replace("/", "-") == path.stem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("epochs = 5", "epochs = 0"), "epochs must be finite and positive; got 0"),
        (("epochs = 5", "epochs = true"), "epochs must be of type int; got True"),
        (("epochs = 5", 'epochs = "many"'), "epochs must be of type int; got 'many'"),
        (("epochs = 5", "epoch = 5"), "unknown setting 'epoch'"),
        (("epochs = 5", 'precision = "int4"'), "got 'int4'"),
        (("epochs = 5", "weight_decay = -1"), "weight_decay must be finite, 0 or more; got -1"),
        (("epochs = 5", "learning_rate = nan"), "learning_rate must be finite and positive"),
        (("epochs = 5", "momentum = 1.0"), "momentum must be less than 1; got 1.0"),
        (
            ("epochs = 5", "std = [0.2, 0.0, 0.2]"),
            "std must be at least 1e-06; got [0.2, 0.0",
        ),
        (("epochs = 5", "mean = [0.2]"), "mean must be three finite numbers; got [0.2]"),
        (("epochs = 5", 'mean = "grey"'), "mean must be a list of numbers; got 'grey'"),
        (("streetdigits/resnet20/dq", "streetdigits//dq"), "got 'streetdigits//dq'"),
        (("streetdigits/resnet20/dq", "resnet20"), "DATASET/ARCH/WEIGHTS; got 'resnet20'"),
        (
            ('arm = "folded"', 'arm = "both"'),
            "arm must be one of none, raw, folded, operator; got 'both'",
        ),
        (("beta = 0.01", "beta = -1"), "beta must be 0 or more; got -1"),
        (("beta = 0.01", "strength = 1"), "unknown setting defense.'strength'"),
        (('split = "train"', 'split = "dev"'), "got 'dev'"),
        (('data = { name = "streetdigits", split = "train" }', ""), "setting 'data' is missing"),
        (("epochs = 5", "epochs = = 5"), "not a readable TOML file"),
        (
            ("epochs = 5", f"epochs = 1{'0' * 400}"),
            "at most 1,073,741,823; got 1000",
        ),
        (("epochs = 5", "seed = 1073741824"), "seed must be at most 1,073,741,823"),
        (("epochs = 5", 'stored = "int4"'), "stored must be float32, float16 or int8; got 'int4'"),
        (("epochs = 5", 'stored = "int8"'), "stored = 'int8' needs quant with affine weights"),
        (("epochs = 5", "quant = { bits = 4 }"), "unknown setting quant.'bits'"),
        (("epochs = 5", "quant = { act_bits = 9 }"), "quant.act_bits must be 1 to 8; got 9"),
        (("epochs = 5", "adversary = 8"), "adversary must be a table; got 8"),
        (("epochs = 5", "adversary = { eps = 8 }"), "unknown setting adversary.'eps'"),
        (("epochs = 5", 'adversary = { epsilon = "8" }'), "in pixel units, such as '8/255'"),
        (("epochs = 5", 'adversary = { epsilon = "x" }'), "adversary.epsilon must be a number or"),
        (("epochs = 5", "adversary = { steps = 1.5 }"), "steps must be a whole number; got 1.5"),
        (("epochs = 5", f"x = {'[' * 20000}"), "not a readable TOML file"),
        (("resnet20/dq", "resnet20/d\\\\q"), "each part has 1 to 80 letters"),
        (("resnet20/dq", f"resnet20/{'d' * 300}"), "each part has 1 to 80 letters"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_its_file(tmp_path, change, message):
    with pytest.raises(TrainError, match=r"recipe\.toml") as caught:
        read(tmp_path, GOOD.replace(*change))
    assert message in str(caught.value)


def test_a_missing_recipe_is_said(tmp_path):
    with pytest.raises(TrainError, match="there is no recipe at"):
        read_recipe(tmp_path / "none.toml")
