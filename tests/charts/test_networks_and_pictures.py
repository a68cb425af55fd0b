"""Charts of whole networks, of their norms, and of one image."""

import math

import numpy as np
import pandas as pd
import pytest

from dqviz import charts
from dqviz.charts.network import KEPT
from dqviz.charts.style import GREY
from dqviz.measure.lipschitz import MOST_SINGULAR_VALUES
from tests.charts.tables import DQ, VANILLA, lipschitz_table, playground_table, table, whole

LIPSCHITZ = lipschitz_table()
FOLDED = LIPSCHITZ["metric"] == "operator_norm_folded"


def test_constants_draw_upper_bounds_with_the_interval_down_to_the_lower():
    figure = charts.layer_constants(LIPSCHITZ).figure
    assert len(figure.data) == 6
    trace = next(t for t in figure.data if t.name == "vanilla, operator norm")
    assert trace.y[0] == pytest.approx(4 * 1.04)
    assert trace.error_y.arrayminus[0] == pytest.approx(4 * 0.04)
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.shapes[0].y0 == 1


def test_layers_without_a_folded_norm_leave_a_gap():
    gone = FOLDED & (LIPSCHITZ["layer"] == "linear")
    figure = charts.layer_constants(LIPSCHITZ[~gone]).figure
    lengths = {t.name: len(t.x) for t in figure.data}
    assert lengths["vanilla, operator norm, BatchNorm folded"] == 19
    assert lengths["vanilla, operator norm"] == 20
    assert figure.layout.xaxis.type == "category"


def test_dumbbells_join_raw_and_folded():
    chart = charts.batchnorm_effect(LIPSCHITZ)
    joined = chart.figure.data[0]
    assert joined.y[:3] == pytest.approx((4.16, 1.56, None), nan_ok=True)
    assert "the largest goes from 10.1 to 39.1" in chart.alt


def test_batchnorm_effect_says_what_it_needs():
    with pytest.raises(charts.ChartError, match="no BatchNorm folds into a layer here"):
        charts.batchnorm_effect(LIPSCHITZ[~FOLDED])
    with pytest.raises(charts.ChartError, match="needs the layers' operator norms"):
        charts.batchnorm_effect(LIPSCHITZ[FOLDED])


def test_gains_stay_below_their_bound():
    figure = charts.gain_against_bound(LIPSCHITZ).figure
    drawn = {t.name: t.y for t in figure.data if t.mode == "lines+markers"}
    gain = drawn["vanilla, full precision: measured gain"]
    bound = drawn["vanilla: operator norm (bound)"]
    assert all(g < b for g, b in zip(gain, bound, strict=True))


def test_a_missing_bound_is_none_with_its_reason():
    upper = (LIPSCHITZ["metric"] == "lipschitz") & (LIPSCHITZ["statistic"] == "upper")
    gone = upper & (LIPSCHITZ["weights"] == "dq")
    chart = charts.network_bounds(
        LIPSCHITZ[~gone], reasons={DQ: {"upper": "attention has no bound"}}
    )
    texts = [a.text for a in chart.figure.layout.annotations]
    assert texts == ["upper bound of dq is none: attention has no bound"]
    assert "Upper bound of dq is none: attention has no bound." in chart.note
    assert "upper no value" in chart.alt


def test_singular_values_fall():
    chart = charts.singular_values(LIPSCHITZ, "conv1")
    values = chart.figure.data[0].y
    assert list(values) == sorted(values, reverse=True)
    with pytest.raises(charts.ChartError, match=r"'nowhere'; found conv1"):
        charts.singular_values(LIPSCHITZ, "nowhere")


def test_accuracy_whiskers_are_the_intervals_ends():
    frame = table(
        [
            *whole(VANILLA, "clean_accuracy", 0.9, 0.8, 0.95),
            *whole(VANILLA, "robust_accuracy", 0.5, 0.4, 0.6),
        ]
    )
    chart = charts.accuracy_bars(frame)
    bar = chart.figure.data[0]
    assert list(bar.x) == ["clean", "FGSM 1/255"]
    assert bar.y == pytest.approx((90, 50))
    assert bar.error_y.array == pytest.approx((5, 10))
    assert bar.error_y.arrayminus == pytest.approx((10, 10))
    assert "clean 90.0 % (80.0 to 95.0)" in chart.alt


