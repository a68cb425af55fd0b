"""The images of a split, rendered block by block."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from . import DATA_VERSION, IMAGES, SIZE, layers, paint
from .draws import Draws, Floats, Ints
from .layers import Plane
from .scene import Bools, Colours, Lettering, draw_colours, draw_geometry, draw_lettering

BLOCK = 125
"""Images that are rendered together; part of what the images depend on."""

_SPLITS = {"train": 0, "test": 1}
_LABELS, _IMAGES = 0, 1

Pixels = npt.NDArray[np.uint8]


@functools.cache
def labels(split: str) -> npt.NDArray[np.int64]:
    """The labels of a split, int64 (N,): every class equally often, in random order."""
    draws = Draws(DATA_VERSION, _SPLITS[split], _LABELS, count=IMAGES[split])
    shuffled = (np.argsort(draws.uniform(0, 1), kind="stable") % 10).astype(np.int64)
    shuffled.flags.writeable = False
    return shuffled


def blocks(split: str) -> range:
    """The numbers of a split's blocks; block k holds rows k * BLOCK to (k + 1) * BLOCK - 1."""
    return range(IMAGES[split] // BLOCK)


def render(split: str, progress: Callable[[int, int], None]) -> Pixels:
    """All images of a split, uint8 (N, SIZE, SIZE, 3), on as many threads as there are cores."""
    layers.ink_extents()  # made once, before the threads ask for it
    out = np.empty((IMAGES[split], SIZE, SIZE, 3), np.uint8)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for number, pixels in _in_order(pool, split):
            out[number * BLOCK : (number + 1) * BLOCK] = pixels
            progress((number + 1) * BLOCK, IMAGES[split])
    return out


def _in_order(pool: ThreadPoolExecutor, split: str) -> Iterator[tuple[int, Pixels]]:
    rendered = pool.map(lambda number: render_block(split, number), blocks(split))
    return enumerate(rendered)


def render_block(split: str, number: int) -> Pixels:
    """The images of one block, uint8 (BLOCK, SIZE, SIZE, 3)."""
    wanted = labels(split)[number * BLOCK : (number + 1) * BLOCK]
    draws = Draws(DATA_VERSION, _SPLITS[split], _IMAGES, number, count=BLOCK)
    geometry = draw_geometry(draws)
    lettering = draw_lettering(draws, wanted)
    plate = draws.chance(0.35)
    colours = draw_colours(draws, plate=plate)
    x, y = layers.glyph_coordinates(geometry)
    image = _background(draws, colours, plate=plate, place=(x, y), height=geometry.height)
    image = _shadow(image, lettering, place=(x, y), height=geometry.height)
    image = _digits(image, lettering, colours, place=(x, y), height=geometry.height)
    image = _in_front(draws, image)
    return paint.finish(_camera(draws, _lighting(draws, image)))


def _background(
    draws: Draws, colours: Colours, *, plate: Bools, place: tuple[Plane, Plane], height: Floats
) -> Ints:
    """A textured wall, with or without a plate that the digits are on."""
    x, y = place
    wall = paint.colour(colours.wall) + _texture(draws)[:, None]
    ground = paint.colour(colours.ground) + (_texture(draws) >> 1)[:, None]
    distance = layers.plate_distance(
        x, y, half_width=draws.uniform(0.5, 1.7), half_height=draws.uniform(0.6, 0.85)
    )
    on_plate = layers.coverage(distance, np.where(plate, 0.0, -layers.FAR), height)
    image = paint.lay_over(wall, ground, paint.mask(on_plate))
    framed = plate & draws.chance(0.5)
    frame_width = np.where(framed, draws.uniform(0.015, 0.04), -layers.FAR)
    frame = layers.coverage(np.abs(distance + np.float32(0.06)), frame_width, height)
    return paint.lay_over(image, paint.colour(colours.ink), paint.mask(frame))


def _texture(draws: Draws) -> Ints:
    """Roughness of a surface, (B, SIZE, SIZE) in sixteenths of grey levels."""
    clouds = paint.cloud(draws, 4, 4) * paint.whole(draws.skewed(0, 3.5), paint.GREY) >> 4
    grain = paint.cloud(draws, 16, 16) * paint.whole(draws.skewed(0, 2.5), paint.GREY) >> 4
    wood = paint.cloud(draws, 32, 4) * paint.whole(draws.skewed(0, 3.0), paint.GREY) >> 4
    depth = np.where(draws.chance(0.25), draws.uniform(8, 45), 0.0) * draws.sign()
    lying = draws.chance(0.7)
    slope = draws.uniform(-0.15, 0.15)
    across, down = np.where(lying, slope, 1.0), np.where(lying, 1.0, slope)
    position = paint.ramp(
        paint.whole(across, 256), paint.whole(down, 256), paint.whole(draws.uniform(0, 64), 256)
    )
    joints = paint.stripes(
        position,
        period=paint.whole(draws.uniform(9, 30), 256),
        width=paint.whole(draws.uniform(1.5, 3.5), 256),
    )
    return np.asarray(clouds + grain + wood + (joints * paint.whole(depth, paint.GREY) >> 12))


def _shadow(
    image: Ints, lettering: Lettering, *, place: tuple[Plane, Plane], height: Floats
) -> Ints:
    """The shadow that raised digits cast, in the images where they are raised."""
    raised = np.flatnonzero(lettering.shadow > 0)
    some = lettering.only(raised)
    dx, dy = (d.astype(np.float32)[:, None, None] for d in (some.shadow_x, some.shadow_y))
    distance = layers.stroke_distance(place[0][raised] - dx, place[1][raised] - dy, some)
    soft = paint.mask(layers.coverage(distance, some.thickness, height[raised] / 2))[:, 0]
    dark = soft * paint.whole(some.shadow, paint.ONE) >> 12
    image[raised] = paint.light(image[raised], paint.ONE - dark)
    return image


def _digits(
    image: Ints,
    lettering: Lettering,
    colours: Colours,
    *,
    place: tuple[Plane, Plane],
    height: Floats,
) -> Ints:
    """The strokes of the digit and its neighbours, with a border where there is one."""
    distance = layers.stroke_distance(*place, lettering)
    bordered = np.where(lettering.rim > 0, lettering.thickness + lettering.rim, -layers.FAR)
    rim = paint.mask(layers.coverage(distance, bordered, height))
    image = paint.lay_over(image, paint.colour(colours.rim), rim)
    strokes = paint.mask(layers.stroke_mask(distance, lettering, height))
    return paint.lay_over(image, paint.colour(colours.ink), strokes)


def _in_front(draws: Draws, image: Ints) -> Ints:
    """A cable, a twig or a drip of paint across some of the images."""
    position = paint.ramp(
        paint.whole(draws.uniform(-1, 1), 256),
        paint.whole(draws.uniform(-1, 1), 256),
        paint.whole(draws.uniform(-24, 24), 256),
    )
    line = paint.line(position, half_width=paint.whole(draws.uniform(0.6, 2.6), 256))
    there = paint.whole(np.where(draws.chance(0.15), draws.uniform(0.4, 1.0), 0.0), paint.ONE)
    shade = np.stack([draws.uniform(10, 245)] * 3, axis=1)
    return paint.lay_over(image, paint.colour(shade), (line * there >> 12)[:, None])


def _lighting(draws: Draws, image: Ints) -> Ints:
    """Light that falls off to one side, and in some images the edge of a shadow."""
    slope = paint.ramp(
        paint.whole(draws.uniform(-20, 20), 1),
        paint.whole(draws.uniform(-20, 20), 1),
        paint.whole(draws.uniform(0.85, 1.1), paint.ONE),
    )
    depth = np.where(draws.chance(0.25), draws.uniform(0.15, 0.5), 0.0)
    edge = paint.ramp(
        paint.whole(draws.uniform(-1, 1), 600),
        paint.whole(draws.uniform(-1, 1), 600),
        paint.whole(draws.uniform(-2, 2), paint.ONE),
    )
    dark = np.clip(edge, 0, paint.ONE) * paint.whole(depth, paint.ONE) >> 12
    return paint.light(image, slope * (paint.ONE - dark) >> 12)


def _camera(draws: Draws, image: Ints) -> Ints:
    """Noise, blur, and noise again."""
    image = image + _noise(draws, draws.skewed(0, 15))
    for _ in range(3):
        sharpness = draws.uniform(0, 1)
        across = paint.whole(sharpness * draws.uniform(0.1, 0.33), paint.ONE)
        down = paint.whole(sharpness * draws.uniform(0.1, 0.33), paint.ONE)
        image = paint.blur(image, across=across, down=down)
    return image + _noise(draws, draws.skewed(0.5, 8))


def _noise(draws: Draws, deviation: Floats) -> Ints:
    """Grain of a standard deviation in grey levels: (B, 3, SIZE, SIZE)."""
    unit = paint.whole(deviation * (paint.GREY * 256 / 148), 1)
    return draws.bell(3, SIZE, SIZE) * unit[:, None] >> 8
