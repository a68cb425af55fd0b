"""Accuracies on the same images are compared by an exact sign test, image by image."""

import pandas as pd
import pytest
import scipy.stats

from dqviz.charts import claims
from dqviz.charts.claim import read
from dqviz.charts.paired import PairedAccuracy, paired_ratio
from tests.charts.tables import DQ, VANILLA, profile, table, whole
from tests.charts.test_claims import only
from tests.charts.test_comparisons import ONE, by_image

METRICS = ["clean_accuracy", "robust_accuracy"]
COUNT = 40
BITS = ("weight_bits", "act_bits")


def right(network, images, metric):
    """Which of forty images a network classifies correctly."""
    rows = by_image([float(image in images) for image in range(COUNT)], network)
    return rows.assign(layer="network", metric=metric)


def said(dq, vanilla, metric, *, samples=True, suffix="", **more):
    """The sentence on networks that are right on these images, overlapping intervals beside."""
    both = ((f"{DQ}{suffix}", dq), (f"{VANILLA}{suffix}", vanilla))
    shares = [(network, len(images) / COUNT) for network, images in both]
    rows = [row for n, share in shares for row in whole(n, metric, share, 0.05, 0.95, **more)]
    found = pd.concat([right(network, images, metric) for network, images in both])
    found = found.assign(
        **{name: more[name] for name in ("weight_bits", "act_bits") if name in more}
    )
    asked = {"samples": found} if samples else {}
    return only(claims.accuracy_difference(table(rows), metric=metric, **asked))


MANY, FEW = range(30), range(20)


@pytest.mark.parametrize("metric", METRICS)
def test_the_images_turn_the_sentence_round(metric):
    better, worse = said(MANY, FEW, metric), said(FEW, MANY, metric)
    assert (better.kind, worse.kind) == ("supports", "contradicts")
    assert "resnet20 dq classifies 75.0 % correctly and resnet20 vanilla 50.0 %" in better.text
    assert "(+25.0 points); resnet20 dq alone is right on 10 of 40" in better.text
    assert "resnet20 vanilla alone on 0" in better.text
    assert "(-25.0 points); resnet20 dq alone is right on 0 of 40" in worse.text
    assert "no clear difference" not in better.text + worse.text
    word = "clean" if metric == "clean_accuracy" else "perturbed"
    assert better.text.startswith(f"Of the {word} images")
    assert ("FGSM 1/255" in better.text) == (metric == "robust_accuracy")


def test_networks_trained_at_few_bits_are_compared_at_them_and_only_there():
    few = {"act_bits": 2, "weight_bits": 8}
    trained = said(MANY, FEW, "clean_accuracy", suffix="-w8a2", calibration="training", **few)
    assert trained.kind == "supports"
    assert "resnet20 dq-w8a2 classifies 75.0 % correctly and resnet20 vanilla-w8a2" in trained.text
    for other in ({"calibration": "card"}, {"calibration": "streetdigits train (256)"}):
        refused = said(MANY, FEW, "clean_accuracy", suffix="-w8a2", **few, **other)
        assert refused.kind == "undecided"
        assert "this one was quantized afterwards" in refused.text


def test_networks_trained_otherwise_are_no_pair():
    rows = [
        *whole(f"{DQ}-w8a4", "clean_accuracy", 0.9, 0.85, 0.95),
        *whole(f"{VANILLA}-w8a2", "clean_accuracy", 0.8, 0.75, 0.84),
    ]
    (refused,) = claims.accuracy_difference(table(rows), metric="clean_accuracy")
    assert refused.text.startswith("No conclusion: the clean accuracy of both is not there")


def test_the_same_accuracies_decide_by_the_images_behind_them():
    one_sided = said(range(26), range(20), "clean_accuracy")
    mixed = said(range(14, 40), range(20), "clean_accuracy")
    assert (one_sided.kind, mixed.kind) == ("supports", "undecided")
    assert "(+15.0 points)" in one_sided.text
    assert "(+15.0 points)" in mixed.text
    assert "no clear difference" in mixed.text


def test_without_the_images_the_intervals_speak():
    claim = said(MANY, FEW, "clean_accuracy", samples=False)
    assert claim.kind == "undecided"
    assert "overlap" in claim.text
    assert "sign test" not in claim.text


def test_a_perturbation_from_elsewhere_decides_nothing_but_leaves_clean_accuracy_alone():
    elsewhere = {"crafted_on": "streetdigits/resnet20/vanilla"}
    assert said(MANY, FEW, "robust_accuracy", **elsewhere).kind == "undecided"
    assert said(MANY, FEW, "clean_accuracy", **elsewhere).kind == "supports"


def test_a_collapsed_network_decides_nothing():
    claim = said(MANY, FEW, "robust_accuracy", clean_accuracy=0.3, clean_accuracy_full=0.96)
    assert "collapsed" in claim.text
    assert claim.kind == "undecided"


@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (5, 0), (6, 0), (0, 6), (3, 9), (12, 12)])
def test_the_sign_test_is_the_exact_binomial_one(counts):
    found = PairedAccuracy(5, *counts, 40)
    exact = scipy.stats.binomtest(counts[0], sum(counts)).pvalue if sum(counts) else 1.0
    assert found.p == pytest.approx(exact, rel=1e-12)
    assert (found.kind == "undecided") == (exact >= 0.05)


def test_distances_and_accuracies_do_not_mix():
    frame = table([*profile(VANILLA), *profile(DQ)])
    vanilla, dq = read(frame, "relative_distance", epsilon=None)[1]
    distances = pd.concat([by_image(ONE), by_image(ONE, DQ)])
    layer = distances["layer"].iloc[0]
    everything = pd.concat([distances, distances.assign(metric="other", value=7.0)])
    found = paired_ratio(everything, dq, vanilla, layer, "relative_distance")
    assert (found.value, found.n) == (pytest.approx(1), 20)
