"""From masks to pixels, in whole numbers only, so that every machine paints alike.

Colours are counted in sixteenths of a grey level, masks and lights in 4096ths. Images are
(B, 3, SIZE, SIZE) int32, planes (B, SIZE, SIZE) int32.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import SIZE
from .draws import Draws, Floats, Ints

ONE = 4096
GREY = 16

Pixels = npt.NDArray[np.uint8]


def colour(rgb: Floats) -> Ints:
    """Grey levels (B, 3) -> (B, 3, 1, 1) in sixteenths."""
    levels = np.floor(np.clip(rgb, 0, 255) * GREY + 0.5)[:, :, None, None]
    return np.asarray(levels, np.int32)


def mask(share: npt.NDArray[np.float32]) -> Ints:
    """Shares of a pixel (B, SIZE, SIZE), 0 to 1 -> (B, 1, SIZE, SIZE) in 4096ths."""
    shares: Ints = np.floor(share * np.float32(ONE) + np.float32(0.5)).astype(np.int32)
    return shares[:, None]


def whole(values: Floats, unit: int) -> Ints:
    """(B,) -> (B, 1, 1) whole multiples of 1 / unit."""
    return np.floor(values * unit + 0.5).astype(np.int32)[:, None, None]


def lay_over(image: Ints, over: Ints, share: Ints) -> Ints:
    """`over` on `image` where `share` says."""
    return image + (((over - image) * share) >> 12)


def cloud(draws: Draws, rows: int, columns: int) -> Ints:
    """A smooth random plane, about -128 to 127, of so many bumps by row and column."""
    plane = draws.bytes(rows, columns)
    while plane.shape[1] < SIZE:
        plane = _double(plane, 1)
    while plane.shape[2] < SIZE:
        plane = _double(plane, 2)
    return plane


def _double(plane: Ints, axis: int) -> Ints:
    """Twice as many points along an axis, each 3/4 of the nearer one and 1/4 of the other."""
    lines = np.moveaxis(plane, axis, 0)
    before = np.concatenate([lines[:1], lines[:-1]])
    after = np.concatenate([lines[1:], lines[-1:]])
    fine = np.empty((2 * len(lines), *lines.shape[1:]), np.int32)
    fine[0::2] = (3 * lines + before + 2) >> 2
    fine[1::2] = (3 * lines + after + 2) >> 2
    return np.moveaxis(fine, 0, axis)


def ramp(across: Ints, down: Ints, offset: Ints) -> Ints:
    """across * x + down * y + offset, where x and y run over -31, -29, ... 31: a plane."""
    axis = (2 * np.arange(SIZE) - (SIZE - 1)).astype(np.int32)
    return across * axis[None, None, :] + down * axis[None, :, None] + offset


def stripes(position: Ints, *, period: Ints, width: Ints) -> Ints:
    """Soft lines at every multiple of the period, 0 to 4096; both in the position's units."""
    place = position % period
    return line(np.minimum(place, period - place), half_width=width)


def line(position: Ints, *, half_width: Ints) -> Ints:
    """A soft line where the position is 0: 4096 there, 0 beyond its half width."""
    share = (half_width - np.abs(position)) * ONE // np.maximum(half_width, 1)
    return np.asarray(np.clip(share, 0, ONE))


def light(image: Ints, amount: Ints) -> Ints:
    """The image under a light, a plane in 4096ths."""
    return (image * amount[:, None]) >> 12


def blur(image: Ints, *, across: Ints, down: Ints) -> Ints:
    """Each pixel mixed with its neighbours: weights of each in 4096ths, (B, 1, 1), up to 1365."""
    image = _blur_last(image, across[:, None])
    turned = np.ascontiguousarray(image.swapaxes(2, 3))
    return np.ascontiguousarray(_blur_last(turned, down[:, None]).swapaxes(2, 3))


def _blur_last(image: Ints, weight: Ints) -> Ints:
    difference = image[..., 1:] - image[..., :-1]
    blurred = image * ONE
    blurred[..., :-1] += weight * difference
    blurred[..., 1:] -= weight * difference
    return (blurred + ONE // 2) >> 12


def finish(image: Ints) -> Pixels:
    """Sixteenths of grey levels (B, 3, SIZE, SIZE) -> uint8 (B, SIZE, SIZE, 3)."""
    levels = np.clip((image + GREY // 2) >> 4, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(0, 2, 3, 1))
