"""The numbers behind the claims, against what was planted."""

import dataclasses

import pytest

from dqviz.charts import by_bits
from dqviz.paper import CLAIMS, SHOWN, shown_rows, where
from dqviz.paper.depths import layer_table, quantizer_table
from dqviz.paper.levels import COLUMNS, SUCCESS, level_table
from dqviz.proportions import wilson
from tests.paper.planted import FAMILIES, everything, network, results_of

FAMILY = FAMILIES[0]


@pytest.fixture(autouse=True)
def cards(monkeypatch):
    card = dataclasses.make_dataclass("Card", ["accuracy"])
    told = {"value": 0.9, "low": 0.85, "high": 0.94, "n": 500}
    monkeypatch.setattr("dqviz.paper.accuracy.load_card", lambda id: card(told))


def levels(**more):
    return level_table(*results_of(everything(), **more))


def row(table, measure, training="w8a4", **more):
    """The one row of a vanilla network of the first family."""
    wanted = {
        "measure": measure,
        "network": network(FAMILY, "vanilla", training).id,
        "method": "vanilla",
        **more,
    }
    chosen = table
    for column, value in wanted.items():
        chosen = chosen[chosen[column] == value]
    (one,) = chosen.to_dict("records")
    return one


def test_accuracy_under_attack_and_success_are_percent_with_their_intervals():
    table = levels()
    assert list(table.columns) == list(COLUMNS)
    robust = row(table, "robust_accuracy", attack="pgd", epsilon=1 / 255)
    assert (robust["value"], robust["n"]) == (40, 20)
    share = wilson(12, 20)  # of twenty right ones the attack flips twelve
    told = row(table, SUCCESS, attack="pgd", epsilon=1 / 255)
    assert told["value"] == pytest.approx(60)
    assert (told["low"], told["high"]) == pytest.approx((100 * share.low, 100 * share.high))
    assert told["n"] == 20
    clean = row(table, "clean_accuracy")
    assert [clean[name] for name in ("value", "low", "high", "n")] == [90, 85, 94, 500]


def test_success_is_counted_on_what_all_networks_of_a_family_are_right_on():
    parts, results = results_of(everything())
    own = network(FAMILY, "dq", "w8a4")
    for part in [p for p in parts if p.network == own]:
        samples = results[part].samples
        wrong = (samples["metric"] == "clean_accuracy") & (samples["image"] < 2)
        results[part] = dataclasses.replace(
            results[part], samples=samples.assign(value=samples["value"].mask(wrong, 0.0))
        )
    table = level_table(parts, results)
    told = row(table, SUCCESS, attack="pgd", epsilon=1 / 255)
    assert told["n"] == 18  # the vanilla network is right on the two, and they do not count
    assert told["value"] == pytest.approx(100 * 10 / 18)
    other = table[(table["measure"] == SUCCESS) & (table["family"] == FAMILIES[1])]
    assert set(other["n"]) == {20}


def test_distances_are_those_of_the_last_layer_but_the_logits():
    told = row(levels(), "relative_distance", attack="fgsm", epsilon=1 / 255)
    assert told["value"] == 0.2
    aside = row(levels(), "amplification_centred", attack="random_signs", epsilon=1 / 255)
    assert aside["value"] == 6  # 1 + 5 at the second of three


def test_quantizers_are_told_of_quantized_networks_alone():
    table = levels()
    assert row(table, "quantizer_gain", attack="fgsm", epsilon=1 / 255)["value"] == 1.5
    assert row(table, "flips_ratio", attack="fgsm", epsilon=1 / 255)["value"] == pytest.approx(2)
    for measure in ("quantizer_gain", "flips_ratio"):
        assert 32 not in set(table.loc[table["measure"] == measure, "act_bits"])


def test_squeezed_and_hardened_networks_are_told_apart():
    table = levels()
    methods = set(table.loc[table["measure"] == "robust_accuracy", "method"])
    assert methods == {"vanilla", "dq", "vanilla, squeezed", "vanilla, R+FGSM", "dq, R+FGSM"}


def test_every_claim_has_its_numbers_drawn():
    assert set(SHOWN) == {claim.id for claim in CLAIMS}
    fewer = [network(family, "vanilla", "w8a2") for family in FAMILIES]
    table = level_table(*results_of((*everything(), *fewer)))
    for claim, shown in SHOWN.items():
        rows = shown_rows(table, shown)
        curves = shown.attacks if len(shown.attacks) > 1 else shown.methods
        planted = [name for name in curves if name not in ("gaussian", "other_image")]
        assert rows["series"].nunique() == len(planted), claim
        assert by_bits(rows).figure.data


def test_curves_are_named_by_method_or_by_attack():
    fewer = [network(family, "vanilla", "w8a2") for family in FAMILIES]
    table = level_table(*results_of((*everything(), *fewer)))
    named = {
        claim: list(dict.fromkeys(shown_rows(table, SHOWN[claim])["series"])) for claim in SHOWN
    }
    assert named["robust"] == ["vanilla", "DQ"]
    assert named["other_bits"] == ["PGD on itself", "from other bits"]
    assert named["squeezing"] == ["vanilla", "DQ", "vanilla, squeezed"]
    assert named["adversarial"] == ["vanilla, R+FGSM", "DQ, R+FGSM"]
    assert named["failure"] == ["by amplification", "by clean margin"]
    assert where(SHOWN["robust"]) == "PGD at 1/255"
    assert where(SHOWN["transfer"]) == "PGD crafted on full precision at 2/255"
    assert where(SHOWN["other_bits"]) == "at 2/255"
    assert where(SHOWN["clean"]) == where(SHOWN["corruptions"]) == ""


def test_corruptions_are_averaged_over_severities_and_then_over_kinds():
    told = row(levels(), "corrupted_accuracy", attack="all five")
    assert told["value"] == pytest.approx(40)  # twelve of twenty are wrong under each


def test_layers_come_in_order_of_execution():
    table = layer_table(*results_of(everything()))
    own = table[(table["family"] == FAMILY) & (table["method"] == "dq") & (table["act_bits"] == 4)]
    assert set(own["attack"]) == {"fgsm", "random_signs"}
    aimed = own[own["attack"] == "fgsm"]
    assert aimed["layer"].tolist() == ["conv1", "linear", "logits"]
    assert aimed["place"].tolist() == [1, 2, 3]
    assert aimed["amplification_centred"].tolist() == [1, 6, 11]
    assert aimed["amplification"].tolist() == [1, 5, 9]


def test_quantizers_without_noise_are_left_out():
    table = quantizer_table(*results_of(everything()))
    assert set(table["elements"]) == {"all", "inside", "clipped"}  # none at zero was planted
    own = table[(table["family"] == FAMILY) & (table["elements"] == "all")]
    assert set(own["act_bits"]) == {4}
    at = own[own["epsilon"].between(0.9 / 255, 1.1 / 255)]
    assert at["noise_in"].tolist() == [0.01, 0.02]
    assert at["noise_out"].tolist() == [0.015, 0.03]
