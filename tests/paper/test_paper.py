"""Claims turn round with the networks, and what is computed is kept whatever happens."""

import dataclasses
import math

import pandas as pd
import pytest

from dqviz.cards import load_card, shipped_ids
from dqviz.charts import ChartError, forest
from dqviz.experiments.handle import DONE, FAILED
from dqviz.paper import (
    CLAIMS,
    QUICK,
    WHOLE,
    PaperError,
    Tables,
    Work,
    compute,
    effect_table,
    networks,
    plan,
    put_to_the_test,
    read_tables,
    verdict_table,
    write_files,
)
from dqviz.paper.effects import evidence, success_difference
from dqviz.paper.networks import pairs, trainings
from dqviz.paper.page import page
from dqviz.paper.plan import OTHER_BITS
from dqviz.paper.verdicts import FAILS, HOLDS, UNKNOWN
from tests.charts.test_strength import strengths
from tests.paper.planted import (
    CARRIED,
    FAMILIES,
    another_seed,
    everything,
    network,
    planted,
    results_of,
)

EXPECTED = {
    **dict.fromkeys(("vulnerable", "grows", "enlarged", "flips", "failure"), HOLDS),
    **dict.fromkeys(("lowered", "robust", "strongest", "beyond", "transfer", "square"), HOLDS),
    **dict.fromkeys(("squeezing", "adversarial", "corruptions"), HOLDS),
    **dict.fromkeys(("enlarged_small", "unaimed"), HOLDS),
    **dict.fromkeys(("threshold", "nonexpansive"), FAILS),
    "cost": HOLDS,
}
"""What the planted numbers say; clean accuracy comes from cards, which these networks lack."""


@pytest.fixture(autouse=True)
def cards(monkeypatch):
    """Cards for the planted networks."""
    card = load_card("streetdigits/resnet20/vanilla")

    def load(id):
        return dataclasses.replace(card, accuracy={"value": 0.9 + 0.05 * ("dq" in id), "n": 100})

    monkeypatch.setattr("dqviz.paper.accuracy.load_card", load)
    monkeypatch.setattr("dqviz.paper.files.load_card", load)


def judged(subjects, **more):
    return put_to_the_test(subjects, *results_of(subjects, **more))


def test_planted_effects_get_the_verdicts_that_they_deserve():
    found = {t.claim.id: t.verdict.verdict for t in judged(everything())}
    assert found == {**EXPECTED, "clean": HOLDS, "other_bits": UNKNOWN}
    assert set(found) == {claim.id for claim in CLAIMS}


def test_noise_that_nobody_aimed_is_that_of_the_control():
    told = {t.claim.id: t.verdict.value for t in judged(everything())}
    assert told["enlarged"] == pytest.approx(math.log(2))
    assert told["unaimed"] == pytest.approx(math.log(20))  # a tenth at full precision


def test_what_is_carried_over_between_bit_widths_is_compared_with_an_attack_on_the_very_network():
    fewer = [network(family, "vanilla", "w8a2") for family in FAMILIES]
    subjects = (*everything(), *fewer)
    parts, results = results_of(subjects)
    sources = {
        part.network.training: part.spec.crafted_on.model.id.rpartition("/")[2]
        for part in parts
        if part.label == OTHER_BITS
    }
    assert sources == {"w8a4": "vanilla-w8a2", "w8a2": "vanilla-w8a4"}
    (told,) = [
        t
        for t in put_to_the_test(subjects, parts, results)
        if (t.claim.id, t.training) == ("other_bits", "w8a4")
    ]
    assert (told.verdict.verdict, told.verdict.pairs) == (HOLDS, 3)
    assert told.verdict.value == pytest.approx(-100 * CARRIED / 20)


def test_perturbations_are_carried_over_from_another_seed_where_there_is_one():
    def sources(*more):
        parts = plan((*everything(FAMILIES[:1]), *more), WHOLE)
        return {
            part.network.id: part.spec.crafted_on.model.id.rpartition("/")[2]
            for part in parts
            if part.experiment == "transfer" and not part.label
        }

    assert set(sources().values()) == {"vanilla"}
    seeds = [network(FAMILIES[0], "vanilla", training, 1) for training in ("", "w8a4")]
    found = sources(*seeds)
    assert found[network(FAMILIES[0], "vanilla", "w8a4").id] == "vanilla-s1"
    assert found[network(FAMILIES[0], "dq", "w8a4").id] == "vanilla-s1"
    assert found[seeds[1].id] == "vanilla"


def test_the_other_way_round_the_verdicts_turn():
    swap = {"vanilla": "dq", "dq": "vanilla"}
    parts, _ = results_of(everything())
    mirrored = {}
    for part in parts:
        twin = network(part.network.family, swap[part.network.method], part.network.training)
        result = planted(dataclasses.replace(part, network=twin))
        weights = part.network.id.rpartition("/")[2]
        mirrored[part] = dataclasses.replace(
            result,
            table=result.table.assign(weights=weights),
            samples=result.samples.assign(weights=weights),
        )
    turned = {t.claim.id: t.verdict.verdict for t in put_to_the_test(everything(), parts, mirrored)}
    for claim in ("vulnerable", "enlarged", "lowered", "robust", "strongest", "transfer", "square"):
        assert turned[claim] == FAILS, claim
    assert turned["cost"] == HOLDS


