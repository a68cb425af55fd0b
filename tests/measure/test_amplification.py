import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.measure.amplification import (
    amplification,
    measure_profile,
    profile_rows,
)
from dqviz.measure.rows import STATISTICS, Row
from dqviz.quantize import quantize_model, quantized_layers
from dqviz.specs import QuantSpec
from tests.measure.small_networks import (
    activations,
    full_precision,
    hand_quantized,
    images_of,
    quantized,
)


def norm(values):
    """The Euclidean norm of every sample."""
    return np.array([np.sqrt(np.sum(np.square(sample))) for sample in values])


@pytest.mark.parametrize("network", [full_precision, quantized])
@pytest.mark.parametrize("batch_size", [2, 64])
def test_distances_and_gains_equal_numpy_on_stored_activations(network, batch_size):
    model = network()
    images, adversarial = images_of(9)
    profile = measure_profile(model, images, adversarial, batch_size=batch_size)
    clean, perturbed = activations(model, images), activations(model, adversarial)
    assert profile.layers == ("conv1", "conv2", "linear", "logits")
    places = zip([*clean[0], clean[2][-1]], [*perturbed[0], perturbed[2][-1]], strict=True)
    expected = {}
    for layer, (a, b) in zip(profile.layers, places, strict=True):
        distance = norm(b - a)
        expected[layer] = {
            "relative_distance": distance / norm(a),
            "relative_distance_centred": distance / norm(a - a.mean(axis=0)),
        }
        for suffix in ("", "_centred"):
            here = expected[layer][f"relative_distance{suffix}"]
            first = expected["conv1"][f"relative_distance{suffix}"]
            expected[layer][f"amplification{suffix}"] = here / first
    for i, layer in enumerate(profile.layers[:3]):
        gain = norm(perturbed[2][i] - clean[2][i]) / norm(perturbed[1][i] - clean[1][i])
        expected[layer]["linear_gain"] = gain
    for layer, metrics in expected.items():
        for metric, values in metrics.items():
            found = profile.values[layer][metric].numpy()
            np.testing.assert_allclose(found, values, rtol=2e-4, err_msg=f"{layer} {metric}")
    np.testing.assert_allclose(profile.clean_logits, clean[2][-1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(profile.adversarial_logits, perturbed[2][-1], rtol=1e-4, atol=1e-5)


def test_noise_in_is_the_distance_and_out_is_that_of_what_the_layer_receives():
    model = quantized()
    images, adversarial = images_of(6)
    profile = measure_profile(model, images, adversarial)
    clean, perturbed = activations(model, images), activations(model, adversarial)
    for i, layer in enumerate(profile.layers[:3]):
        metrics = profile.values[layer]
        torch.testing.assert_close(metrics["quantizer_noise_in"], metrics["relative_distance"])
        out = norm(perturbed[1][i] - clean[1][i]) / norm(clean[0][i])
        np.testing.assert_allclose(metrics["quantizer_noise_out"], out, rtol=1e-4)
        flips = [(a != b).mean() for a, b in zip(clean[1][i], perturbed[1][i], strict=True)]
        np.testing.assert_allclose(metrics["bucket_flip_rate"], flips, rtol=1e-6)
    assert "quantizer_gain" not in profile.values["logits"]


def test_layers_in_full_precision_have_no_quantizer_metrics():
    plain = measure_profile(full_precision(), *images_of(3))
    thirty_two = measure_profile(quantize_model(full_precision(), QuantSpec()), *images_of(3))
    assert plain.values["conv2"].keys() == thirty_two.values["conv2"].keys()
    assert "quantizer_gain" not in plain.values["conv2"]
    for layer in plain.layers:
        for metric, values in plain.values[layer].items():
            torch.testing.assert_close(thirty_two.values[layer][metric], values)


def test_a_tiny_network_by_hand():
    model, network = hand_quantized()
    images = torch.tensor([0.6, 0.8]).view(1, 1, 1, 2)  # codes 2 and 3, levels 0.5 and 0.75
    adversarial = torch.tensor([0.6, 0.9]).view(1, 1, 1, 2)  # codes 2 and 4
    found = measure_profile(network, images, adversarial, reference=model, flips="layers")
    first, second, logits = (found.values[layer] for layer in ("first", "second", "logits"))
    level = math.hypot(2.0, 1.75)  # the clean output: 0.5 + 2 * 0.75, 0.75 + 1
    moved = math.hypot(0.5, 0.25)  # by one code: 2 * 0.25, 0.25
    frozen = math.hypot(0.2, 0.1)  # by the shift itself
    expected = {
        "relative_distance": 0.1,
        "amplification": 1,
        "quantizer_noise_in": 0.1,
        "quantizer_noise_out": 0.25,
        "quantizer_noise_predicted": math.sqrt(0.01 + 0.0625 * 0.4 * 0.6),
        "quantizer_gain": 2.5,
        "quantizer_noise_in_l1": 0.1 / 1.4,
        "bucket_flip_rate": 0.5,
        "linear_gain": math.sqrt(5),
        "logit_distance_frozen": frozen / level,
        "flip_contribution": (moved - frozen) / level,
        "sqnr_db": 10 * math.log10(1 / (0.1**2 + 0.05**2)),
    }
    for metric, value in expected.items():
        assert float(first[metric]) == pytest.approx(value, rel=1e-5), metric
    assert math.isnan(float(first["relative_distance_centred"]))  # one image is its own mean
    assert float(second["relative_distance"]) == pytest.approx(moved / level, rel=1e-5)
    assert float(logits["amplification"]) == pytest.approx(10 * moved / level, rel=1e-5)
    assert float(logits["flip_contribution"]) == pytest.approx((moved - frozen) / level, rel=1e-5)
    noise = math.hypot(2.2 - 2.0, 1.8 - 1.75)
    signal = math.hypot(2.2, 1.8)
    assert float(logits["sqnr_db"]) == pytest.approx(20 * math.log10(signal / noise), rel=1e-4)
    assert "flip_contribution" not in second


def test_linear_gain_never_exceeds_the_largest_singular_value():
    model = quantized()
    profile = measure_profile(model, *images_of(20))
    shapes = {"conv1": (2, 6, 6), "conv2": (4, 6, 6), "linear": (27,)}
    for name, layer in quantized_layers(model):
        layer_name = name.removeprefix("net.")
        size = math.prod(shapes[layer_name])
        unit = torch.eye(size).view(size, *shapes[layer_name])
        if isinstance(layer, nn.Conv2d):
            columns = F.conv2d(unit, layer.weight, stride=layer.stride, padding=layer.padding)
        else:
            columns = F.linear(unit, layer.weight)
        largest = np.linalg.svd(columns.flatten(1).numpy().T, compute_uv=False)[0]
        gains = profile.values[layer_name]["linear_gain"]
        gains = gains[~gains.isnan()]  # where no code changed there is no difference to map
        assert len(gains) > 15
        assert float(gains.max()) <= largest * (1 + 1e-4)
        assert float(gains.max()) > 0.1 * largest


def test_a_dead_layer_is_counted_as_not_a_number():
    model = full_precision()
    model.net.conv1.weight.data.zero_()
    model.net.conv1.bias.data.fill_(-1)
    rows = amplification(model, *images_of(5))
    values = {(row.layer, row.metric, row.statistic): row.value for row in rows}
    assert values["conv2", "relative_distance", "nan_count"] == 5
    assert values["conv2", "linear_gain", "nan_count"] == 5
    assert math.isnan(values["conv2", "relative_distance", "mean"])
    assert values["conv1", "relative_distance", "nan_count"] == 0
    assert values["logits", "relative_distance", "mean"] == 0


def test_images_that_are_equal_have_no_amplification():
    images = images_of(4)[0]
    values = measure_profile(quantized(), images, images).values
    assert bool((values["conv2"]["relative_distance"] == 0).all())
    assert bool(values["conv2"]["amplification"].isnan().all())


def test_rows_are_the_summaries_of_the_samples():
    profile = measure_profile(quantized(), *images_of(9))
    rows = profile_rows(profile)
    assert {row.statistic for row in rows} == set(STATISTICS)
    values = profile.values["conv2"]["relative_distance"].numpy()
    expected = {
        "mean": values.mean(),
        "median": np.median(values),
        "q10": np.quantile(values, 0.1),
        "q90": np.quantile(values, 0.9),
        "nan_count": 0,
    }
    found = [row for row in rows if row[:3] == ("conv2", 1, "relative_distance")]
    assert all(isinstance(row, Row) and type(row.value) is float for row in rows)
    assert {row.statistic: row.value for row in found} == pytest.approx(expected)
    depths = {row.layer: row.depth for row in rows}
    assert depths == {"conv1": 0, "conv2": 1, "linear": 2, "logits": 3}


def test_signal_to_noise_equals_numpy_on_the_clean_images():
    model, reference = quantized(), full_precision()
    images, adversarial = images_of(5)
    profile = measure_profile(model, images, adversarial, reference=reference)
    found, expected = activations(model, images), activations(reference, images)
    pairs = [*zip(found[1], expected[1], strict=True), (found[2][-1], expected[2][-1])]
    for layer, (q, a) in zip(profile.layers, pairs, strict=True):
        power = (norm(a) / norm(q - a)) ** 2
        np.testing.assert_allclose(
            profile.values[layer]["sqnr_db"], 10 * np.log10(power), rtol=1e-3
        )
