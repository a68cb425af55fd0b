"""The DQ laboratory: every choice is a recipe, and a training is drawn, cancelled and kept."""

import itertools
import json
import shutil
import tomllib

import pytest
from PIL import Image

from dqviz.cards import file_stem, shipped_ids
from dqviz.defense.recipe import from_table
from dqviz.jobs import Book
from dqviz.specs.training import COURSE as FILE
from dqviz.specs.training import LAST_GOOD
from dqviz.ui import lab, lab_form, visitor
from dqviz.ui import trained as trained_networks
from tests.charts.test_course import COURSE
from tests.experiments.waiting import until
from tests.ui.made_networks import network_in
from tests.ui.reading import words

DEFAULT = lab_form.Choice(
    "streetdigits/resnet20/vanilla", lab_form.SAME, 5000, 1, 0.02, 32, "folded", 1e-2, 5e-4, "", 0
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *itertools.product(["act_bits"], lab_form.BITS),
        *itertools.product(["arm"], lab_form.ARMS),
        *itertools.product(["beta"], lab_form.BETAS),
        *itertools.product(["rate"], lab_form.RATES),
        *itertools.product(["adversary"], lab_form.ADVERSARIES.values()),
        *itertools.product(["epochs"], lab_form.EPOCHS),
        ("start", "New weights: streetdigits/plain20/vanilla"),
        ("start", "cifar10/resnet20/dq"),
    ],
)
def test_every_choice_is_a_recipe(field, value):
    choice = DEFAULT._replace(**{field: value})
    recipe = from_table(tomllib.loads(lab_form.recipe_text(choice, "lab-1")))
    assert recipe.id.endswith("/lab-1")
    assert recipe.epochs == choice.epochs
    assert recipe.defense.arm == choice.arm
    assert recipe.defense.beta == (0.0 if choice.arm == "none" else choice.beta)
    assert (recipe.quant is None) == (choice.act_bits == 32)
    assert (recipe.adversary is None) == (choice.adversary == "")
    assert bool(recipe.start) == (not choice.start.startswith("New"))
    if recipe.start:
        assert recipe.start in shipped_ids()


