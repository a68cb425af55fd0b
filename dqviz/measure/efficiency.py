"""What a network costs: its parameters, the bytes they take, and the operations for one image.

Bit operations are those of van Baalen et al., *Bayesian Bits*, 2020, https://arxiv.org/abs/2005.07093:
the sum over layers of MACs x weight bits x activation bits, with 32 x 32 for full precision. (UNIQ,
Baskin et al., 2018, https://arxiv.org/abs/1804.10969, adds the width of the accumulator, which is a
choice of the hardware.)
"""

from __future__ import annotations

import dataclasses
import math

from torch import fx, nn

from dqviz.measure.lipschitz import graph_of
from dqviz.measure.rows import NETWORK, Row
from dqviz.measure.shapes import node_shapes
from dqviz.models.operations import LAYERS, module_of
from dqviz.quantize.modules import QuantConv2d, QuantLinear
from dqviz.specs import FULL_PRECISION

BYTE = 8
FLOAT_BYTES = FULL_PRECISION // BYTE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Efficiency:
    """What a network costs.

    `parameters` counts everything that training changes. `weight_bytes` are the weights of
    convolutions and linear layers at their bits. `other_bytes` are biases and BatchNorm (scale,
    shift, mean and variance), which stay at 32 bits; the quantizers' scales and zero points are not
    counted. `macs` are the multiply-accumulates of convolutions and linear layers for one image,
    without their biases, and `bit_operations` the same, each times the bits of both its factors.
    """

    parameters: int
    weight_bytes: float
    other_bytes: int
    macs: int
    bit_operations: int


def efficiency(model: nn.Module, input_shape: tuple[int, int, int]) -> Efficiency:
    """What a network costs at the bits that it is quantized to.

    The first and the last layer count at their own bits, which are 8 unless the specification says
    otherwise.

    Args:
        model: a network that can be traced, or one of `quantize_model`.
        input_shape: (C, H, W) of one image.

    Raises:
        UnsupportedOperation: if the network cannot be traced.
        ModelError: if images of that shape are too small for the network's layers.
    """
    network = graph_of(model)
    macs = _macs_by_layer(network, input_shape)
    layers = {name: network.get_submodule(name) for name in macs}
    bits = {name: _bits(layer) for name, layer in layers.items()}
    weights = {name: layer.get_parameter("weight").numel() for name, layer in layers.items()}
    parameters = sum(parameter.numel() for parameter in network.parameters())
    others = parameters - sum(weights.values()) + _running_statistics(network)
    return Efficiency(
        parameters=parameters,
        weight_bytes=sum(count * bits[name][0] for name, count in weights.items()) / BYTE,
        other_bytes=FLOAT_BYTES * others,
        macs=sum(macs.values()),
        bit_operations=sum(count * math.prod(bits[name]) for name, count in macs.items()),
    )


def efficiency_rows(cost: Efficiency) -> list[Row]:
    """A row for each number, for the whole network."""
    numbers = dataclasses.asdict(cost)
    return [Row(NETWORK, -1, metric, "value", float(value)) for metric, value in numbers.items()]


def _macs_by_layer(network: fx.GraphModule, input_shape: tuple[int, int, int]) -> dict[str, int]:
    """How many products each layer sums up; the graph uses no layer twice."""
    found = {}
    for node, shape in node_shapes(network, input_shape).items():
        layer = module_of(network, node, LAYERS)
        if layer is not None:
            terms = layer.get_parameter("weight")[0].numel()  # of one output number
            found[str(node.target)] = math.prod(shape) * terms
    return found


def _bits(layer: nn.Module) -> tuple[int, int]:
    """Bits of the weights, and of what they are multiplied with."""
    if isinstance(layer, QuantConv2d | QuantLinear):
        return layer.weight_bits, layer.act_bits
    return FULL_PRECISION, FULL_PRECISION


def _running_statistics(network: nn.Module) -> int:
    """How many numbers the BatchNorms hold that no training step changes by a gradient."""
    held = [
        (module.running_mean, module.running_var)
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    return sum(numbers.numel() for both in held for numbers in both if numbers is not None)
