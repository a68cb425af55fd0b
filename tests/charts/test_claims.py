"""Sentences turn round when the data do, and refuse where there is nothing to conclude from."""

import math

import pandas as pd
import pytest

from dqviz.charts import claims
from tests.charts.tables import DQ, VANILLA, bounds, of, profile, table, whole

LOW = [0.02] * 20 + [0.02]
HIGH = [0.04] * 20 + [0.04]
RISING = [0.01 * (i + 1) for i in range(21)]
A4 = {"weight_bits": 8, "act_bits": 4}


def only(found):
    assert len(found) == 1
    return found[0]


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """The same table with the numbers of vanilla and dq exchanged."""
    return frame.assign(weights=frame["weights"].map({"vanilla": "dq", "dq": "vanilla"}))


def test_growth_turns_round():
    up = only(claims.growth(table(profile(values=RISING))))
    down = only(claims.growth(table(profile(values=RISING[::-1]))))
    assert up.kind == "supports"
    assert "grows to 20.00 times its size, from 0.01 to 0.2" in up.text
    assert "FGSM 1/255, 64 images" in up.text
    assert down.kind == "contradicts"
    assert "shrinks to 0.095 times its size, from 0.21 to 0.02" in down.text


def test_growth_without_growth_decides_nothing():
    claim = only(claims.growth(table(profile(values=LOW))))
    assert claim.kind == "undecided"
    assert "keeps 1.00 times" in claim.text


def test_quantized_against_full_turns_round():
    def told(full, quantized):
        return only(
            claims.quantized_against_full(
                table([*profile(values=full), *profile(values=quantized, **A4)])
            )
        )

    assert told(LOW, HIGH).kind == "supports"
    assert "At W8 A4" in told(LOW, HIGH).text
    assert "2.00 times that at full precision" in told(LOW, HIGH).text
    assert told(HIGH, LOW).kind == "contradicts"
    assert "0.50 times that at full precision" in told(HIGH, LOW).text


def test_the_last_layer_is_not_the_logits():
    values = [0.02] * 19 + [0.03, 0.9]
    frame = table([*profile(values=LOW), *profile(values=values, **A4)])
    assert "1.50 times" in only(claims.quantized_against_full(frame)).text


def test_dq_against_vanilla_turns_round():
    frame = table([*profile(VANILLA, values=HIGH), *profile(DQ, values=LOW)])
    claim = only(claims.dq_against_vanilla(frame))
    other = only(claims.dq_against_vanilla(swapped(frame)))
    assert (claim.kind, other.kind) == ("supports", "contradicts")
    assert "0.50 times resnet20 vanilla's, smaller" in claim.text
    assert "2.00 times resnet20 vanilla's, larger" in other.text


def test_networks_are_compared_within_one_architecture_only():
    frame = table([*profile("streetdigits/plain20/vanilla"), *profile(DQ)])
    claim = only(claims.dq_against_vanilla(frame))
    assert claim.kind == "undecided"
    assert claim.text.startswith("No conclusion")


def test_attack_against_controls_takes_the_strongest():
    def told(signs, other):
        return only(
            claims.attack_against_controls(
                table(
                    [
                        *profile(values=[0.04] * 21),
                        *profile(values=[signs] * 21, attack="random_signs"),
                        *profile(values=[other] * 21, attack="other_image"),
                    ]
                )
            )
        )

    assert told(0.01, 0.02).kind == "info"
    assert "2.00 times as far as the strongest of 2 controls" in told(0.01, 0.02).text
    assert "another image's perturbation" in told(0.01, 0.02).text
    assert "0.50 times as far" in told(0.08, 0.02).text
    assert "random signs" in told(0.08, 0.02).text


def test_quantizers_enlarging_or_not():
    def told(gains):
        rows = profile(metric="quantizer_gain", values=gains, logits=False, **A4)
        return only(claims.quantizer_enlarges(table(rows)))

    assert told([1.2] * 15 + [0.8] * 5).kind == "supports"
    assert "15 of 20 layers" in told([1.2] * 15 + [0.8] * 5).text
    assert told([1.2] * 5 + [0.8] * 15).kind == "contradicts"
    assert told([1.2] * 10 + [0.8] * 10).kind == "undecided"
    nearly = told([1.001] * 15 + [0.8] * 5)
    assert nearly.kind == "contradicts"
    assert "0 of 20 layers" in nearly.text


