"""Colours that can be told apart: on both backgrounds, and without full colour vision."""

import itertools
import pathlib
import tomllib

import numpy as np
import pytest

from dqviz.charts import style
from dqviz.charts.traces import BAND_OPACITY

ROOT = pathlib.Path(__file__).parents[2]
COLOURS = [slot.colour for slot in style.SLOTS]
# Machado, Oliveira, Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009), severity 1.0.
VISION = {
    "full": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def test_contrast_of_known_pairs():
    assert style.contrast("#ffffff", "#000000") == pytest.approx(21)
    assert style.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", style.BACKGROUNDS)
@pytest.mark.parametrize("colour", [*COLOURS, style.GREY])
def test_lines_stand_out_from_the_page(colour, theme):
    assert style.contrast(colour, style.BACKGROUNDS[theme]) >= 3.0


@pytest.mark.parametrize("theme", style.BACKGROUNDS)
def test_text_stands_out_even_without_streamlits_theme(theme):
    assert style.contrast(style.TEXT, style.BACKGROUNDS[theme]) >= 3.9


@pytest.mark.parametrize("theme", style.BACKGROUNDS)
@pytest.mark.parametrize("colour", COLOURS)
def test_lines_stand_out_from_a_band_of_their_own_colour(colour, theme):
    page = np.array(_channels(style.BACKGROUNDS[theme]))
    band = (1 - BAND_OPACITY) * page + BAND_OPACITY * np.array(_channels(colour))
    mixed = "#" + "".join(f"{round(v):02x}" for v in band)
    assert style.contrast(colour, mixed) >= 2.4


@pytest.mark.parametrize("theme", style.BACKGROUNDS)
def test_thin_lines_stand_out_all_along_their_scale(theme):
    for (_, low), (_, high) in itertools.pairwise(style.LINE_SCALE):
        for share in np.linspace(0, 1, 9):
            mixed = (1 - share) * np.array(_channels(low)) + share * np.array(_channels(high))
            colour = "#" + "".join(f"{round(v):02x}" for v in mixed)
            assert style.contrast(colour, style.BACKGROUNDS[theme]) >= 3.0


def _channels(colour):
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.mark.parametrize("colour", COLOURS)
def test_no_network_looks_collapsed(colour):
    # With full colour vision; for others collapsed curves are thinner and called collapsed.
    grey = _lab(_linear(style.GREY))
    assert np.linalg.norm(_lab(_linear(colour)) - grey) > 30


@pytest.mark.parametrize("vision", VISION)
def test_all_networks_differ_in_colour_for_everyone(vision):
    labs = [_lab(VISION[vision] @ _linear(c)) for c in COLOURS]
    for one, other in itertools.combinations(labs, 2):
        assert np.linalg.norm(one - other) > 12


def test_the_dark_page_is_that_of_the_app():
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    for theme, colour in style.BACKGROUNDS.items():
        assert config["theme"][theme]["backgroundColor"] == colour


@pytest.mark.parametrize("bits", [(32, 32), (8, 32), (32, 4), (8, 4)])
def test_bars_of_networks_differ_in_more_than_colour(bits):
    hatches = {style.bar_marker("#000000", s.hatch, *bits)["pattern"]["shape"] for s in style.SLOTS}
    assert len(hatches) == len(style.SLOTS)
    full = style.bar_marker("#000000", "/", 32, 32)
    assert (style.bar_marker("#000000", "/", *bits)["color"] == full["color"]) == (bits == (32, 32))


def _linear(colour):
    parts = np.array(_channels(colour)) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def _lab(rgb):
    """CIE L*a*b* (D65) of linear RGB."""
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = matrix @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_places_differ_in_colour_marker_and_dash():
    for field in ("colour", "marker", "dash"):
        assert len({getattr(slot, field) for slot in style.SLOTS}) == len(style.SLOTS)


def test_a_network_looks_the_same_in_every_chart():
    alone = style.network_styles(["streetdigits/resnet20/dq"])
    many = style.network_styles(
        [
            "cifar10/other/x",
            "streetdigits/plain20/dq",
            "streetdigits/resnet20/dq",
            "streetdigits/resnet20/vanilla",
            "my/own/network",
        ]
    )
    assert alone["streetdigits/resnet20/dq"] == many["streetdigits/resnet20/dq"]
    assert len({s.colour for s in many.values()}) == len(many)


def test_more_networks_than_places_still_get_a_style():
    many = [f"d/a/w{i}" for i in range(len(style.SLOTS) + 3)]
    assert set(style.network_styles(many)) == set(many)


def test_fewer_bits_have_shorter_dashes():
    assert style.bits_dash(32, 32) == style.bits_dash(32, 32) == "solid"
    lengths = [float(style.bits_dash(8, bits).split("px")[0]) for bits in range(8, 0, -1)]
    assert lengths == sorted(lengths, reverse=True)
    assert len(set(lengths)) == 8
