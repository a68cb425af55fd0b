"""Sentences on robustness turn round with the images behind them, and refuse what rests nothing."""

import pandas as pd
import pytest

from dqviz.charts import claims
from tests.charts.robust_tables import (
    FULL,
    TRANSFER,
    accuracies,
    ensemble,
    images,
    pair,
    smallest,
    transfer_images,
    transfer_table,
)
from tests.charts.tables import DQ, VANILLA, table

ONE, OTHER = (DQ, 8, 4), (VANILLA, 8, 4)


def compared(one=ONE, other=OTHER, **right):
    rows, samples = pair(**right)
    return claims.two_compared(rows, samples=samples, one=one, other=other)


def transferred(found):
    return claims.transferred_better(transfer_table(found), samples=transfer_images(found))


def test_two_networks_are_compared_clean_attacked_and_on_common_images():
    clean, attacked, flipped = compared()
    assert clean.text.startswith("Of the clean images resnet20 dq, W8 A4 classifies 95.0 %")
    assert "+0.0 points, no clear difference" in clean.text
    assert "under FGSM 1/255, 40 images, resnet20 dq, W8 A4 classifies 65.0 %" in attacked.text
    assert "+15.0 points, no clear difference (95 % interval -" in attacked.text
    assert "10 against 4 images, McNemar's exact test p = 0.18" in attacked.text
    assert "Of the 36 images that all networks here" in flipped.text
    assert "flips 27.8 % for resnet20 dq, W8 A4 and 50.0 % for" in flipped.text
    # 2 against 10 of the common images: p = 2 (1 + 12 + 66) / 2^12
    assert "2 against 10 images, McNemar's exact test p = 0.04" in flipped.text
    assert [c.kind for c in (clean, attacked, flipped)] == ["undecided", "undecided", "supports"]


def test_the_images_turn_the_sentences_round():
    better = compared(dq=range(30), vanilla=range(12))
    worse = compared(dq=range(12), vanilla=range(30))
    assert [claim.kind for claim in better] == ["undecided", "supports", "supports"]
    assert [claim.kind for claim in worse] == ["undecided", "contradicts", "contradicts"]
    swapped = compared(OTHER, ONE, dq=range(30), vanilla=range(12))
    assert [claim.kind for claim in swapped] == ["undecided", "supports", "supports"]
    assert "-45.0 points (95 % interval" in swapped[1].text


def test_networks_trained_quantized_alike_decide_as_others_do():
    rows, samples = pair(dq=range(30), vanilla=range(12))
    for suffix, kind in ((("-w8a4", "-w8a4"), "supports"), (("-w8a4", "-w8a2"), "info")):
        named = {"dq": f"dq{suffix[0]}", "vanilla": f"vanilla{suffix[1]}"}
        found = claims.two_compared(
            rows.replace({"weights": named}),
            samples=samples.replace({"weights": named}),
            one=(f"{DQ}{suffix[0]}", 8, 4),
            other=(f"{VANILLA}{suffix[1]}", 8, 4),
        )
        assert [claim.kind for claim in found[1:]] == [kind, kind]


def test_a_perturbation_from_elsewhere_decides_nothing():
    found = compared(dq=range(30), vanilla=range(12), crafted_on="streetdigits/resnet20/vanilla")
    assert [claim.kind for claim in found[1:]] == ["undecided", "undecided"]
    assert "crafted on streetdigits/resnet20/vanilla" in found[1].text


def test_networks_that_differ_in_more_than_the_penalty_only_inform():
    rows, samples = pair(dq=range(30), vanilla=range(12))
    other = rows["weights"] == "vanilla"
    rows.loc[other, "act_bits"] = 5
    samples.loc[samples["weights"] == "vanilla", "act_bits"] = 5
    found = claims.two_compared(rows, samples=samples, one=ONE, other=(VANILLA, 8, 5))
    assert {claim.kind for claim in found} == {"info"}


def test_a_collapsed_network_is_not_compared():
    rows, samples = pair()
    rows = rows.assign(clean_accuracy=0.3)
    (claim,) = claims.two_compared(rows, samples=samples, one=ONE, other=OTHER)
    assert "collapsed" in claim.text
    assert claim.kind == "undecided"


def test_networks_that_are_not_there_are_not_spoken_of():
    assert compared(other=(VANILLA, 32, 32)) == compared(one=(VANILLA, 32, 32)) == []


