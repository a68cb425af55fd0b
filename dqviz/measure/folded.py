"""Each layer's linear map, plain and with the BatchNorm beside it folded in.

BatchNorm undoes its kernel's scale, so that the norm of the bare kernel describes parameters and
not the function. At inference it multiplies each channel by gamma / sigma, and is folded in where
the graph allows it:

- a convolution followed by a BatchNorm that alone consumes it: the rows are scaled;
- a BatchNorm that reaches a layer alone, straight or through a ReLU: the columns are scaled. The
  ReLU multiplies each number's difference by something from 0 to 1, a diagonal matrix that commutes
  with the scaling, so that the norm of the scaled layer bounds that of the whole path;
- a BatchNorm that stands otherwise is a node of its own, with the norm max |gamma / sigma|.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import fx, nn

from dqviz.measure.conv_norm import operator_norm
from dqviz.measure.convolution import Convolution, read_convolution
from dqviz.measure.errors import MeasureError
from dqviz.measure.matrix_norm import Bounds, kernel_matrices, largest_singular_value
from dqviz.models.graph import LayerInfo


@dataclasses.dataclass(frozen=True)
class LinearMap:
    """A convolution or linear layer without its bias, for inputs of one shape.

    `weight` is (out, in / groups, kh, kw) or (out, in), float64. `conv` is None for a linear layer.
    """

    weight: torch.Tensor
    conv: Convolution | None
    input_shape: tuple[int, ...]

    @property
    def groups(self) -> int:
        """The groups of a convolution; 1 for a linear layer."""
        return 1 if self.conv is None else self.conv.groups

    @property
    def matrices(self) -> torch.Tensor:
        """The kernel as matrices (groups, out / groups, in / groups * kh * kw)."""
        return kernel_matrices(self.weight, groups=self.groups)

    def norm(self, *, upper_only: bool = False) -> Bounds:
        """The operator norm as the layer is applied; see `conv_operator_norm`."""
        if self.conv is None:
            return largest_singular_value(self.matrices)
        channels, height, width = self.input_shape
        return operator_norm(
            self.conv.with_weight(self.weight), (channels, height, width), upper_only=upper_only
        )


def linear_map(traced: fx.GraphModule, info: LayerInfo) -> LinearMap:
    """A layer's linear map with the weights it holds.

    Raises:
        MeasureError: if the weights are not finite or the padding is not with zeros.
    """
    layer = traced.get_submodule(info.name)
    if isinstance(layer, nn.Conv2d):
        conv = read_convolution(layer)
        return LinearMap(conv.weight, conv, info.input_shape)
    if not isinstance(layer, nn.Linear):
        raise MeasureError(f"expected a Conv2d or Linear; got {type(layer).__name__}")
    weight = layer.weight.detach().to("cpu", torch.float64)
    if not bool(torch.isfinite(weight).all()):
        raise MeasureError(f"layer {info.name!r} has weights that are NaN or infinite")
    return LinearMap(weight, None, info.input_shape)


def folded_map(traced: fx.GraphModule, info: LayerInfo) -> LinearMap | None:
    """A layer's linear map with its BatchNorms folded in, or None where there is none to fold."""
    if info.norm_after is None and info.norm_before is None:
        return None
    plain = linear_map(traced, info)
    weight = plain.weight
    if info.norm_after is not None:
        rows = _gains_of(traced, info.norm_after)
        weight = weight * rows.view(-1, *[1] * (weight.dim() - 1))
    if info.norm_before is not None:
        columns = _gains_of(traced, info.norm_before).view(plain.groups, -1)
        columns = columns.repeat_interleave(len(weight) // plain.groups, 0)  # (out, in / groups)
        weight = weight * columns.view(*columns.shape, *[1] * (weight.dim() - 2))
    return dataclasses.replace(plain, weight=weight)


def _gains_of(traced: fx.GraphModule, name: str) -> torch.Tensor:
    norm = traced.get_submodule(name)
    assert isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    return channel_gains(norm)


def channel_gains(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> torch.Tensor:
    """|gamma / sigma| by channel, (C,) float64, of a BatchNorm at inference.

    Raises:
        MeasureError: if it keeps no running statistics, so that a prediction depends on its
            batch-mates, or if a gain is not finite.
    """
    if norm.running_var is None:
        raise MeasureError("a BatchNorm without running statistics has no fixed scale")
    variance = norm.running_var.detach().to("cpu", torch.float64)
    gains = (variance + norm.eps).rsqrt()
    if norm.affine:
        gains = gains * norm.weight.detach().to("cpu", torch.float64).abs()
    if not bool(torch.isfinite(gains).all()):
        raise MeasureError("a BatchNorm's gamma / sigma is NaN or infinite")
    return gains
