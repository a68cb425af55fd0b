import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dqviz.measure import centring
from dqviz.measure.activations import observe
from dqviz.measure.amplification import (
    amplification,
    measure_profile,
    profile_rows,
    sample_distances,
)
from dqviz.measure.errors import MeasureError
from dqviz.measure.rows import STATISTICS, Row
from dqviz.models.normalize import Classifier
from dqviz.models.resnet import resnet20
from dqviz.quantize import AffineQuantizer, quantize_model, quantized_layers
from dqviz.specs import QuantSpec


class Convolutions(nn.Module):
    """Two convolutions, a pooling and a linear layer, small enough to do again by hand."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(4, 3, 3, stride=2, padding=1)
        self.relu2 = nn.ReLU()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(27, 3)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 2

    def forward(self, x):
        x = self.relu2(self.conv2(self.relu1(self.conv1(x))))
        return self.linear(self.flatten(x))


def images_of(samples, channels=2, size=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(samples, channels, size, size, generator=generator)
    noise = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return images, (images + 4 / 255 * noise).clamp(0, 1)


def full_precision():
    return Classifier(Convolutions(), mean=[0.4, 0.5], std=[0.2, 0.3]).eval()


def quantized(act_bits=3, weight_bits=4):
    spec = QuantSpec(act_bits=act_bits, weight_bits=weight_bits, first_bits=4, last_bits=3)
    return quantize_model(full_precision(), spec, calibration=images_of(16)[0])


def activations(model, images):
    """What enters each layer and what its linear map receives, written out without hooks."""
    layers = [model.net.conv1, model.net.conv2, model.net.linear]
    x = model.normalize(images)
    inputs, received, outputs = [], [], []
    for layer, stride in zip(layers, (1, 2, None), strict=True):
        quantizer = getattr(layer, "input_quantizer", None)
        q = x if quantizer is None else quantizer(x)
        if stride is None:
            y = F.linear(q, layer.weight, layer.bias)
        else:
            y = F.conv2d(q, layer.weight, layer.bias, stride=stride, padding=1)
        inputs.append(x.detach().double().numpy())
        received.append(q.detach().double().numpy())
        outputs.append(y.detach().double().numpy())
        x = F.relu(y) if layer is layers[0] else F.relu(y).flatten(1)
    return inputs, received, outputs


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


class TwoLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.first = nn.Linear(2, 2)
        self.second = nn.Linear(2, 2)
        self.first.weight.data = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
        self.first.bias.data = torch.tensor([0.0, 1.0])
        self.second.weight.data = torch.eye(2)
        self.second.bias.data = torch.zeros(2)

    def forward(self, x):
        return self.second(self.first(self.flatten(x)))


def hand_quantized():
    """The two layers with a step of 1/4 before the first and none before the second."""
    model = Classifier(TwoLinear(), mean=[0.0], std=[1.0]).eval()
    network = quantize_model(model, QuantSpec())
    quantizer = AffineQuantizer(scale=0.25, zero_point=0, quant_min=0, quant_max=15)
    dict(quantized_layers(network))["net.first"].input_quantizer = quantizer
    return model, network


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


@pytest.mark.parametrize("kept_bytes", [0, 2**20])
def test_the_batch_split_does_not_matter(kept_bytes, monkeypatch):
    monkeypatch.setattr("dqviz.measure.centring.KEPT_BYTES", kept_bytes)
    model, reference = quantized(), full_precision()
    images, adversarial = images_of(11)
    whole = measure_profile(model, images, adversarial, reference=reference, flips="layers")
    split = measure_profile(
        model, images, adversarial, reference=reference, flips="layers", batch_size=2
    )
    assert split.layers == whole.layers
    for layer in whole.layers:
        assert split.values[layer].keys() == whole.values[layer].keys()
        for metric, values in whole.values[layer].items():
            torch.testing.assert_close(
                split.values[layer][metric], values, rtol=1e-3, atol=1e-5, equal_nan=True
            )


def test_means_are_those_of_all_images():
    images = images_of(7)[0]
    means = centring.activation_means(
        full_precision(), images, batch_size=3, progress=lambda done, total: None
    )
    stored = activations(full_precision(), images)[0]
    for mean, inputs in zip(list(means.values())[:3], stored, strict=True):
        np.testing.assert_allclose(mean.numpy(), inputs.mean(axis=0), rtol=1e-4, atol=1e-6)


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


def test_sample_distances_by_layer():
    images, adversarial = images_of(5)
    model = full_precision()
    profile = measure_profile(model, images, adversarial)
    found = sample_distances(model, images, adversarial, batch_size=2)
    assert list(found) == list(profile.layers)
    for layer, values in found.items():
        assert values.shape == (5,)
        torch.testing.assert_close(values, profile.values[layer]["relative_distance_centred"])
    gains = sample_distances(model, images, adversarial, metric="linear_gain")
    assert list(gains) == ["conv1", "conv2", "linear"]
    with pytest.raises(MeasureError, match="'nonsense'"):
        sample_distances(model, images, adversarial, metric="nonsense")


def hook_count(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_cancelling_leaves_no_hook_behind():
    model = quantized()
    images, adversarial = images_of(6)
    seen = []

    def cancel(done, total):
        seen.append((done, total))
        if done >= 4:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        amplification(model, images, adversarial, batch_size=2, progress=cancel)
    assert seen == [(2, 6), (4, 6)]
    assert hook_count(model) == 0

    def fail(view):
        raise RuntimeError("a visitor that fails")

    with pytest.raises(RuntimeError, match="a visitor"):
        observe(model, images, fail)
    assert hook_count(model) == 0


def test_cancelling_also_works_during_the_passes_before_and_after(monkeypatch):
    monkeypatch.setattr("dqviz.measure.centring.KEPT_BYTES", 0)
    seen = []
    images, adversarial = images_of(4)
    amplification(
        quantized(),
        images,
        adversarial,
        batch_size=2,
        flips="layers",
        progress=lambda done, total: seen.append(done),
    )
    assert seen[:2] == [0, 0]  # the means
    assert seen[2:].count(0) == 4  # all frozen, then each of three layers
    assert seen[-1] == 4


def test_bad_input_is_named():
    model = quantized()
    images, adversarial = images_of(4)
    with pytest.raises(MeasureError, match=r"\(4, 2, 6, 6\) and \(3, 2, 6, 6\)"):
        amplification(model, images, adversarial[:3])
    with pytest.raises(MeasureError, match="'some'"):
        amplification(model, images, adversarial, flips="some")
    with pytest.raises(MeasureError, match="batch_size must be at least 1; got 0"):
        amplification(model, images, adversarial, batch_size=0)
    with pytest.raises(MeasureError, match="flips='all' or 'layers'; got 'rate'"):
        amplification(model, images, adversarial, adversarial_frozen=adversarial)
    with pytest.raises(MeasureError, match="training mode"):
        amplification(full_precision().train(), images, adversarial)
    with pytest.raises(MeasureError, match="no layer 'first'"):
        amplification(hand_quantized()[1], *[torch.zeros(2, 1, 1, 2)] * 2, reference=Other())


class Other(nn.Module):
    """A network with other layer names."""

    def __init__(self):
        super().__init__()
        self.elsewhere = nn.Linear(2, 2)
        self.eval()

    def forward(self, x):
        return self.elsewhere(x.flatten(1))


class Shared(nn.Module):
    """A layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)
        self.eval()

    def forward(self, x):
        return self.conv(self.conv(x)).flatten(1)


