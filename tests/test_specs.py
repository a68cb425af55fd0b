import dataclasses
import subprocess
import sys
import tomllib

import pytest

from dqviz.specs import (
    RESULTS_VERSION,
    AttackSpec,
    Craft,
    DataSpec,
    DefenseSpec,
    ExperimentSpec,
    ModelSpec,
    QuantSpec,
    SpecError,
    spec_key,
    to_json,
)
from dqviz.specs.keys import from_json
from dqviz.specs.toml_text import toml_text

NAN = float("nan")
MODEL = ModelSpec(fingerprint="m")
DATA = DataSpec(fingerprint="d")
EXPERIMENT = ExperimentSpec(kind="amplification", model=MODEL, data=DATA)


def test_equal_specifications_have_equal_keys_in_any_process():
    code = (
        "from dqviz.specs import *;"
        "print(spec_key(ExperimentSpec(kind='amplification', model=ModelSpec(fingerprint='m'),"
        "data=DataSpec(fingerprint='d'))))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == spec_key(EXPERIMENT)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(EXPERIMENT, kind="accuracy"),
        dataclasses.replace(EXPERIMENT, quant=QuantSpec(act_bits=4)),
        dataclasses.replace(EXPERIMENT, attack=AttackSpec(seed=1)),
        dataclasses.replace(EXPERIMENT, model=ModelSpec(fingerprint="retrained")),
        dataclasses.replace(EXPERIMENT, data=DataSpec(fingerprint="d", seed=1)),
        dataclasses.replace(EXPERIMENT, crafted_on=Craft(model=MODEL, quant=QuantSpec())),
    ],
)
def test_whatever_changes_a_result_changes_the_key(other):
    assert spec_key(other) != spec_key(EXPERIMENT)


def test_class_names_and_the_results_version_are_part_of_the_key(monkeypatch):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Twin(QuantSpec):
        pass

    assert spec_key(Twin()) != spec_key(QuantSpec())
    before = spec_key(QuantSpec())
    monkeypatch.setattr("dqviz.specs.keys.RESULTS_VERSION", RESULTS_VERSION + 1)
    assert spec_key(QuantSpec()) != before


def without(document, part, *fields):
    """A specification as an older version wrote it."""
    kept = {name: value for name, value in document.items() if name not in fields}
    return kept | (
        {part: without(document[part], "", "loss", "momentum", "queries")} if part else {}
    )


def test_results_from_before_a_field_was_added_keep_their_key():
    # the keys of these two as they were before `fast`, `loss`, `momentum` and `queries`
    accuracy = dataclasses.replace(EXPERIMENT, kind="accuracy", fast=False)
    assert spec_key(EXPERIMENT) == "be9e8203b59c05a5ff4b904523dd8a1e"
    assert spec_key(accuracy) == "47175018030b140c5bbefaa9f5cd306d"
    for spec in (EXPERIMENT, accuracy):
        older = from_json(without(to_json(spec), "attack", "fast", "rounded"))
        assert spec_key(older) == spec_key(spec)


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(EXPERIMENT, kind="accuracy"),
        dataclasses.replace(EXPERIMENT, kind="accuracy", attack=AttackSpec(loss="dlr")),
        dataclasses.replace(EXPERIMENT, kind="accuracy", attack=AttackSpec(queries=10)),
        dataclasses.replace(EXPERIMENT, kind="accuracy", fast=False, rounded=False),
    ],
)
def test_added_fields_that_change_numbers_change_the_key(other):
    plain = dataclasses.replace(EXPERIMENT, kind="accuracy", fast=False)
    assert spec_key(other) != spec_key(plain)


def test_the_fast_path_is_nothing_to_what_does_not_take_it():
    assert spec_key(dataclasses.replace(EXPERIMENT, fast=False)) == spec_key(EXPERIMENT)


def test_rounded_images_are_nothing_to_what_has_no_accuracy():
    assert spec_key(dataclasses.replace(EXPERIMENT, rounded=False)) == spec_key(EXPERIMENT)