def test_failure_draws_both_scores_and_the_coin():
    frame = table(
        [
            *whole(VANILLA, "failure_auc_amplification", 0.7, 0.6, 0.8),
            *whole(VANILLA, "failure_auc_margin", 0.8, 0.7, 0.9),
        ]
    )
    figure = charts.failure_prediction(frame).figure
    assert [t.x[0] for t in figure.data] == pytest.approx([0.7, 0.8])
    assert figure.layout.shapes[0].x0 == 0.5


def test_failure_without_any_area_says_why():
    nothing = (math.nan,) * 3
    frame = table(whole(VANILLA, "failure_auc_amplification", *nothing))
    with pytest.raises(charts.ChartError, match="every prediction or none"):
        charts.failure_prediction(frame)


def test_probabilities_name_what_each_network_sees():
    chart = charts.probabilities(playground_table())
    assert len(chart.figure.data) == 8
    assert "vanilla, W8 A4: clean 3 (70 %) → adversarial 8 (70 %)." in chart.alt
    assert chart.figure.data[0].y[3] == pytest.approx(70)


def test_a_spectrum_that_is_cut_off_says_so():
    rows = table([row for row in LIPSCHITZ.to_dict(orient="records") if row["layer"] == "conv1"])
    one = rows[rows["metric"] == "singular_value"].iloc[[0]]
    many = pd.concat([one.assign(statistic=str(rank), value=2.0) for rank in range(KEPT)])
    assert f"the {KEPT} largest" in charts.singular_values(many, "conv1").note
    assert charts.singular_values(many.iloc[1:], "conv1").note == ""
    assert KEPT == MOST_SINGULAR_VALUES


COLLAPSED = {"clean_accuracy": 0.2, "clean_accuracy_full": 0.9}


def test_probabilities_of_a_collapsed_network_are_grey():
    sound, broken = playground_table([VANILLA]), playground_table([DQ]).assign(**COLLAPSED)
    chart = charts.probabilities(pd.concat([sound, broken]))
    titles = [note.text for note in chart.figure.layout.annotations]
    assert [("(collapsed)" in title) for title in titles] == [False, False, True, True]
    colours = [bar.marker.line.color for bar in chart.figure.data]
    assert (GREY in colours[:4], GREY in colours[4:]) == (False, True)
    assert "no conclusion rests on it" in chart.note
    assert charts.probabilities(sound).note == ""


def test_noise_of_a_collapsed_network_is_marked():
    maps = {(n, "conv1"): np.ones((2, 3), np.float32) for n in (VANILLA, DQ)}
    chart = charts.noise_maps(maps, collapsed=[DQ])
    rows = [note.text for note in chart.figure.layout.annotations if note.textangle == -90]
    assert [text.endswith("(collapsed)") for text in rows] == [False, True]
    assert "no conclusion rests on it" in chart.note
    assert charts.noise_maps(maps).note == ""


def test_every_place_of_a_picture_can_be_saved():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    table = charts.noise_maps({(VANILLA, "conv1"): values}).table
    for _, row in table.iterrows():
        assert row["noise_over_signal"] == values[row["row"], row["column"]]
    images = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    pixels = charts.image_triplet(images, 0.1 * images, 1.1 * images).table
    assert len(pixels) == images.size
    for _, row in pixels.sample(10, random_state=0).iterrows():
        place = tuple(int(row[axis]) for axis in ("channel", "row", "column"))
        assert row["clean"] == images[place]
        assert row["perturbation"] == pytest.approx(0.1 * images[place])


def test_probabilities_of_many_classes_show_the_largest():
    chart = charts.probabilities(playground_table([VANILLA], bits=((32, 32),), classes=100))
    assert len(chart.figure.data[0].x) == 10
    assert {"3", "8"} <= set(chart.figure.data[0].x)


def test_noise_maps_share_one_scale():
    maps = {(n, "conv1"): np.full((4, 4), v, np.float32) for n, v in ((VANILLA, 0.2), (DQ, 0.8))}
    chart = charts.noise_maps(maps)
    assert {t.coloraxis for t in chart.figure.data} == {"coloraxis"}
    assert chart.figure.layout.coloraxis.cmin == 0
    assert chart.figure.layout.coloraxis.cmax == pytest.approx(0.8)
    assert len(chart.table) == 32
    values = chart.table.groupby("network", sort=False)["noise_over_signal"].unique()
    assert values.tolist() == [[np.float32(0.2)], [np.float32(0.8)]]
    layout = chart.figure.layout
    rows = [note for note in layout.annotations if note.textangle == -90]
    for note, axis in zip(rows, (layout.yaxis, layout.yaxis2), strict=True):
        assert (note.y, note.yanchor) == (pytest.approx(sum(axis.domain) / 2), "middle")


