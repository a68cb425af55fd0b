"""Forward through one network, backward through another: gradients that rounding cannot mask.

Athalye, Carlini, Wagner: *Obfuscated Gradients Give a False Sense of Security*, section 4.1
(backward pass differentiable approximation), https://arxiv.org/abs/1802.00420. Here the second
network is the first one before it was quantized.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class BackwardThrough(nn.Module):
    """A network whose logits are `forward_network`'s and whose gradients are `backward_network`'s.

    Logits are the first network's bit for bit. The vector-Jacobian product with any vector is that
    of the second network at the same input, and the only gradient there is: parameters of neither
    get one. Both take the same input and return outputs of one shape.

    Args:
        forward_network: the quantized network.
        backward: the same network at full precision.
    """

    def __init__(self, forward_network: nn.Module, *, backward: nn.Module) -> None:
        super().__init__()
        self.forward_network = forward_network
        self.backward_network = backward
        self.train(forward_network.training)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What `forward_network` returns for x."""
        logits: torch.Tensor = _Through.apply(x, self.forward_network, self.backward_network)
        return logits


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, network: nn.Module, other: nn.Module) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.other = other
        logits: torch.Tensor = network(x)
        return logits

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(ctx.other(x), x, grads)
        return gradient, None, None
