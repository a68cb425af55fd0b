"""The shape of every value in a network's graph."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from dqviz.measure.activations import device_of
from dqviz.models.normalize import explain_small_images

Shapes = dict[fx.Node, tuple[int, ...]]


def node_shapes(traced: fx.GraphModule, input_shape: tuple[int, int, int]) -> Shapes:
    """The shape of every tensor in the graph for one image of (C, H, W), batch dimension included.

    Values that are no tensors (sizes, tuples) have none.

    Raises:
        ModelError: if images of that shape are too small for the network's layers.
    """
    recorder = _Recorder(traced)
    try:
        with torch.no_grad():
            recorder.run(torch.zeros(1, *input_shape, device=device_of(traced)))
    except RuntimeError as error:
        explain_small_images(error, input_shape)
        raise
    return recorder.shapes


class _Recorder(fx.Interpreter):
    """Runs the graph and notes shapes; nothing is written to the graph."""

    def __init__(self, traced: fx.GraphModule) -> None:
        super().__init__(traced)
        self.shapes: Shapes = {}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value, its shape noted."""
        value = super().run_node(n)
        if isinstance(value, torch.Tensor):
            self.shapes[n] = tuple(value.shape)
        return value
