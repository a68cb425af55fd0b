"""The notation that digits are drawn in, and its translation into line segments.

A glyph is a string of strokes, separated by semicolons, in a box of 100 by 100 whose y axis points
down. A stroke is a letter and its numbers:

    L x,y x,y ...                   straight lines through the points
    S x,y x,y ...                   a smooth curve through the points (Catmull-Rom spline)
    O x,y x,y ...                   the same, closed
    A cx,cy,rx,ry,start,end         an arc of an ellipse, in degrees clockwise from the right
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

DEGREES_PER_SEGMENT = 15.0
SEGMENTS_PER_SPAN = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pen:
    """What the strokes are drawn with.

    Attributes:
        flat: how much the pen is flattened: 1 is round, 0.4 draws strokes along its edge at 0.4 of
            the thickness.
        angle: of the flattened pen's long axis, in degrees clockwise from the right.
        square: straight lines end in squares instead of half discs.
        taper: how much thinner the end of a stroke is than its start, in glyph heights.
    """

    flat: float = 1.0
    angle: float = 0.0
    square: bool = False
    taper: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Style:
    """Ten digits drawn by one hand.

    Attributes:
        name: for people.
        width: of the box, in glyph heights.
        thickness: the smallest and largest half thickness of strokes, in glyph heights.
        glyphs: the ten digits, 0 to 9, in the notation of this module.
        pen: what they are drawn with.
        hollow: drawn as two parallel lines instead of one thick one.
    """

    name: str
    width: float
    thickness: tuple[float, float]
    glyphs: tuple[str, ...]
    pen: Pen = Pen()
    hollow: bool = False

    def __post_init__(self) -> None:
        if len(self.glyphs) != 10:
            raise ValueError(f"{self.name} has {len(self.glyphs)} glyphs; expected 10")


@dataclasses.dataclass(frozen=True)
class Segments:
    """Straight pieces of the strokes of one glyph.

    Attributes:
        start: (K, 2), x and y in the box of 100 by 100.
        end: (K, 2).
        along: (K, 2), how far along its stroke a segment starts and ends, 0 to 1.
        open: (K, 2), whether its start and its end are the loose ends of straight lines.
    """

    start: Points
    end: Points
    along: Points
    open: npt.NDArray[np.bool_]


def segments(glyph: str) -> Segments:
    """The segments of a glyph.

    Raises:
        ValueError: for a stroke that is not in the notation.
    """
    letters_and_points = [_stroke(stroke.strip()) for stroke in glyph.split(";")]
    points = [p for _, p in letters_and_points]
    along = [np.linspace(0, 1, len(p)) for p in points]
    return Segments(
        start=np.concatenate([p[:-1] for p in points]),
        end=np.concatenate([p[1:] for p in points]),
        along=np.concatenate([np.stack([t[:-1], t[1:]], axis=1) for t in along]),
        open=np.concatenate([_loose_ends(letter, p) for letter, p in letters_and_points]),
    )


def turned(glyph: str) -> str:
    """The glyph turned upside down: a 6 becomes a 9."""
    strokes = []
    for stroke in glyph.split(";"):
        letter, *numbers = stroke.split()
        if letter == "A":
            cx, cy, rx, ry, start, end = (float(v) for v in numbers[0].split(","))
            strokes.append(f"A {100 - cx},{100 - cy},{rx},{ry},{start + 180},{end + 180}")
        else:
            pairs = (pair.split(",") for pair in numbers)
            strokes.append(
                f"{letter} " + " ".join(f"{100 - float(x)},{100 - float(y)}" for x, y in pairs)
            )
    return "; ".join(strokes)


def _loose_ends(letter: str, points: Points) -> npt.NDArray[np.bool_]:
    loose = np.zeros((len(points) - 1, 2), bool)
    if letter == "L" and (points[0] != points[-1]).any():
        loose[0, 0] = loose[-1, 1] = True
    return loose


def _stroke(stroke: str) -> tuple[str, Points]:
    letter, *numbers = stroke.split()
    points = np.array([[float(v) for v in group.split(",")] for group in numbers])
    if letter == "A" and points.shape == (1, 6):
        return letter, _arc(*points[0])
    if letter in ("L", "S", "O") and points.shape[1] == 2 and len(points) >= 2:
        if letter == "L":
            return letter, points
        return letter, _spline(points, closed=letter == "O")
    raise ValueError(
        f"not a stroke: {stroke!r}; expected L, S or O with points, or A with 6 numbers"
    )


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> Points:
    count = max(2, round(abs(end - start) / DEGREES_PER_SEGMENT) + 1)
    angle = np.deg2rad(np.linspace(start, end, count))
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1).round(3)


def _spline(points: Points, *, closed: bool) -> Points:
    """Catmull-Rom: between two points, a cubic whose slopes are those between the neighbours."""
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    t = (np.arange(SEGMENTS_PER_SPAN) / SEGMENTS_PER_SPAN)[:, None]
    spans = [
        p1
        + t / 2 * (p2 - p0)
        + t**2 / 2 * (2 * p0 - 5 * p1 + 4 * p2 - p3)
        + t**3 / 2 * (3 * p1 - p0 - 3 * p2 + p3)
        for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]
    return np.concatenate([*spans, padded[-2:-1]]).round(3)
