"""How far two activations lie apart, sample by sample, relative to the clean one.

With a the clean activation, a' the perturbed one and d = a' - a, all of one sample and one layer:

    relative_distance          ||d||_2 / ||a||_2
    relative_distance_centred  ||d||_2 / ||a - mean||_2, the mean over all the images measured
    amplification              relative_distance over that of the normalised image

The square of the first is the power of the perturbation over that of the signal. A zero denominator
gives NaN, which the summaries count.
"""

from __future__ import annotations

import torch

_BLOCK_ELEMENTS = 65536


def block_elements() -> int:
    """Large activations are reduced in blocks of so many elements, to stay in the cores' caches."""
    return _BLOCK_ELEMENTS * torch.get_num_threads()


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
    lengths: torch.Tensor = torch.linalg.vector_norm(sample_rows(values), dim=1)
    return lengths.double()


def difference_norms(values: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """||others - values||_2 of every sample, in blocks of samples.

    Args:
        values: (N, ...).
        others: the same shape, or that of one sample.

    Returns:
        (N,) float64.
    """
    elements = max(1, values[:1].numel())
    height = max(1, block_elements() // elements)
    one = others.dim() < values.dim()
    parts = [
        norms((others if one else others[top : top + height]) - values[top : top + height])
        for top in range(0, len(values), height)
    ]
    return torch.cat(parts)


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
