"""The state of one batch under attack, and the loop that all attacks share.

A subclass says what happens at a restart's beginning, in a step, and at its end.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from dqviz.attacks.norms import Radius

if TYPE_CHECKING:
    from dqviz.attacks.base import Attack


class Batch(NamedTuple):
    """What is attacked: images (N, C, H, W), labels (N,), the ball's radius, and how.

    `standing` names the rows to attack (int64, rising), None all of them; the others are left as
    they are. With `early_stop` an image rests once it fools the network.
    """

    images: torch.Tensor
    labels: torch.Tensor
    epsilon: Radius
    early_stop: bool = False
    standing: torch.Tensor | None = None


class Hunt(abc.ABC):
    """One batch under attack: `x` (N, C, H, W) is the iterate, `moving` the rows that still go on.

    Neither is ever changed in place, so what a step has shown stays as it was.
    """

    def __init__(self, attack: Attack, batch: Batch) -> None:
        self.attack = attack
        self.images = batch.images
        self.labels = batch.labels
        self.epsilon = batch.epsilon
        self.early_stop = batch.early_stop
        self.x = batch.images
        everything = torch.arange(len(batch.images), device=batch.images.device)
        self.moving = everything if batch.standing is None else batch.standing

    @abc.abstractmethod
    def begin(self, restart: int, generator: torch.Generator) -> None:
        """Go to a restart's first iterate, drawn image by image whether it moves or not."""

    @abc.abstractmethod
    def step(self) -> torch.Tensor:
        """One step of the images that still move; the losses before it, (N,), NaN for others."""

    def end(self) -> None:
        """What is done after a restart's last step: nothing."""
        return

    @property
    def answer(self) -> torch.Tensor:
        """The adversarial images if the attack were stopped here, (N, C, H, W)."""
        return self.x

    @property
    def finished(self) -> bool:
        """Whether no further step of this restart would change anything, so that it is left out."""
        return False

    @property
    def broken_by(self) -> torch.Tensor | None:
        """For an ensemble which of its attacks broke each image, (N,); see `Standard`."""
        return None

    def walk(self, generators: Sequence[torch.Generator]) -> Iterator[tuple[int, torch.Tensor]]:
        """All steps of all restarts, one generator a restart: the restart, the losses.

        Every restart begins, even where no image is left to be moved, so that what the generators
        draw for the next batch does not depend on this one.
        """
        for restart, generator in enumerate(generators):
            self.begin(restart, generator)
            for step in range(1, self.attack.steps + 1):
                if self.finished:
                    break
                loss = self.step()
                if step == self.attack.steps:
                    self.end()
                yield restart, loss
