"""Residual networks for 32x32 images, with parameter-free (option A) shortcuts.

He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*, section 4.2,
https://arxiv.org/abs/1512.03385. The names of the parameters are those of the widespread public
CIFAR-10 checkpoints (`conv1`, `bn1`, `layer1.0.conv1`, ..., `linear`). `plain20` is the same
network without shortcuts, in which amplification is not blurred by them, and `plain20_nonorm` has
no BatchNorm either: there a penalty on the raw kernel is one on the function.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class PadShortcut(nn.Module):
    """Option A: every second pixel, and zeros for the channels that are new. Its norm is at most 1.

    (N, C, H, W) in, (N, C + 2 * pad, ceil(H / stride), ceil(W / stride)) out.
    """

    def __init__(self, *, stride: int, pad: int) -> None:
        super().__init__()
        self.stride = stride
        self.pad = pad

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) in, (N, C + 2 * pad, ceil(H / stride), ceil(W / stride)) out."""
        # Windows of one pixel: what slices take too, but their gradient has another memory layout
        # than x, which slows down the gradients of what comes before.
        pixels = F.avg_pool2d(x, 1, self.stride)
        return F.pad(pixels, (0, 0, 0, 0, self.pad, self.pad))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm, and the shortcut around them where there is one.

    Without `norm` the convolutions have biases instead.
    """

    def __init__(
        self, channels_in: int, channels: int, *, stride: int, shortcut: bool, norm: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=not norm)
        self.bn1 = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=not norm)
        self.bn2 = nn.BatchNorm2d(channels) if norm else nn.Identity()
        self.relu2 = nn.ReLU()
        self.shortcut: nn.Module | None = None
        if shortcut and (stride != 1 or channels_in != channels):
            self.shortcut = PadShortcut(stride=stride, pad=(channels - channels_in) // 2)
        elif shortcut:
            self.shortcut = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels_in, H, W) in, (N, channels, H / stride, W / stride) out."""
        out = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        if self.shortcut is not None:
            out = out + self.shortcut(x)
        result: torch.Tensor = self.relu2(out)
        return result


class CifarResNet(nn.Module):
    """A first convolution, three stages of blocks at 16, 32 and 64 channels, a linear layer.

    Normalised images (N, 3, H, W) in, logits (N, classes) out.
    """

    def __init__(
        self, blocks: int, *, classes: int, shortcut: bool = True, norm: bool = True
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=not norm)
        self.bn1 = nn.BatchNorm2d(16) if norm else nn.Identity()
        self.relu = nn.ReLU()
        more = {"shortcut": shortcut, "norm": norm}
        self.layer1 = _stage(16, 16, blocks, stride=1, **more)
        self.layer2 = _stage(16, 32, blocks, stride=2, **more)
        self.layer3 = _stage(32, 64, blocks, stride=2, **more)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalised images (N, 3, H, W) in, logits (N, classes) out."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: torch.Tensor = self.linear(self.flatten(self.pool(x)))
        return logits


def _stage(
    channels_in: int, channels: int, blocks: int, *, stride: int, **more: bool
) -> nn.Sequential:
    first = BasicBlock(channels_in, channels, stride=stride, **more)
    rest = [BasicBlock(channels, channels, stride=1, **more) for _ in range(blocks - 1)]
    return nn.Sequential(first, *rest)


def resnet20(classes: int) -> CifarResNet:
    """20 layers, 0.27 million parameters."""
    return CifarResNet(3, classes=classes)


def resnet32(classes: int) -> CifarResNet:
    """32 layers, 0.46 million parameters."""
    return CifarResNet(5, classes=classes)


def resnet44(classes: int) -> CifarResNet:
    """44 layers, 0.66 million parameters."""
    return CifarResNet(7, classes=classes)


def resnet56(classes: int) -> CifarResNet:
    """56 layers, 0.85 million parameters."""
    return CifarResNet(9, classes=classes)


def plain20(classes: int) -> CifarResNet:
    """The 20 layers of `resnet20` without shortcuts."""
    return CifarResNet(3, classes=classes, shortcut=False)


def plain20_nonorm(classes: int) -> CifarResNet:
    """The 20 layers of `plain20` without BatchNorm."""
    return CifarResNet(3, classes=classes, shortcut=False, norm=False)
