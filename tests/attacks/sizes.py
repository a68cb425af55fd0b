"""What the tests of attacks measure, and how each attack is made small enough for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from dqviz.attacks import APGD, BIM, FGSM, MIFGSM, PGD, RFGSM, Attack, Square, Standard

ATTACKS = [FGSM, RFGSM, BIM, PGD, MIFGSM]
"""Those that walk along gradients."""

NORMS = {"linf": 8 / 255, "l2": 0.5}

EVERY: dict[str, tuple[Callable[..., Attack], dict[str, Any]]] = {
    "fgsm": (FGSM, {}),
    "rfgsm": (RFGSM, {}),
    "bim": (BIM, {}),
    "pgd": (PGD, {}),
    "mifgsm": (MIFGSM, {}),
    "apgd_ce": (APGD, {}),
    "apgd_dlr": (APGD, {"loss": "dlr"}),
    "apgd_targets": (APGD, {"loss": "dlr", "targets": 9, "steps": 5}),
    "square": (Square, {"queries": 150}),
    "standard": (Standard, {"steps": 5, "queries": 100}),
}
"""Every attack by its name: its class, and options that keep it short."""


def make(name: str, net: nn.Module, **options: Any) -> Attack:
    kind, own = EVERY[name]
    return kind(net, **{**own, **options})


def losses(net: nn.Module, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(net(x), labels, reduction="none")


def sizes(perturbation: torch.Tensor, norm: str) -> torch.Tensor:
    flat = perturbation.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)
