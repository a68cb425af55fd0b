"""The DQ laboratory: every choice is a recipe, and a training is drawn, cancelled and kept."""

import dataclasses
import itertools
import json
import tomllib

import pytest

from dqviz.cards import file_stem, load_card, shipped_ids, weights_folder, write_card
from dqviz.defense.recipe import from_table
from dqviz.jobs import Book
from dqviz.specs.training import COURSE as FILE
from dqviz.specs.training import LAST_GOOD
from dqviz.ui import lab, lab_form
from tests.charts.test_course import COURSE
from tests.experiments.waiting import until
from tests.ui.reading import words

DEFAULT = lab_form.Choice(
    "streetdigits/resnet20/vanilla", 5000, 1, 0.02, 32, "folded", 1e-2, 5e-4, "", 0
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


def network_in(folder, *, ending=""):
    """A shipped network and its card, as a training leaves them."""
    card = load_card("streetdigits/resnet20/vanilla")
    id = f"streetdigits/resnet20/lab-folded-abc{ending}"
    weights = folder / f"{file_stem(id)}.safetensors"
    weights.write_bytes(weights_folder().joinpath(card.file).read_bytes())
    name = id.rpartition("/")[2]
    made = dataclasses.replace(card, id=id, weights=name, file=weights.name)
    write_card(made, weights.with_suffix(".json"))
    return id


@pytest.mark.parametrize("ending", ["", LAST_GOOD])
def test_what_it_ends_with_is_compared_and_taken_away(open_page, started, monkeypatch, ending):
    app = open_page("lab")
    next(b for b in app.button if b.label == "Start the training").click().run()
    ((book, record),) = started
    id = network_in(book.training_folder(record.id), ending=ending)
    error = "the loss is nan at step 7; the last good weights are kept" if ending else ""

    def over(record):
        state = "failed" if error else "done"
        return record.over(state, error=error, error_kind="TrainError" if error else "")

    monkeypatch.setattr(Waits, "ending", staticmethod(over))
    until(lambda: book.view(record.id).state != "running")
    app.run()
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