def test_networks_that_cannot_be_measured_are_refused():
    images, adversarial = images_of(3)
    with pytest.raises(MeasureError, match="'conv' runs twice"):
        amplification(Shared(), images, adversarial)
    with pytest.raises(MeasureError, match="no convolution or linear layer"):
        amplification(nn.Flatten().eval(), images, adversarial)


def test_a_whole_residual_network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Classifier(resnet20(10), mean=[0.5] * 3, std=[0.25] * 3).eval()
    images, adversarial = images_of(4, channels=3, size=32)
    network = quantize_model(model, QuantSpec(act_bits=4), calibration=images)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    rows = amplification(network, images, adversarial, reference=model, flips="all")
    layers = list(dict.fromkeys(row.layer for row in rows))
    assert len(layers) == 21
    assert (layers[0], layers[-2], layers[-1]) == ("conv1", "linear", "logits")
    names = {row.metric for row in rows if row.layer == "layer2.0.conv1"}
    assert {"relative_distance", "quantizer_gain", "linear_gain", "sqnr_db"} <= names
    assert all(torch.equal(network.state_dict()[name], was) for name, was in before.items())
    assert hook_count(network) == 0


def test_channels_last_changes_nothing():
    model, (images, adversarial) = full_precision(), images_of(6)
    plain = measure_profile(model, images, adversarial, batch_size=2)
    last = torch.channels_last
    other = measure_profile(
        full_precision().to(memory_format=last),
        images.to(memory_format=last),
        adversarial.to(memory_format=last),
        batch_size=2,
    )
    for layer in plain.layers:
        for metric, values in plain.values[layer].items():
            torch.testing.assert_close(other.values[layer][metric], values, rtol=1e-3, atol=1e-5)
