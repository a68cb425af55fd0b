"""By how much pooling can stretch a difference."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.measure.operation import NoBound, Operation, Rules

Line = Callable[[torch.Tensor], torch.Tensor]

POOLING_RULES = Rules()
rule = POOLING_RULES.register


@rule(nn.MaxPool2d)
def max_pool(operation: Operation) -> float:
    """See `max_pool_gain`."""
    module = operation.module
    assert isinstance(module, nn.MaxPool2d)
    kernel, dilation = _pair(module.kernel_size), _pair(module.dilation)
    stride = _pair(module.stride or module.kernel_size)
    return operation.source * max_pool_gain(kernel, stride, dilation)


@rule(F.max_pool2d)
def max_pool_function(operation: Operation) -> float:
    """See `max_pool_gain`."""
    kernel = operation.argument(1, "kernel_size")
    stride = operation.argument(2, "stride") or kernel
    dilation = operation.argument(4, "dilation", 1)
    return operation.source * max_pool_gain(_pair(kernel), _pair(stride), _pair(dilation))


def max_pool_gain(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)
) -> float:
    """sqrt of the number of windows that a number is in: ceil(k / stride) for square windows.

    The maximum over a window changes by no more than the window's largest change, whose square is
    no more than the sum of squares over the window; summed over all windows, each number counts as
    often as there are windows with it. In one dimension these are the taps a with
    a * dilation = n (mod stride): every stride / gcd(stride, dilation)-th tap.
    """
    windows = 1
    for k, s, d in zip(kernel, stride, dilation, strict=True):
        windows *= -(-k * math.gcd(s, d) // s)
    return math.sqrt(windows)


@rule(nn.AdaptiveMaxPool2d)
def adaptive_max_pool(operation: Operation) -> float:
    """As `max_pool_gain`; the windows of each line are counted."""
    module = operation.module
    assert isinstance(module, nn.AdaptiveMaxPool2d)
    windows = 1
    for size, outputs in zip(operation.input_size, _pair(module.output_size), strict=True):
        windows *= most_windows(size, outputs or size)
    return operation.source * math.sqrt(windows)


def most_windows(size: int, outputs: int) -> int:
    """In how many of a line's adaptive windows a number is at the most.

    Window i goes from floor(i * size / outputs) to ceil((i + 1) * size / outputs).
    """
    counts = [0] * size
    for i in range(outputs):
        for n in range(i * size // outputs, -(-(i + 1) * size // outputs)):
            counts[n] += 1
    return max(counts)


@rule(nn.AvgPool2d)
def average_pool(operation: Operation) -> float:
    """The exact norm; see `line_norm`."""
    module = operation.module
    assert isinstance(module, nn.AvgPool2d)
    stride = module.stride or module.kernel_size
    return operation.source * _average(
        operation,
        (module.kernel_size, stride, module.padding, module.ceil_mode, module.count_include_pad),
        module.divisor_override,
    )


@rule(F.avg_pool2d)
def average_pool_function(operation: Operation) -> float:
    """The exact norm; see `line_norm`."""
    kernel = operation.argument(1, "kernel_size")
    options = (
        kernel,
        operation.argument(2, "stride") or kernel,
        operation.argument(3, "padding", 0),
        operation.argument(4, "ceil_mode", False),
        operation.argument(5, "count_include_pad", True),
    )
    divisor = operation.argument(6, "divisor_override")
    return operation.source * _average(operation, options, divisor)


@rule(nn.AdaptiveAvgPool2d)
def adaptive_average_pool(operation: Operation) -> float:
    """The exact norm; see `line_norm`. Over the whole map it is 1 / sqrt(H W)."""
    module = operation.module
    assert isinstance(module, nn.AdaptiveAvgPool2d)
    return operation.source * _adaptive(operation, module.output_size)


@rule(F.adaptive_avg_pool2d)
def adaptive_average_pool_function(operation: Operation) -> float:
    """As for the module."""
    return operation.source * _adaptive(operation, operation.argument(1, "output_size"))


def line_norm(pool: Line, size: int) -> float:
    """The norm of a linear pooling of a line of `size` numbers, rounded up.

    Average pooling of a map is that of its columns after that of its rows, so that its norm is the
    product of the two. `pool` takes (N, 1, size).
    """
    matrix = pool(torch.eye(size, dtype=torch.float64).view(size, 1, size)).flatten(1)
    return float(torch.linalg.matrix_norm(matrix, 2)) * (1 + 1e-12)


def _average(operation: Operation, options: tuple[Any, ...], divisor: object) -> float:
    if divisor is not None:
        raise NoBound("average pooling with a divisor of its own")
    kernel, stride, padding = (_pair(option) for option in options[:3])
    ceil_mode, count_include_pad = options[3:]
    norm = 1.0
    for i, size in enumerate(operation.input_size):

        def pool(line: torch.Tensor, i: int = i) -> torch.Tensor:
            return F.avg_pool1d(
                line, kernel[i], stride[i], padding[i], ceil_mode, count_include_pad
            )

        norm *= line_norm(pool, size)
    return norm


def _adaptive(operation: Operation, output_size: Any) -> float:
    norm = 1.0
    for size, outputs in zip(operation.input_size, _pair(output_size), strict=True):

        def pool(line: torch.Tensor, outputs: int = outputs or size) -> torch.Tensor:
            return F.adaptive_avg_pool1d(line, outputs)

        norm *= line_norm(pool, size)
    return norm


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, list | tuple) else (value, value)
