"""The two balls a perturbation is kept in: steps within them, projection, random points."""

from __future__ import annotations

import abc

import torch

from dqviz.attacks.errors import AttackError

Radius = float | torch.Tensor
"""A ball's radius in pixel units: one for all images, or (N, 1, 1, 1), one for each."""


def of_rows(radius: Radius, rows: torch.Tensor) -> Radius:
    """The radii of some of the images."""
    return radius[rows] if isinstance(radius, torch.Tensor) else radius


class Ball(abc.ABC):
    """Perturbations of norm at most epsilon, image by image; all tensors are (N, C, H, W)."""

    @abc.abstractmethod
    def steepest(self, gradient: torch.Tensor) -> torch.Tensor:
        """The perturbation of norm 1 along which a function of this gradient rises most.

        An image whose gradient is 0 gets 0.
        """

    @abc.abstractmethod
    def project(self, perturbation: torch.Tensor, epsilon: Radius) -> torch.Tensor:
        """The nearest perturbation of norm at most epsilon."""

    @abc.abstractmethod
    def random_point(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """For one image (C, H, W), a point drawn evenly from the ball of radius 1."""

    @abc.abstractmethod
    def size(self, perturbation: torch.Tensor) -> torch.Tensor:
        """The norm of each image's perturbation, shape (N,)."""


class LInf(Ball):
    """The largest change of any one pixel's channel."""

    def steepest(self, gradient: torch.Tensor) -> torch.Tensor:
        """Its sign."""
        return gradient.sign()

    def project(self, perturbation: torch.Tensor, epsilon: Radius) -> torch.Tensor:
        """Every value clamped to plus or minus epsilon."""
        return perturbation.clamp(-epsilon, epsilon)  # type: ignore[arg-type]

    def random_point(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """Every value drawn evenly from -1 to 1."""
        return torch.rand(shape, generator=generator) * 2 - 1

    def size(self, perturbation: torch.Tensor) -> torch.Tensor:
        """The largest magnitude."""
        return perturbation.abs().flatten(1).amax(1)


class L2(Ball):
    """The Euclidean length over all pixels and channels."""

    def steepest(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient divided by its length."""
        # Scaled by the largest value first: the squares of small gradients underflow.
        largest = gradient.abs().amax((1, 2, 3), keepdim=True)
        scaled = gradient / torch.where(largest > 0, largest, 1.0)
        length = scaled.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        return scaled / torch.where(length > 0, length, 1.0)

    def project(self, perturbation: torch.Tensor, epsilon: Radius) -> torch.Tensor:
        """Shortened to length epsilon where it is longer."""
        length = self.size(perturbation).view(-1, 1, 1, 1)
        if isinstance(epsilon, torch.Tensor):
            within = torch.where(epsilon > 0, epsilon, 1.0)
            return perturbation * (epsilon / torch.where(length > epsilon, length, within))
        return perturbation * (epsilon / torch.where(length > epsilon, length, epsilon or 1.0))

    def random_point(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """A direction drawn evenly, and a radius whose power of the dimension is even."""
        direction = torch.randn(shape, generator=generator)
        radius = torch.rand((), generator=generator) ** (1 / direction.numel())
        point: torch.Tensor = direction * (radius / direction.norm())
        return point

    def size(self, perturbation: torch.Tensor) -> torch.Tensor:
        """The Euclidean length."""
        length: torch.Tensor = perturbation.flatten(1).norm(dim=1)
        return length


_BALLS: dict[str, Ball] = {"linf": LInf(), "l2": L2()}


def ball(norm: str) -> Ball:
    """The ball of a norm by its name, `linf` or `l2`.

    Raises:
        AttackError: if there is no such norm.
    """
    if norm not in _BALLS:
        raise AttackError(f"norm must be one of {', '.join(_BALLS)}; got {norm!r}")
    return _BALLS[norm]
