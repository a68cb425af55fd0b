"""One image through one network: its pictures, its label, and what is remembered of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from dqviz.data import load_data
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.models import resolve_model
from dqviz.specs import AttackSpec
from tests.experiments.tables import spec, value

CRAFTING = "crafting the perturbation"


def test_the_playground_shows_one_image(model, data):
    wanted = spec("playground", model, data, sample=3)
    layers = set(run(spec("playground", model, data)).table["layer"])
    last = next(name for name in sorted(layers) if name not in ("logits", "conv1"))
    result = run(dataclasses.replace(wanted, layers=("conv1", last)))
    images = load_data(data)
    arrays = result.arrays_at(1 / 255)
    assert np.array_equal(arrays["clean"], images.images[3].numpy())
    change = arrays["adversarial"] - arrays["clean"]
    assert np.allclose(change, arrays["perturbation"])
    assert np.abs(change).max() == pytest.approx(1 / 255, rel=1e-3)
    table = result.table
    for layer in ("conv1", last):
        picture = arrays[f"difference/{layer}"]
        distance = value(table, "relative_distance", layer=layer)
        assert picture.ndim == 2
        assert np.sqrt(np.square(picture, dtype=np.float64).mean()) == pytest.approx(
            distance, rel=1e-4
        )
    shares = table[table["metric"] == "probability"]
    assert shares.groupby("stage")["probability"].sum().to_numpy() == pytest.approx([1, 1])
    with torch.no_grad():
        expected = resolve_model(model)(images.images[3:4]).softmax(1)[0].tolist()
    found = shares[shares["stage"] == "clean"].sort_values("class_index")["probability"]
    assert list(found) == pytest.approx(expected, abs=1e-5)
    assert set(table["label"].dropna()) == {str(int(images.labels[3]))}


def test_many_epsilons_at_once_are_each_what_one_alone_is(model, data):
    epsilons = (0.0, 1 / 255, 4 / 255)
    layers = ("conv1",)
    together = spec("playground", model, data, attack=AttackSpec(epsilons=epsilons), layers=layers)
    found = run(together)
    for epsilon in epsilons:
        attack = AttackSpec(epsilons=(epsilon,))
        alone = run(dataclasses.replace(together, attack=attack))
        rows = found.table[found.table["epsilon"] == epsilon].reset_index(drop=True)
        assert len(rows) == len(alone.table)
        order = ["layer", "metric", "statistic", "class_index"]
        mine, theirs = (t.sort_values(order)["value"].to_numpy() for t in (rows, alone.table))
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-7)
        arrays, expected = found.arrays_at(epsilon), alone.arrays_at(epsilon)
        assert arrays.keys() == expected.keys()
        for name, array in expected.items():
            np.testing.assert_allclose(arrays[name], array, rtol=1e-3, atol=1e-6)
    assert set(found.arrays_at(3.9 / 255)) == set(found.arrays_at(4 / 255))
    assert np.abs(found.arrays_at(9)["perturbation"]).max() == pytest.approx(4 / 255, rel=1e-3)


def test_the_clean_accuracy_stands_beside_one_image_too(model, data):
    table = run(spec("playground", model, data)).table
    whole = run(spec("accuracy", model, data)).table
    assert table["clean_accuracy"].notna().all()
    assert table["clean_accuracy"].iloc[0] == whole["clean_accuracy"].iloc[0]
    assert table["clean_accuracy_full"].notna().all()


def test_an_uploaded_image_is_labelled_by_the_network(model, data, images_folder, tmp_path):
    from PIL import Image

    file = tmp_path / "own.png"
    Image.new("RGB", (40, 30), (200, 30, 30)).save(file)
    result = run(spec("playground", model, data, image=str(file)))
    assert result.arrays["clean"].shape == (3, 32, 32)
    clean = result.table[result.table["stage"] == "clean"]
    assert set(clean["label"]) == set(clean["predicted"])
    assert any("uploaded" in note for note in result.notes)


def texts_of(wanted, bench):
    """What a computation says that it is doing."""
    told = []
    run(wanted, bench=bench, progress=lambda fraction, text: told.append(text))
    return set(told)


def test_other_layers_of_the_same_image_craft_nothing_anew(model, data):
    bench = Workbench()
    attack = AttackSpec(name="pgd", steps=2)
    wanted = spec("playground", model, data, attack=attack)
    assert CRAFTING in texts_of(wanted, bench)
    again = dataclasses.replace(wanted, layers=("conv1",))
    assert CRAFTING not in texts_of(again, bench)
    remembered, fresh = (run(again, bench=b) for b in (bench, Workbench()))
    assert remembered.table.equals(fresh.table)
    plain = run(wanted, bench=bench).arrays_at(1 / 255)
    assert set(remembered.arrays_at(1 / 255)) == {*plain, "difference/conv1"}
    for name, array in fresh.arrays.items():
        assert np.array_equal(array, remembered.arrays[name])


def test_another_image_epsilon_or_file_is_crafted(model, data, tmp_path):
    from PIL import Image

    bench = Workbench()
    wanted = spec("playground", model, data)
    run(wanted, bench=bench)
    file = tmp_path / "own.png"
    Image.new("RGB", (32, 32), (200, 30, 30)).save(file)
    stronger = AttackSpec(epsilons=(2 / 255,))
    for change in ({"sample": 1}, {"attack": stronger}, {"image": str(file)}):
        assert CRAFTING in texts_of(dataclasses.replace(wanted, **change), bench)
    Image.new("RGB", (32, 32), (30, 30, 200)).save(file)
    assert CRAFTING in texts_of(dataclasses.replace(wanted, image=str(file)), bench)
