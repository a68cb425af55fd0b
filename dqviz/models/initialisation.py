"""Random weights from an explicit generator."""

from __future__ import annotations

import torch
from torch import nn


def initialise(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Draws the weights of every convolution and linear layer anew, in the order of the modules.

    Normal with variance 2 / fan-in, biases zero: He, Zhang, Ren, Sun, *Delving Deep into
    Rectifiers*, equation 10, https://arxiv.org/abs/1502.01852. Everything else keeps the constant
    that its constructor gave it. The network is changed and returned.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
