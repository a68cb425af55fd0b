import dataclasses
import json

import pytest
import torch
from torch import nn

from dqviz.cards import read_card
from dqviz.data import ImageData
from dqviz.defense import Recipe, TrainError, ship, train, train_network
from dqviz.defense.augment import random_crop, random_flip
from dqviz.defense.keep import keep
from dqviz.defense.norms import NormWatch
from dqviz.defense.optimizer import learning_rate
from dqviz.defense.penalty import orthogonality_penalty, penalized_layers
from dqviz.defense.precision import choose_precision
from dqviz.defense.trained import Trained
from dqviz.measure import conv_operator_norm, layer_norms
from dqviz.models import build, resolve_model
from dqviz.models.normalize import Classifier
from dqviz.models.resnet import plain20
from dqviz.quantize.histogram import collect_histograms, to_json
from dqviz.specs import DataSpec, DefenseSpec, ModelSpec


def images(count=96, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    pixels = torch.rand(count, 3, 32, 32, generator=generator) * 0.3
    pixels[:, 0] += 0.6 * labels[:, None, None].float()  # one class is redder
    return ImageData(
        images=pixels,
        labels=labels,
        classes=("dull", "red"),
        name="made",
        split="train",
        indices=torch.arange(count),
        fingerprint="made",
    )


def recipe(**changes):
    spec = DataSpec(name="streetdigits")
    settings = {
        "id": "made/plain20/vanilla",
        "data": spec,
        "test": spec,
        "epochs": 2,
        "batch_size": 32,
        "learning_rate": 0.05,
        "warmup_epochs": 0.5,
        "crop": 2,
        "flip": True,
        "precision": "float32",
    }
    return Recipe(**{**settings, **changes})


class Killed(Exception):
    pass


def stop_at(step):
    def report(progress):
        if progress.step >= step:
            raise Killed

    return report


def same(left, right):
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def hurried(monkeypatch):
    """Report and save at every step."""
    ticks = iter(range(0, 10**6, 100))
    monkeypatch.setattr("dqviz.defense.training.time.monotonic", lambda: float(next(ticks)))


@pytest.mark.usefixtures("hurried")
def test_a_killed_training_goes_on_to_the_very_same_network(tmp_path):
    undisturbed = train_network(recipe(), tmp_path / "a", data=images()).model
    with pytest.raises(Killed):
        train_network(recipe(), tmp_path / "b", data=images(), report=stop_at(4))
    resumed = train_network(recipe(), tmp_path / "b", data=images()).model
    assert same(undisturbed, resumed)
    other = train_network(recipe(seed=1), tmp_path / "c", data=images()).model
    assert not same(undisturbed, other)


@pytest.mark.usefixtures("hurried")
def test_the_checkpoint_of_another_recipe_is_refused(tmp_path):
    with pytest.raises(Killed):
        train_network(recipe(), tmp_path, data=images(), report=stop_at(1))
    with pytest.raises(TrainError, match="another recipe"):
        train_network(recipe(epochs=3), tmp_path, data=images())


def test_the_penalty_brings_its_kernel_towards_orthogonality(tmp_path):
    plain = train_network(recipe(), tmp_path / "a", data=images()).model
    for arm in ("raw", "folded"):
        defense = DefenseSpec(arm=arm, beta=0.1)
        held = train_network(recipe(defense=defense), tmp_path / arm, data=images()).model
        before = orthogonality_penalty(plain, arm=arm).item()
        assert orthogonality_penalty(held, arm=arm).item() < 0.7 * before


def test_a_training_learns_and_reports(tmp_path):
    seen = []
    wanted = recipe(epochs=6, crop=0)
    model = train_network(wanted, tmp_path, data=images(160), report=seen.append).model
    fresh = images(64, seed=5)
    correct = (model(fresh.images).argmax(1) == fresh.labels).float().mean().item()
    assert correct > 0.9
    assert seen[-1].step == seen[-1].steps == 30
    assert seen[-1].images_per_second > 0
    norms = [
        row.value
        for row in layer_norms(model, (3, 32, 32))
        if (row.metric, row.statistic) == ("operator_norm_folded", "upper")
        or (row.layer, row.metric, row.statistic) == ("fc", "operator_norm", "upper")
    ]
    assert 0.8 * max(norms) < seen[-1].largest_folded_norm < max(norms)


def test_the_watched_norm_is_the_operator_norm_of_a_grouped_convolution():
    conv = nn.Conv2d(6, 6, 3, padding=1, groups=3, bias=False)
    model = nn.Sequential(conv, nn.BatchNorm2d(6), nn.Flatten()).eval()
    watch = NormWatch(penalized_layers(model, input_shape=(6, 8, 8)))
    for scale in (1.0, 3.0):
        model[1].weight.data.fill_(scale)
        for _ in range(20):
            found = watch.largest()
        bounds = conv_operator_norm(conv, (6, 8, 8))
        scale /= (1 + 1e-5) ** 0.5
        assert found == pytest.approx(scale * bounds.lower, rel=1e-3)


def test_the_held_out_images_are_not_trained_on(tmp_path):
    data = images(96)
    spoilt = data.images.clone()
    spoilt[64:] = 0.5
    other = dataclasses.replace(data, images=spoilt, labels=data.labels.clone().fill_(1))
    other = dataclasses.replace(other, labels=torch.cat([data.labels[:64], other.labels[64:]]))
    first = train_network(recipe(hold_out=32), tmp_path / "a", data=data).model
    second = train_network(recipe(hold_out=32), tmp_path / "b", data=other).model
    assert same(first, second)
    third = train_network(recipe(), tmp_path / "c", data=other).model
    assert not same(first, third)


def test_the_loss_takes_half_of_beta_times_the_penalty(tmp_path):
    plain = recipe(epochs=1, batch_size=32, momentum=0.0, weight_decay=0.0, crop=0, flip=False)
    beta = 0.5
    held = dataclasses.replace(plain, defense=DefenseSpec(arm="raw", beta=beta))
    start = build(plain.arch, 2, seed=plain.seed)
    orthogonality_penalty(start, arm="raw").backward()
    without = train_network(plain, tmp_path / "a", data=images(32)).model.net
    with_it = train_network(held, tmp_path / "b", data=images(32)).model.net
    rate = learning_rate(plain, 0, 1)
    for name, begin in start.named_parameters():
        if begin.grad is not None:
            moved = with_it.get_parameter(name) - without.get_parameter(name)
            expected = -rate * 0.5 * beta * begin.grad
            torch.testing.assert_close(moved, expected, rtol=1e-3, atol=1e-5)


def test_flips_are_applied_where_the_recipe_asks_for_them(tmp_path):
    settings = {"epochs": 1, "crop": 0, "momentum": 0.0}
    data = images(32)
    level = data.images.mean(3, keepdim=True).expand_as(data.images).contiguous()
    symmetric = dataclasses.replace(data, images=level)  # a flip leaves these as they are
    for made, expected in ((data, False), (symmetric, True)):
        flipped = train_network(recipe(flip=True, **settings), tmp_path / f"a{expected}", data=made)
        left = train_network(recipe(flip=False, **settings), tmp_path / f"b{expected}", data=made)
        assert same(flipped.model, left.model) == expected


def test_a_loss_that_is_not_finite_stops_with_advice(tmp_path):
    with pytest.raises(TrainError, match="lower learning_rate"):
        train_network(recipe(learning_rate=1e12), tmp_path, data=images())


def test_too_few_images_are_named(tmp_path):
    with pytest.raises(TrainError, match="do not fill one batch of 32"):
        train_network(recipe(hold_out=90), tmp_path, data=images())


def test_images_smaller_than_the_crop_are_named(tmp_path):
    with pytest.raises(TrainError, match="crop must be below the images' 32 pixels; got 32"):
        train_network(recipe(crop=32), tmp_path, data=images())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"classes": ("red", "dull")}, r"must be the same; got 2 \(dull, red, ...\) and 2 \(red"),
        ({"classes": ("0", "1", "2")}, "must be the same; got 2 .* and 3"),
        ({"images": torch.zeros(96, 3, 64, 64)}, "must have one size"),
    ],
)
def test_test_images_that_do_not_match_are_refused(tmp_path, monkeypatch, other, said):
    found = iter([images(), dataclasses.replace(images(), **other)])
    monkeypatch.setattr(ship, "load_data", lambda _, progress: next(found))
    with pytest.raises(TrainError, match=said):
        train(recipe(), tmp_path)


