"""The page The paper: shipped verdicts at once, and the same computed here."""

import dataclasses
import json

import pytest

from dqviz.charts.strength import MEASURES
from dqviz.paper import CLAIMS, Work
from dqviz.paper.page import LAYERS, QUANTIZERS, STRENGTH
from dqviz.ui import links, paper, paper_figures
from tests.charts.test_strength import strengths
from tests.paper.planted import everything, network, results_of
from tests.ui.reading import words


@pytest.fixture
def found(monkeypatch):
    """Verdicts on planted numbers, in place of those that are shipped."""
    card = dataclasses.make_dataclass("Card", ["accuracy"])({"value": 0.9, "n": 100})
    monkeypatch.setattr("dqviz.paper.accuracy.load_card", lambda id: card)
    five = network("streetdigits/resnet20", "vanilla", "w8a5")
    subjects = (*everything(), five)
    parts, results = results_of(subjects)
    work = Work(subjects=subjects, graded=(), missing={}, parts=tuple(parts))
    tables = dataclasses.replace(work.outcome(results), beta=strengths())
    told = paper.Found(tables=tables, made="Made up.", key="test")
    monkeypatch.setattr(paper, "shipped", lambda: told)
    return told


def test_every_claim_has_a_card_with_its_verdict(open_page, found):
    app = open_page("paper")
    assert not app.exception
    said = words(app)
    for claim in CLAIMS:
        assert links.plain(claim.sentence) in said
    four = found.tables.verdicts[
        found.tables.verdicts["act_bits"] == 4
    ]  # one pair alone is of five
    counts = four["verdict"].value_counts()
    assert f"At 4 activation bits, {len(CLAIMS)} claims" in said
    assert f"holds {counts['holds']}, does not hold {counts['does not hold']}" in said
    assert "3 pairs, 1 seed" in said


def test_the_strength_is_drawn_when_it_is_opened(open_page, found):
    app = open_page("paper")
    assert STRENGTH in words(app)
    before = len(app.get("plotly_chart"))
    app.session_state["open_strength"] = True
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == before + len(MEASURES)


@pytest.mark.parametrize(
    ("box", "title", "choices"),
    [
        (
            "attacked",
            paper_figures.ATTACKED,
            {"paper_measure": "Robust accuracy", "paper_attack": "BIM"},
        ),
        ("layers", LAYERS, {"paper_noise": "random signs", "paper_distance": "Plain"}),
        ("turning", QUANTIZERS, {"paper_elements": "Inside"}),
    ],
)
def test_an_experiment_is_drawn_when_it_is_opened_and_follows_its_choices(
    open_page, found, box, title, choices
):
    app = open_page("paper")
    assert title in words(app)
    before = len(app.get("plotly_chart"))
    app.session_state[f"open_{box}"] = True
    app.run()
    assert len(app.get("plotly_chart")) == before + 1
    for key, choice in choices.items():
        app.segmented_control(key=key).set_value(choice)
        app.run()
        assert not app.exception
    assert len(app.get("plotly_chart")) == before + 1


def test_a_link_opens_the_box_that_it_is_about_and_nothing_is_ignored(open_page, found):
    app = open_page("paper", paper_attack="BIM", paper_eps="2/255")
    assert "Ignored" not in " ".join(warning.value for warning in app.warning)
    assert "Attack success by bits, BIM at 2/255" in [heading.value for heading in app.subheader]


def test_methods_keep_their_colours_whatever_is_attacked(open_page, found):
    app = open_page("paper")
    app.session_state["open_attacked"] = True
    app.run()
    shown = json.loads(app.get("plotly_chart")[-1].proto.spec)["data"]
    assert [t["name"] for t in shown if t.get("showlegend")] == ["vanilla", "DQ"]
    assert app.segmented_control(key="paper_attack").value == "PGD"
    assert app.segmented_control(key="paper_eps").value == "1/255"


def test_a_card_shows_the_numbers_behind_its_claim(open_page, found):
    app = open_page("paper")
    drawn = [heading.value for heading in app.subheader]  # the first card is open
    assert "Attack success by bits, PGD at 1/255" in drawn


def test_without_results_it_says_how_to_get_them(open_page, monkeypatch):
    monkeypatch.setattr(paper, "shipped", lambda: None)
    app = open_page("paper")
    assert "python -m dqviz paper" in words(app)
    assert not app.exception


def test_shipped_verdicts_are_those_of_the_shipped_effects():
    """Nobody edits a number by hand: the verdicts follow from the effects by the rule."""
    told = paper.shipped()
    assert told is not None
    for (claim, training), rows in told.tables.effects.groupby(["claim", "training"]):
        (row,) = told.tables.verdicts[
            (told.tables.verdicts["claim"] == claim)
            & (told.tables.verdicts["training"] == training)
        ].to_dict("records")
        assert row["pairs"] == len(rows)
        assert row["value"] == pytest.approx(rows["value"].mean())
