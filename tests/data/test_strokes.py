"""The notation of digits, and distances to strokes, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from dqviz.data.streetdigits import atlas
from dqviz.data.streetdigits.atlas import CELLS, REACH, distance_field
from dqviz.data.streetdigits.draws import Draws
from dqviz.data.streetdigits.strokes import Pen, Style, segments, turned


def style(glyph, **pen):
    return Style(name="test", width=1, thickness=(0.05, 0.1), glyphs=(glyph,) * 10, pen=Pen(**pen))


def points_of_the_field():
    axis = np.linspace(-REACH, REACH, CELLS)
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def test_lines_arcs_and_splines():
    line = segments("L 0,0 100,0 100,50")
    assert line.start.tolist() == [[0, 0], [100, 0]]
    assert line.end.tolist() == [[100, 0], [100, 50]]
    assert line.along.tolist() == [[0, 0.5], [0.5, 1]]
    assert line.open.tolist() == [[True, False], [False, True]]
    arc = segments("A 50,40,30,20,90,270")
    assert arc.start[0] == pytest.approx([50, 60])
    assert arc.end[-1] == pytest.approx([50, 20])
    assert arc.start[:, 0].min() == pytest.approx(20, abs=0.01)
    curve = segments("S 0,0 50,30 100,0")
    assert (curve.start == [50, 30]).all(axis=1).any()
    assert curve.end[-1].tolist() == [100, 0]
    ring = segments("O 0,0 100,0 100,100 0,100")
    assert ring.start[0].tolist() == ring.end[-1].tolist() == [0, 0]
    assert not any(stroke.open.any() for stroke in (arc, curve, ring))


@pytest.mark.parametrize("glyph", ["Q 0,0 1,1", "L 0,0", "A 1,2,3", "L 0,0,0 1,1,1", "L 0,0 1"])
def test_what_is_not_in_the_notation(glyph):
    with pytest.raises(ValueError):
        segments(glyph)


def test_a_style_has_ten_glyphs():
    with pytest.raises(ValueError, match="has 1 glyphs; expected 10"):
        Style(name="short", width=1, thickness=(0.05, 0.1), glyphs=("L 0,0 1,1",))


def test_turning_twice_changes_nothing():
    glyph = "L 10,20 30,40; A 50,60,20,30,10,80; S 0,0 50,20 90,90"
    once, twice = segments(turned(glyph)), segments(turned(turned(glyph)))
    original = segments(glyph)
    np.testing.assert_allclose(once.start, 100 - original.start, atol=0.002)
    np.testing.assert_allclose(twice.start, original.start, atol=0.002)


def test_a_round_pen_measures_the_euclidean_distance():
    field = distance_field(style("L 20,30 80,70"), 0)
    on_the_line = np.linspace([-0.3, -0.2], [0.3, 0.2], 401)  # 20,30 to 80,70 around the centre
    expected = np.linalg.norm(points_of_the_field()[:, :, None] - on_the_line, axis=-1).min(axis=-1)
    np.testing.assert_allclose(field, expected, atol=2e-3)


def test_a_flat_pen_thins_what_runs_along_its_edge():
    lying = distance_field(style("L 0,50 100,50", flat=0.5), 0)
    standing = distance_field(style("L 50,0 50,100", flat=0.5), 0)
    across = (lying < 0.1).sum(axis=0)[CELLS // 2]
    along = (standing < 0.1).sum(axis=1)[CELLS // 2]
    assert across == pytest.approx(along / 2, abs=1)


def test_a_square_pen_has_corners():
    rounded = distance_field(style("L 30,50 70,50"), 0) < 0.1
    square = distance_field(style("L 30,50 70,50", square=True), 0) < 0.1
    points = points_of_the_field()
    inside = (np.abs(points[..., 0]) < 0.3) & (np.abs(points[..., 1]) < 0.1)
    np.testing.assert_array_equal(square, inside)
    assert rounded.sum() < square.sum()


def test_a_tapered_pen_thins_towards_the_end():
    field = distance_field(style("L 0,50 100,50", taper=0.05), 0) < 0.1
    left, right = field[:, CELLS // 4].sum(), field[:, -CELLS // 4].sum()
    assert left > right


def test_fields_lie_between_their_points_linearly():
    from dqviz.data.streetdigits import layers

    axis = np.linspace(-REACH, REACH, CELLS)
    glyph = np.full((1, 1, 1), 23, np.int32)
    x = np.array([[[axis[10]]]], np.float32)
    y = np.array([[[(axis[20] + axis[21]) / 2]]], np.float32)
    expected = (atlas.atlas()[23, 20, 10] + atlas.atlas()[23, 21, 10]) / 2
    assert layers._sample(glyph, x, y)[0, 0, 0] == pytest.approx(expected, abs=1e-4)


def test_draws_follow_their_distributions():
    draws = Draws(7, count=40_000)
    assert draws.uniform(2, 4).mean() == pytest.approx(3, abs=0.02)
    assert draws.skewed(0, 3).mean() == pytest.approx(1, abs=0.02)
    assert draws.chance(0.3).mean() == pytest.approx(0.3, abs=0.01)
    assert draws.sign().mean() == pytest.approx(0, abs=0.02)
    counts = np.bincount(draws.integers(10), minlength=10)
    assert len(counts) == 10
    assert counts.min() > 3700
    grain = Draws(8, count=100).bell(400)
    assert grain.mean() == pytest.approx(-2, abs=3)
    assert grain.std() == pytest.approx(148, abs=3)
    narrow = Draws(9, count=3).bytes(5)
    assert narrow.shape == (3, 5)


def test_draws_are_the_same_for_ever():
    draws = Draws(1, 2, 3, count=2)
    assert draws.uniform(0, 1).tolist() == EXPECTED


EXPECTED = [0.7198955456932165, 0.012702050455707714]
