"""Cards: what is written is read back, what is wrong is named, nothing leaves the folder."""

import dataclasses
import json
from importlib import resources

import pytest

from dqviz import cards
from dqviz.cards import Card, CardError

FULL = Card(
    id="cifar10/resnet20/dq",
    dataset="cifar10",
    arch="resnet20",
    weights="dq",
    classes=("cat", "café"),
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 1 / 3),
    sha256="0" * 64,
    file="cifar10-resnet20-dq.safetensors",
    recipe={"epochs": 2, "lr": 0.1},
    seed=3,
    data={"name": "cifar10"},
    epochs=2,
    penalty={"arm": "folded", "beta": 0.002},
    accuracy={"value": 0.9, "low": 0.8, "high": 0.95, "n": 500, "split": "test"},
    date="2026-11-23",
    statement="penalty only, trained at full precision",
    calibration={"net.conv1": {"low": -1.5, "high": 2.0, "counts": [1, 2, 0]}},
    extra={"torch": "2.15"},
)
MINIMAL = {"arch": "resnet20", "classes": 10, "mean": [0, 0, 0], "std": [1, 1, 1]}


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setattr(cards, "weights_folder", lambda: tmp_path)
    return tmp_path


def test_a_card_is_read_back_equal(tmp_path):
    path = tmp_path / "card.json"
    cards.write_card(FULL, path)
    assert cards.read_card(path) == FULL
    assert [file.name for file in tmp_path.iterdir()] == ["card.json"]


def test_a_card_may_hold_a_networks_own_ranges(tmp_path):
    own = {"net.conv1": {"low": -0.5, "high": 1.5, "weight_bits": 2}}
    cards.write_card(dataclasses.replace(FULL, calibration=own), tmp_path / "card.json")
    assert cards.read_card(tmp_path / "card.json").calibration == own


def test_a_written_card_is_json_with_one_line_a_field():
    text = cards.format_card(FULL)
    fields = len(dataclasses.fields(Card))
    assert set(json.loads(text)) == {field.name for field in dataclasses.fields(Card)}
    assert len(text.splitlines()) == fields + len(FULL.calibration) + 3


