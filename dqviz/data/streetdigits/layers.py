"""Where the strokes and the plate lie in each image: float32 masks from distances."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from . import SIZE
from .atlas import CELLS, REACH, atlas
from .draws import Floats
from .scene import Geometry, Lettering

Plane = npt.NDArray[np.float32]
"""One value a pixel: (B, SIZE, SIZE)."""

FAR = 9.0
INK_EDGE = 0.02


def glyph_coordinates(g: Geometry) -> tuple[Plane, Plane]:
    """x and y of every pixel in glyph heights, the centre digit's box around the origin."""
    axis = ((np.arange(SIZE) - (SIZE - 1) / 2) / (SIZE / 2)).astype(np.float32)
    u = axis[None, None, :] - _per_image(g.centre_x)
    v = axis[None, :, None] - _per_image(g.centre_y)
    depth = 1 + _per_image(g.tilt_x) * u + _per_image(g.tilt_y) * v
    x = (_per_image(g.xx) * u + _per_image(g.xy) * v) / depth
    y = (_per_image(g.yx) * u + _per_image(g.yy) * v) / depth
    return x + _per_image(g.bend) * y * y, y + _per_image(g.bend) * x * x


@functools.cache
def ink_extents() -> npt.NDArray[np.float64]:
    """Left and right end of every glyph's strokes in glyph heights: (styles * 10, 2)."""
    axis = np.linspace(-REACH, REACH, CELLS)
    inked = atlas().min(axis=1) < INK_EDGE  # (styles * 10, CELLS)
    return np.array([(axis[columns][0], axis[columns][-1]) for columns in inked])


def stroke_distance(x: Plane, y: Plane, lettering: Lettering) -> Plane:
    """The distance in glyph heights to the strokes of the digit that a pixel belongs to.

    Neighbours stand beside the centre digit, as far off as `gap` says. Each pixel belongs to one of
    the three digits, whichever side of the middle of the gap it lies on.
    """
    glyphs = lettering.style[:, None] * 10 + lettering.digits  # (B, 3)
    extents = ink_extents()[glyphs]  # (B, 3, 2)
    half = lettering.thickness + lettering.rim + lettering.gap / 2
    middle = extents[:, 1].mean(axis=1)
    right_edge, left_edge = extents[:, 1, 1] + half, extents[:, 1, 0] - half
    origins = np.stack(  # of the three glyphs, where the centre one's is 0
        [left_edge - half - extents[:, 0, 1], 0 * half, right_edge + half - extents[:, 2, 0]],
        axis=1,
    )
    x = x + _per_image(middle)
    side = (x > _per_image(right_edge)).astype(np.int8) - (x < _per_image(left_edge)) + 1
    rows = np.arange(len(x))[:, None, None]
    distance = _sample(glyphs[rows, side], x - origins.astype(np.float32)[rows, side], y)
    shown = np.stack([lettering.left, np.ones_like(lettering.left), lettering.right], axis=1)
    return np.where(shown[rows, side], distance, np.float32(FAR))


def coverage(distance: Plane, half_width: Floats, height: Floats) -> Plane:
    """How much of a pixel lies within `half_width` of the strokes, 0 to 1.

    The edge is one pixel wide; `height` is that of a digit in pixels.
    """
    share = (_per_image(half_width) - distance) * _per_image(height) + np.float32(0.5)
    return np.asarray(np.clip(share, 0, 1))


def stroke_mask(distance: Plane, lettering: Lettering, height: Floats) -> Plane:
    """The strokes' coverage, hollow ones along their two edges only."""
    r = lettering.thickness
    mask = coverage(distance, r, height)
    inside = coverage(distance, r - np.maximum(0.3 * r, 1.2 / height), height)
    return np.where(lettering.hollow[:, None, None], mask - inside, mask)


def plate_distance(x: Plane, y: Plane, *, half_width: Floats, half_height: Floats) -> Plane:
    """Distance to the edge of a plate around the origin, in glyph heights, negative inside."""
    return np.maximum(np.abs(x) - _per_image(half_width), np.abs(y) - _per_image(half_height))


def _sample(glyphs: npt.NDArray[np.int32], x: Plane, y: Plane) -> Plane:
    """The atlas between its points, linearly: glyph, x and y for every pixel."""
    scale = (CELLS - 1) / (2 * REACH)
    column = np.clip((x + REACH) * np.float32(scale), 0, CELLS - 1.001)
    row = np.clip((y + REACH) * np.float32(scale), 0, CELLS - 1.001)
    left, top = column.astype(np.int32), row.astype(np.int32)
    right_share, bottom_share = column - left, row - top
    flat = atlas().reshape(-1)
    corner = (glyphs * CELLS + top) * CELLS + left
    upper = _between(flat.take(corner), flat.take(corner + 1), right_share)
    corner += CELLS
    lower = _between(flat.take(corner), flat.take(corner + 1), right_share)
    return _between(upper, lower, bottom_share)


def _between(first: Plane, second: Plane, share: Plane) -> Plane:
    return first + (second - first) * share


def _per_image(values: Floats) -> Plane:
    """(B,) -> (B, 1, 1), float32."""
    return values.astype(np.float32)[:, None, None]
