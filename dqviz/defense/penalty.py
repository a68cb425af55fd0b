"""The Defensive Quantization penalty: every layer's kernel is drawn towards orthogonal rows.

Lin, Gan, Han: *Defensive Quantization: When Efficiency Meets Robustness*, ICLR 2019,
https://arxiv.org/abs/1904.08444; the orthogonality regularizer is that of Cisse et al.,
*Parseval Networks*, https://arxiv.org/abs/1704.08847:

    loss = cross-entropy + beta / 2 * sum over layers of ||W^T W - I||_F^2

with W the kernel reshaped to (out, in * k * k). ||W^T W - I||^2 and ||W W^T - I||^2 differ by a
constant, so their gradients are equal and the smaller Gram matrix is used. The arm says which
kernel is meant: `raw`, the parameters as in the paper, or `folded`, the kernel with its BatchNorm,
which is what the function really applies (BatchNorm undoes the scale of the raw kernel).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from dqviz.models import graph


@dataclasses.dataclass(frozen=True)
class Layer:
    """A live layer of the network being trained, with the BatchNorms folded into its kernel.

    `input_shape` is that of its input for one image, (C, H, W) or (C,).
    """

    name: str
    module: nn.Conv2d | nn.Linear
    input_shape: tuple[int, ...]
    norm_after: nn.BatchNorm2d | None
    norm_before: nn.BatchNorm2d | None


def penalized_layers(model: nn.Module, *, input_shape: tuple[int, int, int]) -> list[Layer]:
    """Every convolution and linear layer of `model`, which may go on being trained.

    Args:
        model: the network.
        input_shape: (C, H, W) of one image.

    Raises:
        UnsupportedOperation: if the network's graph cannot be read.
    """
    found = []
    for info in graph.layers(graph.trace(model), input_shape):
        module = model.get_submodule(info.name)
        assert isinstance(module, nn.Conv2d | nn.Linear)
        after, before = _norm(model, info.norm_after), _norm(model, info.norm_before)
        found.append(Layer(info.name, module, info.input_shape, after, before))
    return found


def _norm(model: nn.Module, name: str | None) -> nn.BatchNorm2d | None:
    module = None if name is None else model.get_submodule(name)
    return module if isinstance(module, nn.BatchNorm2d) else None


def folded_kernel(layer: Layer) -> torch.Tensor:
    """The layer's weight with its BatchNorms folded in, of the weight's own shape.

    A BatchNorm after it scales rows by gamma / sigma; one before it scales columns by
    |gamma / sigma|. Running variances count as constants; gradients reach gamma and the weight.
    """
    weight = layer.module.weight
    rest = [1] * (weight.dim() - 1)
    if layer.norm_after is not None:
        weight = weight * _scale(layer.norm_after).view(-1, *rest)
    if layer.norm_before is not None:
        scale = _scale(layer.norm_before).abs()
        groups = layer.module.groups if isinstance(layer.module, nn.Conv2d) else 1
        columns = scale.view(groups, 1, -1).expand(groups, weight.shape[0] // groups, -1)
        weight = weight * columns.reshape(weight.shape[0], weight.shape[1], *rest[1:])
    return weight


def _scale(norm: nn.BatchNorm2d) -> torch.Tensor:
    assert norm.running_var is not None
    sigma = torch.sqrt(norm.running_var.detach() + norm.eps)
    return norm.weight / sigma if norm.affine else 1 / sigma


def orthogonality(kernel: torch.Tensor, *, groups: int = 1) -> torch.Tensor:
    """||W^T W - I||_F^2 up to a constant, by the smaller Gram matrix; one Gram a group.

    Args:
        kernel: (out, in / groups, ...) weights.
        groups: of the convolution.

    Returns:
        A scalar; 0 when the rows (or, if there are fewer of them, the columns) are orthonormal.
    """
    matrix = kernel.reshape(groups, kernel.shape[0] // groups, -1)  # (groups, rows, columns)
    if matrix.shape[1] > matrix.shape[2]:
        matrix = matrix.transpose(1, 2)
    gram = matrix @ matrix.transpose(1, 2)
    identity = torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    return (gram - identity).square().sum()


def orthogonality_penalty(
    model: nn.Module,
    *,
    arm: str = "raw",
    input_shape: tuple[int, int, int] = (3, 32, 32),
    layers: list[Layer] | None = None,
) -> torch.Tensor:
    """Sum over the layers of `orthogonality`, a differentiable scalar; times beta / 2 in the loss.

    Args:
        model: the network.
        arm: `raw` or `folded`.
        input_shape: (C, H, W) of one image, used to read the graph.
        layers: what `penalized_layers` returned, to spare reading the graph at every step.

    Raises:
        ValueError: for an arm of another name.
    """
    if arm not in ("raw", "folded"):
        raise ValueError(f"the penalty's arm must be 'raw' or 'folded'; got {arm!r}")
    total = torch.zeros(())
    for layer in penalized_layers(model, input_shape=input_shape) if layers is None else layers:
        kernel = folded_kernel(layer) if arm == "folded" else layer.module.weight
        groups = layer.module.groups if isinstance(layer.module, nn.Conv2d) else 1
        total = total.to(kernel.device) + orthogonality(kernel, groups=groups)
    return total
