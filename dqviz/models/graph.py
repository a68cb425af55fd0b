"""A network's graph: its layers in the order of execution, and its BatchNorms folded away.

Quantization, amplification and Lipschitz constants all see a network through this one graph, so
that they speak of the same layers by the same names. What `operations` does not know is refused.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dqviz.models.normalize import explain_small_images
from dqviz.models.operations import LAYERS as LAYERS
from dqviz.models.operations import (
    SOUND_MODULES,
    UnsupportedOperation,
    is_relu,
    module_of,
    refuse_unsound,
)


@dataclasses.dataclass(frozen=True)
class LayerInfo:
    """One convolution or linear layer.

    `name` is the module's path in the network, `depth` its place in the order of execution from 0,
    `input_shape` the shape of one sample's input. `norm_after` names the BatchNorm that is the
    layer's sole consumer and can be folded into its rows. `norm_before` names the BatchNorm that
    reaches only this layer, straight or through one ReLU, and is not folded into an earlier layer.
    """

    name: str
    kind: str
    depth: int
    input_shape: tuple[int, ...]
    norm_after: str | None
    norm_before: str | None


def display_name(name: str) -> str:
    """The layer's name as people see it: without the wrapper's leading `net.`."""
    return name.removeprefix("net.")


class _Tracer(fx.Tracer):
    """Goes into every module but those that the tables know as one operation."""

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        known = type(module).forward in _KNOWN_FORWARDS
        return known or super().is_leaf_module(module, qualified_name)


_KNOWN_FORWARDS = {kind.forward for kind in SOUND_MODULES}


def trace(model: nn.Module) -> fx.GraphModule:
    """The graph of a copy of `model`, in eval mode, with in-place operations made ordinary ones.

    Module names stay what they were. A GraphModule is copied and checked again.

    Raises:
        UnsupportedOperation: if the network cannot be traced, or holds an operation that cannot be
            quantized soundly.
    """
    network = copy.deepcopy(model).eval()
    for module in network.modules():
        if isinstance(getattr(module, "inplace", None), bool):
            module.inplace = False  # type: ignore[assignment]
    try:
        graph = _Tracer().trace(network)
    except Exception as error:
        raise UnsupportedOperation(
            f"{type(model).__name__} cannot be traced to a graph, so its layers cannot be "
            f"quantized: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    traced = fx.GraphModule(network, graph)
    refuse_unsound(traced)
    return traced.eval()


def layers(traced: fx.GraphModule, input_shape: tuple[int, int, int]) -> list[LayerInfo]:
    """Every convolution and linear layer in the order of execution.

    Args:
        traced: what `trace` returned.
        input_shape: (C, H, W) of one image.
    """
    shapes = input_shapes(traced, input_shape)
    nodes = [node for node in traced.graph.nodes if module_of(traced, node, LAYERS) is not None]
    folded = {_norm_after(traced, node) for node in nodes}
    infos = []
    for depth, node in enumerate(nodes):
        before = _norm_before(traced, node)
        infos.append(
            LayerInfo(
                name=str(node.target),
                kind="conv" if module_of(traced, node, (nn.Conv2d,)) is not None else "linear",
                depth=depth,
                input_shape=shapes[str(node.target)],
                norm_after=_norm_after(traced, node),
                norm_before=None if before in folded else before,
            )
        )
    return infos


def input_shapes(
    traced: fx.GraphModule, input_shape: tuple[int, int, int]
) -> dict[str, tuple[int, ...]]:
    """The shape of one sample's input, without the batch dimension, for every leaf module.

    Raises:
        ModelError: if images of that shape are too small for the network's layers.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for node in traced.graph.nodes:
        if node.op == "call_module":

            def record(_: nn.Module, inputs: tuple[Any, ...], name: str = node.target) -> None:
                shapes[name] = tuple(inputs[0].shape[1:])

            handles.append(traced.get_submodule(node.target).register_forward_pre_hook(record))
    try:
        with torch.no_grad():
            traced(torch.zeros(1, *input_shape, device=_device(traced)))
    except RuntimeError as error:
        explain_small_images(error, input_shape)
        raise
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def fold_batchnorm(model: nn.Module) -> fx.GraphModule:
    """A copy in which every BatchNorm that is a convolution's sole consumer is folded into it.

    The function computed is the same up to rounding; layer names stay.
    """
    traced = trace(model)
    for node in list(traced.graph.nodes):
        name = _norm_after(traced, node) if module_of(traced, node, (nn.Conv2d,)) else None
        if name is None:
            continue
        (norm_node,) = node.users
        conv = traced.get_submodule(str(node.target))
        norm = traced.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        _replace(traced, str(node.target), fuse_conv_bn_eval(conv, norm))
        norm_node.replace_all_uses_with(node)
        traced.graph.erase_node(norm_node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def _replace(traced: fx.GraphModule, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(traced.get_submodule(parent), child, module)


def _device(model: nn.Module) -> torch.device:
    tensor = next(iter(model.parameters()), next(iter(model.buffers()), None))
    return torch.device("cpu") if tensor is None else tensor.device


def _norm_after(traced: fx.GraphModule, node: fx.Node) -> str | None:
    """The BatchNorm that is the only consumer of a layer's output."""
    if len(node.users) != 1 or module_of(traced, node, (nn.Conv2d,)) is None:
        return None
    (user,) = node.users
    return _lone_norm(traced, user)


def _norm_before(traced: fx.GraphModule, node: fx.Node) -> str | None:
    """The BatchNorm whose output reaches this layer alone, straight or through one ReLU."""
    source = node.args[0]
    if isinstance(source, fx.Node) and is_relu(traced, source) and len(source.users) == 1:
        source = source.args[0]
    if not isinstance(source, fx.Node) or len(source.users) != 1:
        return None
    return _lone_norm(traced, source)


def _lone_norm(traced: fx.GraphModule, node: fx.Node) -> str | None:
    """The name of a BatchNorm that the network uses here and nowhere else."""
    if module_of(traced, node, (nn.BatchNorm2d,)) is None:
        return None
    uses = [other for other in traced.graph.nodes if other.target == node.target]
    return str(node.target) if uses == [node] else None
