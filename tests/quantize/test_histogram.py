"""Histograms of layer inputs against NumPy's."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from dqviz.models.normalize import Classifier
from dqviz.quantize import Histogram, QuantizeError, collect_histograms, from_json, to_json
from dqviz.quantize import histogram as histogram_module


def inputs_by_hand(model: Classifier, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every layer's input, by running the sequence one module after the other."""
    x = model.normalize(images)
    found = {}
    for index, module in enumerate(model.net):
        if isinstance(module, nn.Conv2d | nn.Linear):
            found[f"net.{index}"] = x
        x = module(x)
    return found


def test_counts_are_those_of_numpy_up_to_a_shift_between_neighbours(
    small_net: Classifier, images: torch.Tensor
) -> None:
    histograms = collect_histograms(small_net, images, bins=64)
    by_hand = inputs_by_hand(small_net, images)
    assert list(histograms) == list(by_hand)
    for name, values in by_hand.items():
        h = histograms[name]
        assert h.counts.sum() == values.numel()
        assert (h.low, h.high) == pytest.approx((values.min().item(), values.max().item()), 1e-4)
        theirs, _ = np.histogram(values.numpy(), bins=64, range=(h.low, h.high))
        # The shares below each edge differ by what the two bins at the edge hold on a finer grid.
        gap = np.abs(np.cumsum(h.counts) - np.cumsum(theirs))
        assert (gap <= 0.2 * (theirs + np.roll(theirs, -1)) + 2).all()


def test_the_split_into_batches_does_not_matter(generator: torch.Generator) -> None:
    model = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(48, 4)), mean=(0.0,) * 3, std=(1.0,) * 3
    ).eval()
    # Each image three times as large as the one before: the grid has to grow again and again.
    scale = 3.0 ** torch.arange(-4, 4).view(-1, 1, 1, 1)
    images = torch.randn(8, 3, 4, 4, generator=generator) * scale
    whole = collect_histograms(model, images)["net.1"]
    for size in (1, 3):
        split = collect_histograms(model, images, batch_size=size)["net.1"]
        assert (split.low, split.high) == (whole.low, whole.high)
        assert (split.counts == whole.counts).all()
    assert whole.low == images.min().item()
    assert whole.high == images.max().item()


def test_counting_in_chunks_changes_nothing(
    small_net: Classifier, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collect_histograms(small_net, images)
    monkeypatch.setattr(histogram_module, "_CHUNK", 1000)
    chunked = collect_histograms(small_net, images)
    assert all((whole[name].counts == chunked[name].counts).all() for name in whole)


def test_the_network_is_left_as_it_was(small_net: Classifier, images: torch.Tensor) -> None:
    before = {k: v.clone() for k, v in small_net.state_dict().items()}
    collect_histograms(small_net, images)
    assert all(not module._forward_pre_hooks for module in small_net.modules())
    assert all(torch.equal(before[k], v) for k, v in small_net.state_dict().items())


def test_json_and_back(small_net: Classifier, images: torch.Tensor) -> None:
    histograms = collect_histograms(small_net, images, bins=16)
    back = from_json(json.loads(json.dumps(to_json(histograms))))
    assert list(back) == list(histograms)
    for name, h in histograms.items():
        assert (back[name].low, back[name].high) == (h.low, h.high)
        assert (back[name].counts == h.counts).all()


def test_a_constant_input_has_a_range_of_one_point() -> None:
    model = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), mean=(0.0,) * 3, std=(1.0,) * 3
    ).eval()
    h = collect_histograms(model, torch.zeros(2, 3, 1, 1), bins=8)["net.1"]
    assert (h.low, h.high) == (0.0, 0.0)
    assert h.counts.sum() == 6


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_are_named(
    small_net: Classifier, images: torch.Tensor, value: float
) -> None:
    images[1, 0, 0, 0] = value
    with pytest.raises(QuantizeError, match=r"'net\.0' holds NaN or infinity"):
        collect_histograms(small_net, images)


def test_no_images_are_refused(small_net: Classifier) -> None:
    with pytest.raises(QuantizeError, match=r"N at least 1; got \(0, 3, 8, 8\)"):
        collect_histograms(small_net, torch.zeros(0, 3, 8, 8))


def test_broken_histograms_are_refused() -> None:
    counts = np.ones(4, dtype=np.int64)
    for bad in (
        lambda: Histogram(0.0, float("nan"), counts),
        lambda: Histogram(2.0, 1.0, counts),
        lambda: Histogram(0.0, 1.0, counts * 0),
        lambda: from_json({"conv1": {"low": 0.0, "counts": [1]}}),
        lambda: from_json({"conv1": None}),
    ):
        with pytest.raises(QuantizeError):
            bad()
