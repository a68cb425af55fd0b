"""Flips are followed at one epsilon first, and at the others while nobody waits."""

import pytest

from dqviz.experiments import ExperimentError
from dqviz.experiments.handle import FAILED
from dqviz.ui.settings import EPSILONS
from tests.ui.fake_engine import SLOW
from tests.ui.reading import titles, words

VANILLA, DQ = "streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"


@pytest.fixture
def forgetful(engine, monkeypatch):
    """An engine that knows only what it was asked for."""

    def is_known(spec):
        return any(spec == known for known in (*engine.asked, *engine.ahead))

    monkeypatch.setattr(engine, "is_known", is_known)
    return engine


def epsilons_of(specs):
    return [255 * spec.attack.epsilons[0] for spec in specs]


def test_the_other_epsilons_come_one_by_one_the_nearest_first(open_page, forgetful):
    app = open_page("amplification", view="Flips", net=[VANILLA, DQ])
    assert titles(app) == ["Bucket flips and what they add"]
    assert epsilons_of(spec for spec in forgetful.asked if spec.details) == pytest.approx([1, 1])
    assert epsilons_of(forgetful.ahead) == pytest.approx([0.75])
    assert forgetful.ahead[0].details
    assert f"2 of {2 * len(EPSILONS)} are there" in words(app)
    for _ in range(2 * len(EPSILONS) + 2):
        app.run()
    found = epsilons_of(forgetful.ahead)
    assert len(found) == 2 * (len(EPSILONS) - 1)
    assert sorted(found) == pytest.approx(sorted(2 * [e for e in EPSILONS if e != 1]))
    distances = [abs(epsilon - 1) for epsilon in found]
    assert distances == sorted(distances)
    assert "computed ahead" not in words(app)


def test_moving_the_slider_then_computes_nothing(open_page, forgetful):
    app = open_page("amplification", view="Flips", net=[VANILLA])
    for _ in range(len(EPSILONS) + 2):
        app.run()
    before = list(forgetful.ahead)
    app.select_slider(key="eps").set_value(4.0).run()
    assert forgetful.ahead == before
    assert forgetful.is_known(forgetful.asked[-1])
    assert forgetful.asked[-1] in before


def test_what_fails_is_not_tried_again_and_again(open_page, forgetful, monkeypatch):
    submit = forgetful.submit

    def submitted(specs, **more):
        handles = submit(specs, **more)
        if more.get("background"):
            forgetful.ahead.clear()
            tried.append(specs[0])
            job = handles[0]._job
            job.error = ExperimentError("not enough memory", kind="MemoryError")
            job.finish(FAILED)
        return handles

    tried = []
    monkeypatch.setattr(forgetful, "submit", submitted)
    app = open_page("amplification", view="Flips", net=[VANILLA])
    for _ in range(len(EPSILONS) + 3):
        app.run()
    assert len(tried) == len(set(tried)) == len(EPSILONS) - 1
    assert "computed ahead" not in words(app)


def test_nothing_is_computed_ahead_while_something_is_awaited(open_page, engine):
    open_page("amplification", view="Flips", net=[VANILLA], seed=str(SLOW))
    assert engine.ahead == []


def test_nothing_is_computed_ahead_on_other_tabs(open_page, forgetful):
    open_page("amplification")
    assert forgetful.ahead == []