def test_classes_that_are_only_numbered_match_any_names(tmp_path, monkeypatch):
    numbered = dataclasses.replace(images(), classes=("0", "1"))
    found = iter([images(), numbered])
    monkeypatch.setattr(ship, "load_data", lambda _, progress: next(found))
    said = []
    train(recipe(epochs=1), tmp_path, loading=lambda *done: said.append(done))
    assert read_card(next(tmp_path.glob("*.json"))).classes == ("dull", "red")


def test_a_network_and_its_card_are_written_and_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())
    path = train(recipe(defense=DefenseSpec(arm="folded", beta=1e-3)), tmp_path)
    card = read_card(path.with_suffix(".json"))
    assert card.id == "made/plain20/vanilla"
    assert "adversary" not in card.recipe
    assert card.penalty == {"arm": "folded", "beta": 1e-3}
    assert card.statement.startswith("penalty only, trained at full precision")
    assert card.accuracy["low"] <= card.accuracy["value"] <= card.accuracy["high"]
    assert len(card.calibration) == 20
    assert card.extra["precision"] == "float32"
    assert len(card.extra["folded_norms"]) == 19
    json.dumps(card.recipe)
    loaded = resolve_model(ModelSpec(id="mine", checkpoint=str(path)))
    logits = loaded(images().images)
    predicted = float((logits.argmax(1) == images().labels).float().mean())
    assert predicted == pytest.approx(card.accuracy["value"])


