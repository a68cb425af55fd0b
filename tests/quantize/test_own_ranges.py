"""A network trained quantized brings its ranges along: they stand where a histogram would."""

import dataclasses

import pytest
import torch

from dqviz.models import Classifier
from dqviz.quantize import (
    AffineQuantizer,
    OwnRange,
    QuantizeError,
    collect_histograms,
    dorefa_weight,
    from_json,
    quantize_model,
    quantized_layers,
    to_json,
)
from dqviz.specs import QuantSpec


@pytest.fixture
def ranges(small_net: Classifier, images: torch.Tensor):
    """An own range for every layer, of a step that no histogram would lead to."""
    return {
        name: OwnRange(-0.3 if spread.low < 0 else 0.0, 0.7)
        for name, spread in collect_histograms(small_net, images).items()
    }


@pytest.mark.parametrize("bits", [8, 3])
@pytest.mark.parametrize("method", ["percentile", "mse"])
def test_it_is_taken_as_it_is_at_every_bit_width(small_net, ranges, bits, method):
    spec = QuantSpec(act_bits=bits, first_bits=bits, last_bits=bits, ranges=method)
    for name, layer in quantized_layers(quantize_model(small_net, spec, calibration=ranges)):
        quantizer = layer.input_quantizer
        assert isinstance(quantizer, AffineQuantizer)
        width = ranges[name].high - ranges[name].low
        assert quantizer.scale.item() == pytest.approx(width / (2**bits - 1), rel=1e-6)
        assert quantizer.high.item() == pytest.approx(0.7, abs=quantizer.scale.item() / 2 + 1e-6)


def test_levels_are_kept_at_their_bits_and_at_full_precision_and_refused_at_others(
    small_net, ranges
):
    held = {name: dataclasses.replace(own, weight_bits=2) for name, own in ranges.items()}
    bits = {"first_bits": 2, "last_bits": 2, "fold_batchnorm": False}
    for module in small_net.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.weight.data = dorefa_weight(module.weight.data, 2)
    for asked in (2, 32):
        network = quantize_model(
            small_net, QuantSpec(weight_bits=asked, act_bits=4, **bits), calibration=held
        )
        for name, layer in quantized_layers(network):
            assert torch.equal(layer.weight, small_net.get_submodule(name).weight)
            assert layer.weight_bits == asked
    spec = QuantSpec(weight_bits=4, act_bits=4, **bits)
    with pytest.raises(QuantizeError, match=r"layer '\w.*levels of 2 bits .* got weight_bits 4"):
        quantize_model(small_net, spec, calibration=held)
    rounded = quantize_model(small_net, spec, calibration=ranges)
    changed = [
        not torch.equal(layer.weight, small_net.get_submodule(name).weight)
        for name, layer in quantized_layers(rounded)
    ]
    assert any(changed), "weights that are no levels of their own are rounded"


def test_it_is_read_back_from_json_beside_histograms(small_net, images, ranges):
    step = torch.tensor(0.1234567).item()
    mixed = {**collect_histograms(small_net, images), "own": OwnRange(0.0, step * 15, 4)}
    read = from_json(to_json(mixed))
    assert read["own"] == mixed["own"]
    assert set(read) == set(mixed)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.5, 1.0), "include 0 and not be empty; got 0.5 to 1.0"),
        ((0.0, 0.0), "not be empty"),
        ((0.0, float("inf")), "must be finite"),
        ((0.0, 1.0, 9), "must be 0 to 8; got 9"),
    ],
)
def test_what_is_no_range_is_refused(values, said):
    with pytest.raises(QuantizeError, match=said):
        OwnRange(*values)
