"""Images corrupted without malice: noise, blur, brightness, contrast, JPEG, at five severities.

Hendrycks, Dietterich: *Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations*, ICLR 2019, https://arxiv.org/abs/1903.12261, with the strengths of their CIFAR-10-C.
Gaussian blur stands for their blurs. As there, corrupted images are rounded to 8 bits a channel.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from dqviz.specs import CORRUPTIONS

NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)
"""Standard deviations, in pixel units."""
BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)
"""Standard deviations of the kernel, in pixels of the image's grid."""
BRIGHTNESS = (0.05, 0.1, 0.15, 0.2, 0.3)
"""What is added to the value of HSV."""
CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)
"""What distances from a channel's mean are multiplied by."""
JPEG = (80, 65, 58, 50, 40)
"""Qualities."""


def corrupt(images: torch.Tensor, name: str, *, severity: int, seed: int = 0) -> torch.Tensor:
    """Corrupted images, rounded to 8 bits a channel.

    Args:
        images: float32 (N, C, H, W) in [0, 1].
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: of the noise; the first images of a longer list get the same noise as alone.

    Returns:
        float32 (N, C, H, W) in [0, 1].
    """
    changed = _CORRUPTIONS[name](images, severity - 1, seed)
    return (changed.clamp(0, 1) * 255).round() / 255


def _noise(images: torch.Tensor, place: int, seed: int) -> torch.Tensor:
    drawn = np.random.default_rng(seed).standard_normal(tuple(images.shape), dtype=np.float32)
    return images + NOISE[place] * torch.from_numpy(drawn)


def _blur(images: torch.Tensor, place: int, seed: int) -> torch.Tensor:
    # Here: importing torchvision takes a second, and every experiment imports this file.
    from torchvision.transforms.v2.functional import gaussian_blur

    sigma = BLUR[place]
    size = 2 * math.ceil(4 * sigma) + 1
    blurred: torch.Tensor = gaussian_blur(images, [size, size], [sigma, sigma])
    return blurred


def _brightness(images: torch.Tensor, place: int, seed: int) -> torch.Tensor:
    """Hue and saturation stay; black has neither, and becomes grey."""
    value = images.amax(dim=1, keepdim=True)
    brighter = (value + BRIGHTNESS[place]).clamp(max=1)
    return torch.where(value > 0, images * (brighter / value.clamp(min=1e-12)), brighter)


def _contrast(images: torch.Tensor, place: int, seed: int) -> torch.Tensor:
    mean = images.mean(dim=(2, 3), keepdim=True)
    return mean + CONTRAST[place] * (images - mean)


def _jpeg(images: torch.Tensor, place: int, seed: int) -> torch.Tensor:
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    parts = [torch.from_numpy(_through_jpeg(part, JPEG[place])) for part in pixels]
    return torch.stack(parts).permute(0, 3, 1, 2).float() / 255


def _through_jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """One image (H, W, 3) or (H, W, 1), saved and read back."""
    file = io.BytesIO()
    grey = pixels.shape[-1] == 1
    Image.fromarray(pixels[..., 0] if grey else pixels).save(file, "JPEG", quality=quality)
    back = np.array(Image.open(file))
    return back[..., None] if grey else back


_CORRUPTIONS: dict[str, Callable[[torch.Tensor, int, int], torch.Tensor]] = dict(
    zip(CORRUPTIONS, (_noise, _blur, _brightness, _contrast, _jpeg), strict=True)
)
