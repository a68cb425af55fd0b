"""From a specification to adversarial images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from dqviz.attacks.base import Attack, Progress
from dqviz.attacks.bim import BIM
from dqviz.attacks.checks import require_images, require_labels, require_logits
from dqviz.attacks.errors import AttackError
from dqviz.attacks.fgsm import FGSM
from dqviz.attacks.pgd import PGD
from dqviz.attacks.rfgsm import RFGSM
from dqviz.specs import ATTACKS, AttackSpec

Maker = Callable[[nn.Module, AttackSpec, float | Sequence[float]], Attack]


def _fgsm(model: nn.Module, spec: AttackSpec, eps: float | Sequence[float]) -> Attack:
    return FGSM(model, eps=eps, norm=spec.norm, targeted=spec.targeted, seed=spec.seed)


def _rfgsm(model: nn.Module, spec: AttackSpec, eps: float | Sequence[float]) -> Attack:
    return RFGSM(model, eps=eps, norm=spec.norm, targeted=spec.targeted, seed=spec.seed)


def _bim(model: nn.Module, spec: AttackSpec, eps: float | Sequence[float]) -> Attack:
    return BIM(
        model,
        eps=eps,
        alpha=spec.alpha,
        steps=spec.steps,
        norm=spec.norm,
        targeted=spec.targeted,
        seed=spec.seed,
    )


def _pgd(model: nn.Module, spec: AttackSpec, eps: float | Sequence[float]) -> Attack:
    return PGD(
        model,
        eps=eps,
        alpha=spec.alpha,
        steps=spec.steps,
        random_start=spec.random_start,
        restarts=spec.restarts,
        norm=spec.norm,
        targeted=spec.targeted,
        seed=spec.seed,
    )


MAKERS: dict[str, Maker] = {"fgsm": _fgsm, "rfgsm": _rfgsm, "bim": _bim, "pgd": _pgd}


def make_attack(
    model: nn.Module, spec: AttackSpec, epsilon: float | Sequence[float] | None = None
) -> Attack:
    """The attack that a specification names, at one epsilon, several, or all of its own.

    Raises:
        AttackError: if the attack is not known here, or its settings do not fit the network.
    """
    if spec.name not in MAKERS:
        raise AttackError(f"attack must be one of {', '.join(ATTACKS)}; got {spec.name!r}")
    return MAKERS[spec.name](model, spec, spec.epsilons if epsilon is None else epsilon)


def craft(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    spec: AttackSpec,
    *,
    early_stop: bool = False,
    batch_size: int = 128,
    progress: Progress | None = None,
) -> dict[float, torch.Tensor]:
    """The adversarial images (N, C, H, W) for every epsilon of the specification.

    For FGSM one gradient an image serves them all. A targeted attack aims at the class after the
    true one.

    Args:
        model: images in [0, 1] in, logits (N, classes) out, in eval mode.
        images: float32 (N, C, H, W) in [0, 1].
        labels: int64 (N,), the true classes.
        spec: the attack and its epsilons.
        early_stop: leave images alone once they fool the network: for accuracy only, never for
            amplification, since it makes perturbations smaller.
        batch_size: images attacked at once; random starts do not depend on it.
        progress: called with the steps done and in all; what it raises cancels the attack.

    Raises:
        AttackError: if images or labels are not as said, or the network gives no usable gradient.
    """
    require_images(images)
    require_labels(labels, images)
    if spec.targeted:
        labels = _next_classes(model, images, labels)
    # A spec repeats no work for an epsilon it names twice; 0 is the image itself.
    moving = tuple(dict.fromkeys(epsilon for epsilon in spec.epsilons if epsilon > 0))
    results = {epsilon: images.clone() for epsilon in spec.epsilons}
    if moving:
        attack = make_attack(model, spec, moving)
        crafted = attack.each(
            images, labels, early_stop=early_stop, batch_size=batch_size, progress=progress
        )
        results.update(zip(moving, crafted, strict=True))
    return results


def _next_classes(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits = model(images[:1])
    require_logits(logits, labels[:1])
    classes: int = logits.shape[1]
    return (labels + 1) % classes