def test_what_only_later_attacks_broke_is_said():
    rows, samples = ensemble()
    (claim,) = claims.broken_by_which(rows, samples=samples)
    assert "18 of 38 images right unattacked are broken, 12 by APGD" in claim.text
    assert "5 more fell to APGD-DLR and 1 to Square" in claim.text
    early = samples.assign(value=samples["value"].clip(upper=2))
    (claim,) = claims.broken_by_which(rows, samples=early)
    assert "18 by APGD on the cross-entropy; the attacks after it broke no more" in claim.text


def test_nothing_is_said_of_breakers_of_a_collapsed_network_or_without_them():
    rows, samples = ensemble(clean_accuracy=0.2)
    assert claims.broken_by_which(rows, samples=samples) == []
    assert claims.broken_by_which(*pair()[:1], samples=pair()[1]) == []


def test_a_better_perturbation_from_elsewhere_is_named():
    (claim,) = transferred({**TRANSFER, (32, 4): 28})
    assert claim.text.startswith("No perturbation carried over to full precision, W8 A4 leaves")
    (claim,) = transferred({**TRANSFER, (32, 4): 8})
    assert "crafted on full precision leave 20.0 % right at W8 A4, its own 75.0 %" in claim.text
    assert "-55.0 points (95 % interval -" in claim.text
    assert "0 against 22 images, McNemar's exact test p < 0.01" in claim.text
    assert claim.kind == "info"


def test_several_tries_at_one_network_are_counted():
    # six images fewer: p = 2 / 2^6 = 0.03 for one try, 0.06 for two
    (claim,) = transferred({**TRANSFER, (32, 4): 24})
    assert claim.text.startswith("No perturbation")
    # seven: 2 / 2^7 = 0.016 and 0.03
    (claim,) = transferred({**TRANSFER, (32, 4): 23})
    assert "0 against 7 images, McNemar's exact test p = 0.03" in claim.text


def test_of_collapsed_columns_nothing_is_said():
    (claim,) = transferred({**TRANSFER, (32, 2): 0, (2, 2): 40})
    assert "A2" not in claim.text


def by_bits(*, weights="vanilla", low=range(10), high=range(8, 30), **more):
    """A network at full precision, 8/4 and 8/3 bits; its claims."""
    network = VANILLA if weights == "vanilla" else DQ
    rows, found = [], []
    for act_bits, right in ((32, high), (4, low), (3, range(1))):
        bits = FULL if act_bits == 32 else {"weight_bits": 8, "act_bits": act_bits}
        rows += accuracies(network, 38, len(right), **bits, **more)
        found.append(images(network, "robust_accuracy", right, **bits))
    return claims.bits_compared(table(rows), samples=pd.concat(found))


def test_fewest_bits_are_compared_with_most_image_by_image():
    (claim,) = by_bits()
    assert claim.text.startswith("Under FGSM 1/255, 40 images, resnet20 vanilla, W8 A4 classifies")
    assert "classifies 25.0 % correctly and at full precision 55.0 %" in claim.text
    assert "8 against 20 images" in claim.text
    assert claim.kind == "supports"
    assert by_bits(weights="dq")[0].kind == "contradicts"
    assert by_bits(weights="dq", low=range(30), high=range(10))[0].kind == "supports"
    assert by_bits(low=range(9), high=range(10))[0].kind == "undecided"
    assert by_bits(crafted_on="elsewhere")[0].kind == "undecided"


def test_bits_that_have_collapsed_are_passed_over():
    assert by_bits(clean_accuracy=0.2) == []


def test_smallest_epsilons_are_compared_image_by_image():
    rows, samples = smallest()
    (claim,) = claims.smallest_compared(rows, samples=samples)
    assert claim.kind == "supports"
    assert "Of 30 images that both classify correctly" in claim.text
    assert "on 30 and a smaller one on 0 (exact sign test, p < 0.01;" in claim.text
    assert "medians 2/255 and 1/255" in claim.text
    swapped = samples.assign(weights=samples["weights"].map({"dq": "vanilla", "vanilla": "dq"}))
    (claim,) = claims.smallest_compared(rows, samples=swapped)
    assert claim.kind == "contradicts"


@pytest.mark.parametrize("few", [4, 5, 6])
def test_too_few_images_leave_it_undecided(few):
    rows, samples = smallest()
    chosen = samples[samples["image"].isin(range(10, 10 + few))]
    (claim,) = claims.smallest_compared(rows, samples=chosen)
    assert (claim.kind == "undecided") == (few < 6)  # 2 / 2^6 = 0.03


def test_smallest_epsilons_of_collapsed_networks_rest_nothing():
    rows, samples = smallest(clean_accuracy=0.3)
    (claim,) = claims.smallest_compared(rows, samples=samples)
    assert "collapsed" in claim.text
    assert claims.smallest_compared(rows, samples=pd.DataFrame()) == []
