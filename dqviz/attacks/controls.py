"""Perturbations to compare an attack with: as large as it, image by image, but not aimed.

White noise alone exaggerates how special an attack is, since a network damps it; another image's
adversarial perturbation has the attack's spectrum without being adversarial here.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from dqviz.attacks.checks import require_images
from dqviz.attacks.errors import AttackError
from dqviz.specs import CONTROLS


def matched_control(
    kind: str, images: torch.Tensor, adversarial: torch.Tensor, *, generator: torch.Generator
) -> torch.Tensor:
    """Images perturbed without aim, each as far from the clean one in L2 as the adversarial one.

    The distance is matched after clamping to [0, 1], up to a relative 1e-5. Where even an endless
    step along the direction, which takes every pixel it moves to 0 or 1, stays nearer than the
    adversarial image, that point is returned and the control is weaker; `shortfall` tells by how
    much. An image that the attack left alone is left alone.

    Args:
        kind: `random_signs` (+1 or -1 for every value), `gaussian`, or `other_image`: another
            image's adversarial perturbation, dealt out in one random cycle so that none gets its
            own.
        images: float32 (N, C, H, W) in [0, 1].
        adversarial: the attacked images, of the same shape.
        generator: on the CPU; the images' directions are drawn from it one after the other.

    Raises:
        AttackError: if the kind is unknown, the shapes differ, or there is no other image.
    """
    if kind not in _DIRECTIONS:
        raise AttackError(f"a control must be one of {', '.join(CONTROLS)}; got {kind!r}")
    require_images(images)
    require_images(adversarial)
    if adversarial.shape != images.shape:
        raise AttackError(
            f"adversarial images must have the shape of the images {tuple(images.shape)}; "
            f"got {tuple(adversarial.shape)}"
        )
    direction = _DIRECTIONS[kind](adversarial - images, generator).to(images.device)
    wanted = (adversarial - images).double().flatten(1).norm(dim=1)  # (N,)
    scale = _scales(images, direction, wanted).view(-1, 1, 1, 1)
    return (images + scale * direction.double()).clamp(0, 1).float()


def shortfall(
    images: torch.Tensor, adversarial: torch.Tensor, control: torch.Tensor
) -> torch.Tensor:
    """By which share of the adversarial L2 distance each control falls short, shape (N,)."""
    wanted = (adversarial - images).double().flatten(1).norm(dim=1)
    got = (control - images).double().flatten(1).norm(dim=1)
    return torch.where(wanted > 0, 1 - got / wanted.clamp_min(1e-30), 0.0)


def _random_signs(perturbation: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    shape = perturbation.shape[1:]
    return torch.stack(
        [torch.randint(0, 2, shape, generator=generator) * 2.0 - 1.0 for _ in perturbation]
    )


def _gaussian(perturbation: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    shape = perturbation.shape[1:]
    return torch.stack([torch.randn(shape, generator=generator) for _ in perturbation])


def _other_image(perturbation: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    if len(perturbation) < 2:
        raise AttackError("the control other_image needs at least 2 images; got 1")
    order = torch.randperm(len(perturbation), generator=generator)
    source = torch.empty_like(order)
    source[order] = order.roll(1)  # each image takes from its neighbour on one random cycle
    return perturbation[source.to(perturbation.device)]


_DIRECTIONS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "random_signs": _random_signs,
    "gaussian": _gaussian,
    "other_image": _other_image,
}


def _scales(images: torch.Tensor, direction: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """For each image the factor of its direction that reaches the wanted distance, shape (N,).

    Clamped, an element moves by min(factor * |direction|, room), room being its way to 0 or 1. With
    the elements that are at their limit known, the factor follows from a quadratic equation. From
    below, each solution puts more elements at their limit, until no new one is: that is exact.
    """
    speed = direction.double().abs().flatten(1)  # (N, C*H*W)
    room = torch.where(direction > 0, 1 - images, images).double().flatten(1)
    limit = torch.where(speed > 0, room / speed, 0.0)  # the factor at which the room is used up
    factor = torch.zeros_like(wanted)
    while True:
        free = limit > factor[:, None]
        free_square = (speed.square() * free).sum(1)
        held_square = (room.square() * (~free & (speed > 0))).sum(1)
        left = (wanted.square() - held_square).clamp_min(0)
        # Where nothing is free any more, the distance cannot be reached: stay at the last limit.
        solved = torch.where(free_square > 0, (left / free_square).sqrt(), limit.amax(1))
        new = torch.maximum(factor, torch.minimum(solved, limit.amax(1)))
        if bool((new <= factor * (1 + 1e-12)).all()):
            return new
        factor = new
