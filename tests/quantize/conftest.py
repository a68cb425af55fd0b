"""Small networks for the tests of quantization."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dqviz.models.normalize import Classifier
from dqviz.models.resnet import resnet20


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def small_net(generator: torch.Generator) -> Classifier:
    """Three convolutions, one BatchNorm that folds, one linear layer; every statistic uneven."""
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, stride=2, groups=2),
        nn.ReLU(),
        nn.Conv2d(6, 5, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 4),
    )
    return _shaken(Classifier(net, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25)), generator)


@pytest.fixture
def resnet(generator: torch.Generator) -> Classifier:
    """A ResNet-20 with random weights and BatchNorm statistics."""
    return _shaken(Classifier(resnet20(10), mean=(0.5,) * 3, std=(0.25,) * 3), generator)


@pytest.fixture
def images(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(12, 3, 16, 16, generator=generator)


def _shaken(model: Classifier, generator: torch.Generator) -> Classifier:
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(
                1 + noise / 4 if parameter.dim() == 1 else noise / parameter[0].numel() ** 0.5
            )
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean = torch.randn(module.num_features, generator=generator) / 4
                module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
                module.bias.sub_(1)
    return model.eval().requires_grad_(False)
