"""What a page shows while something is looked at or computed, and when that fails."""

import json
import sys
import threading

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dqviz.experiments.resolve import Look
from dqviz.ui import requests, shipped
from dqviz.ui.settings import EPSILONS, Settings
from tests.ui.fake_engine import BAD_DATA, LOST, SLOW
from tests.ui.numbers import result_of
from tests.ui.reading import greyed, titles, words

VANILLA, DQ = "streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"


def figure(app):
    return app.get("plotly_chart")[0].proto.spec


@pytest.fixture
def large_file(monkeypatch):
    """Data that takes as long to look at as the test likes; returns the event that ends it."""
    read = threading.Event()
    module = sys.modules[Look.__module__]
    real = module.fingerprint_data

    def fingerprint_data(spec, *, progress):
        while not read.wait(0.01):
            progress(3 * 10**9, 12 * 10**9)
        return real(spec)

    monkeypatch.setattr(module, "fingerprint_data", fingerprint_data)
    yield read
    read.set()


def test_large_files_are_looked_at_with_progress_before_anything_is_asked(
    open_page, engine, large_file
):
    app = open_page("amplification")
    assert "Looking at the files, 3.0 of 12.0 GB" in str(app.get("progress")[0].proto)
    assert not engine.asked
    assert not app.get("plotly_chart")
    large_file.set()
    app.run()
    assert engine.asked
    assert titles(app) == ["Distance by layer"]
    assert not app.get("progress")


def test_looking_can_be_cancelled_and_begun_again(open_page, engine, large_file):
    app = open_page("amplification")
    (thread,) = [t for t in threading.enumerate() if t.name == "dqviz-lookup" and t.is_alive()]
    app.button(key="cancel").click().run()
    assert "Cancelled" in words(app)
    assert not app.get("progress")
    thread.join(timeout=5)
    assert not thread.is_alive()
    app.run()
    assert not engine.asked
    large_file.set()
    app.button(key="again").click().run()
    assert titles(app) == ["Distance by layer"]


def test_another_choice_ends_the_looking_at_what_nobody_wants(open_page, engine, large_file):
    app = open_page("amplification")
    (old,) = [t for t in threading.enumerate() if t.name == "dqviz-lookup" and t.is_alive()]
    app.select_slider(key="abits").set_value(3).run()
    old.join(timeout=5)
    assert not old.is_alive()
    large_file.set()
    app.run()
    assert {spec.quant.act_bits for spec in engine.asked} == {3, 32}


def test_progress_and_cancel(open_page, engine):
    app = open_page("amplification", seed=str(SLOW))
    assert "crafting the perturbation" in str(app.get("progress")[0].proto)
    assert not app.get("plotly_chart")
    app.button(key="cancel").click().run()
    assert "Cancelled" in words(app)
    assert not app.get("progress")
    assert all(job.status == "cancelled" for job in engine.slow)


def test_a_cancelled_request_is_asked_again_only_on_request(open_page, engine):
    app = open_page("amplification", seed=str(SLOW))
    app.button(key="cancel").click().run()
    asked = len(engine.asked)
    app.run()
    assert len(engine.asked) == asked
    app.button(key="again").click().run()
    assert len(engine.asked) == 2 * asked
    assert app.get("progress")


def test_the_old_picture_stays_greyed_while_the_new_one_is_computed(open_page, engine):
    app = open_page("amplification")
    before = figure(app)
    app.number_input(key="seed").set_value(SLOW).run()
    assert figure(app) == before
    assert greyed(app)
    engine.finish_slow()
    app.run()
    assert figure(app) != before
    assert not app.get("progress")
    assert not greyed(app)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("ClassesError", "the data that the network was trained on"),
        ("TrainError", "Change the laboratory's choices"),
        ("anything else", "Change a setting of the sidebar"),
    ],
)
def test_advice_is_that_of_the_kind(kind, advice):
    app = AppTest.from_string(
        f"from dqviz.ui.errors import show_error\nshow_error('what *happened*. ', {kind!r})"
    ).run()
    (box,) = app.error
    assert box.value.startswith("what \\*happened\\*.\n\n")
    assert advice in box.value


