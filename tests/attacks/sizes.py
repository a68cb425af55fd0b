"""What the tests of attacks measure."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import BIM, FGSM, PGD, RFGSM

ATTACKS = [FGSM, RFGSM, BIM, PGD]
NORMS = {"linf": 8 / 255, "l2": 0.5}


def losses(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(net(x), labels, reduction="none")


def sizes(perturbation: torch.Tensor, norm: str) -> torch.Tensor:
    flat = perturbation.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)
