"""DoReFa's quantizers, for networks that are trained with them.

Zhou et al.: *DoReFa-Net: Training Low Bitwidth Convolutional Neural Networks with Low Bitwidth
Gradients*, https://arxiv.org/abs/1606.06160, equations 5, 9 and 11. With n = 2^k - 1 and
quantize_k(r) = round(n r) / n, straight through for gradients:

    activations  quantize_k(clamp(x, 0, 1)),
    weights      2 quantize_k(tanh(w) / (2 max |tanh(w)|) + 1/2) - 1,

the maximum over all weights of the layer.
"""

from __future__ import annotations

import torch

from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.own import OwnRange

ACTIVATIONS = OwnRange(0.0, 1.0)
"""The range of activations: the affine quantizer on it rounds as quantize_k does."""


def dorefa_weight(weight: torch.Tensor, bits: int) -> torch.Tensor:
    """Weights on 2^bits levels from -1 to 1, which do not include 0; of the same shape.

    Gradients pass the rounding straight through, and the tanh by its slope.

    Args:
        weight: float32, any shape.
        bits: 1 to 8.

    Raises:
        QuantizeError: if bits are not 1 to 8, or a weight is not finite.
    """
    if not 1 <= bits <= 8:
        raise QuantizeError(f"DoReFa's weights take 1 to 8 bits; got {bits}")
    if not bool(torch.isfinite(weight).all()):
        raise QuantizeError("weights that are NaN or infinite cannot be quantized")
    count = 2**bits - 1
    bent = torch.tanh(weight.float())
    share = bent / (2 * bent.abs().max().clamp(min=torch.finfo(torch.float32).tiny)) + 0.5
    rounded = share + (torch.round(share * count) / count - share).detach()
    levels: torch.Tensor = (2 * rounded - 1).to(weight.dtype)
    return levels
