"""What is to be seen in each image of a block: everything random but texture and noise."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from .atlas import STYLES
from .draws import Draws, Floats, Ints

Bools = npt.NDArray[np.bool_]

WALLS = np.array(
    [
        (196, 190, 178), (232, 228, 216), (148, 84, 66), (122, 62, 50), (110, 82, 56),
        (84, 58, 40), (140, 140, 138), (92, 94, 98), (58, 60, 62), (196, 168, 122),
        (40, 62, 104), (34, 78, 64), (176, 196, 206), (206, 186, 150), (30, 30, 34), (150, 40, 40),
    ],
    dtype=np.float64,
)  # fmt: skip
"""Colours of walls, doors and plates: plaster, brick, wood, stone, paint."""

INKS = np.array(
    [
        (240, 240, 236), (24, 24, 26), (196, 160, 84), (92, 74, 50), (36, 52, 110),
        (150, 152, 154), (120, 36, 34), (226, 212, 170), (60, 62, 64), (40, 88, 60),
    ],
    dtype=np.float64,
)  # fmt: skip
"""Colours of digits: enamel, iron, brass, bronze, paint."""

LUMA = np.array([0.299, 0.587, 0.114])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Geometry:
    """From pixels to glyph heights, (B,) each. Pixels run from -1 to 1 in x (right) and y (down).

    With p = (x - centre_x, y - centre_y) a glyph's coordinates are (xx, xy; yx, yy) p divided by
    1 + tilt_x p_x + tilt_y p_y, and then bent by bend times the square of the other coordinate.
    """

    centre_x: Floats
    centre_y: Floats
    xx: Floats
    xy: Floats
    yx: Floats
    yy: Floats
    tilt_x: Floats
    tilt_y: Floats
    bend: Floats
    height: Floats  # of a digit, in pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lettering:
    """The digits, (B,) each but for `digits` (B, 3): left neighbour, centre, right neighbour."""

    style: Ints
    digits: Ints
    left: Bools
    right: Bools
    gap: Floats
    thickness: Floats  # half of a stroke's, in glyph heights
    hollow: Bools
    rim: Floats  # width of a border around the strokes, in glyph heights; 0 for none
    shadow_x: Floats
    shadow_y: Floats
    shadow: Floats  # how dark the cast shadow is, 0 to 1

    def only(self, rows: npt.NDArray[np.int64]) -> Lettering:
        """The lettering of some of the images."""
        fields = dataclasses.fields(self)
        return Lettering(**{field.name: getattr(self, field.name)[rows] for field in fields})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Colours:
    """RGB in grey levels, (B, 3) each."""

    wall: Floats
    ground: Floats  # what is under the digits: the wall, or the plate
    ink: Floats
    rim: Floats


def draw_geometry(draws: Draws) -> Geometry:
    """Size, place, rotation, slant, stretch and perspective."""
    height = draws.uniform(16, 30)
    half_turn = draws.uniform(-0.11, 0.11)  # tangent of half the angle: up to 13 degrees
    cos = (1 - half_turn**2) / (1 + half_turn**2)
    sin = 2 * half_turn / (1 + half_turn**2)
    stretch = draws.uniform(0.75, 1.3)
    slant = draws.uniform(-0.27, 0.27)
    scale = 16 / height
    return Geometry(
        centre_x=draws.uniform(-0.16, 0.16),
        centre_y=draws.uniform(-0.16, 0.16),
        xx=scale * (cos * stretch - slant * sin),
        xy=scale * (sin * stretch + slant * cos),
        yx=-scale * sin,
        yy=scale * cos,
        tilt_x=draws.uniform(-0.22, 0.22),
        tilt_y=draws.uniform(-0.18, 0.18),
        bend=draws.uniform(-0.08, 0.08),
        height=height,
    )


def draw_lettering(draws: Draws, labels: npt.NDArray[np.int64]) -> Lettering:
    """Style, neighbours, strokes, border and shadow of the digits."""
    style = draws.integers(len(STYLES))
    thin, thick = np.array([s.thickness for s in STYLES])[style].T
    digits = np.stack([draws.integers(10), labels.astype(np.int32), draws.integers(10)], axis=1)
    has_rim, has_shadow = draws.chance(0.15), draws.chance(0.3)
    return Lettering(
        style=style,
        digits=digits,
        left=draws.chance(0.6),
        right=draws.chance(0.6),
        gap=draws.skewed(0.0, 0.3),
        thickness=thin + (thick - thin) * draws.uniform(0, 1),
        hollow=np.array([s.hollow for s in STYLES])[style],
        rim=np.where(has_rim, draws.uniform(0.02, 0.05), 0.0),
        shadow_x=draws.sign() * draws.uniform(0.02, 0.09),
        shadow_y=draws.uniform(0.0, 0.09),
        shadow=np.where(has_shadow, draws.uniform(0.2, 0.6), 0.0),
    )


def draw_colours(draws: Draws, *, plate: Bools) -> Colours:
    """A wall, a plate where there is one, and ink that stands out from what is under it."""
    wall = WALLS[draws.integers(len(WALLS))] + _jitter(draws, 24)
    other = WALLS[draws.integers(len(WALLS))] + _jitter(draws, 24)
    ground = np.where(plate[:, None], other, wall)
    ground = ground + (np.clip(_luma(ground), 20, 235) - _luma(ground))[:, None]
    contrast = draws.skewed(22, 185)
    direction = draws.sign()
    level = _luma(ground)
    out = (level + direction * contrast > 250) | (level + direction * contrast < 5)
    direction = np.where(out, -direction, direction)
    target = np.clip(level + direction * contrast, 5, 250)
    ink = INKS[draws.integers(len(INKS))] + _jitter(draws, 16)
    own_hue = draws.uniform(0, 1)[:, None]
    hue = own_hue * (ink - _luma(ink)[:, None]) + (1 - own_hue) * (ground - level[:, None])
    ink = target[:, None] + hue
    rim = (ink + (ground - ink) * draws.uniform(0.35, 1.5)[:, None]) + _jitter(draws, 12)
    return Colours(wall=wall, ground=ground, ink=ink, rim=rim)


def _luma(colour: Floats) -> Floats:
    """Brightness of RGB: (B, 3) -> (B,), added in a fixed order."""
    red, green, blue = (colour[:, k] * LUMA[k] for k in range(3))
    return np.asarray(red + green + blue)


def _jitter(draws: Draws, most: float) -> Floats:
    """A small change of brightness, and smaller ones of each channel: (B, 3)."""
    grey = draws.uniform(-most, most)
    channels = [draws.uniform(-most / 2, most / 2) for _ in range(3)]
    return grey[:, None] + np.stack(channels, axis=1)