def test_half_precision_halves_the_file_and_its_card_is_that_of_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())
    whole = train(recipe(epochs=1), tmp_path / "whole")
    half = train(recipe(epochs=1, stored="float16"), tmp_path / "half")
    assert half.stat().st_size < 0.55 * whole.stat().st_size
    card = read_card(half.with_suffix(".json"))
    assert card.extra["stored"] == card.recipe["stored"] == "float16"
    assert "stored" not in read_card(whole.with_suffix(".json")).extra
    rounded, full = (
        resolve_model(ModelSpec(id="mine", checkpoint=str(path))) for path in (half, whole)
    )
    weight = full.net.conv1.weight
    assert torch.equal(rounded.net.conv1.weight, weight.half().float())
    histograms = to_json(collect_histograms(rounded, images().images[_drawn()]))
    assert card.calibration["net.linear"] == histograms["net.linear"]


def _drawn():
    return torch.randperm(96, generator=torch.Generator().manual_seed(0))


def test_a_weight_too_large_for_half_precision_is_named():
    network = plain20(2)
    network.bn1.running_var.fill_(1e6)
    half = recipe(stored="float16")
    with pytest.raises(TrainError, match=r"bn1\.running_var does not fit into float16; set stored"):
        keep(Trained(Classifier(network, mean=(0.5,) * 3, std=(1.0,) * 3), "float32"), half)


def test_crops_are_windows_of_the_padded_image():
    batch = torch.arange(2 * 3 * 6 * 5, dtype=torch.float32).reshape(2, 3, 6, 5)
    cropped = random_crop(batch, pad=2, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(batch, (2, 2, 2, 2), mode="reflect")
    for image, cut in zip(padded, cropped, strict=True):
        windows = [image[:, r : r + 6, c : c + 5] for r in range(5) for c in range(5)]
        assert sum(torch.equal(window, cut) for window in windows) >= 1
    torch.testing.assert_close(random_crop(batch, pad=0, generator=torch.Generator()), batch)


def test_flips_mirror_some_images_and_leave_the_rest():
    batch = torch.rand(64, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    flipped = random_flip(batch, generator=torch.Generator().manual_seed(1))
    mirrored = [torch.equal(a.flip(2), b) for a, b in zip(batch, flipped, strict=True)]
    kept = [torch.equal(a, b) for a, b in zip(batch, flipped, strict=True)]
    assert all(m != k for m, k in zip(mirrored, kept, strict=True))
    assert 16 < sum(mirrored) < 48


def test_the_learning_rate_rises_and_falls_to_nothing():
    rates = [learning_rate(recipe(epochs=4), step, 10) for step in range(40)]
    assert max(rates) == rates[5] == pytest.approx(0.05)
    assert rates[:6] == sorted(rates[:6])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.002


def test_the_precision_is_measured_and_the_network_left_alone():
    model = plain20(2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    data = images(16)
    chosen = choose_precision(model, data.images, data.labels, steps=1)
    gain = chosen.float32_seconds / chosen.bfloat16_seconds
    assert chosen.name == ("bfloat16" if gain >= 1.15 else "float32")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_recipes_compare_by_everything_they_say():
    assert repr(recipe()) != repr(dataclasses.replace(recipe(), seed=3))


def test_a_long_gradient_is_shortened(tmp_path):
    settings = {"clip": 1e-3, "weight_decay": 0.0, "momentum": 0.0, "epochs": 1}
    wanted = recipe(**settings)
    before = dict(build(wanted.arch, 2, seed=wanted.seed).named_parameters())
    after = dict(train_network(wanted, tmp_path, data=images(32)).model.net.named_parameters())
    changes = [(after[name] - before[name]).detach().flatten() for name in before]
    moved = torch.cat(changes).norm()
    rate = learning_rate(wanted, 0, 1)
    assert float(moved) == pytest.approx(rate * wanted.clip, rel=0.05)