def test_logarithmic_colours_show_early_layers_and_are_the_same_for_all():
    early = np.full((4, 4), 0.02, np.float32)
    maps = {(VANILLA, "a"): early, (VANILLA, "b"): 50 * early, (DQ, "a"): early}
    maps[DQ, "b"] = np.array([[0, 0.5], [1, 1]], np.float32)
    chart = charts.noise_maps(maps, log=True)
    colours = chart.figure.layout.coloraxis
    places = [(t.z - colours.cmin) / (colours.cmax - colours.cmin) for t in chart.figure.data]
    assert {t.coloraxis for t in chart.figure.data} == {"coloraxis"}
    assert np.array_equal(places[0], places[2])
    assert (places[0] > 0.15).all(), "even where it is the least noise of all"
    assert places[1] == pytest.approx(np.ones((4, 4)))
    for picture, drawn in zip(maps.values(), chart.figure.data, strict=True):
        assert np.array_equal(drawn.customdata, picture), "values are shown as they are"
        seen = picture > 0
        assert 10 ** drawn.z[seen] == pytest.approx(picture[seen])
    assert places[3][0, 0] == pytest.approx(0, abs=1e-6)
    numbers = [float(text) for text in colours.colorbar.ticktext]
    assert numbers == pytest.approx([10**place for place in colours.colorbar.tickvals])
    assert "logarithmic" in colours.colorbar.title.text
    assert "logarithmic" in chart.how_to_read


def test_early_layers_are_not_black_where_later_ones_are_fifty_times_brighter():
    generator = np.random.default_rng(0)
    early = generator.uniform(0.01, 0.03, (32, 32)).astype(np.float32)
    late = generator.uniform(0.5, 1.5, (8, 8)).astype(np.float32)
    maps = {(VANILLA, "a"): early, (VANILLA, "b"): late}
    for log, low, high in ((False, 0.0, 0.03), (True, 0.2, 0.5)):
        chart = charts.noise_maps(maps, log=log)
        colours = chart.figure.layout.coloraxis
        place = (chart.figure.data[0].z - colours.cmin) / (colours.cmax - colours.cmin)
        assert low <= np.median(place) <= high


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_noise_without_any_difference_is_drawn(value):
    chart = charts.noise_maps({(VANILLA, "a"): np.full((2, 2), value, np.float32)}, log=True)
    assert chart.figure.layout.coloraxis.cmin < chart.figure.layout.coloraxis.cmax
    assert chart.how_to_read


def test_signed_noise_maps_are_symmetric_about_zero():
    chart = charts.noise_maps({(VANILLA, "a"): np.array([[-0.5, 0.2]], np.float32)})
    colours = chart.figure.layout.coloraxis
    assert (colours.cmin, colours.cmax) == (-0.5, 0.5)


def test_noise_maps_want_two_dimensions():
    with pytest.raises(charts.ChartError, match="2 dimensions"):
        charts.noise_maps({(VANILLA, "a"): np.zeros((3, 4, 4), np.float32)})


def test_image_triplet_magnifies_around_mid_grey():
    clean = np.full((3, 2, 2), 0.5, np.float32)
    noise = np.zeros((3, 2, 2), np.float32)
    noise[0, 0, 0] = 0.01
    chart = charts.image_triplet(clean, noise, clean + noise)
    magnified = np.array(chart.figure.data[1].z)
    assert magnified[0, 0].tolist() == [255, 128, 128]
    assert "magnified 50 times" in chart.alt
    assert "largest change 2.55/255" in chart.alt


def test_grey_images_are_drawn_too():
    image = np.zeros((1, 4, 6), np.float32)
    chart = charts.image_triplet(image, image, image)
    assert np.array(chart.figure.data[0].z).shape == (4, 6, 3)
    assert "6 by 4 pixels" in chart.alt


def test_images_of_different_shapes_are_refused():
    with pytest.raises(charts.ChartError, match="same shape"):
        charts.image_triplet(np.zeros((3, 2, 2)), np.zeros((3, 2, 2)), np.zeros((3, 4, 4)))
