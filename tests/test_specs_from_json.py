"""`from_json` is the way back from `to_json`, and refuses all else."""

import dataclasses
import json

import pytest

from dqviz.specs import (
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
from dqviz.specs.keys import CLASSES, from_json

DATA = DataSpec(name="parquet:x", n_samples=3, seed=2**63 - 1, fingerprint="d")
MODEL = ModelSpec(id="x.pt", checkpoint="x.pt", mean=(0.5, 0, 1.0), std=(1, 2, 3), fingerprint="m")
CRAFT = Craft(model=MODEL, quant=QuantSpec(act_bits=1, fold_batchnorm=False))
FULL = ExperimentSpec(
    kind="amplification",
    model=MODEL,
    data=DATA,
    quant=QuantSpec(percentile=99),
    attack=AttackSpec(epsilons=(0, 1 / 3, 1e-12), alpha=0.1),
    crafted_on=CRAFT,
    calibration=dataclasses.replace(DATA, split="train"),
    layers=("conv1", "a.b"),
    image="a picture.png",
)
SPECS = [DATA, MODEL, QuantSpec(), AttackSpec(), DefenseSpec(beta=1.0, arm="raw"), CRAFT, FULL]


def changed(**fields):
    return {**to_json(DATA), **fields}


def test_every_class_is_tried():
    assert {type(spec).__name__ for spec in SPECS} == set(CLASSES)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_the_way_back_gives_the_same_specification(spec):
    back = from_json(json.loads(json.dumps(to_json(spec))))
    assert back == spec
    assert type(back) is type(spec)
    assert to_json(back) == to_json(spec)


def test_the_way_back_gives_the_same_key():
    assert spec_key(from_json(json.loads(json.dumps(to_json(FULL))))) == spec_key(FULL)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (3, "a specification is an object; got 3"),
        (None, "got None"),
        ([to_json(DATA)], "a specification is an object; got [{"),
        ({}, "None is no specification; known are DataSpec, ModelSpec,"),
        ({"class": ["DataSpec"]}, "['DataSpec'] is no specification"),
        ({"class": "SpecError"}, "'SpecError' is no specification"),
        ({"class": "SweepSpec"}, "'SweepSpec' is no specification"),
        (changed(colour="red"), "DataSpec has no field 'colour'"),
        (changed(__init__=1), "DataSpec has no field '__init__'"),
        ({"class": "DataSpec", "name": "x"}, "DataSpec lacks the field split, n_samples, seed,"),
        (changed(seed="0"), "seed must be a whole number; got '0'"),
        (changed(split="dev"), "split must be one of train, test; got 'dev'"),
        (changed(name={"a": 1}), "None is no specification"),
        (changed(name=to_json(MODEL)), "name must be a text; got ModelSpec("),
        (
            {**to_json(FULL), "model": to_json(DATA)},
            "model must be of type ModelSpec",
        ),
        ({**to_json(FULL), "layers": "conv1"}, "layers must be a tuple of texts; got 'conv1'"),
        ({**to_json(FULL), "layers": [["conv1"]]}, "layers must be a tuple of texts"),
    ],
)
def test_all_else_is_refused(document, message):
    with pytest.raises(SpecError) as caught:
        from_json(document)
    assert message in str(caught.value)
