"""What came of the claims, as rows: one for every claim and bit-width, and one for every pair."""

from __future__ import annotations

import functools
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
from .verdicts import Verdict, interval_text, judge, judge_equal, kind_means

UNCHECKED = "not checked"
MARKS = ("green", "amber", "red", UNCHECKED)


class Tested(NamedTuple):
    """A claim put to the test with networks trained with these bits, such as `w8a4`.

    `left_out` are the networks whose pairs do not count, for their clean accuracy has collapsed.
    `by_kinds` is the verdict on the means of each data set and architecture; None where that says
    nothing else, every one having one seed.
    """

    claim: Claim
    training: str
    verdict: Verdict
    masking: str
    left_out: tuple[str, ...]
    by_kinds: Verdict | None


def put_to_the_test(
    networks: Sequence[Network], parts: Sequence[Part], results: Mapping[Part, Result]
) -> list[Tested]:
    """Every claim at every bit-width that pairs of networks were trained at, most bits first.

    A claim without any pair is told once, of the most bits: nothing can be said of it.
    """
    found, gone = evidence(parts, results), collapsed(networks)
    marks = marks_of(found)
    told = []
    for claim in CLAIMS:
        own = [
            _tested(claim, training, networks, found, gone, marks)
            for training in trainings(networks)
        ]
        told += [tested for tested in own if tested.verdict.pairs or tested.left_out] or own[:1]
    return told


def _tested(
    claim: Claim,
    training: str,
    networks: Sequence[Network],
    found: Evidence,
    gone: frozenset[str],
    marks: Mapping[str, str],
) -> Tested:
    effects = [e for e in claim.measure(found, networks, training) if e is not None]
    out = frozenset[str]() if claim.collapsed_too else gone
    kept = [effect for effect in effects if not out.intersection(effect.networks)]
    judged = functools.partial(judge, scale=claim.scale, larger=claim.larger)
    verdict = judge_equal(kept, scale=claim.scale) if claim.equal else judged(kept)
    kinds = [] if claim.equal else kind_means(kept)
    by_kinds = judged(kinds) if 0 < len(kinds) < verdict.pairs else None
    left_out = dict.fromkeys(id for effect in effects for id in effect.networks if id in out)
    masking = masking_marks(marks, verdict)
    return Tested(claim, training, verdict, masking, tuple(left_out), by_kinds)


def marks_of(found: Evidence) -> dict[str, str]:
    """What the masking checks say of every network that they were made on, by its id."""
    return {
        id: masking_verdict(masking_findings(result.table))[0]
        for (experiment, id, _), result in found.items()
        if experiment == TRUST
    }


def masking_marks(marks: Mapping[str, str], verdict: Verdict) -> str:
    """The marks of the networks a verdict rests on, counted: `2 green, 1 amber`.

    Networks without any are counted as `not checked`.
    """
    ids = dict.fromkeys(id for effect in verdict.effects for id in effect.networks)
    own = [marks.get(id, UNCHECKED) for id in ids]
    counted = [f"{own.count(mark)} {mark}" for mark in MARKS if mark in own]
    return UNCHECKED if set(own) <= {UNCHECKED} else ", ".join(counted)


def verdict_table(tested: Sequence[Tested]) -> pd.DataFrame:
    """One row a claim and training.

    `by_kinds` says the verdict on the means of each data set and architecture, where it rests on
    several seeds; empty elsewhere. `value`, `low` and `high` are points, or natural logarithms of
    ratios, as `scale` says; the interval is missing below three pairs.
    """
    return pd.DataFrame([_verdict_row(t) for t in tested])


def _verdict_row(tested: Tested) -> dict[str, Any]:
    claim, training, verdict, masking, left_out, by_kinds = tested
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
        "by_kinds": "" if by_kinds is None else _by_kinds(by_kinds),
        "masking": masking,
        "scale": claim.scale,
        "larger": claim.larger,
        "value": verdict.value,
        "low": verdict.low,
        "high": verdict.high,
    }


def _by_kinds(verdict: Verdict) -> str:
    kinds = f"{verdict.pairs} kind{'s' * (verdict.pairs > 1)} of network"
    return f"{verdict.verdict} over the means of {kinds}, {interval_text(verdict)}"


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
