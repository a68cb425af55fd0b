"""Every digit of every style as a field of distances to its strokes, made once for all images."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from .built_styles import BUILT
from .drawn_styles import DRAWN
from .strokes import Pen, Style, segments

Field = npt.NDArray[np.float32]

STYLES: tuple[Style, ...] = (*BUILT, *DRAWN)

REACH = 0.75
"""A field covers -REACH to REACH in x and y, in glyph heights; the glyph's centre is the origin."""

CELLS = 72
"""Points a side of a field."""


@functools.cache
def atlas() -> Field:
    """Distances in glyph heights, float32 (styles * 10, CELLS, CELLS): y first, then x."""
    return np.stack([distance_field(style, digit) for style in STYLES for digit in range(10)])


def distance_field(style: Style, digit: int) -> Field:
    """The distance from every point of the field to the strokes of a glyph, as its pen measures it.

    A point is inside a stroke of half thickness r where the distance is below r.
    """
    s = segments(style.glyphs[digit])
    box = np.array([style.width, 1.0])
    start, end = ((p / 100 - 0.5) * box for p in (s.start, s.end))
    axis = np.linspace(-REACH, REACH, CELLS)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 1, 2)  # x, y
    metric = _metric(style.pen)
    points, start, end = (_apply(metric, p) for p in (points, start, end))
    distance, place = _to_segments(points, start, end, s.open & style.pen.square)  # (points, K)
    along = s.along[:, 0] + (s.along[:, 1] - s.along[:, 0]) * place
    field = (distance + style.pen.taper * along).min(axis=1).reshape(CELLS, CELLS)
    return np.asarray(field, np.float32)


def _metric(pen: Pen) -> npt.NDArray[np.float64]:
    """The matrix under which the flattened pen is a round one."""
    angle = np.deg2rad(pen.angle)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(turn.T @ np.diag([1, 1 / pen.flat]) @ turn, np.float64).round(6)


def _apply(
    matrix: npt.NDArray[np.float64], points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The points (..., 2) times the matrix, written out so that every machine adds alike."""
    x, y = points[..., 0], points[..., 1]
    return np.stack(
        [matrix[0, 0] * x + matrix[0, 1] * y, matrix[1, 0] * x + matrix[1, 1] * y], axis=-1
    )


def _to_segments(
    points: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
    end: npt.NDArray[np.float64],
    square: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distance to each segment, and the place of the nearest point on it (0 at start, 1 at end).

    Beyond an end that is `square` (K, 2) the points of equal distance form a square corner.
    """
    direction = end - start
    length = np.sqrt(direction[:, 0] ** 2 + direction[:, 1] ** 2)
    unit = direction / length[:, None]
    dx, dy = points[..., 0] - start[:, 0], points[..., 1] - start[:, 1]
    forward = dx * unit[:, 0] + dy * unit[:, 1]
    aside = np.abs(dx * unit[:, 1] - dy * unit[:, 0])
    before, after = np.maximum(-forward, 0), np.maximum(forward - length, 0)
    beyond = before + after  # one of them is 0
    distance = np.sqrt(beyond * beyond + aside * aside)
    if square.any():
        cornered = ((before > 0) & square[:, 0]) | ((after > 0) & square[:, 1])
        distance = np.where(cornered, np.maximum(beyond, aside), distance)
    return distance, np.clip(forward / length, 0, 1)
