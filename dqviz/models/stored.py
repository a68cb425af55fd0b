"""Weights kept as 8-bit codes with one scale for each output channel: a quarter of the bytes.

A file of weights may hold a layer's `weight` as int8 codes, shape (out, ...), and beside it
`weight_scale`, float32 (out,); the weight is their product. A network that was trained with
quantized weights loses nothing by it, for its weights are such products.
"""

from __future__ import annotations

import torch

from dqviz.models.errors import ModelError
from dqviz.models.registry import State

SUFFIX = "_scale"


def pack(weight: torch.Tensor, *, quant_max: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight (out, ...) as codes within plus or minus `quant_max`, int8, and scales (out,).

    The largest magnitude of a channel gets the highest code; a channel of zeros has scale 1.

    Raises:
        ValueError: if quant_max is not 1 to 127.
    """
    if not 1 <= quant_max <= 127:
        raise ValueError(f"codes of 8 bits end at 1 to 127; got quant_max {quant_max}")
    scale = weight.abs().flatten(1).amax(1) / quant_max  # (out,)
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 1.0, scale)
    codes = (weight * _by_channel(scale, weight).reciprocal()).round()
    return codes.clamp(-quant_max, quant_max).to(torch.int8), scale


def unpack(tensors: State, *, name: str) -> State:
    """The tensors of a file, codes multiplied out; those without a scale stay what they are.

    Raises:
        ModelError: if a scale has no codes, or is not one positive number for each of their
            channels.
    """
    plain = dict(tensors)
    for key in [key for key in tensors if key.endswith(f"weight{SUFFIX}")]:
        scale, codes = plain.pop(key), tensors.get(key.removesuffix(SUFFIX))
        if codes is None or codes.dtype != torch.int8 or scale.shape != codes.shape[:1]:
            raise ModelError(
                f"{name}: {key} needs int8 codes {key.removesuffix(SUFFIX)!r} with as many "
                f"channels as it has numbers; got {_shown(codes)} for scales {tuple(scale.shape)}"
            )
        if not bool((scale.float().isfinite() & (scale > 0)).all()):
            raise ModelError(f"{name}: {key} must hold positive finite numbers alone")
        plain[key.removesuffix(SUFFIX)] = codes.float() * _by_channel(scale.float(), codes)
    return plain


def _by_channel(scale: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return scale.view(-1, *[1] * (weight.dim() - 1))  # (out, 1, ...)


def _shown(codes: torch.Tensor | None) -> str:
    return "none" if codes is None else f"{codes.dtype} {tuple(codes.shape)}"
