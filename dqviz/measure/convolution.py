"""A zero-padded convolution as a linear map: its geometry, its action and its adjoint."""

from __future__ import annotations

import dataclasses
import itertools

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.measure.errors import MeasureError

Pair = tuple[int, int]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution without its bias.

    `weight` is (out, in / groups, kh, kw) in float64; every other field is (vertical, horizontal),
    and `pad_before`, `pad_after` count the zeros above and below, left and right.
    """

    weight: torch.Tensor
    stride: Pair = (1, 1)
    pad_before: Pair = (0, 0)
    pad_after: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def channels_in(self) -> int:
        """Channels of the input."""
        return int(self.weight.shape[1]) * self.groups

    @property
    def reach(self) -> Pair:
        """How many pixels the dilated kernel spans, (vertical, horizontal)."""
        kh, kw = self.weight.shape[2:]
        return (kh - 1) * self.dilation[0] + 1, (kw - 1) * self.dilation[1] + 1

    def with_weight(self, weight: torch.Tensor) -> Convolution:
        """The same geometry with another kernel of the same shape."""
        return dataclasses.replace(self, weight=weight)

    def padded_size(self, size: Pair) -> Pair:
        """Height and width with the zeros."""
        before, after = self.pad_before, self.pad_after
        return size[0] + before[0] + after[0], size[1] + before[1] + after[1]

    def output_size(self, size: Pair) -> Pair:
        """Height and width of the output for an input of height and width `size`."""
        padded = self.padded_size(size)
        height, width = (
            (padded[i] - self.reach[i]) // self.stride[i] + 1 if padded[i] >= self.reach[i] else 0
            for i in (0, 1)
        )
        return height, width

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in, H, W) in, (N, out, H', W') out, in the precision of x."""
        (top, left), (bottom, right) = self.pad_before, self.pad_after
        return F.conv2d(
            F.pad(x, (left, right, top, bottom)),
            self.weight.to(x.dtype),
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        )

    def adjoint(self, y: torch.Tensor, size: Pair) -> torch.Tensor:
        """The transpose of `apply`: (N, out, H', W') in, (N, in, H, W) out with (H, W) = size."""
        padded, output = self.padded_size(size), self.output_size(size)
        rest = [padded[i] - ((output[i] - 1) * self.stride[i] + self.reach[i]) for i in (0, 1)]
        (top, left), (height, width) = self.pad_before, size
        x = F.conv_transpose2d(
            y,
            self.weight.to(y.dtype),
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        )
        x = F.pad(x, (0, rest[1], 0, rest[0]))  # (N, in, padded H, padded W)
        return x[:, :, top : top + height, left : left + width]

    def matrices(self, size: Pair) -> torch.Tensor:
        """The explicit matrix of every group: (groups, out / groups * H'W', in / groups * HW).

        Output (i, j) meets input (i, j) * stride + tap * dilation - padding through the tap's
        weights, wherever that is no padding.
        """
        out, inputs, kh, kw = self.weight.shape
        kernel = self.weight.view(self.groups, out // self.groups, inputs, kh, kw)
        output = self.output_size(size)
        matrix = torch.zeros(self.groups, out // self.groups, *output, inputs, *size).double()
        places = itertools.product(range(output[0]), range(output[1]), range(kh), range(kw))
        for i, j, a, b in places:
            y = i * self.stride[0] + a * self.dilation[0] - self.pad_before[0]
            x = j * self.stride[1] + b * self.dilation[1] - self.pad_before[1]
            if 0 <= y < size[0] and 0 <= x < size[1]:
                matrix[:, :, i, j, :, y, x] = kernel[..., a, b]
        return matrix.flatten(4).flatten(1, 3)


def read_convolution(conv: nn.Conv2d) -> Convolution:
    """The linear map of a Conv2d, with the weights that it holds.

    Raises:
        MeasureError: if it is no Conv2d, pads with something other than zeros, or holds weights
            that are not finite.
    """
    if not isinstance(conv, nn.Conv2d):
        raise MeasureError(f"expected a Conv2d; got {type(conv).__name__}")
    if conv.padding_mode != "zeros":
        raise MeasureError(
            "the operator norm is known for zero padding only, padding_mode='zeros'; "
            f"got padding_mode={conv.padding_mode!r}"
        )
    weight = conv.weight.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(weight).all()):
        raise MeasureError("the convolution has weights that are NaN or infinite")
    before, after = _padding(conv)
    return Convolution(
        weight=weight,
        stride=(conv.stride[0], conv.stride[1]),
        pad_before=before,
        pad_after=after,
        dilation=(conv.dilation[0], conv.dilation[1]),
        groups=conv.groups,
    )


def _padding(conv: nn.Conv2d) -> tuple[Pair, Pair]:
    """Zeros before and after, (vertical, horizontal); 'same' puts the odd one after, like torch."""
    if isinstance(conv.padding, str):
        total = [
            (conv.kernel_size[i] - 1) * conv.dilation[i] if conv.padding == "same" else 0
            for i in (0, 1)
        ]
        before = (total[0] // 2, total[1] // 2)
        return before, (total[0] - before[0], total[1] - before[1])
    both = (int(conv.padding[0]), int(conv.padding[1]))
    return both, both
