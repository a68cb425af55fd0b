"""What a network may be made of: the operations that can be quantized soundly.

What is not in the tables below is refused: a layer that silently stays in full precision is the
commonest bug of the field.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import fx, nn
from torch.nn import functional as F

from dqviz.models.errors import ModelError
from dqviz.models.normalize import Normalize
from dqviz.models.resnet import PadShortcut
from dqviz.models.squeeze import Squeeze

M = TypeVar("M", bound=nn.Module)

ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.Hardtanh,
    nn.LeakyReLU,
    nn.ELU,
    nn.SiLU,
    nn.GELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Softplus,
)
POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
PASSIVE = (nn.Identity, nn.Dropout, nn.Dropout2d, nn.Flatten, Normalize, PadShortcut, Squeeze)
NORMS = (nn.BatchNorm2d, nn.BatchNorm1d, nn.LayerNorm, nn.GroupNorm)
LAYERS = (nn.Conv2d, nn.Linear)
SOUND_MODULES = (*ACTIVATIONS, *POOLINGS, *PASSIVE, *NORMS, *LAYERS)

STOCHASTIC_DEPTH = "torchvision.ops.stochastic_depth"
"""The module of torchvision's function, which stands for it in tables: importing torchvision takes
a second, most of it for torch's compiler, and few networks need it."""

SOUND_FUNCTIONS: tuple[Callable[..., Any] | str, ...] = (
    operator.add,
    operator.iadd,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.getitem,
    getattr,
    torch.add,
    torch.mul,
    torch.cat,
    torch.concat,
    torch.flatten,
    torch.relu,
    torch.sigmoid,
    torch.mean,
    torch.reshape,
    torch.unsqueeze,
    torch.transpose,
    torch.permute,
    torch.chunk,
    F.relu,
    F.relu6,
    F.hardtanh,
    F.silu,
    F.gelu,
    F.hardswish,
    F.hardsigmoid,
    F.pad,
    F.layer_norm,
    F.dropout,
    F.avg_pool2d,
    F.max_pool2d,
    F.adaptive_avg_pool2d,
    STOCHASTIC_DEPTH,
)
SOUND_METHODS = [
    "add",
    "add_",
    "mul",
    "mul_",
    "relu",
    "sigmoid",
    "mean",
    "flatten",
    "view",
    "reshape",
    "permute",
    "transpose",
    "contiguous",
    "chunk",
    "size",
    "unsqueeze",
    "squeeze",
    "clamp",
]


class UnsupportedOperation(ModelError):
    """An operation that cannot be quantized soundly; the message names it and where it stands."""


def entry_of(target: Any) -> Any:
    """What stands in tables for the target of a node: itself, or the name of its module."""
    return STOCHASTIC_DEPTH if getattr(target, "__module__", "") == STOCHASTIC_DEPTH else target


def module_of(traced: fx.GraphModule, node: fx.Node, kinds: tuple[type[M], ...]) -> M | None:
    """The module that a node calls, if it is of one of these kinds."""
    if node.op != "call_module":
        return None
    module = traced.get_submodule(str(node.target))
    return module if isinstance(module, kinds) else None


def is_relu(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a node of a traced network is a ReLU, as a module or a function."""
    if node.op == "call_function":
        return node.target in (F.relu, torch.relu)
    return module_of(traced, node, (nn.ReLU,)) is not None


def refuse_unsound(traced: fx.GraphModule) -> None:
    """Refuses a network that holds an operation in none of the tables, or uses a layer twice.

    Raises:
        UnsupportedOperation: naming every such operation and where it stands.
    """
    found = {_unsound(traced, node): node for node in traced.graph.nodes}
    unsound = {operation: node for operation, node in found.items() if operation is not None}
    if unsound:
        names = ", ".join(f"{operation} (at {node.name})" for operation, node in unsound.items())
        raise UnsupportedOperation(
            f"cannot be quantized soundly: {names}. Supported are convolutional networks of "
            "Conv2d, Linear, BatchNorm, pooling and elementwise activations"
        )
    used = [str(node.target) for node in traced.graph.nodes if module_of(traced, node, LAYERS)]
    for name in used:
        if used.count(name) > 1:
            raise UnsupportedOperation(f"layer {name!r} is used {used.count(name)} times")


def _unsound(traced: fx.GraphModule, node: fx.Node) -> str | None:
    if node.op == "call_module":
        module = traced.get_submodule(str(node.target))
        if not isinstance(module, SOUND_MODULES) or isinstance(module, nn.ConvTranspose2d):
            return type(module).__name__
        if isinstance(module, nn.Conv2d) and module.padding_mode != "zeros":
            return f"Conv2d with padding_mode={module.padding_mode!r}"
    elif node.op == "call_function" and entry_of(node.target) not in SOUND_FUNCTIONS:
        return getattr(node.target, "__name__", str(node.target))
    elif node.op == "call_method" and node.target not in SOUND_METHODS:
        return f"Tensor.{node.target}"
    return None