@pytest.mark.parametrize(
    ("value", "kind", "verb"),
    [
        (0.1, "supports", "enlarge"),
        (-0.1, "contradicts", "reduce"),
        (1e-4, "undecided", "hardly change"),
    ],
)
def test_flips_enlarge_or_reduce(value, kind, verb):
    rows = [*profile(values=[0.3] * 21, **A4)]
    rows += profile(metric="flip_contribution", values=[value] * 21, **A4)
    claim = only(claims.flips_effect(table(rows)))
    assert claim.kind == kind
    assert f"The median contribution of bucket flips is {value:+.2g} beside" in claim.text
    assert f"a median distance of 0.3 at the logits, so that they {verb} it" in claim.text
    assert "crafted" not in claim.text


def test_flips_that_help_and_hinder_decide_nothing():
    rows = [*profile(values=[0.3] * 21, **A4)]
    rows += profile(metric="flip_contribution", values=[0.1] * 21, **A4)
    frame = table(rows)
    low = (frame["metric"] == "flip_contribution") & (frame["statistic"] == "q10")
    frame.loc[low, "value"] = -0.05
    claim = only(claims.flips_effect(frame))
    assert claim.kind == "undecided"
    assert "the other way round" in claim.text


def folded(vanilla, dq):
    frame = table(
        [*bounds(VANILLA, "operator_norm_folded", vanilla), *bounds(DQ, "operator_norm_folded", dq)]
    )
    return frame.assign(attack="", epsilon=math.nan)


def test_folded_norms_turn_round():
    frame = folded([2.0, 3.0, 5.0], [1.0, 2.0, 3.0])
    claim = only(claims.folded_norms(frame))
    other = only(claims.folded_norms(swapped(frame)))
    assert (claim.kind, other.kind) == ("supports", "contradicts")
    assert "at 3 of 3 layers" in claim.text
    assert "the largest is 3.12 against 5.2" in claim.text
    assert "at 0 of 3 layers" in other.text


@pytest.mark.parametrize(
    ("vanilla", "dq"),
    [
        ([2.0, 3.0, 5.0], [1.0, 2.0, 9.0]),  # the largest is larger
        ([2.0, 3.0, 5.0], [2.5, 3.5, 4.0]),  # most are larger, so is the median
        ([2.0, 2.1, 2.2, 3.0, 9.0], [1.9, 2.6, 1.8, 2.9, 8.0]),  # the median alone is larger
    ],
)
def test_folded_norms_that_disagree_decide_nothing(vanilla, dq):
    for frame in (folded(vanilla, dq), folded(dq, vanilla)):
        assert only(claims.folded_norms(frame)).kind == "undecided"


def accuracies(dq, vanilla):
    return table([*whole(DQ, "clean_accuracy", *dq), *whole(VANILLA, "clean_accuracy", *vanilla)])


def test_accuracy_difference_is_decided_by_the_intervals():
    apart = only(claims.accuracy_difference(accuracies((0.9, 0.85, 0.94), (0.7, 0.6, 0.8))))
    other = only(claims.accuracy_difference(accuracies((0.7, 0.6, 0.8), (0.9, 0.85, 0.94))))
    near = only(claims.accuracy_difference(accuracies((0.9, 0.8, 0.95), (0.85, 0.75, 0.92))))
    assert (apart.kind, other.kind, near.kind) == ("supports", "contradicts", "undecided")
    assert "+20.0 points, the intervals do not overlap" in apart.text
    assert "-20.0 points" in other.text
    assert "overlap, so this decides nothing" in near.text
    assert "not paired" in near.text


@pytest.mark.parametrize(
    ("interval", "kind", "said"),
    [
        ((0.7, 0.6, 0.8), "info", "more often than a coin"),
        ((0.3, 0.2, 0.4), "info", "less often than a coin"),
        ((0.55, 0.45, 0.65), "info", "the interval holds 0.5"),
        ((math.nan,) * 3, "undecided", "No conclusion"),
    ],
)
def test_failure_is_predicted_or_not(interval, kind, said):
    frame = table(whole(VANILLA, "failure_auc_amplification", *interval))
    claim = only(claims.failure_predicted(frame))
    assert claim.kind == kind
    assert said in claim.text


