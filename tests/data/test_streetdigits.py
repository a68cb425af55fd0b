"""The rendered house numbers: always the same ones, balanced, varied, and no easy prey."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dqviz.data import fingerprint_data, load_data, streetdigits
from dqviz.data.array_cache import cached_pixels
from dqviz.data.streetdigits import layers, render, scene
from dqviz.data.streetdigits.atlas import STYLES
from dqviz.data.streetdigits.draws import Draws
from dqviz.specs import DataSpec

GOLDEN = {
    1: "d54a00c164dea07bb74fdef9457dd61736a0eeb9983cf0d69c20767216c8f0f8",
}
"""SHA-256 of the test split's first two blocks and the training split's last one, by version."""

REFERENCE = Path(__file__).with_name("streetdigits-1.png")
"""The first 32 images of the test split, in four rows of eight."""


@pytest.fixture(scope="module")
def block():
    return render.render_block("test", 0)


def test_the_images_of_a_version_never_change(block):
    last = render.blocks("train")[-1]
    parts = (block, render.render_block("test", 1), render.render_block("train", last))
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert digest == GOLDEN[streetdigits.DATA_VERSION]


def test_the_images_are_within_a_grey_level_of_the_reference(block):
    sheet = np.asarray(Image.open(REFERENCE)).astype(int)
    rows = sheet.reshape(4, 32, 8, 32, 3).swapaxes(1, 2).reshape(32, 32, 32, 3)
    assert np.abs(rows - block[:32]).max() <= 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_class_equally_often_in_random_order(split):
    labels = render.labels(split)
    assert len(labels) == streetdigits.IMAGES[split]
    assert labels.dtype == np.int64
    assert set(np.bincount(labels).tolist()) == {len(labels) // 10}
    assert abs(np.corrcoef(labels[:-1], labels[1:])[0, 1]) < 4 / np.sqrt(len(labels))


def test_splits_and_blocks_differ(block):
    others = [render.render_block("test", 1), render.render_block("train", 0)]
    for other in others:
        assert np.abs(block.astype(int) - other).mean() > 20


def test_a_block_does_not_depend_on_the_others(block):
    render.render_block("train", 3)
    np.testing.assert_array_equal(render.render_block("test", 0), block)


def test_a_whole_split_is_its_blocks(block, monkeypatch):
    monkeypatch.setitem(streetdigits.IMAGES, "test", 3 * render.BLOCK)
    render.labels.cache_clear()
    seen = []
    try:
        whole = render.render("test", lambda done, total: seen.append((done, total)))
        expected = np.concatenate([render.render_block("test", k) for k in range(3)])
    finally:
        render.labels.cache_clear()
    np.testing.assert_array_equal(whole, expected)
    assert seen == [(125, 375), (250, 375), (375, 375)]


def test_every_style_draws_ten_digits_that_differ():
    fields = layers.atlas().reshape(len(STYLES), 10, -1)
    assert len(STYLES) >= 12
    assert len({style.name for style in STYLES}) == len(STYLES)
    for style, glyphs in zip(STYLES, fields, strict=True):
        inked = glyphs < np.mean(style.thickness)
        assert inked.any(axis=1).all(), style.name
        for a in range(10):
            for b in range(a):
                both, either = (inked[a] & inked[b]).sum(), (inked[a] | inked[b]).sum()
                assert both / either < 0.9, (style.name, a, b)


def test_strokes_stay_inside_the_field():
    fields = layers.atlas()
    edge = np.concatenate(
        [fields[:, 0], fields[:, -1], fields[:, :, 0], fields[:, :, -1]], axis=1
    ).min()
    assert edge > max(thick for style in STYLES for thick in style.thickness)


def test_the_centre_digit_lies_in_the_centre():
    draws = Draws(1, 2, 3, count=200)
    geometry = scene.draw_geometry(draws)
    lettering = scene.draw_lettering(draws, np.arange(200) % 10)
    alone = scene.Lettering(
        **{**vars(lettering), "left": lettering.left & False, "right": lettering.left & False}
    )
    x, y = layers.glyph_coordinates(geometry)
    mask = layers.stroke_mask(layers.stroke_distance(x, y, alone), alone, geometry.height)
    axis = np.arange(32) - 15.5
    total = mask.sum(axis=(1, 2))
    assert (total > 15).all()
    across = (mask.sum(axis=1) * axis).sum(axis=1) / total
    down = (mask.sum(axis=2) * axis).sum(axis=1) / total
    assert np.abs(across).max() < 7
    assert np.abs(down).max() < 7


def test_neighbours_stand_beside_the_centre_digit():
    draws = Draws(1, 2, 4, count=300)
    geometry = scene.draw_geometry(draws)
    lettering = scene.draw_lettering(draws, np.arange(300) % 10)
    x, y = layers.glyph_coordinates(geometry)
    distance = layers.stroke_distance(x, y, lettering)
    lone = layers.stroke_distance(
        x, y, scene.Lettering(**{**vars(lettering), "left": np.zeros(300, bool)})
    )
    changed = (distance != lone).any(axis=(1, 2))
    assert 0.45 < changed.mean() < 0.75
    assert not changed[~lettering.left].any()
    columns = np.arange(32) * np.ones((300, 32, 1))
    assert columns[distance != lone].mean() < 8  # the left neighbour is on the left


def test_three_digits_are_the_ink_of_each_one_alone():
    """Seen from afar, where all three are within the image: none cut, none overlapping."""
    count, height = 30, np.full(30, 8.0)
    flat, scale = np.zeros(count), 16 / height
    geometry = scene.Geometry(
        centre_x=flat, centre_y=flat, xx=scale, xy=flat, yx=flat, yy=scale,
        tilt_x=flat, tilt_y=flat, bend=flat, height=height,
    )  # fmt: skip
    lettering = scene.draw_lettering(Draws(1, 2, 6, count=count), np.arange(count) % 10)
    x, y = layers.glyph_coordinates(geometry)

    def ink(digits, beside):
        present = np.full(count, beside)
        shown = {**vars(lettering), "digits": digits, "left": present, "right": present}
        shown["gap"] = np.full(count, 0.05)
        letters = scene.Lettering(**shown)
        distance = layers.stroke_distance(x, y, letters)
        return layers.stroke_mask(distance, letters, height).sum(axis=(1, 2))

    together = ink(lettering.digits, True)
    each = [ink(np.repeat(lettering.digits[:, [k]], 3, axis=1), False) for k in range(3)]
    np.testing.assert_allclose(together, sum(each), rtol=0.08)


def test_ink_stands_out_from_what_is_under_it():
    colours = scene.draw_colours(Draws(1, 2, 5, count=5000), plate=np.arange(5000) % 2 == 0)
    ground, ink = (np.clip(c, 0, 255) @ scene.LUMA for c in (colours.ground, colours.ink))
    assert np.quantile(np.abs(ground - ink), 0.01) > 12


def test_images_vary_in_brightness_and_contrast(block):
    grey = block.mean(axis=3)
    assert grey.mean(axis=(1, 2)).std() > 30
    contrast = grey.std(axis=(1, 2))
    assert np.quantile(contrast, 0.1) < 15
    assert np.quantile(contrast, 0.9) > 35


def test_a_linear_classifier_does_badly():
    pixels = np.concatenate([render.render_block("train", k) for k in range(20)])
    labels = render.labels("train")[: len(pixels)]
    grey = pixels.mean(axis=3).reshape(-1, 16, 2, 16, 2).mean(axis=(2, 4)).reshape(len(pixels), -1)
    grey = (grey - grey.mean(axis=1, keepdims=True)) / grey.std(axis=1, keepdims=True)
    train, test = slice(0, 2000), slice(2000, None)
    gram = grey[train].T @ grey[train] + 1000 * np.eye(grey.shape[1])
    weights = np.linalg.solve(gram, grey[train].T @ np.eye(10)[labels[train]])
    accuracy = ((grey[test] @ weights).argmax(axis=1) == labels[test]).mean()
    assert 0.1 < accuracy < 0.6


def test_load_data_serves_it_from_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    monkeypatch.setitem(streetdigits.IMAGES, "test", 2 * render.BLOCK)
    render.labels.cache_clear()
    try:
        spec = DataSpec(n_samples=6, seed=1)
        data = load_data(spec)
        assert data.images.shape == (6, 3, 32, 32)
        assert data.classes == tuple("0123456789")
        assert data.fingerprint == fingerprint_data(spec) == "streetdigits-1-test"
        monkeypatch.setattr(render, "render", None)
        again = load_data(spec)
        assert torch.equal(data.images, again.images)
        rows = data.indices.numpy()
        assert data.labels.tolist() == render.labels("test")[rows].tolist()
        large = load_data(DataSpec(n_samples=2, seed=1, image_size=48))
        assert large.images.shape == (2, 3, 48, 48)
        small = torch.nn.functional.interpolate(
            data.images[:2], size=48, mode="bilinear", align_corners=False
        )
        assert (small - large.images).abs().max() < 0.01
    finally:
        render.labels.cache_clear()


def test_the_name_of_the_cached_file_says_the_version(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    names = []
    monkeypatch.setattr(
        "dqviz.data.source.cached_pixels",
        lambda folder, name, build, shape: names.append(name) or np.zeros(shape, np.uint8),
    )
    load_data(DataSpec(n_samples=1))
    assert names == ["streetdigits-1-test-32"]
    assert callable(cached_pixels)