@pytest.mark.parametrize(
    "spec",
    [
        ExperimentSpec(kind="lipschitz", data=DATA),
        ExperimentSpec(kind="lipschitz", model=MODEL),
        dataclasses.replace(EXPERIMENT, crafted_on=Craft(model=ModelSpec(), quant=QuantSpec())),
    ],
)
def test_only_resolved_specifications_have_a_key(spec):
    with pytest.raises(SpecError, match="no fingerprint"):
        spec_key(spec)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (DataSpec, {"split": "dev"}, "split must be one of train, test; got 'dev'"),
        (DataSpec, {"n_samples": 0}, "n_samples must be at least 1; got 0"),
        (DataSpec, {"image_size": 4}, "got 4"),
        (DataSpec, {"name": ""}, "name is empty"),
        (ModelSpec, {"id": "resnet20"}, "DATASET/ARCH/WEIGHTS"),
        (ModelSpec, {"std": (0.0, 1.0, 1.0)}, "std must be positive"),
        (ModelSpec, {"classes": 1}, "2 to 100,000 classes; got 1"),
        (QuantSpec, {"weight_bits": 1}, "weight_bits must be 2 to 8, or 32"),
        (QuantSpec, {"act_bits": 9}, "act_bits must be 1 to 8, or 32"),
        (QuantSpec, {"percentile": 50.0}, "percentile"),
        (QuantSpec, {"ranges": "guess"}, "got 'guess'"),
        (AttackSpec, {"name": "magic"}, "attack must be one of"),
        (AttackSpec, {"epsilons": (8.0,)}, "write 8/255, not 8"),
        (AttackSpec, {"epsilons": (-0.1,)}, "0 or more"),
        (AttackSpec, {"norm": "l2", "epsilons": (1e-320,)}, "lost in rounding below an epsilon of"),
        (AttackSpec, {"epsilons": (float("nan"),)}, "finite"),
        (AttackSpec, {"epsilons": ()}, "at least one epsilon"),
        (AttackSpec, {"steps": 0}, "steps must be at least 1; got 0"),
        (AttackSpec, {"alpha": 0.0}, "alpha must be positive"),
        (DefenseSpec, {"beta": float("inf")}, "finite"),
        (ExperimentSpec, {"kind": "guess"}, "got 'guess'"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_value_given(kind, settings, message):
    with pytest.raises(SpecError) as caught:
        kind(**settings)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (DataSpec, {"n_samples": "64"}, "n_samples must be a whole number or None; got '64'"),
        (DataSpec, {"n_samples": True}, "n_samples must be a whole number or None; got True"),
        (DataSpec, {"seed": 0.0}, "seed must be a whole number; got 0.0"),
        (DataSpec, {"seed": 2**63}, "seed must be at most 9,223,372,036,854,775,807; got"),
        (DataSpec, {"name": None}, "name must be a text; got None"),
        (DataSpec, {"image_size": 32.0}, "image_size must be a whole number or None; got 32.0"),
        (ModelSpec, {"id": 3}, "id must be a text; got 3"),
        (ModelSpec, {"classes": ("a", "b")}, "classes must be a whole number or None; got ('a'"),
        (ModelSpec, {"mean": 0.5}, "mean must be a tuple of finite numbers or None; got 0.5"),
        (ModelSpec, {"std": (1.0, NAN)}, "std must be a tuple of finite numbers or None; got"),
        (QuantSpec, {"act_bits": True}, "act_bits must be a whole number; got True"),
        (QuantSpec, {"weight_bits": "4"}, "weight_bits must be a whole number; got '4'"),
        (QuantSpec, {"percentile": NAN}, "percentile must be a finite number; got nan"),
        (QuantSpec, {"fold_batchnorm": 1}, "fold_batchnorm must be True or False; got 1"),
        (AttackSpec, {"epsilons": (NAN,)}, "epsilons must be a tuple of finite numbers; got (nan"),
        (AttackSpec, {"epsilons": ("1",)}, "epsilons must be a tuple of finite numbers; got ('1'"),
        (AttackSpec, {"epsilons": [0.1]}, "epsilons must be a tuple of finite numbers; got [0.1]"),
        (AttackSpec, {"alpha": NAN}, "alpha must be a finite number or None; got nan"),
        (AttackSpec, {"steps": 1.5}, "steps must be a whole number; got 1.5"),
        (AttackSpec, {"seed": -1}, "seed must be 0 or more; got -1"),
        (DefenseSpec, {"beta": "much"}, "beta must be a finite number; got 'much'"),
        (ExperimentSpec, {"kind": 1}, "kind must be a text; got 1"),
        (ExperimentSpec, {"kind": "accuracy", "model": "x"}, "model must be of type ModelSpec"),
        (ExperimentSpec, {"kind": "accuracy", "crafted_on": MODEL}, "of type Craft or None; got"),
        (ExperimentSpec, {"kind": "accuracy", "layers": "conv1"}, "a tuple of texts; got 'conv1'"),
        (Craft, {"model": MODEL, "quant": 4}, "quant must be of type QuantSpec; got 4"),
    ],
)
def test_a_value_of_another_type_is_refused_with_its_field(kind, settings, message):
    with pytest.raises(SpecError) as caught:
        kind(**settings)
    assert message in str(caught.value)


def test_whole_numbers_do_where_numbers_are_wanted():
    assert AttackSpec(epsilons=(0, 1), alpha=1).alpha == 1


def test_specifications_need_the_standard_library_alone():
    code = (
        "import sys, dqviz.specs; print({'torch','numpy','pandas','streamlit'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_no_l2_perturbation_is_longer_than_an_image():
    AttackSpec(norm="l2", epsilons=(100.0,))
    with pytest.raises(SpecError, match="no image is longer"):
        AttackSpec(norm="l2", epsilons=(1e30,))


def test_equal_specifications_have_one_key():
    whole, real = AttackSpec(epsilons=(1,)), AttackSpec(epsilons=(1.0,))
    assert whole == real
    assert spec_key(whole) == spec_key(real)
    assert spec_key(AttackSpec(epsilons=(0.0,))) == spec_key(AttackSpec(epsilons=(-0.0,)))
    assert spec_key(AttackSpec(epsilons=(0.5,))) != spec_key(real)


def test_restarts_without_a_random_start_are_refused():
    with pytest.raises(SpecError, match="every restart is the same; got 3"):
        AttackSpec(name="pgd", restarts=3, random_start=False)
    assert AttackSpec(name="fgsm", restarts=3, random_start=False).restarts == 3


def test_settings_come_back_from_their_toml():
    settings = {
        "id": 'a/b/"c"\\d',
        "mean": [0.45, 1e-07, 3],
        "flip": True,
        "quant": {"act_bits": 4, "kind": "affine", "more": {"x": [1.5]}},
        "epochs": 2,
    }
    assert tomllib.loads(toml_text(settings)) == settings
