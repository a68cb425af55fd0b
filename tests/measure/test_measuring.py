"""How a measurement of amplification goes: batches, cancelling, refusals."""

import numpy as np
import pytest
import torch
from torch import nn

from dqviz.measure import centring
from dqviz.measure.activations import observe
from dqviz.measure.amplification import (
    amplification,
    measure_profile,
    sample_distances,
)
from dqviz.measure.errors import MeasureError
from dqviz.models.normalize import Classifier
from dqviz.models.resnet import resnet20
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec
from tests.measure.small_networks import (
    activations,
    full_precision,
    hand_quantized,
    images_of,
    quantized,
)


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


def test_sample_distances_by_layer():
    images, adversarial = images_of(5)
    model = full_precision()
    profile = measure_profile(model, images, adversarial)
    found = sample_distances(model, images, adversarial, batch_size=2)
    assert list(found) == list(profile.layers)
    for layer, values in found.items():
        assert values.shape == (5,)
        # float32 forward passes of two images and of ten: their sums differ in the last bits
        expected = profile.values[layer]["relative_distance_centred"]
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-6)
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
