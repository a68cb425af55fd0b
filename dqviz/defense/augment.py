"""Random crops and flips of a batch of images, from an explicit generator."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def random_crop(images: torch.Tensor, *, pad: int, generator: torch.Generator) -> torch.Tensor:
    """Every image is padded by reflection and cut out again at a place of its own.

    Args:
        images: (N, C, H, W).
        pad: pixels added on each side; 0 returns the images.
        generator: on the processor.

    Returns:
        (N, C, H, W).
    """
    if pad == 0:
        return images
    count, _, height, width = images.shape
    offsets = torch.randint(0, 2 * pad + 1, (2, count), generator=generator).to(images.device)
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect")
    rows = offsets[0, :, None] + torch.arange(height, device=images.device)  # (N, H)
    columns = offsets[1, :, None] + torch.arange(width, device=images.device)  # (N, W)
    sample = torch.arange(count, device=images.device)[:, None, None]
    # advanced indices around the channel slice: (N, H, W, C)
    cut = padded[sample, :, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2)


def random_flip(images: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
    """Half of the images (N, C, H, W), at random, mirrored left to right."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    chosen = chosen.to(images.device)[:, None, None, None]
    return torch.where(chosen, images.flip(3), images)
