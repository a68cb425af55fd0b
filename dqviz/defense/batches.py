"""The batch of every step of a training, decided by the recipe and the step's number alone.

The order of the images comes from the seed and the epoch, crops and flips from the seed and the
step.
"""

from __future__ import annotations

import hashlib

import torch

from dqviz.data import ImageData
from dqviz.defense.augment import random_crop, random_flip
from dqviz.defense.errors import TrainError
from dqviz.defense.recipe import Recipe

CALIBRATION_IMAGES = 512
"""Training images, drawn by the recipe's seed, from which ranges and histograms come."""
ORDER, AUGMENT, ATTACK = 1, 2, 3
"""What a step's random numbers are for: `seed_of` keeps the purposes apart."""


class Batches:
    """Augmented training images, step by step.

    Args:
        recipe: the images held out, crop, flip, batch size and seed.
        data: the training images, those held out at their end.
        device: where the batches shall lie.

    Raises:
        TrainError: if the images do not fill one batch, or are no larger than the crop.
    """

    def __init__(self, recipe: Recipe, data: ImageData, device: torch.device) -> None:
        count = len(data) - recipe.hold_out
        if count < recipe.batch_size:
            raise TrainError(
                f"{len(data)} images less {recipe.hold_out} held out do not fill one batch of "
                f"{recipe.batch_size}"
            )
        if recipe.crop >= data.images.shape[-1]:
            raise TrainError(
                f"crop must be below the images' {data.images.shape[-1]} pixels; got {recipe.crop}"
            )
        self.recipe, self.device = recipe, device
        # bytes: a quarter of the memory, and every data set here has eight bits a channel
        self.images = (data.images[:count] * 255).round().to(torch.uint8)
        self.labels = data.labels[:count]
        self.steps_per_epoch = count // recipe.batch_size

    def sample(self, count: int) -> torch.Tensor:
        """Up to `count` images (n, C, H, W) in [0, 1], as they are, drawn by the recipe's seed."""
        generator = torch.Generator().manual_seed(self.recipe.seed)
        chosen = torch.randperm(len(self.images), generator=generator)[:count]
        return (self.images[chosen].float() / 255).to(self.device)

    def at(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The augmented images (N, C, H, W) in [0, 1] and the labels (N,) of a step."""
        recipe = self.recipe
        epoch, place = divmod(step, self.steps_per_epoch)
        order = torch.Generator().manual_seed(seed_of(recipe.seed, ORDER, epoch))
        shuffled = torch.randperm(len(self.images), generator=order)
        chosen = shuffled[place * recipe.batch_size : (place + 1) * recipe.batch_size]
        generator = torch.Generator().manual_seed(seed_of(recipe.seed, AUGMENT, step))
        images = self.images[chosen].to(self.device).float() / 255
        images = random_crop(images, pad=recipe.crop, generator=generator)
        if recipe.flip:
            images = random_flip(images, generator=generator)
        images = images.contiguous(memory_format=torch.channels_last)
        return images, self.labels[chosen].to(self.device)


def seed_of(seed: int, purpose: int, place: int) -> int:
    """A generator's seed for every (recipe's seed, purpose, place).

    A generator on the processor heeds the lowest 32 bits of its seed alone (it is a Mersenne
    Twister), so these are where everything must be told apart: by a hash. The exception is seed 0.
    The first shipped networks were trained when the lowest bits held the place and nothing else;
    with seed 0 that is so still, and they come out as they did.
    """
    if seed == 0:
        return place
    text = f"{seed} {purpose} {place}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:4], "little")
