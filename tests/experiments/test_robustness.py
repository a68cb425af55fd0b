"""Accuracy image by image, what broke each image, and the smallest epsilons."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from dqviz.attacks import BREAKERS, AttackError, craft_outcomes, smallest_epsilons
from dqviz.data import load_data
from dqviz.experiments import Cancelled
from dqviz.experiments.accuracy import rounded
from dqviz.experiments.resolve import resolve
from dqviz.experiments.run import run
from dqviz.experiments.saved_images import save_images
from dqviz.experiments.steps import Steps
from dqviz.experiments.workbench import Workbench
from dqviz.models import resolve_model
from dqviz.specs import AttackSpec, Craft, QuantSpec
from tests.experiments.tables import spec, value

STANDARD = AttackSpec(name="standard", steps=2, queries=5, epsilons=(0.0, 0.25 / 255, 24 / 255))


def of(result, metric, epsilon):
    chosen = result.samples[result.samples["metric"] == metric]
    chosen = chosen[chosen["epsilon"] == epsilon].sort_values("image")
    assert set(chosen["layer"]) <= {"network"}
    return chosen["value"].tolist()


@pytest.mark.parametrize("attack", [AttackSpec(epsilons=(0.25 / 255, 24 / 255)), STANDARD])
def test_accuracy_says_of_every_image_whether_it_is_right(attack, model, data):
    data = dataclasses.replace(data, n_samples=12)
    result = run(spec("accuracy", model, data, attack=attack))
    network, images = resolve_model(model), load_data(data)

    def right(versions):
        with torch.no_grad():
            return (network(versions).argmax(1) == images.labels).float().tolist()

    for epsilon in attack.epsilons:
        options = {"batch_size": 64}
        stopped, final = (
            craft_outcomes(network, images.images, images.labels, attack, early_stop=e, **options)
            for e in (True, False)
        )
        versions = {
            "clean_accuracy": images.images,
            "robust_accuracy": stopped[epsilon].adversarial,
            "robust_accuracy_uint8": rounded(final[epsilon].adversarial),
        }
        if epsilon < 0.5 / 255:
            assert of(result, "robust_accuracy_uint8", epsilon) == []
            del versions["robust_accuracy_uint8"]
        for metric, version in versions.items():
            assert of(result, metric, epsilon) == right(version)
            rows = result.table[result.table["epsilon"] == epsilon]
            assert np.mean(right(version)) == pytest.approx(value(rows, metric))
    assert of(result, "clean_accuracy", 24 / 255) != of(result, "robust_accuracy", 24 / 255)


@pytest.mark.parametrize("attack", [AttackSpec(name="bim", epsilons=(1 / 255,)), STANDARD])
def test_without_rounded_images_the_attack_runs_once_and_the_rest_is_as_before(attack, model, data):
    data = dataclasses.replace(data, n_samples=12)
    whole = spec("accuracy", model, data, attack=attack)
    asked = []
    bench = Workbench()
    craft = bench.outcomes
    bench.outcomes = lambda *args, **options: (
        asked.append(options["early_stop"]) or craft(*args, **options)
    )
    short = run(dataclasses.replace(whole, rounded=False), bench=bench)
    assert asked == [True]
    long = run(whole)
    for found, everything in ((short.table, long.table), (short.samples, long.samples)):
        assert "robust_accuracy_uint8" in set(everything["metric"])
        rest = everything[everything["metric"] != "robust_accuracy_uint8"]
        pd.testing.assert_frame_equal(
            found, rest.reset_index(drop=True), check_dtype=False, check_categorical=False
        )


def test_the_ensemble_says_which_attack_broke_each_image(model, data):
    data = dataclasses.replace(data, n_samples=12)
    result = run(spec("accuracy", model, data, attack=STANDARD))
    for epsilon in STANDARD.epsilons:
        broken = [BREAKERS[int(code)] for code in of(result, "broken_by", epsilon)]
        robust = of(result, "robust_accuracy", epsilon)
        assert [name == "none" for name in broken] == [bool(right) for right in robust]
        clean = of(result, "clean_accuracy", epsilon)
        assert [name == "clean" for name in broken] == [not right for right in clean]
        rows = result.table[result.table["epsilon"] == epsilon]
        shares = {name: value(rows, "broken_by", name) for name in BREAKERS}
        assert shares == {name: pytest.approx(broken.count(name) / 12) for name in BREAKERS}
    assert "apgd_ce" in broken
    others = Craft(model=model, quant=QuantSpec())
    transferred = run(spec("accuracy", model, data, attack=STANDARD, crafted_on=others))
    assert "broken_by" not in set(transferred.table["metric"])


def test_other_attacks_have_no_such_rows(model, data):
    result = run(spec("accuracy", model, data))
    assert "broken_by" not in set(result.table["metric"]) | set(result.samples["metric"])


@pytest.mark.parametrize("name", ["bim", "square"])
def test_smallest_epsilons_are_those_of_the_search(name, model, data):
    data = dataclasses.replace(data, n_samples=12)
    attack = AttackSpec(name=name, steps=3, queries=10, epsilons=(1 / 255, 8 / 255))
    result = run(spec("smallest_epsilon", model, data, attack=attack, quant=QuantSpec(act_bits=8)))
    again = run(spec("smallest_epsilon", model, data, attack=attack))
    network, images = resolve_model(model), load_data(data)
    expected = smallest_epsilons(
        *(network, images.images, images.labels, attack),
        bound=8 / 255,
        tolerance=8 / 255 / 256,
        batch_size=64,
    ).epsilon
    found = of(again, "smallest_epsilon", 8 / 255)
    np.testing.assert_allclose(found, expected.numpy(), atol=2 / 255 / 256)
    assert (np.array(found) == 0).tolist() == (np.array(_clean(network, images)) == 0).tolist()
    for table in (result.table, again.table):
        assert set(table["metric"]) == {"clean_accuracy", "smallest_epsilon", "never_flipped"}
        assert set(table["epsilon"]) == {8 / 255}
    assert value(again.table, "never_flipped") == pytest.approx(np.isinf(found).mean())
    assert value(again.table, "smallest_epsilon", "median") == sorted(found)[5]
    assert value(again.table, "smallest_epsilon", "low") <= sorted(found)[5]
    assert value(again.table, "clean_accuracy", "high") <= 1


def _clean(network, images):
    with torch.no_grad():
        return (network(images.images).argmax(1) == images.labels).float().tolist()


def test_a_search_without_a_bound_or_on_another_network_is_refused(model, data):
    with pytest.raises(AttackError, match="bound of the search for the smallest, above 0; got 0"):
        run(spec("smallest_epsilon", model, data, attack=AttackSpec(epsilons=(0.0,))))
    crafted = Craft(model=model, quant=QuantSpec(act_bits=4))
    with pytest.raises(AttackError, match="on the network itself; got perturbations crafted on"):
        run(spec("smallest_epsilon", model, data, crafted_on=crafted))


@pytest.mark.parametrize("kind", ["smallest_epsilon", "accuracy"])
@pytest.mark.parametrize("name", ["apgd_dlr", "square", "standard"])
def test_strong_attacks_are_cancelled_at_once(kind, name, model, data):
    asked = []

    def cancelled():
        asked.append(0)
        return len(asked) > 12

    data = dataclasses.replace(data, n_samples=12)  # some of them are right
    # So small an epsilon flips nothing: without being cancelled it would take hours.
    attack = AttackSpec(name=name, steps=100_000, queries=100_000, epsilons=(1e-7,))
    with pytest.raises(Cancelled):
        run(spec(kind, model, data, attack=attack), cancelled=cancelled)
    assert len(asked) == 13


def test_saved_images_that_come_back_changed_are_counted(model, data, tmp_path, monkeypatch):
    wanted = resolve(spec("accuracy", model, data, attack=AttackSpec(epsilons=(4 / 255,))))
    (saved,) = save_images(wanted, tmp_path, Workbench(), Steps())
    assert (saved.changed, saved.loaded) == (0, saved.written)
    assert len(list(saved.folder.glob("*.png"))) == 8
    from dqviz.experiments import saved_images

    monkeypatch.setattr(
        saved_images, "decode_image", lambda data, size, where: np.zeros((size, size, 3), np.uint8)
    )
    (saved,) = save_images(wanted, tmp_path, Workbench(), Steps())
    assert saved.changed == 8
