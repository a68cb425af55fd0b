"""The page that looks into stores."""

import json

import pytest

from dqviz.studies import Failure, Owner, Store
from tests.studies.conftest import cell_at, with_seed
from tests.studies.making import MADE, finding
from tests.ui.reading import titles, words


@pytest.fixture
def study(engine, tmp_path):
    """A store in the data folder's `results`, with twelve finished cells and one that failed."""
    folder = tmp_path / "results"
    folder.mkdir()
    cells = [
        with_seed(cell_at(bits, k / 255, attack=attack), 0)
        for attack in ("fgsm", "pgd")
        for bits in (8, 4)
        for k in (1, 2, 4)
    ]
    failed = cell_at(2)
    with Store(folder / "mine.sqlite", write=True) as store:
        owner = Owner.new()
        store.claim([*cells, failed], owner)
        store.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
        store.fail([failed], owner, Failure(message="no such layer", kind="ModelError"))
    return folder / "mine.sqlite"


def drawn(app):
    return json.loads(app.get("plotly_chart")[0].proto.spec)["data"]


def test_without_a_store_the_page_says_how_to_make_one(open_page):
    app = open_page("studies")
    assert "python -m dqviz sweep grid.toml" in words(app)
    assert not app.exception
    assert app.select_slider(key="abits").value == 4


def test_a_number_against_a_setting(open_page, study):
    app = open_page("studies")
    assert not app.exception
    assert titles(app) == ["Margin against Epsilon"]
    assert "13 cells: 12 done, 1 failed" in words(app)
    app.selectbox(key="number").set_value("robust accuracy").run()
    assert titles(app) == ["Robust accuracy against Epsilon"]
    assert len(drawn(app)) == 4
    app.multiselect(key="attacks").set_value(["pgd"]).run()
    assert len(drawn(app)) == 2
    app.segmented_control(key="against").set_value("Activation bits").run()
    assert titles(app) == ["Robust accuracy against Activation bits"]
    assert [expander.label for expander in app.expander if "failed" in expander.label]


def test_a_link_reproduces_the_view(open_page, study):
    asked = {"number": "robust accuracy", "against": "Activation bits", "attacks": "fgsm"}
    app = open_page("studies", store="mine.sqlite", **asked)
    assert titles(app) == ["Robust accuracy against Activation bits"]
    assert len(drawn(app)) == 3
    assert "Ignored" not in words(app)


def test_what_a_link_asks_for_in_vain_is_named(open_page, study):
    app = open_page("studies", store="other.sqlite", number="nothing")
    assert "Ignored from the link" in words(app)
    assert "store=other.sqlite" in words(app)
    assert "number=nothing" in words(app)


def test_nothing_chosen_is_said(open_page, study):
    app = open_page("studies", number="robust accuracy")
    app.multiselect(key="networks").set_value([]).run()
    assert "Choose at least one network" in words(app)
    assert not app.exception


def test_what_is_finished_meanwhile_is_shown(open_page, study):
    app = open_page("studies", number="robust accuracy", attacks="fgsm")
    before = drawn(app)
    more = cell_at(4, 8 / 255)
    with Store(study, write=True) as store:
        owner = Owner.new()
        store.claim([more], owner)
        store.finish([(more, finding(more, 0.05))], owner, MADE)
    app.run()
    assert drawn(app) != before
    assert "13 done" in words(app)


def test_a_damaged_store_is_named_and_the_page_goes_on(open_page, study):
    study.write_bytes(study.read_bytes()[:5000])
    app = open_page("studies")
    assert "mine.sqlite" in app.error[0].value
    assert "results check" in app.error[0].value
    assert not app.exception
    assert app.select_slider(key="abits").value == 4
