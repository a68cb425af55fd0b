"""By how much each operation of a network can stretch a difference: one rule an operation.

A rule takes an `Operation` and returns the Lipschitz constant (Euclidean norm, one sample) of its
value as a function of the network's input, from those of its operands. Where none is known it
raises `NoBound` with the reason. Rules of the layers themselves are in `network_bounds`, which
knows their norms.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional as F

from dqviz.measure.folded import channel_gains
from dqviz.measure.operation import NoBound, Operation, Rule, Rules
from dqviz.models.normalize import Normalize
from dqviz.models.operations import STOCHASTIC_DEPTH
from dqviz.models.resnet import PadShortcut
from dqviz.models.squeeze import Squeeze

RULES = Rules()
rule = RULES.register

SILU = 1.0999
"""Above the largest slope of x sigmoid(x), 1.09984 at x = 2.3994 (Elfwing et al., 1702.03118)."""

GELU = 1.1290
"""Above the largest slope of x Phi(x): Phi(x) + x phi(x) at x = sqrt(2), 0.5 (1 + erf(1)) +
exp(-1) / sqrt(pi) = 1.12890; and above that of its tanh approximation, 1.128993."""


def scaled(factor: float) -> Rule:
    """The rule of an operation that stretches by at most a number."""
    return lambda operation: operation.source * factor


# Elementwise, by the largest slope.
rule(nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Tanh, nn.Softplus)(scaled(1))
rule(F.relu, F.relu6, F.hardtanh, torch.relu, "relu", "clamp")(scaled(1))
rule(nn.Sigmoid, torch.sigmoid, "sigmoid")(scaled(1 / 4))
rule(nn.Hardsigmoid, F.hardsigmoid)(scaled(1 / 6))
rule(nn.SiLU, F.silu)(scaled(SILU))
rule(nn.GELU, F.gelu)(scaled(GELU))
rule(nn.Hardswish, F.hardswish)(scaled(1.5))  # slope (2 x + 3) / 6 at x = 3

# The same numbers in another order, some of them, or some with zeros or other constants.
rule(nn.Identity, nn.Flatten, PadShortcut)(scaled(1))
rule(torch.flatten, torch.reshape, torch.transpose, torch.permute, torch.unsqueeze)(scaled(1))
rule("flatten", "view", "reshape", "transpose", "permute", "unsqueeze", "squeeze")(scaled(1))
rule(torch.chunk, "chunk", "contiguous")(scaled(1))


@rule(nn.LeakyReLU)
def leaky_relu(operation: Operation) -> float:
    """The steeper of the two slopes."""
    module = operation.module
    assert isinstance(module, nn.LeakyReLU)
    return operation.source * max(1.0, abs(module.negative_slope))


@rule(nn.ELU)
def elu(operation: Operation) -> float:
    """1 above zero, alpha at the most below."""
    module = operation.module
    assert isinstance(module, nn.ELU)
    return operation.source * max(1.0, abs(module.alpha))


@rule(nn.Dropout, nn.Dropout2d)
def dropout(operation: Operation) -> float:
    """The identity at inference."""
    return operation.source


@rule(F.dropout, STOCHASTIC_DEPTH)
def dropout_function(operation: Operation) -> float:
    """The identity where it is not training."""
    position, default = (2, True) if operation.node.target is F.dropout else (3, True)
    if operation.argument(position, "training", default):
        raise NoBound(f"{operation.name} is in training mode")
    return operation.source


@rule(F.pad)
def pad(operation: Operation) -> float:
    """Constants around the numbers change no difference; mirrored numbers would count twice."""
    if operation.argument(2, "mode", "constant") != "constant":
        raise NoBound(f"padding with mode {operation.argument(2, 'mode')!r} repeats numbers")
    return operation.source


@rule(operator.getitem)
def get_item(operation: Operation) -> float:
    """A part of the numbers, each taken once, of every sample."""
    index = operation.argument(1, "index")
    of_tensor = operation.node.args[0] in operation.shapes
    first = index[0] if isinstance(index, tuple) else index
    if of_tensor and first is not ... and first != slice(None):
        raise NoBound("indexing along the batch")
    parts = index if isinstance(index, tuple) else (index,)
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        raise NoBound("indexing with a list may take a number twice")
    return operation.source


@rule(Squeeze)
def squeeze(operation: Operation) -> float:
    """A pixel may be the median of every window that holds it; rounding jumps."""
    module = operation.module
    assert isinstance(module, Squeeze)
    if module.bits is not None:
        raise NoBound("rounding to fewer input bits has no Lipschitz constant")
    return operation.source * (module.median or 1)


@rule(Normalize)
def normalize(operation: Operation) -> float:
    """Division by the standard deviation, the smallest of them."""
    module = operation.module
    assert isinstance(module, Normalize)
    return operation.source / float(module.std.double().min())


@rule(nn.BatchNorm1d, nn.BatchNorm2d)
def batch_norm(operation: Operation) -> float:
    """max |gamma / sigma| of a BatchNorm that no layer could take in."""
    module = operation.module
    assert isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
    return operation.source * float(channel_gains(module).max())


@rule(nn.LayerNorm, nn.GroupNorm)
def layer_norm(operation: Operation) -> float:
    """max |gamma| / sqrt(epsilon).

    The Jacobian of (x - mean) / s with s^2 = variance + epsilon is (P - z z^T / n) / s for a
    projection P and the normalised z, of norm at most 1 / s. This is far above what one meets.
    """
    module = operation.module
    assert isinstance(module, nn.LayerNorm | nn.GroupNorm)
    weight = module.weight if isinstance(module.weight, torch.Tensor) else torch.ones(1)
    return operation.source * _largest(weight) / math.sqrt(module.eps)


@rule(F.layer_norm)
def layer_norm_function(operation: Operation) -> float:
    """As for the module."""
    weight = operation.argument(2, "weight")
    largest = 1.0 if weight is None else _largest(_attribute(operation.traced, weight))
    return operation.source * largest / math.sqrt(float(operation.argument(4, "eps", 1e-5)))


@rule(operator.add, operator.iadd, torch.add, "add", "add_")
def add(operation: Operation) -> float:
    """The sum over the branches; a constant changes no difference.

    Raises:
        NoBound: if an activation is repeated to the shape of the other operand.
    """
    if operation.argument(2, "alpha", 1) != 1:
        raise NoBound("addition with a factor alpha")
    _refuse_repetition(operation)
    return sum(operation.operands)


@rule(torch.cat, torch.concat)
def concatenate(operation: Operation) -> float:
    """sqrt of the sum of squares."""
    if operation.argument(1, "dim", 0) % len(operation.shapes[operation.node]) == 0:
        raise NoBound("concatenation along the batch")
    return math.hypot(*operation.operands)


@rule(operator.mul, torch.mul, "mul", "mul_")
def multiply(operation: Operation) -> float:
    """By a constant: its largest magnitude."""
    operands = list(operation.node.args)
    if len(operation.operands) != 1 or len(operands) != 2:
        raise NoBound(
            f"{operation.name} multiplies two activations (as in squeeze-excitation or attention): "
            "a product has no finite Lipschitz constant unless both are bounded"
        )
    _refuse_repetition(operation)
    (factor,) = (o for o in operands if not (isinstance(o, fx.Node) and o in operation.gains))
    return operation.source * _magnitude(operation, factor)


@rule(operator.truediv)
def divide(operation: Operation) -> float:
    """By a constant number."""
    divisor = operation.argument(1, "other")
    if not isinstance(divisor, int | float) or divisor == 0:
        raise NoBound(f"division by {divisor!r}")
    return operation.source / abs(divisor)


@rule(torch.mean, "mean")
def mean(operation: Operation) -> float:
    """The mean of n numbers: 1 / sqrt(n)."""
    source = operation.node.args[0]
    assert isinstance(source, fx.Node)
    dims = operation.argument(1, "dim")
    rank = len(operation.shapes[source])
    chosen = range(rank) if dims is None else dims if isinstance(dims, list | tuple) else [dims]
    places = [place % rank for place in chosen]
    if 0 in places:
        raise NoBound("a mean over the batch")
    return operation.source / math.sqrt(math.prod(operation.shapes[source][p] for p in places))


def _refuse_repetition(operation: Operation) -> None:
    """An operand that is repeated to fill the result's shape would count more than once."""
    shapes = operation.shapes
    for operand in operation.node.all_input_nodes:
        if operand not in operation.gains:
            continue
        if math.prod(shapes[operand]) != math.prod(shapes[operation.node]):
            raise NoBound(f"{operation.name} repeats a smaller activation")


def _magnitude(operation: Operation, factor: object) -> float:
    if isinstance(factor, int | float):
        return abs(float(factor))
    return _largest(_attribute(operation.traced, factor))


def _attribute(traced: fx.GraphModule, node: object) -> torch.Tensor:
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        raise NoBound(f"the constant {node} is not a number or a parameter")
    value: Any = traced
    for part in str(node.target).split("."):
        value = getattr(value, part)
    if not isinstance(value, torch.Tensor):
        raise NoBound(f"the constant {node.target} is no tensor")
    return value


def _largest(values: torch.Tensor) -> float:
    return float(values.detach().double().abs().max())
