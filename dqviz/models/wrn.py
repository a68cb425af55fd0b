"""Wide residual networks of any valid depth and width, for 32x32 images: `wrn_DEPTH_WIDTH`.

Zagoruyko, Komodakis: *Wide Residual Networks*, section 2, https://arxiv.org/abs/1605.07146.
Pre-activation blocks: BatchNorm, ReLU, convolution, twice. The names of the parameters are those
of the widespread public checkpoints (`conv1`, `block1.layer.0.bn1`, ..., `convShortcut`, `fc`).
"""

from __future__ import annotations

import itertools
import re

import torch
from torch import nn

from dqviz.models.errors import ModelError

EXAMPLES = ("wrn_16_1", "wrn_16_2", "wrn_16_4", "wrn_22_2", "wrn_28_10", "wrn_40_2", "wrn_40_4")
"""Common members of the series, shown where networks are listed."""

MAX_PARAMETERS = 500_000_000
"""2 GB in single precision; `wrn_28_10` has 36 million."""


class WideBlock(nn.Module):
    """BatchNorm, ReLU, 3x3 convolution, twice; where the shape changes, a 1x1 shortcut."""

    def __init__(self, channels_in: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(channels_in)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.convShortcut: nn.Module | None = None
        if channels_in != channels:
            self.convShortcut = nn.Conv2d(channels_in, channels, 1, stride, 0, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels_in, H, W) in, (N, channels, H / stride, W / stride) out.

        Where the shape changes, the shortcut too starts from the activated input.
        """
        active = self.relu1(self.bn1(x))
        out = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        shortcut = x if self.convShortcut is None else self.convShortcut(active)
        total: torch.Tensor = shortcut + out
        return total


class WideGroup(nn.Module):
    """`blocks` blocks of the same width, the first of which may change the resolution."""

    def __init__(self, channels_in: int, channels: int, blocks: int, *, stride: int) -> None:
        super().__init__()
        first = WideBlock(channels_in, channels, stride=stride)
        rest = [WideBlock(channels, channels, stride=1) for _ in range(blocks - 1)]
        self.layer = nn.Sequential(first, *rest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels_in, H, W) in, (N, channels, H / stride, W / stride) out."""
        out: torch.Tensor = self.layer(x)
        return out


class WideResNet(nn.Module):
    """A first convolution, three groups at 16, 32 and 64 times `width` channels, a linear layer.

    Normalised images (N, 3, H, W) in, logits (N, classes) out. `depth` is 6n + 4 for n blocks in
    each group.
    """

    def __init__(self, depth: int, width: int, *, classes: int) -> None:
        super().__init__()
        blocks = (depth - 4) // 6
        channels = [16, 16 * width, 32 * width, 64 * width]
        self.conv1 = nn.Conv2d(3, channels[0], 3, 1, 1, bias=False)
        self.block1 = WideGroup(channels[0], channels[1], blocks, stride=1)
        self.block2 = WideGroup(channels[1], channels[2], blocks, stride=2)
        self.block3 = WideGroup(channels[2], channels[3], blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(channels[3])
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels[3], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images (N, 3, H, W) in, logits (N, classes) out."""
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        logits: torch.Tensor = self.fc(self.flatten(self.pool(self.relu(self.bn1(x)))))
        return logits


def parse_name(name: str) -> tuple[int, int]:
    """The depth and the width in `wrn_DEPTH_WIDTH`.

    Raises:
        ModelError: if the name is not of that form, the depth is not 6n + 4, or the network would
            have more than `MAX_PARAMETERS` parameters.
    """
    match = re.fullmatch(r"wrn_([1-9][0-9]{0,5}|0)_([1-9][0-9]{0,5}|0)", name)
    if match is None:
        raise ModelError(
            f"a wide residual network is named wrn_DEPTH_WIDTH, such as wrn_16_2; got {name!r}"
        )
    depth, width = int(match[1]), int(match[2])
    nearest = 6 * max(1, round((depth - 4) / 6)) + 4
    if depth != nearest or width < 1:
        raise ModelError(
            f"a wide residual network's depth is 10, 16, 22, 28 and so on (6n + 4) and its width "
            f"1 or more; got {name!r}; the nearest valid name is wrn_{nearest}_{max(1, width)}"
        )
    if count_weights(depth, width) > MAX_PARAMETERS:
        raise ModelError(
            f"{name!r} would have {count_weights(depth, width):,} weights; "
            f"at most {MAX_PARAMETERS:,} are accepted"
        )
    return depth, width


def count_weights(depth: int, width: int) -> int:
    """The weights in the groups' convolutions, from the formula, without making the network."""
    blocks = (depth - 4) // 6
    channels = [16, 16 * width, 32 * width, 64 * width]
    total = 0
    for before, after in itertools.pairwise(channels):
        shortcut = before * after if before != after else 0
        total += 9 * before * after + shortcut + (2 * blocks - 1) * 9 * after * after
    return total


def wide_resnet(name: str, classes: int) -> WideResNet:
    """The network named `wrn_DEPTH_WIDTH`, with random weights."""
    depth, width = parse_name(name)
    return WideResNet(depth, width, classes=classes)