def test_a_claim_is_told_at_the_bits_that_pairs_were_trained_at():
    five = [network(family, "vanilla", "w8a5") for family in FAMILIES[:1]]
    told = judged((*everything(), *five))
    trained = {c.id: [t.training for t in told if t.claim.id == c.id] for c in CLAIMS}
    assert trained["grows"] == ["w8a5", "w8a4"]
    assert trained["lowered"] == ["w8a4"]  # there is no DQ network of five bits
    alone = judged([n for n in everything() if n.method == "vanilla"])
    (without,) = [t for t in alone if t.claim.id == "lowered"]
    assert (without.training, without.verdict.pairs) == ("w8a4", 0)


def test_two_pairs_are_too_few():
    found = judged(everything(FAMILIES[:2]))
    assert {t.verdict.verdict for t in found if not t.claim.equal} == {UNKNOWN}


def test_success_is_counted_on_the_images_that_both_classify_correctly():
    parts, results = results_of(everything(FAMILIES[:1]))
    one, other = (network(FAMILIES[0], method, "w8a4") for method in ("dq", "vanilla"))
    own = next(p for p in parts if p.network == one and p.label == "pgd")
    samples = results[own].samples
    wrong = (samples["metric"] == "clean_accuracy") & (samples["image"] < 2)
    results[own] = dataclasses.replace(
        results[own], samples=samples.assign(value=samples["value"].mask(wrong, 0.0))
    )
    effect = success_difference(
        evidence(parts, results), one, other, experiment="robust", label="pgd", epsilon=1 / 255
    )
    # Of the images 2 to 19 the attack flips 2 to 5 of one and 2 to 11 of the other.
    assert effect.n == 18
    assert effect.value == pytest.approx(100 * (4 - 10) / 18)
    assert effect.low < effect.value < effect.high < 0


def test_networks_are_read_from_the_cards():
    found = {n.id: n for n in networks()}
    assert set(found) == {
        id for id in shipped_ids() if id.split("/")[2].split("-")[0] in ("vanilla", "dq")
    }
    own = found["streetdigits/resnet20/dq-w8a2"]
    assert (own.method, own.training, own.seed, own.bits) == ("dq", "w8a2", 0, 2)
    assert found["streetdigits/resnet20/dq"].quant.is_full_precision
    told = trainings(found.values())
    assert {"w8a4", "w8a2"} <= set(told)
    assert list(told) == sorted(told, key=lambda name: -int(name[-1]))  # most bits first


def test_pairs_share_family_and_seed_and_full_precision_stands_for_all_seeds():
    subjects = [
        network("a/b", "dq", "w8a4"),
        network("a/b", "dq", "w8a4", 1),
        network("a/b", "vanilla", "w8a4", 1),
        network("a/b", "vanilla", ""),
        network("a/c", "vanilla", "w8a4"),
    ]
    alike = pairs(subjects, ("dq", "w8a4"), ("vanilla", "w8a4"))
    assert [(a.unit, b.unit) for a, b in alike] == [("a/b, seed 1", "a/b, seed 1")]
    beyond = pairs(subjects, ("dq", "w8a4"), ("vanilla", ""))
    assert [(a.seed, b.seed) for a, b in beyond] == [(0, 0), (1, 0)]


def test_the_plan_names_each_result_once_and_quick_is_smaller():
    subjects = everything()
    whole, quick = plan(subjects, WHOLE), plan(subjects, QUICK)
    assert len({part.spec for part in whole}) == len(whole)
    assert len(quick) < len(whole) / 3
    assert not any(part.spec.fast for part in whole)  # the same numbers on every machine
    assert not any(part.spec.rounded for part in whole)  # no verdict rests on rounded images
    transferred = [part for part in whole if part.experiment == "transfer"]
    assert {part.spec.crafted_on.model.id.rpartition("/")[2] for part in transferred} == {"vanilla"}
    assert all(part.network.training for part in transferred)


def test_other_seeds_are_attacked_by_what_the_verdicts_rest_on_alone():
    seed = network(FAMILIES[0], "vanilla", "w8a4", 1)
    attacks = {
        n.seed: [p.label for p in plan((*everything(), seed), WHOLE) if p.network == n]
        for n in (seed, network(FAMILIES[0], "vanilla", "w8a4"))
    }
    assert [label for label in attacks[1] if label] == ["pgd"]
    assert plan((*everything(), seed), QUICK) == plan(everything(), QUICK)
    assert [label for label in attacks[0] if label] == ["fgsm", "rfgsm", "bim", "pgd"]


