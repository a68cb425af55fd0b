"""A training that diverges says so, and what it had reached before that is kept."""

import itertools
import json

import pytest
import torch
from torch import nn

from dqviz.cards import read_card
from dqviz.defense import Diverged, TrainError, ship, train, train_network, training
from dqviz.defense.adversary import Adversary
from dqviz.defense.last_good import LastGood
from dqviz.defense.quantized import TrainQuant
from dqviz.models import resolve_model
from dqviz.specs import DefenseSpec, ModelSpec
from tests.defense.test_training import Killed, images, recipe, same

GOOD_STEPS = 4


@pytest.fixture
def diverging(monkeypatch):
    """After `GOOD_STEPS` steps the learning rate leaves all reason; the images are made."""
    usual = training.learning_rate

    def rate(wanted, step, steps_per_epoch):
        return usual(wanted, step, steps_per_epoch) if step < GOOD_STEPS else 1e30

    monkeypatch.setattr(training, "learning_rate", rate)
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())


@pytest.fixture
def before(monkeypatch):
    """The weights before every step, as the training goes on."""
    seen = {}
    step = training._Run.one_step

    def noted(self):
        seen[self.step] = {name: v.clone() for name, v in self.model.state_dict().items()}
        step(self)

    monkeypatch.setattr(training._Run, "one_step", noted)
    return seen


def test_the_last_good_weights_are_kept(tmp_path, diverging, before):
    said = "the last good weights are kept as made-plain20-vanilla-last-good.safetensors"
    with pytest.raises(TrainError, match=rf"lower learning_rate .*; {said}"):
        train(recipe(), tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    stem = "made-plain20-vanilla-last-good"
    assert names == [f"{stem}.json", f"{stem}.safetensors"], "no checkpoint of a diverged training"
    card = read_card(tmp_path / f"{stem}.json")
    last = max(before)
    assert last > GOOD_STEPS
    good = int(card.statement.rsplit("weights of step ", 1)[1])
    assert good <= GOOD_STEPS, "the last update that was of use is the one of step 3"
    assert f"diverged at step {last} of 6" in card.statement
    kept = resolve_model(ModelSpec(id="mine", checkpoint=str(tmp_path / f"{stem}.safetensors")))
    for name, value in kept.net.state_dict().items():
        expected = before[good][f"net.{name}"]
        if value.is_floating_point() and "running" not in name:
            assert torch.equal(value, expected), name
    assert card.accuracy["n"] == len(images())
    json.dumps(card.recipe)


def test_a_killed_training_keeps_the_same(tmp_path, diverging, monkeypatch):
    def killed(progress):
        if progress.step == GOOD_STEPS:
            raise Killed

    with pytest.raises(Diverged) as straight:
        train_network(recipe(), tmp_path / "a", data=images())
    monkeypatch.setattr(training.time, "monotonic", itertools.count(step=2).__next__)
    with pytest.raises(Killed):
        train_network(recipe(), tmp_path / "b", data=images(), report=killed)
    assert (tmp_path / "b" / "training.pt").is_file()
    with pytest.raises(Diverged) as again:
        train_network(recipe(), tmp_path / "b", data=images())
    one, other = straight.value.last_good, again.value.last_good
    assert one.stopped == other.stopped
    assert same(one.model, other.model)


@pytest.mark.parametrize(
    "changes",
    [{"adversary": Adversary(name="rfgsm")}, {"quant": TrainQuant(act_bits=4, weight_bits=8)}],
    ids=["attacked", "quantized"],
)
def test_every_kind_of_training_may_diverge(tmp_path, diverging, changes):
    with pytest.raises(Diverged, match="lower learning_rate") as error:
        train_network(recipe(**changes), tmp_path, data=images())
    good = error.value.last_good
    assert bool(good.model(images().images).isfinite().all())
    assert (good.ranges is not None) == ("quant" in changes)


def test_where_nothing_was_good_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())
    with pytest.raises(TrainError, match=r"the loss is inf at step 0.*\(now 1e\+300\)$"):
        train(recipe(defense=DefenseSpec(arm="raw", beta=1e300)), tmp_path)
    assert not list(tmp_path.glob("*"))


def test_good_ends_where_the_loss_has_grown():
    model = nn.Linear(1, 1, bias=False)
    good = LastGood()
    for step, loss in enumerate([2.0, 1.0, 1.5, 9.0, 200.0]):
        nn.init.constant_(model.weight, float(step))
        good.note(model, step=step, loss=loss)
    assert good.step == 2
    assert float(good.state["weight"]) == 2.0, "a copy: later updates do not reach it"
    other = LastGood()
    other.restore(good.saved())
    other.note(model, step=5, loss=9.0)
    assert other.step == 2
