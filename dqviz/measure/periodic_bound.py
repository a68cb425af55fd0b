"""A certified upper bound on a convolution's operator norm, from a periodic grid.

The zero-padded convolution is a piece of a periodic one on a larger grid, which the Fourier
transform takes apart into one small matrix a frequency (Sedghi, Gupta, Long: *The Singular Values
of Convolutional Layers*, ICLR 2019, https://arxiv.org/abs/1805.10408).
"""

from __future__ import annotations

import math

import torch

from dqviz.measure.convolution import Convolution, Pair
from dqviz.measure.spectrum import UNIT_ROUNDOFF, largest_eigenvalue_bound

_CHUNK_NUMBERS = 2**22
_WORK = 2e9
_COARSE = (64, 32, 16)


def periodic_bound(conv: Convolution, size: Pair) -> float:
    """The norm of a periodic convolution of which the real one is a piece, certified.

    Let an M-periodic grid (M = N / stride in each dimension) be so wide that no output of the layer
    reads a value around the corner which is not padding; `_grid` chooses it. Then the layer is
    (restriction) x (convolution on the grid) x (extension by zeros), and restriction and extension
    have norm 1. What lies around the corner is multiplied by zeros only, so it may as well come
    with a sign: we take the grid on which x[n + M] = -x[n]. Its frequencies 2 pi (k + 1/2) / M
    avoid 0, where the kernels of trained networks tend to have their largest value and no
    zero-padded input can be; for the kernel (1, 2, 1) this gives the exact norm. A stride is turned
    into channels (the stride^2 phases of the input), so each frequency has one matrix F of out rows
    and in * stride^2 columns, per group, and the norm is the largest singular value of all F.

    On large maps with many channels, frequencies are fewer than the grid's: a trigonometric
    polynomial of degree d is bounded by its values at M points, M > 2 d, times 1 / cos(pi d / M)
    (Ehlich, Zeller 1964; Pfister, Bresler, https://arxiv.org/abs/1802.09588), in each
    dimension. That loses less than 4 %.

    Rounding, with u = 2^-53, T taps a phase and ||W|| the kernel's Frobenius norm: each entry of F
    is a sum of T products with phases of arguments up to 2 pi T, so ||dF|| <= 16 (T + 4) u sqrt(T)
    ||W||; the product F F* of m terms adds at most 8 (m + 2) u ||F||^2 <= 8 (m + 2) u T ||W||^2
    (Frobenius norms; Higham, section 3.5 with complex factors); `largest_eigenvalue_bound` answers
    for itself. The result is rounded up.
    """
    kernel = phases(conv)  # (groups, out, in * stride^2, Qh, Qw)
    groups, rows, columns, taps_h, taps_w = kernel.shape
    taps, norm = taps_h * taps_w, float(torch.linalg.vector_norm(kernel))
    waves_h, excess_h, waves_w, excess_w = _frequencies(
        _grid(conv, size), (taps_h, taps_w), groups * min(rows, columns) * rows * columns
    )
    waves_w = waves_w[: -(-len(waves_w) // 2)]  # F at -(k + 1/2) is the conjugate of F at k + 1/2
    across = max(1, _CHUNK_NUMBERS // (groups * rows * columns))
    down = max(1, across // len(waves_w))
    square = 0.0
    for chunk_h in torch.split(waves_h, down):
        for chunk_w in torch.split(waves_w, across):
            square = largest_eigenvalue_bound(_grams(kernel, chunk_h, chunk_w), at_least=square)
    square += 8 * (min(rows, columns) + max(rows, columns) + 2) * UNIT_ROUNDOFF * taps * norm**2
    error = 16 * (taps + 4) * UNIT_ROUNDOFF * math.sqrt(taps) * norm
    upper = (math.sqrt(square) + error) * excess_h * excess_w
    return upper * (1 + 16 * UNIT_ROUNDOFF)


def phases(conv: Convolution) -> torch.Tensor:
    """The kernel on the grid of outputs: (groups, out / groups, in / groups * phases, Qh, Qw).

    Tap (a, b) reads at the offset (a, b) * dilation = (q, r) * stride + phase: it becomes the tap
    (q, r) on the channel of its phase. Phases that no tap touches are left out.
    """
    out, inputs = conv.weight.shape[:2]
    (sh, sw), (dh, dw), (reach_h, reach_w) = conv.stride, conv.dilation, conv.reach
    qh, qw = -(-reach_h // sh), -(-reach_w // sw)
    dilated = torch.zeros(out, inputs, qh * sh, qw * sw, dtype=torch.float64)
    dilated[:, :, 0:reach_h:dh, 0:reach_w:dw] = conv.weight
    touched = torch.zeros(qh * sh, qw * sw, dtype=torch.bool)
    touched[0:reach_h:dh, 0:reach_w:dw] = True
    split = dilated.view(out, inputs, qh, sh, qw, sw).permute(0, 1, 3, 5, 2, 4)
    kept = touched.view(qh, sh, qw, sw).permute(1, 3, 0, 2).flatten(2).any(2)  # (sh, sw)
    return split[:, :, kept].reshape(conv.groups, out // conv.groups, -1, qh, qw)


def _grid(conv: Convolution, size: Pair) -> Pair:
    """The periodic grid's length in units of the stride, in each dimension.

    With P zeros before, the outputs read positions -P to `last`, and the input fills 0 to H - 1
    (`used` of them: what lies beyond `last` is never read and may be left out). Position -1 is
    N - 1 around the corner: N >= used + P makes it padding; N > last keeps the rest from going
    around; N > (outputs - 1) * stride keeps the outputs apart.
    """
    lengths = []
    for i, outputs in enumerate(conv.output_size(size)):
        last = (outputs - 1) * conv.stride[i] + conv.reach[i] - 1 - conv.pad_before[i]
        used = max(0, min(size[i], last + 1))
        span = max(used + conv.pad_before[i], last + 1, (outputs - 1) * conv.stride[i] + 1)
        lengths.append(-(-span // conv.stride[i]))
    return lengths[0], lengths[1]


def _frequencies(
    grid: Pair, taps: Pair, cost: int
) -> tuple[torch.Tensor, float, torch.Tensor, float]:
    """Waves and excess, vertical and horizontal; as few waves as the cost of each demands."""
    waves_h, waves_w = _waves(grid[0], taps[0]), _waves(grid[1], taps[1])
    for points in _COARSE:
        if len(waves_h[0]) * len(waves_w[0]) * cost <= 2 * _WORK:
            break
        waves_h = _waves(grid[0], taps[0], points=points)
        waves_w = _waves(grid[1], taps[1], points=points)
    return *waves_h, *waves_w


def _waves(grid: int, taps: int, *, points: int | None = None) -> tuple[torch.Tensor, float]:
    """exp(i q w) for the grid's frequencies w and the taps q, (frequencies, taps), and the excess.

    With `points`, at most that many frequencies a degree. The excess is the factor that pays for
    the frequencies left out, 1 where none is.
    """
    degree = (taps - 1) / 2
    few = grid if points is None else math.ceil(points * degree)
    count = 1 if taps == 1 else min(grid, few)
    excess = 1 / math.cos(math.pi * degree / count) if 1 < count < grid else 1.0
    frequencies = 2 * math.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count
    angles = frequencies[:, None] * torch.arange(taps, dtype=torch.float64)
    return torch.polar(torch.ones_like(angles), angles), excess


def _grams(kernel: torch.Tensor, waves_h: torch.Tensor, waves_w: torch.Tensor) -> torch.Tensor:
    """F F* or F* F, the smaller, at every pair of frequencies: (groups * frequencies, n, n)."""
    rows, columns = kernel.shape[1:3]
    half = torch.einsum("gocqr,yr->ygocq", kernel.to(torch.complex128), waves_w)
    spectrum = torch.einsum("ygocq,xq->xygoc", half, waves_h).reshape(-1, rows, columns)
    return spectrum @ spectrum.mH if rows <= columns else spectrum.mH @ spectrum
