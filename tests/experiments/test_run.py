"""Experiments against what the rooms below give when called by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from dqviz import __version__
from dqviz.attacks import FGSM, matched_control
from dqviz.data import ClassesError, DataError, load_data
from dqviz.experiments import COLUMNS, Cancelled, resolve
from dqviz.experiments.result import COSTS
from dqviz.experiments.run import run
from dqviz.experiments.setting import Setting
from dqviz.experiments.workbench import Workbench
from dqviz.measure import efficiency
from dqviz.models import ModelError, resolve_model
from dqviz.quantize import quantize_model
from dqviz.specs import (
    CONTROLS,
    AttackSpec,
    Craft,
    DataSpec,
    ModelSpec,
    QuantSpec,
    spec_key,
)
from tests.experiments.tables import spec, value


def test_distances_are_those_of_a_loop_by_hand(model, data):
    result = run(spec("amplification", model, data))
    network = resolve_model(model)
    images = load_data(data)
    crafted = FGSM(network, eps=1 / 255)(images.images, images.labels)
    seen = []
    handle = network.net.get_submodule("conv1").register_forward_hook(
        lambda layer, inputs, output: seen.append(inputs[0])
    )
    with torch.no_grad():
        logits = [network(batch).double() for batch in (images.images, crafted)]
    handle.remove()
    for layer, (clean, perturbed) in (("conv1", seen), ("logits", logits)):
        clean, perturbed = clean.double().flatten(1), perturbed.double().flatten(1)
        expected = ((perturbed - clean).norm(dim=1) / clean.norm(dim=1)).mean()
        found = value(result.table, "relative_distance", "mean", layer=layer)
        assert found == pytest.approx(float(expected), rel=1e-4)
    correct = (logits[1].argmax(1) == images.labels).double().mean()
    assert value(result.table, "robust_accuracy") == pytest.approx(float(correct))


def test_the_samples_say_which_images_are_classified_correctly(model, data):
    epsilon, data = 24 / 255, dataclasses.replace(data, n_samples=12)
    result = run(spec("amplification", model, data, attack=AttackSpec(epsilons=(epsilon,))))
    network, images = resolve_model(model), load_data(data)
    versions = {
        "clean_accuracy": images.images,
        "robust_accuracy": FGSM(network, eps=epsilon)(images.images, images.labels),
    }
    found = {}
    for metric, version in versions.items():
        with torch.no_grad():
            right = network(version).argmax(1) == images.labels
        rows = result.samples[result.samples["metric"] == metric].sort_values("image")
        assert rows["value"].tolist() == right.float().tolist()
        assert set(rows["layer"]) == {"network"}
        assert rows["value"].mean() == pytest.approx(value(result.table, metric))
        found[metric] = right.tolist()
    assert found["clean_accuracy"] != found["robust_accuracy"]


def test_every_row_says_what_it_is_of(model, data):
    result = run(spec("amplification", model, data, quant=QuantSpec(weight_bits=8, act_bits=4)))
    table = result.table
    assert tuple(table.columns) == COLUMNS
    assert set(table["model"]) == {"tests/wrn_10_1"}
    assert set(table["weights"]) == {"tiny"}
    assert set(table["weight_bits"]) == {8}
    assert set(table["act_bits"]) == {4}
    assert set(table["n_samples"]) == {8}
    assert set(table["version"]) == {__version__}
    assert set(table["crafted_on"]) == {"itself"}
    assert table["clean_accuracy"].notna().all()
    assert table["clean_accuracy_full"].nunique() == 1
    assert {"bucket_flip_rate", "sqnr_db", "quantizer_gain"} <= set(table["metric"])


def test_one_specification_gives_the_same_numbers_again(model, data):
    wanted = spec("amplification", model, data, attack=AttackSpec(name="pgd", steps=2))
    one, other = (run(wanted, bench=Workbench()) for _ in range(2))
    assert one.spec_key == other.spec_key == spec_key(resolve(wanted))
    assert one.table.equals(other.table)


def test_what_is_remembered_gives_the_numbers_of_a_fresh_start(model, data):
    bench = Workbench()
    coarse = spec("amplification", model, data, quant=QuantSpec(act_bits=3))
    fresh = run(coarse, bench=Workbench()).table
    for bits in (3, 8, 3):
        wanted = dataclasses.replace(coarse, quant=QuantSpec(act_bits=bits))
        table = run(wanted, bench=bench).table
        assert table.equals(fresh) == (bits == 3)


def test_rows_do_not_depend_on_what_else_is_asked_for(model, data):
    bench = Workbench()
    attack = AttackSpec(name="pgd", steps=2, epsilons=(1 / 255, 2 / 255), seed=4)
    one = dataclasses.replace(attack, epsilons=(2 / 255,))
    coarse = spec("amplification", model, data, quant=QuantSpec(act_bits=4))
    alone = run(dataclasses.replace(coarse, attack=one), bench=bench).table
    bench.sqnr_rows = type(bench.sqnr_rows)(max_entries=1)  # as if they had been let go
    both = run(dataclasses.replace(coarse, attack=attack, controls=True), bench=bench).table
    chosen = both[(both["attack"] == "pgd") & (both["epsilon"] == 2 / 255)]
    assert chosen.reset_index(drop=True).equals(alone)
    fresh = run(dataclasses.replace(coarse, attack=attack, controls=True), bench=Workbench())
    assert both.equals(fresh.table)


def test_controls_are_matched_to_the_attack(model, data):
    epsilons = (0.5 / 255, 2 / 255)
    attack = AttackSpec(epsilons=epsilons, seed=5)
    table = run(spec("amplification", model, data, attack=attack, controls=True)).table
    assert set(table["attack"]) == {"fgsm", *CONTROLS}
    for epsilon in epsilons:
        at_epsilon = table[table["epsilon"] == epsilon]
        first = [
            value(at_epsilon, "relative_distance", "mean", attack=name, layer="conv1")
            for name in ("fgsm", *CONTROLS)
        ]
        assert first == pytest.approx([first[0]] * 4, rel=1e-3)
        assert value(at_epsilon, "sqnr_db", "mean", attack="gaussian", layer="logits") > 60
    images = load_data(data)
    network = resolve_model(model)
    crafted = FGSM(network, eps=2 / 255)(images.images, images.labels)
    control = matched_control(
        "other_image", images.images, crafted, generator=torch.Generator().manual_seed(5)
    )
    with torch.no_grad():
        clean, noisy = network(images.images).double(), network(control).double()
    expected = ((noisy - clean).norm(dim=1) / clean.norm(dim=1)).mean()
    last = table[(table["epsilon"] == 2 / 255) & (table["attack"] == "other_image")]
    found = value(last, "relative_distance", "mean", layer="logits")
    assert found == pytest.approx(float(expected), rel=1e-3)


def test_the_quantization_noise_is_measured_against_full_precision(model, data):
    coarse = QuantSpec(act_bits=3)
    table = run(spec("amplification", model, data, quant=coarse, controls=True)).table
    images = load_data(data).images
    training = load_data(dataclasses.replace(data, split="train", n_samples=None)).images
    network = resolve_model(model)
    with torch.no_grad():
        full = network(images).double()
        noise = quantize_model(network, coarse, calibration=training)(images).double() - full
    expected = 20 * (full.norm(dim=1) / noise.norm(dim=1)).log10()
    for name in ("fgsm", *CONTROLS):
        found = value(table, "sqnr_db", "mean", layer="logits", attack=name)
        assert found == pytest.approx(float(expected.mean()), abs=0.01)


def test_details_follow_flips_layer_by_layer(model, data):
    wanted = spec("amplification", model, data, quant=QuantSpec(act_bits=4), details=True)
    table = run(wanted).table
    flips = table[table["metric"] == "flip_contribution"]
    assert flips["layer"].nunique() > 5
    assert "flip_contribution_crafted" in set(table["metric"])


def test_perturbations_are_crafted_on_the_network_that_is_named(model, data):
    full = QuantSpec()
    coarse = QuantSpec(act_bits=3)
    own = run(spec("amplification", model, data, quant=coarse)).table
    wanted = spec(
        "amplification", model, data, quant=coarse, crafted_on=Craft(model=model, quant=full)
    )
    other = run(wanted).table
    assert set(other["crafted_on"]) == {"tests/wrn_10_1/tiny"}
    images = load_data(data)
    crafted = FGSM(resolve_model(model), eps=1 / 255)(images.images, images.labels)
    calibration = load_data(dataclasses.replace(data, split="train", n_samples=20)).images
    network = quantize_model(resolve_model(model), coarse, calibration=calibration)
    with torch.no_grad():
        clean, noisy = network(images.images).double(), network(crafted).double()
    expected = ((noisy - clean).norm(dim=1) / clean.norm(dim=1)).mean()
    found = value(other, "relative_distance", "mean", layer="logits")
    assert found == pytest.approx(float(expected), rel=1e-3)
    assert found != pytest.approx(value(own, "relative_distance", "mean", layer="logits"), rel=1e-3)


def test_the_source_of_the_calibration_is_said(model, data, images_folder):
    quant = QuantSpec(act_bits=4)
    by_training = run(spec("accuracy", model, data, quant=quant))
    assert set(by_training.table["calibration"]) == {f"parquet:{images_folder.name} train (20)"}
    assert "calibrated on parquet" in by_training.notes[0]
    alone = DataSpec(name=f"parquet:{images_folder / 'test.parquet'}", n_samples=8)
    explicit = spec("accuracy", model, data, quant=quant, calibration=alone)
    assert set(run(explicit).table["calibration"]) == {"parquet:test.parquet test (8)"}
    assert set(run(spec("accuracy", model, data)).table["calibration"]) == {"none"}


def test_accuracy_has_intervals_and_rounding_from_half_a_grey_level(model, data):
    epsilons = (0.25 / 255, 1 / 255)
    attack = AttackSpec(name="pgd", steps=2, epsilons=epsilons)
    table = run(spec("accuracy", model, data, attack=attack)).table
    assert set(table["layer"]) == {"network"}
    rounded = table[table["metric"] == "robust_accuracy_uint8"]
    assert set(rounded["epsilon"]) == {1 / 255}
    for epsilon in epsilons:
        rows = table[(table["epsilon"] == epsilon) & (table["metric"] == "robust_accuracy")]
        low, middle, high = (value(rows, "robust_accuracy", s) for s in ("low", "value", "high"))
        assert 0 <= low <= middle <= high <= 1


def test_accuracy_comes_with_what_the_network_costs(model, data):
    attack = AttackSpec(epsilons=(1 / 255, 2 / 255))
    quant = QuantSpec(weight_bits=4, act_bits=2)
    network = quantize_model(resolve_model(model), quant, calibration=load_data(data).images)
    bench = Workbench()
    full = run(spec("accuracy", model, data, attack=attack), bench=bench).table
    table = run(spec("accuracy", model, data, quant=quant, attack=attack), bench=bench).table
    expected = dataclasses.asdict(efficiency(network, (3, 32, 32)))
    assert tuple(expected) == COSTS
    for name, wanted in expected.items():
        for epsilon in attack.epsilons:
            assert value(table, name, layer="network", epsilon=epsilon) == wanted
    one, other = (value(t, "bit_operations", epsilon=1 / 255) for t in (full, table))
    assert one == 1024 * value(full, "macs", epsilon=1 / 255) > 50 * other


@pytest.mark.parametrize("elsewhere", [True, False])
def test_transfer_and_rounding_take_the_last_images_of_the_attack(
    model, data, elsewhere, monkeypatch
):
    asked = []
    outcomes = Setting.outcomes

    def remember(setting, steps, *, early_stop=False, attack=None):
        asked.append(early_stop)
        return outcomes(setting, steps, early_stop=early_stop, attack=attack)

    monkeypatch.setattr(Setting, "outcomes", remember)
    craft = Craft(model=model, quant=QuantSpec(act_bits=4)) if elsewhere else None
    attack = AttackSpec(name="pgd", steps=2)
    run(spec("accuracy", model, data, attack=attack, crafted_on=craft))
    assert asked == [not elsewhere, False]  # the second for the rounded images


def test_what_does_not_exist_is_named(model, data, tmp_path):
    with pytest.raises(ModelError, match="no layer 'nowhere'"):
        run(spec("playground", model, data, layers=("nowhere",)))
    with pytest.raises(DataError, match="no image 8"):
        run(spec("playground", model, data, sample=8))
    with pytest.raises(DataError, match="cannot be read"):
        run(spec("playground", model, data, image=str(tmp_path / "none.png")))
    with pytest.raises(DataError, match="12"):
        run(spec("accuracy", model, dataclasses.replace(data, n_samples=13)))


def test_labels_without_a_logit_are_refused(data, tmp_path):
    from safetensors.torch import save_file

    from dqviz.models import build

    save_file(build("wrn_10_1", 3).state_dict(), tmp_path / "three.safetensors")
    three = ModelSpec(
        id="three",
        checkpoint=str(tmp_path / "three.safetensors"),
        arch="wrn_10_1",
        classes=3,
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    with pytest.raises(ClassesError, match="labels up to 3, the network three has 3 classes"):
        run(spec("accuracy", three, data))


@pytest.mark.parametrize("kind", ["amplification", "accuracy", "lipschitz", "playground"])
def test_progress_rises_and_cancelling_stops_at_once(kind, model, data):
    told = []
    attack = AttackSpec(name="pgd", steps=3)
    wanted = spec(kind, model, data, attack=attack, details=kind == "lipschitz")
    run(wanted, progress=lambda fraction, text: told.append((fraction, text)), bench=Workbench())
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert 0.4 < fractions[-1] <= 1
    assert all(text for _, text in told)
    calls = iter([False, False, False, True])
    asked = []

    def cancelled():
        asked.append(1)
        return next(calls)

    with pytest.raises(Cancelled):
        run(wanted, cancelled=cancelled, bench=Workbench())
    assert len(asked) == 4


def test_a_file_that_changed_since_it_was_named_is_refused(model, data, tmp_path):
    import shutil

    copy = tmp_path / "copy.safetensors"
    shutil.copy(model.checkpoint, copy)
    wanted = resolve(spec("accuracy", dataclasses.replace(model, checkpoint=str(copy)), data))
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    with pytest.raises(ModelError, match="has changed"):
        run(wanted, bench=Workbench())
