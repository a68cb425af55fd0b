"""Small networks for the tests of attacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dqviz.models.normalize import Classifier


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def images(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(12, 3, 8, 8, generator=generator)


@pytest.fixture
def net(generator: torch.Generator, images: torch.Tensor) -> Classifier:
    """A convolution with BatchNorm and a linear layer, of random weights, 5 classes."""
    layers = nn.Sequential(
        nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(),
        nn.Linear(216, 5),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in layers.parameters():
            if parameter.dim() > 1:
                noise = torch.randn(parameter.shape, generator=generator)
                parameter.copy_(noise * (2 / parameter[0].numel()) ** 0.5)
        layers[1].bias.fill_(0.2)
    return Classifier(layers, mean=(0.5,) * 3, std=(0.25,) * 3).eval().requires_grad_(False)


@pytest.fixture
def labels(net: Classifier, images: torch.Tensor) -> torch.Tensor:
    """The network's own predictions, so that every image is right at first."""
    return net(images).argmax(1)