def test_a_card_beside_a_checkpoint_needs_four_fields():
    card = cards.parse_card(json.dumps(MINIMAL))
    assert card.classes == tuple("0123456789")
    assert (card.mean, card.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arch": None}, "arch must be a text; got None"),
        ({"arch": ""}, "arch must be the name of an architecture"),
        ({"classes": ["one"]}, "classes must be at least two names"),
        ({"classes": "cats"}, "classes must be a list of names or their number; got 'cats'"),
        ({"classes": True}, "classes must be a list"),
        ({"classes": 10**9}, "classes must be a list"),
        ({"mean": [0.5, float("nan"), 0.5]}, "mean must be a list of finite numbers"),
        ({"mean": [0.5, 10**400, 0.5]}, "mean must be a list of finite numbers"),
        ({"mean": []}, "mean must be one number a channel"),
        ({"std": [1, 1]}, "std must be as many numbers as mean"),
        ({"std": [1, 0, 1]}, "std must be positive"),
        ({"image_size": 2}, "image_size must be 8 to 1024"),
        ({"image_size": 32.5}, "image_size must be a whole number"),
        ({"file": "../secret"}, "file must be a file's name without a folder; got '../secret'"),
        ({"file": "a\\b"}, "file must be a file's name without a folder"),
        ({"sha256": "abc"}, "sha256 must be 64 hexadecimal digits"),
        ({"id": "a/b/c"}, "id must be dataset/arch/weights"),
        ({"recipe": [1]}, "recipe must be an object; got [1]"),
        ({"calibration": {"c": 1}}, "calibration['c'] must be an object with finite numbers"),
        ({"calibration": {"c": {"low": 1, "high": 0, "counts": [1]}}}, "low <= high"),
        ({"calibration": {"c": {"low": 0, "high": 1, "counts": []}}}, "counts must be whole"),
        ({"calibration": {"c": {"low": 0, "high": 1, "counts": [-1]}}}, "counts must be whole"),
        ({"calibration": {"c": {"low": 0, "high": 1}}}, "counts must be whole"),
        ({"calibration": {"c": {"low": 0, "high": 1, "weight_bits": 9}}}, "counts must be whole"),
        ({"calibration": {"c": {"low": 1, "high": 0, "weight_bits": 0}}}, "low <= high"),
        ({"colour": 1}, "unknown ['colour']"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_received(change, said):
    with pytest.raises(CardError, match="my card") as caught:
        cards.parse_card(json.dumps({**MINIMAL, **change}), name="my card")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", "null", "[" * 100_000])
def test_what_is_no_card_is_said_to_be_none(text):
    with pytest.raises(CardError, match="is not"):
        cards.parse_card(text)


def test_a_missing_field_is_named():
    with pytest.raises(CardError, match=r"missing \['mean', 'std'\]"):
        cards.parse_card('{"arch": "resnet20", "classes": 10}')


def test_a_card_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CardError, match=r"missing\.json cannot be read"):
        cards.read_card(tmp_path / "missing.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe")
    with pytest.raises(CardError, match=r"latin\.json cannot be read"):
        cards.read_card(tmp_path / "latin.json")


@pytest.mark.parametrize("name", ["net.json", "net.pth.json"])
def test_a_card_beside_a_checkpoint_is_found_under_both_names(tmp_path, name):
    assert cards.card_beside(tmp_path / "net.pth") is None
    (tmp_path / name).write_text(json.dumps(MINIMAL), encoding="utf-8")
    found = cards.card_beside(tmp_path / "net.pth")
    assert found is not None
    assert found.arch == "resnet20"


def test_a_card_cannot_hold_what_json_cannot():
    with pytest.raises(CardError, match="plain JSON"):
        cards.format_card(dataclasses.replace(FULL, extra={"x": float("nan")}))


def test_shipped_ids_are_the_pairs_of_files(weights):
    assert cards.shipped_ids() == ()
    for name in ("b-net-x-y.json", "b-net-x-y.safetensors", "a-net-z.json", "c-net-z.safetensors"):
        (weights / name).touch()
    assert cards.shipped_ids() == ("b/net/x-y",)
    assert cards.file_stem("b/net/x-y") == "b-net-x-y"


def test_a_shipped_card_is_loaded_by_its_id(weights):
    (weights / FULL.file).touch()
    cards.write_card(FULL, weights / "cifar10-resnet20-dq.json")
    assert cards.load_card("cifar10/resnet20/dq") == FULL
    with pytest.raises(CardError, match=r"no network 'cifar10/resnet20/x'.*cifar10/resnet20/dq"):
        cards.load_card("cifar10/resnet20/x")


@pytest.mark.parametrize(
    "change", [{"sha256": ""}, {"file": ""}, {"dataset": "x", "id": "x/resnet20/dq"}]
)
def test_a_shipped_card_says_its_file_and_hash(weights, change):
    (weights / FULL.file).touch()
    cards.write_card(dataclasses.replace(FULL, **change), weights / "cifar10-resnet20-dq.json")
    with pytest.raises(CardError, match="needs id"):
        cards.load_card("cifar10/resnet20/dq")


def test_the_shipped_weights_stay_below_forty_megabytes():
    folder = resources.files("dqviz").joinpath("weights")
    files = [cards.load_card(id).file for id in cards.shipped_ids()]
    assert sum(len(folder.joinpath(name).read_bytes()) for name in files) < 40e6


def test_every_shipped_network_has_a_card_that_says_how_it_was_trained():
    for id in cards.shipped_ids():
        card = cards.load_card(id)
        assert card.recipe
        assert card.date
        quantized = "quant" in card.recipe
        assert ("trained at full precision" in card.statement) != quantized
        assert all(("counts" in spread) != quantized for spread in card.calibration.values())
        assert {"arm", "beta"} <= set(card.penalty)
        assert card.accuracy["low"] <= card.accuracy["value"] <= card.accuracy["high"]
        assert card.calibration
