"""Input normalisation as a network's first layer, so that epsilon keeps its meaning in pixels."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from dqviz.models.errors import ModelError

_TOO_SMALL = re.compile(r"[Oo]utput size is too small|[Kk]ernel size can't be greater than")
"""What torch says where an activation is smaller than the window that should slide over it."""


class Normalize(nn.Module):
    """Channel by channel, (x - mean) / std, for images (N, C, H, W) with pixels in [0, 1].

    Args:
        mean: one number a channel, in units of pixels scaled to [0, 1].
        std: one positive number a channel, in the same units.

    Raises:
        ValueError: if the two differ in length or a standard deviation is not positive.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        if len(mean) != len(std) or len(mean) == 0:
            raise ValueError(f"mean and std need one number a channel; got {mean} and {std}")
        if any(value <= 0 for value in std):
            raise ValueError(f"std must be positive in every channel; got {list(std)}")
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) in, normalised images of the same shape out."""
        return (images - self.mean) / self.std


class Classifier(nn.Module):
    """Normalisation, then a network: images (N, C, H, W) in [0, 1] in, logits (N, classes) out.

    `squeeze`, where it is set, is what images go through first (see `squeeze`).
    `arch` is the architecture's name and `made_for` the side in pixels of its images, for messages.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        arch: str = "the network",
        made_for: int | None = None,
    ) -> None:
        super().__init__()
        self.squeeze: nn.Module | None = None
        self.normalize = Normalize(mean, std)
        self.net = net
        self.arch = arch
        self.made_for = made_for

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) with pixels in [0, 1] in, logits (N, classes) out.

        Raises:
            ModelError: if the images have not the network's channels, or are too small for its
                layers.
        """
        if isinstance(images, torch.Tensor):  # and no stand-in of a tracer's
            self._require_channels(images)
        try:
            seen = images if self.squeeze is None else self.squeeze(images)
            logits: torch.Tensor = self.net(self.normalize(seen))
        except RuntimeError as error:
            explain_small_images(error, images.shape, arch=self.arch, made_for=self.made_for)
            raise
        return logits

    def _require_channels(self, images: torch.Tensor) -> None:
        channels = self.normalize.mean.numel()
        if images.dim() != 4 or images.shape[1] != channels:
            raise ModelError(
                f"{self.arch} takes images (N, {channels}, H, W); got {tuple(images.shape)}"
            )


def explain_small_images(
    error: RuntimeError,
    shape: Sequence[int],
    *,
    arch: str = "the network",
    made_for: int | None = None,
) -> None:
    """Says in place of torch's error, if it is that one, that images are too small for a network.

    Args:
        error: what torch raised on images of this shape.
        shape: ends in H, W.
        arch: the architecture's name.
        made_for: the side in pixels of the images that the architecture was made for.

    Raises:
        ModelError: if that is what the error means; else nothing happens.
    """
    if _TOO_SMALL.search(str(error)):
        height, width = shape[-2:]
        example = "" if made_for is None else f"; it was made for {made_for}x{made_for}"
        raise ModelError(
            f"{arch} takes no images of {height}x{width} pixels, they shrink to nothing inside it: "
            f"ask for larger ones with image_size (on the command line --image-size){example}"
        ) from error
