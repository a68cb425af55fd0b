"""How far two activations lie apart, sample by sample, relative to the clean one.

With a the clean activation, a' the perturbed one and d = a' - a, all of one sample and one layer:

    relative_distance          ||d||_2 / ||a||_2
    relative_distance_centred  ||d||_2 / ||a - mean||_2, the mean over all the images measured
    amplification              relative_distance over that of the normalised image

The square of the first is the power of the perturbation over that of the signal. A zero denominator
gives NaN, which the summaries count.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dqviz.measure.compiled import CHUNK, as_array, compiled, has_loops

_COLUMNS = 512
# A mean over the samples and the distances from it are taken of so many elements at once: a batch's
# fit into a core's cache.


def sample_rows(values: torch.Tensor, *, like: torch.Tensor | None = None) -> torch.Tensor:
    """One row a sample, without a copy where the memory layout allows it.

    Args:
        values: (N, ...). A channels-last tensor keeps its order of memory, so rows of tensors of
            one layout can be compared element by element.
        like: a tensor whose layout `values` takes first.

    Returns:
        (N, elements of a sample).
    """
    if _is_channels_last(values if like is None else like):
        return values.permute(0, 2, 3, 1).reshape(values.shape[0], -1)  # (N, H * W * C)
    return values.reshape(values.shape[0], -1)


def _is_channels_last(values: torch.Tensor) -> bool:
    return (
        values.dim() == 4
        and not values.is_contiguous()
        and values.is_contiguous(memory_format=torch.channels_last)
    )


def norms(values: torch.Tensor) -> torch.Tensor:
    """The Euclidean norm of every sample: (N, ...) in, (N,) float64 out."""
    rows = sample_rows(values)
    if not has_loops(rows):
        lengths: torch.Tensor = torch.linalg.vector_norm(rows, dim=1)
        return lengths.double()
    squares = np.zeros(len(rows))
    _add_squares(as_array(rows), squares)
    return torch.from_numpy(squares).sqrt()


def difference_norms(values: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """||others - values||_2 of every sample.

    Args:
        values: (N, ...).
        others: the same shape, or that of one sample.

    Returns:
        (N,) float64.
    """
    if others.dim() < values.dim():
        others = others[None]
    if not (has_loops(values) and has_loops(others)):
        return norms(others - values)
    squares = np.zeros(len(values))
    rows, other_rows = sample_rows(values), sample_rows(others, like=values)
    _add_squared_differences(as_array(rows), as_array(other_rows), squares)
    return torch.from_numpy(squares).sqrt()


def norms_around_mean(values: torch.Tensor) -> torch.Tensor:
    """||a - mean||_2 of every sample, the mean being that of the samples given.

    Args:
        values: (N, ...).

    Returns:
        (N,) float64.
    """
    rows = sample_rows(values)
    if not has_loops(rows):
        return norms(rows - rows.mean(dim=0))
    squares = np.zeros(len(rows))
    _add_squares_around_mean(as_array(rows), squares)
    return torch.from_numpy(squares).sqrt()


@compiled
def _add_squares(rows: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    samples, elements = rows.shape
    for sample in range(samples):
        for start in range(0, elements, CHUNK):
            row = rows[sample, start : start + CHUNK]
            total = np.float32(0)
            for i in range(len(row)):
                total += row[i] * row[i]
            out[sample] += total


@compiled
def _add_squared_differences(
    rows: NDArray[np.float32], others: NDArray[np.float32], out: NDArray[np.float64]
) -> None:
    """`others` has as many rows, or a single one."""
    samples, elements = rows.shape
    for sample in range(samples):
        for start in range(0, elements, CHUNK):
            row = rows[sample, start : start + CHUNK]
            other = others[min(sample, len(others) - 1), start : start + CHUNK]
            total = np.float32(0)
            for i in range(len(row)):
                difference = other[i] - row[i]
                total += difference * difference
            out[sample] += total


@compiled
def _add_squares_around_mean(rows: NDArray[np.float32], out: NDArray[np.float64]) -> None:
    samples, elements = rows.shape
    for start in range(0, elements, _COLUMNS):
        mean = np.zeros(min(_COLUMNS, elements - start))
        for sample in range(samples):
            row = rows[sample, start : start + _COLUMNS]
            for i in range(len(mean)):
                mean[i] += row[i]
        rounded = (mean / samples).astype(np.float32)
        for sample in range(samples):
            row = rows[sample, start : start + _COLUMNS]
            total = np.float32(0)
            for i in range(len(rounded)):
                difference = row[i] - rounded[i]
                total += difference * difference
            out[sample] += total


def ratio(numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
    """Element by element, NaN where the denominator is zero; float64."""
    quotient = numerator.double() / denominator.double()
    return torch.where(denominator == 0, torch.nan, quotient)


def relative_distance(clean: torch.Tensor, perturbed: torch.Tensor) -> torch.Tensor:
    """||a' - a|| / ||a|| of every sample: two tensors (N, ...) in, (N,) float64 out."""
    return ratio(difference_norms(clean, perturbed), norms(clean))


def relative_distance_centred(
    clean: torch.Tensor, perturbed: torch.Tensor, mean: torch.Tensor
) -> torch.Tensor:
    """||a' - a|| / ||a - mean|| of every sample.

    Args:
        clean: (N, ...).
        perturbed: the same shape.
        mean: one sample's shape; the mean of the clean activation over all the images measured.

    Returns:
        (N,) float64.
    """
    return ratio(difference_norms(clean, perturbed), difference_norms(clean, mean))


def signal_to_noise_db(reference: torch.Tensor, quantized: torch.Tensor) -> torch.Tensor:
    """SQNR: 10 log10(||a||^2 / ||a_q - a||^2) in decibel, of one and the same clean image.

    Args:
        reference: (N, ...), the activation in full precision.
        quantized: the same shape, in the quantized network.

    Returns:
        (N,) float64; infinite where the two are equal, NaN where the reference is zero.
    """
    noise = difference_norms(reference, quantized)
    signal = norms(reference)
    decibel = 20 * (signal / noise).log10()
    return torch.where(signal == 0, torch.nan, decibel)
