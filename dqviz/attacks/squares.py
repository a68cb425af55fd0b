"""What the Square attack proposes in each norm: its first points, and the next square.

Andriushchenko et al., https://arxiv.org/abs/1912.00049, algorithms 2 (L-infinity) and 3 (L2).
All random numbers come in from outside, evenly drawn from 0 to 1, so that each image has its own.
"""

from __future__ import annotations

import abc
import math

import torch

from dqviz.attacks.norms import Radius


class Search(abc.ABC):
    """The proposals of one norm."""

    @abc.abstractmethod
    def numbers(self, channels: int) -> int:
        """How many random numbers a proposal takes."""

    @abc.abstractmethod
    def start(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """The first perturbation of one image (C, H, W), within the ball of radius 1."""

    @abc.abstractmethod
    def propose(
        self,
        x: torch.Tensor,
        images: torch.Tensor,
        epsilon: Radius,
        numbers: torch.Tensor,
        share: float,
    ) -> torch.Tensor:
        """The next points.

        Args:
            x: the best points so far, (N, C, H, W).
            images: the clean images, (N, C, H, W).
            epsilon: the radius.
            numbers: (N, `numbers(C)`), evenly drawn from 0 to 1.
            share: of the image that the square covers.
        """


class LInfSearch(Search):
    """A square's pixels go to plus or minus epsilon, one sign a channel."""

    def numbers(self, channels: int) -> int:
        """Two for the place, one a channel for the sign."""
        return 2 + channels

    def start(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """Upright stripes one pixel wide, each of one sign a channel."""
        channels, height, width = shape
        stripes = torch.randint(0, 2, (channels, 1, width), generator=generator) * 2.0 - 1.0
        return stripes.expand(channels, height, width)

    def propose(
        self,
        x: torch.Tensor,
        images: torch.Tensor,
        epsilon: Radius,
        numbers: torch.Tensor,
        share: float,
    ) -> torch.Tensor:
        """The next points."""
        height, width = x.shape[2:]
        side = min(max(round(math.sqrt(share * height * width)), 1), height, width)
        place = _corner(numbers[:, :2], side, height, width)
        covered = _window(place, side, height, width)[:, None]
        signs = torch.where(numbers[:, 2:] < 0.5, -1.0, 1.0)[:, :, None, None]  # (N, C, 1, 1)
        return torch.where(covered, (images + epsilon * signs).clamp(0, 1), x)


class L2Search(Search):
    """A window's change is remade, and takes over the length of another window's, set to 0."""

    def numbers(self, channels: int) -> int:
        """Four for two places, one to turn the pattern, one a channel for the sign."""
        return 5 + channels

    def start(self, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
        """A grid of about five by five tiles of the pattern, of length 1 in all."""
        channels, height, width = shape
        side = max(min(height, width) // 5, 1)
        rows, columns = height // side, width // side
        top, left = (height - rows * side) // 2, (width - columns * side) // 2
        numbers = torch.rand(rows, columns, 1 + channels, generator=generator)
        signs = torch.where(numbers[..., 1:] < 0.5, -1.0, 1.0)  # (rows, columns, C)
        tiles = _pattern(side, numbers[..., 0])[:, :, None] * signs[..., None, None]
        grid = tiles.permute(2, 0, 3, 1, 4).reshape(channels, rows * side, columns * side)
        start = torch.zeros(shape)
        start[:, top : top + rows * side, left : left + columns * side] = grid
        unit: torch.Tensor = start / start.norm()
        return unit

    def propose(
        self,
        x: torch.Tensor,
        images: torch.Tensor,
        epsilon: Radius,
        numbers: torch.Tensor,
        share: float,
    ) -> torch.Tensor:
        """The next points."""
        _, channels, height, width = x.shape
        side = _odd_side(share, height, width)
        change = x - images
        # As in the authors' program no square reaches the last row or column where it need not:
        # that is measurably stronger than the paper's choice among all places.
        room = side, max(height - 1, side), max(width - 1, side)
        place, other = (_corner(numbers[:, pair], *room) for pair in (slice(0, 2), slice(2, 4)))
        first, second = (_window(p, side, height, width)[:, None].float() for p in (place, other))
        # Each channel gets the length of both windows, of all channels as in AutoAttack (the paper
        # takes its own channel's), and its share of what the ball leaves.
        left = (epsilon * epsilon - _squares(change)).clamp_min(0)
        length = (left / channels + _squares(change * first.maximum(second))).sqrt()
        signs = torch.where(numbers[:, 5:] < 0.5, -1.0, 1.0)[:, :, None, None]
        pattern = _placed(_pattern(side, numbers[:, 4]), place, height, width)
        window = change * first
        remade = pattern[:, None] * signs + window / _length_of_channels(window)
        remade = remade / _length_of_channels(remade) * length
        change = change * (1 - first) * (1 - second) + remade
        total = _squares(change).sqrt()
        return (images + change * (epsilon / torch.where(total > 0, total, 1.0))).clamp(0, 1)


def _odd_side(share: float, height: int, width: int) -> int:
    """A square's side in L2: odd, 3 or more where the image is as large."""
    side = max(round(math.sqrt(share * height * width)), 3)
    side += 1 - side % 2
    most = min(height, width)
    return min(side, most if most % 2 else max(most - 1, 1))


def _corner(numbers: torch.Tensor, side: int, height: int, width: int) -> torch.Tensor:
    """The upper left pixels of squares, (N, 2), from numbers of 0 to 1."""
    room = torch.tensor([height - side + 1, width - side + 1], device=numbers.device)
    return (numbers * room).long().minimum(room - 1)


def _window(corner: torch.Tensor, side: int, height: int, width: int) -> torch.Tensor:
    """Which pixels squares cover whose upper left pixels are given, (N, H, W) bool."""
    corner = corner[:, :, None]  # (N, 2, 1)
    down = torch.arange(height, device=corner.device) - corner[:, 0]  # (N, H)
    right = torch.arange(width, device=corner.device) - corner[:, 1]
    rows, columns = (down >= 0) & (down < side), (right >= 0) & (right < side)
    return rows[:, :, None] & columns[:, None, :]


def _placed(pattern: torch.Tensor, corner: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Patterns (N, s, s) at their squares' places in images of zeros, (N, H, W)."""
    along = torch.arange(pattern.shape[-1], device=pattern.device)
    rows = corner[:, :1] + along  # (N, s)
    columns = corner[:, 1:] + along
    placed = pattern.new_zeros(len(pattern), height, width)
    image = torch.arange(len(pattern), device=pattern.device)[:, None, None]
    placed[image, rows[:, :, None], columns[:, None, :]] = pattern
    return placed


def _pattern(side: int, turn: torch.Tensor) -> torch.Tensor:
    """Two hills of opposite sign, of length 1 together, (..., s, s); turned where `turn` < 0.5."""
    upper = side // 2
    pattern = torch.cat([_hill(upper, side), -_hill(side - upper, side)])
    pattern = (pattern / pattern.norm()).to(turn.device)
    return torch.where(turn[..., None, None] < 0.5, pattern.T, pattern)


def _hill(height: int, width: int) -> torch.Tensor:
    """A hill of nested rectangles, the k-th adding 1 / k^2, of length 1; (height, width)."""
    hill = torch.zeros(height, width)
    middle_row, middle_column = height // 2, width // 2
    for grown in range(max(height // 2, width // 2) + 1):
        top, left = max(middle_row - grown, 0), max(middle_column - grown, 0)
        bottom, right = middle_row + grown + 1, middle_column + grown + 1
        hill[top:bottom, left:right] += 1 / (grown + 1) ** 2
    length = hill.norm()
    return hill / length if length > 0 else hill


def _squares(change: torch.Tensor) -> torch.Tensor:
    """Each image's sum of squares, (N, 1, 1, 1)."""
    return change.square().sum((1, 2, 3), keepdim=True)


def _length_of_channels(change: torch.Tensor) -> torch.Tensor:
    """Each channel's length, (N, C, 1, 1), 1 where it is 0."""
    length = change.square().sum((2, 3), keepdim=True).sqrt()
    return torch.where(length > 0, length, 1.0)


_SEARCHES: dict[str, Search] = {"linf": LInfSearch(), "l2": L2Search()}


def searches(norm: str) -> Search:
    """The search of a norm, `linf` or `l2`, that `ball` has accepted."""
    return _SEARCHES[norm]
