"""Of every network that a verdict rests on it is said whether its attack can be trusted."""

import dataclasses
import types

import pytest

from dqviz.cards import load_card
from dqviz.paper import QUICK, WHOLE, plan, put_to_the_test
from dqviz.paper.findings import UNCHECKED, marks_of, masking_marks
from dqviz.paper.plan import ATTACKED_AT, HEADLINE, TRUST
from tests.paper.planted import another_seed, everything, results_of


@pytest.fixture
def marks(monkeypatch):
    """What the checks of a network say is what stands in place of their result."""
    monkeypatch.setattr("dqviz.paper.findings.masking_findings", lambda table: table)
    monkeypatch.setattr("dqviz.paper.findings.masking_verdict", lambda mark: (mark,))


def verdict_on(*pairs):
    return types.SimpleNamespace(effects=[types.SimpleNamespace(networks=ids) for ids in pairs])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"a": "green", "b": "green", "c": "red"}, "2 green, 1 red"),
        ({"a": "amber"}, "1 amber, 2 not checked"),
        ({}, UNCHECKED),
    ],
)
def test_marks_are_counted_and_so_are_those_that_are_missing(marks, found, said):
    results = {(TRUST, id, ""): types.SimpleNamespace(table=mark) for id, mark in found.items()}
    assert masking_marks(marks_of(results), verdict_on(("a", "b"), ("c", "b"))) == said


def test_every_network_that_a_verdict_rests_on_is_checked(monkeypatch):
    card = dataclasses.replace(
        load_card("streetdigits/resnet20/vanilla"), accuracy={"value": 0.9, "n": 100}
    )
    monkeypatch.setattr("dqviz.paper.accuracy.load_card", lambda id: card)
    subjects = (*everything(), *another_seed())
    checked = {p.network.id: p.spec for p in plan(subjects, WHOLE) if p.experiment == TRUST}
    told = put_to_the_test(subjects, *results_of(subjects))
    rests = {id for t in told for effect in t.verdict.effects for id in effect.networks}
    assert rests == set(checked)
    for id, spec in checked.items():
        assert spec.kind == "masking"
        assert spec.attack.name == "pgd"
        assert spec.attack.epsilons == (ATTACKED_AT if "rfgsm" in id else HEADLINE,)
    assert not [part for part in plan(subjects, QUICK) if part.experiment == TRUST]
