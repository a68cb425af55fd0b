"""What a reader is told of a network that was trained quantized."""

import dataclasses

import pytest

from dqviz.cards import Card
from dqviz.experiments.own_quantizers import ranges_note, trained_bits
from dqviz.experiments.run import run
from dqviz.specs import DataSpec, ExperimentSpec, ModelSpec, QuantSpec

PLAIN = Card(arch="resnet20", classes=("a", "b"), mean=(0.5,), std=(0.5,))
OWN = {"weight_bits": 8, "act_bits": 4, "first_bits": 8, "last_bits": 6, "kind": "affine"}
TRAINED = dataclasses.replace(PLAIN, recipe={"quant": OWN})


def test_the_bits_of_the_training_are_those_of_its_recipe():
    assert trained_bits(None) is None
    assert trained_bits(PLAIN) is None
    assert trained_bits(TRAINED) == {name: bits for name, bits in OWN.items() if name != "kind"}


def test_a_reader_is_told_when_a_network_is_measured_as_it_was_trained_and_when_not():
    same = QuantSpec(weight_bits=8, act_bits=4, last_bits=6)
    assert "quantizers that it was trained with" in ranges_note(TRAINED, same)
    for other in ({"act_bits": 3}, {"weight_bits": 4}, {"last_bits": 8}):
        said = ranges_note(TRAINED, dataclasses.replace(same, **other))
        assert said.startswith("The network was trained with weights at 8 and activations at 4")
        assert "quantized anew, within the ranges" in said
    assert "it is another network" in ranges_note(TRAINED, QuantSpec())


def test_others_are_said_to_have_histograms():
    assert "histograms" in ranges_note(PLAIN, QuantSpec(act_bits=4))
    assert ranges_note(PLAIN, QuantSpec()) is None
    assert ranges_note(None, QuantSpec(weight_bits=4)) is None


@pytest.mark.parametrize(("act_bits", "source"), [(2, "training"), (3, "card")])
def test_rows_say_whether_a_network_was_measured_as_it_was_trained(act_bits, source):
    spec = ExperimentSpec(
        kind="accuracy",
        model=ModelSpec(id="streetdigits/resnet20/vanilla-w8a2"),
        data=DataSpec(n_samples=32),
        quant=QuantSpec(weight_bits=8, act_bits=act_bits),
    )
    assert set(run(spec).table["calibration"]) == {source}
