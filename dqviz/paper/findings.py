"""What came of the claims, as rows: one for every claim and bit-width, and one for every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from dqviz.charts import masking_findings
from dqviz.charts import verdict as masking_verdict
from dqviz.experiments.result import Result

from .accuracy import collapsed
from .claim import Claim
from .claims import CLAIMS
from .effects import Evidence, evidence
from .networks import Network, at_bits, trainings
from .plan import TRUST, Part
from .verdicts import Verdict, interval_text, judge, judge_equal

UNCHECKED = "not checked"


class Tested(NamedTuple):
    """A claim put to the test with networks trained with these bits, such as `w8a4`.

    `left_out` are the networks whose pairs do not count, for their clean accuracy has collapsed.
    """

    claim: Claim
    training: str
    verdict: Verdict
    masking: str
    left_out: tuple[str, ...]


def put_to_the_test(
    networks: Sequence[Network], parts: Sequence[Part], results: Mapping[Part, Result]
) -> list[Tested]:
    """Every claim at every bit-width that pairs of networks were trained at, most bits first.

    A claim without any pair is told once, of the most bits: nothing can be said of it.
    """
    found, gone = evidence(parts, results), collapsed(networks)
    told = []
    for claim in CLAIMS:
        own = [_tested(claim, training, networks, found, gone) for training in trainings(networks)]
        told += [tested for tested in own if tested.verdict.pairs or tested.left_out] or own[:1]
    return told


def _tested(
    claim: Claim,
    training: str,
    networks: Sequence[Network],
    found: Evidence,
    gone: frozenset[str],
) -> Tested:
    effects = [e for e in claim.measure(found, networks, training) if e is not None]
    out = frozenset[str]() if claim.collapsed_too else gone
    kept = [effect for effect in effects if not out.intersection(effect.networks)]
    verdict = (
        judge_equal(kept, scale=claim.scale)
        if claim.equal
        else judge(kept, scale=claim.scale, larger=claim.larger)
    )
    left_out = dict.fromkeys(id for effect in effects for id in effect.networks if id in out)
    return Tested(claim, training, verdict, masking_marks(found, verdict), tuple(left_out))


def masking_marks(found: Evidence, verdict: Verdict) -> str:
    """The marks of the masking checks of the networks a verdict rests on: `2 green, 1 amber`."""
    ids = dict.fromkeys(id for effect in verdict.effects for id in effect.networks)
    marks = [
        masking_verdict(masking_findings(result.table))[0]
        for id in ids
        if (result := found.get((TRUST, id, ""))) is not None
    ]
    counted = [f"{marks.count(mark)} {mark}" for mark in ("green", "amber", "red") if mark in marks]
    return ", ".join(counted) or UNCHECKED


def verdict_table(tested: Sequence[Tested]) -> pd.DataFrame:
    """One row a claim and training.

    `value`, `low` and `high` are points, or ratios; the interval is missing below three pairs.
    """
    return pd.DataFrame([_verdict_row(t) for t in tested])


def _verdict_row(tested: Tested) -> dict[str, Any]:
    claim, training, verdict, masking, left_out = tested
    return {
        "claim": claim.id,
        "sentence": claim.sentence,
        "training": training,
        "act_bits": at_bits(training),
        "verdict": verdict.verdict,
        "found": interval_text(verdict),
        "why": "; ".join([verdict.why, *_left_out(left_out)]),
        "pairs": verdict.pairs,
        "seeds": verdict.seeds,
        "masking": masking,
        "scale": claim.scale,
        "larger": claim.larger,
        "value": verdict.value,
        "low": verdict.low,
        "high": verdict.high,
    }


def _left_out(ids: Sequence[str]) -> list[str]:
    """Which networks do not count, and why; nothing where all do."""
    return [f"left out, since its clean accuracy has collapsed: {id}" for id in ids]


def effect_table(tested: Sequence[Tested]) -> pd.DataFrame:
    """One row a pair of networks, of every claim and training; numbers as in `verdict_table`."""
    rows = [
        {
            "claim": t.claim.id,
            "training": t.training,
            "act_bits": at_bits(t.training),
            "unit": effect.unit,
            "seed": effect.seed,
            "scale": t.claim.scale,
            "value": effect.value,
            "low": effect.low,
            "high": effect.high,
            "n": effect.n,
            "networks": " ".join(effect.networks),
        }
        for t in tested
        for effect in t.verdict.effects
    ]
    return pd.DataFrame(rows)
