"""What two curves say when the last layer and the others disagree, and whose attack it was."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from dqviz.charts import claims
from dqviz.charts.claim import ratio_text, times
from dqviz.charts.comparison import Majority
from dqviz.charts.paired import student
from tests.charts.tables import DQ, VANILLA, layer_names, profile, table
from tests.charts.test_claims import A4, HIGH, LOW, folded, only

LAST = layer_names()[-1]

ALL = [0.02] * 21
MOST_HIGH = [0.04] * 15 + [0.02] * 4 + [0.01, 0.02]
"""Larger than `ALL` at 15 of 20 layers, half at the last one."""


def by_image(values, network=VANILLA, attack="fgsm", **bits):
    """The numbers by image at the last layer."""
    model, _, weights = network.rpartition("/")
    columns = {"model": model, "weights": weights, "weight_bits": 32, "act_bits": 32, **bits}
    columns |= {"attack": attack, "epsilon": 1 / 255, "layer": LAST}
    columns |= {"metric": "relative_distance"}
    return pd.DataFrame({**columns, "image": range(len(values)), "value": values})


ONE = [0.02 + 0.001 * i for i in range(20)]
"""Distances of twenty images that differ far more from image to image than by network."""

HALF = [value / 2 for value in ONE]


def paired(factors):
    """DQ against vanilla where dq's distance of image i is factors[i % 2] times vanilla's."""
    other = [value * factors[i % 2] for i, value in enumerate(ONE)]
    samples = pd.concat([by_image(ONE), by_image(other, DQ)])
    medians = LOW if sum(factors) < 2 else [2 * v for v in HIGH]
    frame = table([*profile(VANILLA, values=HIGH), *profile(DQ, values=medians)])
    return only(claims.dq_against_vanilla(frame, samples=samples))


def test_networks_are_compared_image_by_image():
    assert paired([0.9, 0.95]).kind == "supports"
    assert paired([1.05, 1.1]).kind == "contradicts"
    undecided = paired([0.8, 1.2])
    assert undecided.kind == "undecided"
    assert "no clear difference" in undecided.text
    ratios = np.log([0.9, 0.95] * 10)
    half = scipy.stats.t.ppf(0.975, 19) * scipy.stats.sem(ratios)
    low, value, high = np.exp(ratios.mean() + np.array([-half, 0, half]))
    assert f"{value:.2f} times (95 % interval {low:.2f} to {high:.2f}" in paired([0.9, 0.95]).text


def test_quantization_and_controls_are_compared_image_by_image():
    double = [2 * value for value in ONE]
    frame = table([*profile(values=LOW), *profile(values=HIGH, **A4)])
    samples = pd.concat([by_image(ONE), by_image(double, **A4)])
    claim = only(claims.quantized_against_full(frame, samples=samples))
    assert claim.kind == "supports"
    assert "2.00 times (95 % interval 2.00 to 2.00" in claim.text
    frame = table([*profile(values=LOW), *profile(values=LOW, attack="gaussian")])
    samples = pd.concat([by_image(ONE), by_image(double, attack="gaussian")])
    claim = only(claims.attack_against_controls(frame, samples=samples))
    assert claim.kind == "info"
    assert "0.50 times (95 % interval 0.50 to 0.50" in claim.text


def test_few_images_and_zeros_have_no_interval():
    pair = [*profile(VANILLA, values=HIGH), *profile(DQ, values=LOW)]
    few = pd.concat([by_image(ONE[:7]), by_image(ONE[:7], DQ)])
    assert "interval" not in only(claims.dq_against_vanilla(table(pair), samples=few)).text
    zeros = pd.concat([by_image([0.0] * 20), by_image(ONE, DQ)])
    assert "interval" not in only(claims.dq_against_vanilla(table(pair), samples=zeros)).text


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 6, 7, 15, 63, 511])
def test_students_quantile(freedom):
    assert student(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), abs=1e-3)


def against(values, *, samples=None, **more):
    frame = table([*profile(VANILLA, values=ALL, **more), *profile(DQ, values=values, **more)])
    return only(claims.dq_against_vanilla(frame, samples=samples))


def quantized(values, *, samples=None):
    frame = table([*profile(values=ALL), *profile(values=values, **A4)])
    return only(claims.quantized_against_full(frame, samples=samples))


@pytest.mark.parametrize("with_samples", [False, True])
def test_the_last_layer_decides_nothing_against_most_layers(with_samples):
    dq = pd.concat([by_image(ONE), by_image(HALF, DQ)]) if with_samples else None
    a4 = pd.concat([by_image(ONE), by_image(HALF, **A4)]) if with_samples else None
    for claim in (against(MOST_HIGH, samples=dq), quantized(MOST_HIGH, samples=a4)):
        assert "0.50 times" in claim.text
        assert ("interval" in claim.text) == with_samples
        assert "; larger at 15 of 20 layers" in claim.text
        assert claim.kind == "undecided"
    assert against([0.01] * 21, samples=dq).kind == "supports"
    assert "larger at 0 of 20 layers" in against([0.01] * 21, samples=dq).text
    assert quantized([0.01] * 21, samples=a4).kind == "contradicts"


def test_half_of_the_layers_are_no_majority():
    assert Majority(3, 3, 6).kind(larger_supports=True) == "undecided"
    assert Majority(3, 0, 6).kind(larger_supports=True) == "undecided"
    assert Majority(4, 2, 6).kind(larger_supports=True) == "supports"
    assert Majority(2, 4, 6).kind(larger_supports=True) == "contradicts"


def test_ties_are_on_no_side():
    assert "larger at 0 of 20 layers" in against([0.02002] * 21).text
    assert against([0.02002] * 21).kind == "undecided"


def test_perturbations_crafted_elsewhere_are_named_and_decide_nothing_for_dq():
    claim = against([0.01] * 21, crafted_on=VANILLA)
    assert f"FGSM 1/255 crafted on {VANILLA}, 64 images" in claim.text
    assert claim.kind == "undecided"
    own = [*profile(VANILLA, values=ALL), *profile(DQ, values=[0.01] * 21, crafted_on=VANILLA)]
    assert only(claims.dq_against_vanilla(table(own))).kind == "undecided"
    grown = claims.growth(table(own))
    assert [f"crafted on {VANILLA}" in claim.text for claim in grown] == [False, True]
    assert "crafted on" not in against([0.01] * 21).text


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("relative_distance_centred", "centred relative distance"),
        ("amplification", "amplification"),
    ],
)
def test_words_follow_the_metric_and_samples_of_another_are_not_used(metric, words):
    samples = pd.concat([by_image(ONE), by_image(HALF, DQ), by_image(HALF, **A4)])
    rows = [*profile(VANILLA, values=ALL, metric=metric)]
    rows += profile(DQ, values=[0.06] * 21, metric=metric)
    rows += profile(VANILLA, values=[0.06] * 21, metric=metric, **A4)
    rows += profile(VANILLA, values=[0.01] * 21, metric=metric, attack="gaussian")
    asked = {"metric": metric, "samples": samples}
    dq = only(claims.dq_against_vanilla(table(rows), **asked))
    full = only(claims.quantized_against_full(table(rows), **asked))
    control = claims.attack_against_controls(table(rows), **asked)[0]
    for claim in (dq, full):
        assert f"median {words}" in claim.text
        assert "3.00 times" in claim.text
        assert "interval" not in claim.text
    assert f"by the median {words}" in control.text
    assert f"the median {words} keeps" in claims.growth(table(rows), metric=metric)[0].text


def test_folded_norms_within_the_tolerance_are_ties():
    claim = only(claims.folded_norms(folded([2.0, 3.0, 5.0], [1.999, 2.999, 4.999])))
    assert claim.kind == "undecided"
    assert "at 0 of 3 layers and as good as equal at 3" in claim.text
    assert only(claims.folded_norms(folded([2.0, 3.0, 5.0], [1.0, 2.0, 4.999]))).kind == "undecided"


def test_folded_norms_of_a_collapsed_network_decide_nothing():
    frame = folded([2.0, 3.0, 5.0], [1.0, 2.0, 3.0]).assign(act_bits=2)
    frame.loc[frame["weights"] == "dq", "clean_accuracy"] = 0.3
    claim = only(claims.folded_norms(frame))
    assert claim.kind == "undecided"
    assert "collapsed to 30 %" in claim.text


def test_flips_under_attacks_of_their_own_are_a_second_sentence():
    rows = [*profile(values=[0.3] * 21, **A4)]
    rows += profile(metric="flip_contribution", values=[0.1] * 21, **A4)
    rows += profile(metric="flip_contribution_crafted", values=[-0.05] * 21, **A4)
    claim = only(claims.flips_effect(table(rows)))
    second = " Under attacks crafted on each version the median contribution is -0.05."
    assert claim.text.endswith(second)
    assert "flip_contribution_crafted" in set(claim.basis["metric"])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.003, "0.003"), (0.0456, "0.046"), (0.1, "0.10"), (1.234, "1.23"), (150.0, "150")],
)
def test_small_ratios_keep_two_digits(value, text):
    assert ratio_text(value) == text
    assert times(value) == f"{text} times"
