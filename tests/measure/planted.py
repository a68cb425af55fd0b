"""A small honest network, and what is done to it so that an attack on it fails."""

from __future__ import annotations

import torch
from torch import nn

CLASSES, SIZE = 10, 8
EPSILON = 2.5 / 255
"""Where an honest attack leaves about half of the images standing."""


def images_and_labels(count=192, seed=0):
    """Noisy templates of ten classes, images (N, 3, 8, 8) in [0, 1] and labels (N,)."""
    generator = torch.Generator().manual_seed(seed)
    templates = torch.rand(CLASSES, 3, SIZE, SIZE, generator=generator)
    labels = torch.arange(count) % CLASSES
    noise = torch.randn(count, 3, SIZE, SIZE, generator=generator)
    images = 0.5 + 0.06 * (templates[labels] - 0.5) + 0.05 * noise
    return images.clamp(0, 1), labels


class Honest(nn.Module):
    """Two layers with a smooth bend between them, trained for a moment."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3 * SIZE * SIZE, 64)
        self.second = nn.Linear(64, CLASSES)

    def forward(self, images):
        return self.second(torch.tanh(self.first((images - 0.5).flatten(1) * 4)))


def honest(seed=0):
    """A trained network that hides nothing, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    network = Honest()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    images, labels = images_and_labels(2000, seed=0)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.requires_grad_(False).eval()


class TrueRounding(nn.Module):
    """The network on images of sixteen levels, with the gradient that rounding really has."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, images):
        return self.network((images * 63).round() / 63)


class Saturated(nn.Module):
    """Logits so large that the softmax is 1 for one class and 0 for all others."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, images):
        return 1000 * self.network(images)


class Noisy(nn.Module):
    """Chance in the forward pass."""

    def __init__(self, network, size=1.0):
        super().__init__()
        self.network, self.size = network, size
        self.generator = torch.Generator().manual_seed(0)
        self.eval()

    def forward(self, images):
        noise = torch.randn(images.shape, generator=self.generator)
        return self.network(images + self.size * noise / 40)