@pytest.mark.parametrize(
    ("seed", "message", "advice"),
    [
        (BAD_DATA, "there are no images in the folder", "streetdigits"),
        (LOST, "was lost twice", "Take fewer images"),
    ],
)
def test_a_failure_says_what_to_do_and_is_not_repeated(open_page, engine, seed, message, advice):
    app = open_page("amplification", seed=str(seed))
    (box,) = app.error
    assert message in box.value
    assert advice in box.value
    asked = len(engine.asked)
    app.run()
    assert len(engine.asked) == asked
    app.number_input(key="seed").set_value(0).run()
    assert not app.error
    assert titles(app) == ["Distance by layer"]


def test_the_page_answers_while_the_engine_starts(open_page, engine):
    engine.set_state("starting", "the engine is starting")
    app = open_page("amplification")
    assert "The engine is starting" in str(app.get("progress")[0].proto)
    assert not app.error
    engine.set_state("ready", "ready")
    engine.finish_slow()
    app.run()
    assert titles(app) == ["Distance by layer"]


def test_a_restarted_engine_says_so(open_page, engine):
    engine.set_state("restarted", "a computing process was lost and started again")
    assert "was lost and started again" in words(open_page("lipschitz"))


def test_an_engine_that_does_not_run_can_be_started_again(open_page, engine):
    engine.set_state("failed", "the engine does not run: no memory")
    app = open_page("amplification")
    assert "does not run" in words(app)
    engine.set_state("ready", "ready")
    before = engine.starts
    app.button(key="restart").click().run()
    assert engine.starts > before
    assert not app.error


def test_the_first_page_shows_the_shipped_result_until_there_is_a_live_one(
    open_page, engine, monkeypatch
):
    engine.set_state("starting", "the engine is starting")
    tables = [result_of(s).table for s in requests.amplification(Settings(networks=(VANILLA, DQ)))]
    monkeypatch.setattr(shipped, "overview", lambda: shipped.view_of(pd.concat(tables)))
    app = open_page()
    assert "Shipped result" in words(app)
    assert titles(app) == ["Distance by layer"]
    engine.set_state("ready", "ready")
    engine.finish_slow()
    app.run()
    assert "Shipped result" not in words(app)
    assert titles(app) == ["Distance by layer"]


def test_the_engine_starts_once_the_first_page_is_drawn(open_page, engine):
    engine.has_started = False
    app = open_page()
    assert titles(app) == ["Distance by layer"]
    assert [badge.value for badge in app.markdown if "Shipped result" in str(badge.value)]
    assert (engine.starts, engine.asked) == (0, [])
    engine.has_started = True
    app.run()
    assert engine.asked


def test_what_the_slider_shows_is_computed_before_the_other_epsilons(open_page, engine):
    app = open_page("amplification", eps="2/255", net=[DQ], seed=str(SLOW))
    preview, full_preview, *whole = engine.asked
    assert preview.attack.epsilons == full_preview.attack.epsilons == (2 / 255,)
    assert [spec.attack.epsilons for spec in whole] == [tuple(e / 255 for e in EPSILONS)] * 2
    engine.finish_slow(preview)
    app.run()
    assert len(json.loads(figure(app))["data"]) == 2
    assert app.get("progress")
    assert not greyed(app)
    engine.finish_slow()
    app.run()
    assert len(json.loads(figure(app))["data"]) == 4
    assert not app.get("progress")


def test_a_picture_of_another_epsilon_is_greyed_until_its_own_is_there(open_page, engine):
    app = open_page("amplification", net=[DQ], seed=str(SLOW))
    engine.finish_slow(engine.asked[0])
    app.run()
    assert not greyed(app)
    app.select_slider(key="eps").set_value(4.0).run()
    assert greyed(app)
    assert engine.asked[-4].attack.epsilons == (4 / 255,)


def test_the_shipped_result_is_greyed_where_it_is_not_what_was_asked(
    open_page, engine, monkeypatch
):
    engine.set_state("starting", "the engine is starting")
    tables = [result_of(s).table for s in requests.amplification(Settings(networks=(VANILLA, DQ)))]
    monkeypatch.setattr(shipped, "overview", lambda: shipped.view_of(pd.concat(tables)))
    assert not greyed(open_page())
    app = open_page(abits="3")
    assert greyed(app)
    assert "At the last layer" not in words(app)