def test_nothing_is_asked_of_families_that_were_trained_at_full_precision_only():
    bare = [network("streetdigits/plain20_nonorm", method, "") for method in ("vanilla", "dq")]
    assert plan((*everything(), *bare), WHOLE) == plan(everything(), WHOLE)


class Ready:
    """An engine that has every result at once, or fails at one of them."""

    state, message = "ready", ""

    def __init__(self, fails_at=math.inf):
        self.asked, self.fails_at = 0, fails_at

    def width(self):
        return 2

    def submit(self, specs, *, owner, channel):
        self.asked += 1
        return [Given(channel, self.asked >= self.fails_at)]


class Given:
    begun, error = 0.0, "the weights are gone"

    def __init__(self, key, failed):
        self.key, self.status = key, FAILED if failed else DONE

    def result(self, timeout):
        return dataclasses.replace(planted(self.part), spec_key=self.key)

    def cancel(self):
        pass


@pytest.fixture
def few():
    """Some parts on a shipped network."""
    subjects = [network("streetdigits/resnet20", "vanilla", training) for training in ("", "w8a4")]
    parts = plan(subjects, WHOLE)[:4]
    Given.part = parts[0]
    return parts


def test_what_is_finished_is_kept_and_the_next_run_goes_on(few, tmp_path):
    broken = Ready(fails_at=3)
    with pytest.raises(PaperError, match=r"the weights are gone; what is finished is kept"):
        compute(few, tmp_path, broken)
    seen = []
    again = Ready()
    found = compute(few, tmp_path, again, report=lambda p: seen.append((p.before, p.total)))
    assert set(found) == set(few)
    assert 0 < seen[0][0] < len(few)
    assert again.asked == len(few) - seen[0][0]
    last = Ready()
    assert set(compute(few, tmp_path, last)) == set(few)
    assert last.asked == 0


@pytest.mark.parametrize("size", [WHOLE, QUICK], ids=["whole", "quick"])
def test_tables_and_a_page_are_written(tmp_path, size):
    subjects = everything()
    parts, results = results_of(subjects, size)
    work = Work(subjects=subjects, graded=(), missing={}, parts=tuple(parts))
    tables = dataclasses.replace(work.outcome(results), beta=strengths())
    names = write_files(tmp_path, subjects, results, tables)
    made = {f"{field.name}.csv" for field in dataclasses.fields(tables)}
    assert {*made, "about.json", "paper.html", "robust.parquet"} <= set(names)
    again = read_tables(tmp_path)
    for field in dataclasses.fields(tables):
        pd.testing.assert_frame_equal(
            getattr(again, field.name),
            getattr(tables, field.name).reset_index(drop=True),
            check_dtype=False,
            rtol=1e-8,
        )
    assert set(again.verdicts["claim"]) == {claim.id for claim in CLAIMS}
    html = (tmp_path / "paper.html").read_text(encoding="utf-8")
    assert all(f"<h2>{claim.sentence.replace(chr(39), '&#x27;')}" in html for claim in CLAIMS)
    assert "http" not in html.partition("</script>")[2].replace("https://plotly", "")[:500]


def test_several_seeds_are_judged_by_the_means_of_their_kinds_too(tmp_path):
    assert set(verdict_table(judged(everything()))["by_kinds"]) == {""}  # it would say the same
    told = judged((*everything(), *another_seed()))
    tables = Tables(verdicts=verdict_table(told), effects=pd.DataFrame())
    for name, text in tables.files().items():
        (tmp_path / name).write_text(text)
    read = read_tables(tmp_path)
    rows = read.verdicts.set_index("claim")
    assert rows.loc["robust", "pairs"] == 6
    found = rows.loc["robust", "by_kinds"]
    assert found.startswith("holds over the means of 3 kinds of network, -30.0 points (95 %")
    assert rows.loc["cost", "by_kinds"] == ""
    assert found in page(read)


def test_the_forest_shows_every_pair_and_the_mean():
    found = judged(everything())
    effects, verdicts = effect_table(found), verdict_table(found)
    own = [table[table["claim"] == "vulnerable"] for table in (effects, verdicts)]
    chart = forest(*own, title="Claimed")
    single, mean = chart.figure.data
    assert list(single.x) == pytest.approx(list(own[0]["value"]))
    assert list(mean.x) == pytest.approx(list(own[1]["value"]))
    assert "to the right" in chart.how_to_read
    assert "mean of 3: holds" in chart.alt
    ratios = [table[table["claim"] == "lowered"] for table in (effects, verdicts)]
    drawn = forest(*ratios, title="Claimed")
    assert list(drawn.figure.data[0].x) == pytest.approx([0.5] * 3)
    assert "to the left" in drawn.how_to_read
    with pytest.raises(ChartError, match="several claims"):
        forest(effects, verdicts, title="Claimed")
    with pytest.raises(ChartError, match="no pair"):
        forest(effects.iloc[:0], verdicts, title="Claimed")
