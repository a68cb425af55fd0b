"""From a specification to adversarial images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from dqviz.attacks.apgd import APGD
from dqviz.attacks.base import Attack, Outcome, Progress
from dqviz.attacks.bim import BIM
from dqviz.attacks.checks import require_images, require_labels, require_logits
from dqviz.attacks.errors import AttackError
from dqviz.attacks.fgsm import FGSM
from dqviz.attacks.mifgsm import MIFGSM
from dqviz.attacks.pgd import PGD
from dqviz.attacks.rfgsm import RFGSM
from dqviz.attacks.square import Square
from dqviz.attacks.standard import Standard
from dqviz.specs import ATTACKS, AttackSpec

_SINGLE = ("loss",)
_STEPS = ("alpha", "steps", "loss")
_ASCENT = ("steps", "restarts", "random_start")

MAKERS: Mapping[str, tuple[Callable[..., Attack], tuple[str, ...], Mapping[str, Any]]] = {
    "fgsm": (FGSM, _SINGLE, {}),
    "rfgsm": (RFGSM, _SINGLE, {}),
    "bim": (BIM, _STEPS, {}),
    "pgd": (PGD, (*_STEPS, "restarts", "random_start"), {}),
    "mifgsm": (MIFGSM, (*_STEPS, "momentum"), {}),
    "apgd_ce": (APGD, _ASCENT, {"loss": "cross_entropy"}),
    "apgd_dlr": (APGD, _ASCENT, {"loss": "dlr"}),
    "square": (Square, ("queries",), {}),
    "standard": (Standard, ("steps", "restarts", "queries"), {}),
}
"""Each attack's class, the fields of the specification that it takes, and what its name says.

All take `norm`, `targeted` and `seed` besides.
"""


def make_attack(
    model: nn.Module,
    spec: AttackSpec,
    epsilon: float | Sequence[float] | None = None,
    *,
    gradients_of: nn.Module | None = None,
) -> Attack:
    """The attack that a specification names, at one epsilon, several, or all of its own.

    Args:
        model: images in [0, 1] in, logits (N, classes) out, in eval mode.
        spec: the attack.
        epsilon: in pixel units; None takes the specification's.
        gradients_of: the network that gradients are taken of, None for `model`; see `Attack`.
            Square takes none.

    Raises:
        AttackError: if the attack is not known here, or its settings do not fit the network.
    """
    if spec.name not in MAKERS:
        raise AttackError(f"attack must be one of {', '.join(ATTACKS)}; got {spec.name!r}")
    kind, fields, options = MAKERS[spec.name]
    given = {field: getattr(spec, field) for field in (*fields, "norm", "targeted", "seed")}
    if kind is not Square:
        given["gradients_of"] = gradients_of
    return kind(model, eps=spec.epsilons if epsilon is None else epsilon, **given, **options)


def craft(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    spec: AttackSpec,
    *,
    early_stop: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
    gradients_of: nn.Module | None = None,
) -> dict[float, torch.Tensor]:
    """The adversarial images (N, C, H, W) for every epsilon of the specification.

    For FGSM one gradient an image serves them all. A targeted attack aims at the class after the
    true one. What 'the final iterate' is for attacks that do not simply walk, `APGD`, `Square` and
    `Standard` say.

    Args:
        model: images in [0, 1] in, logits (N, classes) out, in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        spec: the attack and its epsilons.
        early_stop: leave images alone once they fool the network: for accuracy only, never for
            amplification, since it makes perturbations smaller.
        batch_size: images attacked at once; random starts do not depend on it.
        progress: called with the steps done and in all; what it raises cancels the attack.
        gradients_of: the network that gradients are taken of, None for `model`; see `Attack`.

    Raises:
        AttackError: if images or labels are not as said, or the network gives no usable gradient.
    """
    crafted = craft_outcomes(
        model,
        images,
        labels,
        spec,
        early_stop=early_stop,
        batch_size=batch_size,
        progress=progress,
        gradients_of=gradients_of,
    )
    return {epsilon: outcome.adversarial for epsilon, outcome in crafted.items()}


def craft_outcomes(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    spec: AttackSpec,
    *,
    early_stop: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
    gradients_of: nn.Module | None = None,
) -> dict[float, Outcome]:
    """As `craft`, with what broke each image where the attack is `standard`; see `BREAKERS`."""
    require_images(images)
    require_labels(labels, images)
    if spec.targeted:
        labels = next_classes(model, images, labels)
    # A spec repeats no work for an epsilon it names twice; 0 is the image itself.
    moving = tuple(dict.fromkeys(epsilon for epsilon in spec.epsilons if epsilon > 0))
    results = {epsilon: Outcome(images.clone()) for epsilon in spec.epsilons}
    if moving:
        attack = make_attack(model, spec, moving, gradients_of=gradients_of)
        crafted = attack.outcomes(
            images, labels, early_stop=early_stop, batch_size=batch_size, progress=progress
        )
        results.update(zip(moving, crafted, strict=True))
    return results


def next_classes(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The classes after the true ones, (N,): what a targeted attack of a specification aims at."""
    with torch.no_grad():
        logits = model(images[:1])
    require_logits(logits, labels[:1])
    classes: int = logits.shape[1]
    return (labels + 1) % classes