def save(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(path)


def test_data_of_ones_own_is_offered_where_its_test_images_lie_apart(open_page, tmp_path):
    save(
        tmp_path / "pets",
        *(f"{s}/{c}/{i}.png" for s in ("train", "val") for c in "ab" for i in "12"),
    )
    save(tmp_path / "heap", "a/1.png", "b/1.png")
    options = open_page("lab").selectbox(key="lab_data").options
    assert "folder:pets" in options
    assert "folder:heap" not in options
    assert {"streetdigits", "cifar10", "svhn", lab_form.SAME} <= set(options)
    choice = DEFAULT._replace(start="New weights: cifar10/resnet20/vanilla", data="folder:pets")
    recipe = from_table(tomllib.loads(lab_form.recipe_text(choice, "lab-1")))
    assert recipe.id == "own/resnet20/lab-1"
    assert recipe.data.name == recipe.test.name == f"folder:{tmp_path / 'pets'}"
    assert (recipe.data.split, recipe.data.n_samples) == ("train", 4)
    assert (recipe.test.split, recipe.test.n_samples) == ("test", 4)


@pytest.mark.parametrize(("data", "flip"), [("svhn", False), ("cifar10", True)])
def test_digits_are_not_mirrored(data, flip):
    choice = DEFAULT._replace(data=data)
    recipe = from_table(tomllib.loads(lab_form.recipe_text(choice, "lab-1")))
    assert (recipe.data.name, recipe.flip) == (data, flip)
    assert recipe.id == f"{data}/resnet20/lab-1"
    assert recipe.start == "streetdigits/resnet20/vanilla"


def test_data_that_is_gone_is_said(open_page, started, tmp_path):
    save(tmp_path / "pets", *(f"{s}/{c}/1.png" for s in ("train", "test") for c in "ab"))
    app = open_page("lab")
    app.selectbox(key="lab_data").set_value("folder:pets")
    shutil.rmtree(tmp_path / "pets")
    next(b for b in app.button if b.label == "Start the training").click().run()
    assert not app.exception
    assert started == []
    assert any("Not started" in e.value and "pets" in e.value for e in app.error)


def test_a_course_is_read_as_far_as_it_is_whole(tmp_path):
    assert lab.read_course(tmp_path) == []
    lines = [json.dumps(look) for look in (*COURSE, {**COURSE[1], "loss": 9.0})]
    (tmp_path / FILE).write_text("\n".join([*lines, '{"step": 30, "lo']))
    found = lab.read_course(tmp_path)
    assert [look["step"] for look in found] == [0, 10, 20]
    assert found[1]["loss"] == 9.0, "a killed run went on from an earlier step"


@pytest.fixture
def started(monkeypatch):
    """Trainings are noted, and begin nothing."""
    asked = []
    monkeypatch.setattr(
        "dqviz.jobs.workshop.Workshop._process", lambda self, record, *module, **more: Waits(record)
    )
    add = Book.add_training

    def noted(self, user, **more):
        record = add(self, user, **more)
        asked.append((self, record))
        return record

    monkeypatch.setattr(Book, "add_training", noted)
    return asked


class Waits:
    ending = None
    """What becomes of the record, once it is asked again."""

    def __init__(self, record):
        self.record = record

    def look(self):
        from dqviz.jobs import View

        return View(record=self.record, state="running", fraction=0.5, text="epoch 1 of 1")

    def outcome(self):
        return None if self.ending is None else self.ending(self.record)

    def cancel(self):
        pass


def test_a_training_is_started_drawn_and_cancelled(open_page, started):
    app = open_page("lab")
    assert "Nothing is being trained" in words(app)
    next(b for b in app.button if b.label == "Start the training").click().run()
    ((book, record),) = started
    assert from_table(tomllib.loads(record.recipe)).defense.arm == "folded"
    folder = book.training_folder(record.id)
    (folder / FILE).write_text("\n".join(json.dumps(look) for look in COURSE))
    app.run()
    assert not app.exception
    assert len(app.get("plotly_chart")) == 4
    next(b for b in app.button if b.label == "Cancel").click().run()
    assert book.view(record.id).state == "cancelled"
    assert "Cancelled" in words(app)


def trained(app, started, monkeypatch, *, ending="", error=""):
    """Has a training begin and end; returns the book, its record, and the network's name."""
    next(b for b in app.button if b.label == "Start the training").click().run()
    ((book, record),) = started
    id = network_in(book.training_folder(record.id), ending=ending)

    def over(record):
        state, kind = ("failed", "TrainError") if error else ("done", "")
        return record.over(state, error=error, error_kind=kind)

    monkeypatch.setattr(Waits, "ending", staticmethod(over))
    until(lambda: book.view(record.id).state != "running")
    app.run()
    return book, record, id


def offered(app):
    return app.sidebar.multiselect(key="net").options


def test_what_was_trained_stands_in_every_list_of_its_visitor(open_page, started, monkeypatch):
    app = open_page("lab")
    book, record, id = trained(app, started, monkeypatch)
    assert id in offered(app)
    assert id not in app.session_state["net"], "it is offered, not chosen"
    assert id in offered(app.switch_page("../../pages/amplification.py").run())
    other = open_page("amplification")
    assert id not in offered(other), "another visitor's"
    monkeypatch.setattr(visitor, "user", lambda: record.user)
    vanilla = "streetdigits/resnet20/vanilla"
    again = open_page("overview", net=[vanilla, id])  # by the same visitor, in a new session
    assert not again.exception
    assert again.session_state["net"] == [vanilla, id]
    assert not [warning for warning in again.warning if "Ignored" in warning.value]
    assert any("leaves your own network out" in caption.value for caption in again.caption)
    book.remove(record.id, record.user)
    again.run()
    assert not again.exception
    assert id not in offered(again)
    assert again.session_state["net"] == [vanilla]


def test_a_damaged_card_breaks_no_page(open_page, started, monkeypatch):
    app = open_page("lab")
    book, record, id = trained(app, started, monkeypatch)
    trained_networks.read.clear()
    next(book.training_folder(record.id).glob("*.json")).write_text("{")
    app.switch_page("../../pages/amplification.py").run()
    assert not app.exception
    assert id not in offered(app)


@pytest.mark.parametrize("ending", ["", LAST_GOOD])
def test_what_it_ends_with_is_compared_and_taken_away(open_page, started, monkeypatch, ending):
    app = open_page("lab")
    error = "the loss is nan at step 7; the last good weights are kept" if ending else ""
    id = trained(app, started, monkeypatch, ending=ending, error=error)[-1]
    assert not app.exception
    said = words(app) + " ".join(item.value for item in app.success)
    assert ("Last good weights: 96.8 %" if ending else "Trained: 96.8 %") in said
    assert error in said
    next(b for b in app.button if b.label == "Compare it on every page").click().run()
    assert not app.exception
    assert app.session_state["net"][-1] == id


def test_weights_without_their_card_are_no_network(open_page, started, monkeypatch):
    app = open_page("lab")
    next(b for b in app.button if b.label == "Start the training").click().run()
    ((book, record),) = started
    id = network_in(book.training_folder(record.id))
    (book.training_folder(record.id) / f"{file_stem(id)}.json").unlink()
    monkeypatch.setattr(Waits, "ending", staticmethod(lambda record: record.over("done")))
    until(lambda: book.view(record.id).state != "running")
    app.run()
    assert not app.exception
    assert not app.success