def test_failure_stands_beside_the_margin_with_both_intervals():
    rows = whole(VANILLA, "failure_auc_amplification", 0.7, 0.6, 0.8)
    rows += whole(VANILLA, "failure_auc_margin", 0.83, 0.72, 0.92)
    text = only(claims.failure_predicted(table(rows))).text
    assert text.startswith("Centred amplification at the logits")
    assert "0.70 (0.60 to 0.80)" in text
    assert "the clean margin does with 0.83 (0.72 to 0.92)" in text


def test_margins_are_told_and_decide_nothing():
    def row(network, value):
        return {
            **of(network),
            "layer": "network",
            "depth": -1,
            "value": value,
            "metric": "margin_over_lipschitz",
            "statistic": "median",
        }

    frame = table([row(VANILLA, 1e-8), row(DQ, 3e-8)])
    assert only(claims.margins(frame)).kind == "info"
    assert "3.00 times" in only(claims.margins(frame)).text
    assert "0.33 times" in only(claims.margins(swapped(frame))).text


COLLAPSED = {"act_bits": 2, "weight_bits": 8, "clean_accuracy": 0.3, "clean_accuracy_full": 0.96}


MAKERS = [
    claims.growth,
    claims.quantizer_enlarges,
    claims.flips_effect,
    claims.dq_against_vanilla,
    claims.attack_against_controls,
]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("bits", [{"act_bits": 3}, {"act_bits": 8, "weight_bits": 2}])
def test_no_conclusion_at_bits_that_need_training(make, bits):
    settings = {"weight_bits": 8, "clean_accuracy": 0.95, "clean_accuracy_full": 0.96, **bits}
    rows = []
    for network in (VANILLA, DQ):
        rows += profile(network, **settings)
        rows += profile(network, attack="gaussian", **settings)
        rows += profile(network, metric="quantizer_gain", logits=False, **settings)
        rows += profile(network, metric="flip_contribution", **settings)
    found = make(table(rows))
    assert found
    for claim in found:
        assert claim.kind == "undecided"
        assert "at 3 bits or fewer the claims are about networks trained quantized" in claim.text


@pytest.mark.parametrize("make", MAKERS)
def test_no_conclusion_from_a_collapsed_network(make):
    rows = []
    for network in (VANILLA, DQ):
        rows += profile(network, **COLLAPSED)
        rows += profile(network, attack="gaussian", **COLLAPSED)
        rows += profile(network, metric="quantizer_gain", logits=False, **COLLAPSED)
        rows += profile(network, metric="flip_contribution", **COLLAPSED)
    for claim in make(table(rows)):
        assert claim.kind == "undecided"
        assert "collapsed to 30 %" in claim.text
        assert claim.basis["collapsed"].all()


def test_no_conclusion_where_the_clean_accuracy_is_unknown():
    rows = [*profile(), *profile(**{**A4, "clean_accuracy": math.nan})]
    claim = only(claims.quantized_against_full(table(rows)))
    assert claim.kind == "undecided"
    assert "not known" in claim.text


def test_no_conclusion_without_a_partner_at_full_precision():
    claim = only(claims.quantized_against_full(table(profile(**A4))))
    assert claim.kind == "undecided"
    assert "not there at full precision" in claim.text


OF_SAMPLES = (
    "bits_compared",
    "broken_by_which",
    "smallest_compared",
    "transferred_better",
    "two_compared",
)
"""Those that compare images one by one; see test_robust_claims."""


@pytest.mark.parametrize(
    "name", [name for name in claims.__all__ if name not in ("Claim", *OF_SAMPLES)]
)
def test_every_sentence_refuses_an_empty_table(name):
    claim = only(getattr(claims, name)(table(profile(metric="something_else"))))
    assert claim.kind == "undecided"
    assert claim.text.startswith("No conclusion")


def test_basis_holds_the_rows_of_the_sentence_only():
    frame = table([*profile(VANILLA), *profile(DQ), *profile(VANILLA, **A4)])
    claim = claims.growth(frame)[0]
    assert set(claim.basis["weights"]) == {"vanilla"}
    assert set(claim.basis["act_bits"]) == {32}
