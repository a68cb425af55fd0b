"""The commands: tables for people, files for programs, and the same numbers as `run`."""

from __future__ import annotations

import json
import os
import re

import pandas as pd
import pytest

from dqviz import __version__
from dqviz.cards import shipped_ids
from dqviz.experiments import COLUMNS, resolve
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec

COMMANDS = (
    *("models", "data", "train", "amplify", "lipschitz", "accuracy", "sweep", "results"),
    "report",
    "doctor",
)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name, command):
    status, out, err = command(name, "--help")
    assert (status, err) == (0, "")
    assert f"python -m dqviz {name}" in out


def test_the_version_is_the_packages(command):
    assert command("--version")[:2] == (0, f"dqviz {__version__}\n")


def test_amplify_prints_medians_layer_by_layer(command, network, images):
    status, out, err = command("amplify", *network, *images, "--act-bits", "4", "--controls")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "wrn_10_1/tiny.safetensors"
    assert "weights full precision, activations 4 bit" in lines
    assert any(line.startswith("fgsm at 1/255") for line in lines)
    assert any(line.startswith("other_image at 1/255") for line in lines)
    header = next(line for line in lines if line.startswith("layer"))
    assert "distance" in header
    assert "flips" in header
    assert sum(line.startswith("logits") for line in lines) == 4


def test_what_cannot_be_told_apart_is_not_given_a_number(command, network, images):
    status, output, _ = command("amplify", *network, *images, "--eps", "1e-9")
    assert status == 0
    assert "no prediction flipped" in output
    assert "nan" not in output


def test_the_rows_written_are_those_of_the_experiment(command, network, images, tmp_path, model):
    options = ["--weight-bits", "8", "--act-bits", "4", "--attack", "bim", "--steps", "2"]
    options += ["--eps", "0.5/255,0.00392", "--seed", "7", "--crafted-on", "full"]
    file = tmp_path / "curve.csv"
    status, out, err = command("amplify", *network, *images, *options, "--out", file)
    assert (status, out) == (0, "")
    assert str(file) in err
    written = pd.read_csv(file)
    assert tuple(written.columns) == COLUMNS
    assert set(written["crafted_on"]) == {"tiny.safetensors"}
    assert set(written["epsilon"]) == {0.5 / 255, 0.00392}
    assert set(written["version"].astype(str)) == {__version__}


@pytest.mark.parametrize("options", [[], ["--fast"], ["--no-fast"]])
def test_the_fast_path_can_be_switched_off(command, network, images, monkeypatch, options):
    asked = []

    def stop(spec, **more):
        asked.append(spec.fast)
        raise ValueError("enough")

    monkeypatch.setattr("dqviz.experiments.run.run", stop)
    assert command("accuracy", *network, *images, *options)[0] == 2
    assert asked == [options != ["--no-fast"]]


def test_the_three_formats_hold_the_same_rows(command, network, images, tmp_path):
    tables = {}
    for suffix in ("csv", "json", "parquet"):
        file = tmp_path / f"rows.{suffix}"
        assert command("accuracy", *network, *images, "--out", file)[0] == 0
        readers = {"csv": pd.read_csv, "json": pd.read_json, "parquet": pd.read_parquet}
        tables[suffix] = readers[suffix](file)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert isinstance(rows, list)
    assert set(rows[0]) == {*COLUMNS, "estimator"}
    for table in tables.values():
        assert list(table["value"]) == pytest.approx(list(tables["csv"]["value"]), nan_ok=True)
        assert list(table["metric"]) == list(tables["csv"]["metric"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "rows.csv",
        "rows.json",
        "rows.parquet",
    ]


def test_what_is_no_number_is_null_in_json(command, network, tmp_path):
    file = tmp_path / "norms.json"
    assert command("lipschitz", *network, "--out", file)[0] == 0
    rows = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert {row["epsilon"] for row in rows} == {None}
    metrics = {row["metric"] for row in rows}
    assert {"sigma_matrix", "operator_norm", "operator_norm_folded", "lipschitz"} <= metrics


def test_the_command_line_asks_for_what_the_app_asks_for(images_folder, model):
    from dqviz.cli.asked import experiment_spec
    from dqviz.cli.main import build_parser

    arguments = ["amplify", "--checkpoint", model.checkpoint, "--arch", model.arch]
    arguments += ["--classes", "4", "--mean", "0.5,0.5,0.5", "--std", "1/4,1/4,1/4"]
    arguments += ["--data", f"parquet:{images_folder}", "--n", "8", "--seed", "3"]
    arguments += ["--act-bits", "4", "--eps", "1/255"]
    spec = experiment_spec("amplification", build_parser().parse_args(arguments))
    expected = ExperimentSpec(
        kind="amplification",
        model=ModelSpec(
            id="tiny.safetensors",
            checkpoint=model.checkpoint,
            arch=model.arch,
            classes=4,
            mean=(0.5, 0.5, 0.5),
            std=(0.25, 0.25, 0.25),
        ),
        data=DataSpec(name=f"parquet:{images_folder}", n_samples=8, seed=3),
        quant=QuantSpec(act_bits=4),
        attack=AttackSpec(epsilons=(1 / 255,), seed=3),
    )
    assert spec == expected
    assert resolve(spec) == resolve(expected)


def test_accuracy_prints_intervals_in_percent(command, network, images):
    options = ["--attack", "pgd", "--steps", "2", "--eps", "0.25/255,1/255"]
    status, out, _ = command("accuracy", *network, *images, *options)
    assert status == 0
    assert out.count("robust_accuracy ") == 2
    assert "0.25/255" in out
    assert "8 images of parquet:" in out
    shares = [line.split()[2:] for line in out.splitlines() if line.startswith("pgd")]
    assert len(shares) == 5  # rounded ones from half a grey level up
    assert all(name.startswith(("clean_acc", "robust_acc")) for name, *_ in shares)
    assert all(0 <= float(number) <= 100 for _, *numbers in shares for number in numbers)
    assert re.search(r"[\d,]{5,} bytes of weights, .* [\d,]{9,} bit operations an image", out)


def test_the_ensemble_says_what_broke_how_many(command, network, images):
    options = ["--attack", "standard", "--steps", "2", "--queries", "5", "--eps", "1/255,16/255"]
    status, out, err = command("accuracy", *network, *images, *options)
    assert (status, err) == (0, "")
    heading = next(line for line in out.splitlines() if line.startswith("broken by, in percent"))
    for name in ("nothing", "wrong before", "APGD-CE", "APGD-DLR", "Square"):
        assert name in heading
    shares = [line.split()[1:] for line in out.splitlines() if line.startswith(("1/255", "16/255"))]
    assert len(shares) == 2
    assert all(sum(map(float, line)) == pytest.approx(100, abs=0.1) for line in shares)


def test_saved_images_are_loaded_again_and_judged(command, network, images, tmp_path):
    folder = tmp_path / "new" / "images"
    options = ["--eps", "0.25/255,4/255", "--save-images", folder]
    status, out, err = command("accuracy", *network, *images, *options)
    assert (status, err) == (0, "")
    assert f"saved 16 images in {folder}" in out
    assert "loaded them again: all as they were written" in out
    files = sorted(folder.rglob("*.png"))
    assert len(files) == 16
    assert {file.parent.name for file in files} == {"eps-0.25", "eps-4"}
    from PIL import Image

    with Image.open(files[0]) as image:
        assert image.size == (32, 32)
    rounded = next(line for line in out.splitlines() if "robust_accuracy_uint8" in line).split()
    check = next(line for line in out.splitlines() if "eps-4" in line).split()
    assert float(check[-1]) == float(check[-2]) == pytest.approx(float(rounded[3]), abs=0.1)


def test_smallest_epsilons_are_shown_in_grey_levels(command, network, images, tmp_path):
    options = ["--attack", "bim", "--steps", "5", "--eps", "16/255"]
    status, out, err = command("smallest-epsilon", *network, *images, *options)
    assert (status, err) == (0, "")
    assert "smallest epsilon that bim finds, in 1/255" in out
    assert "not flipped within 16/255:" in out
    file = tmp_path / "rows.json"
    assert command("smallest-epsilon", *network, *images, *options, "--out", file)[0] == 0
    rows = json.loads(file.read_text())
    assert {row["metric"] for row in rows} == {
        "clean_accuracy",
        "never_flipped",
        "smallest_epsilon",
    }


def test_options_of_strong_attacks_reach_the_specification(network, images):
    from dqviz.cli.asked import experiment_spec
    from dqviz.cli.main import build_parser

    given = ["--attack", "mifgsm", "--loss", "dlr", "--momentum", "0.5", "--queries", "40"]
    for command, kind, epsilon in (
        ("accuracy", "accuracy", 1 / 255),
        ("smallest-epsilon", "smallest_epsilon", 8 / 255),
    ):
        options = build_parser().parse_args([command, *network, *images, *given])
        attack = experiment_spec(kind, options).attack
        assert (attack.name, attack.loss) == ("mifgsm", "dlr")
        assert (attack.momentum, attack.queries) == (0.5, 40)
        assert attack.epsilons == (epsilon,)


def test_details_of_lipschitz_constants_need_images(command, network, images):
    status, out, _ = command("lipschitz", *network, *images, "--details", "--act-bits", "4")
    assert status == 0
    assert "measured gain" in out
    assert "margin_over_lipschitz median" in out


def test_gains_are_shown_at_every_epsilon(command, network, images, tmp_path):
    options = ["--details", "--eps", "0.5/255,8/255"]
    status, out, _ = command("lipschitz", *network, *images, *options)
    assert status == 0
    assert command("lipschitz", *network, *images, *options, "--out", tmp_path / "a.csv")[0] == 0
    table = pd.read_csv(tmp_path / "a.csv")
    gains = table[(table["metric"] == "measured_gain") & (table["layer"] == "conv1")]
    for epsilon, shown in ((0.5 / 255, "0.5/255"), (8 / 255, "8/255")):
        block = next(part for part in out.split("\n\n") if f"fgsm at {shown}\n" in part)
        line = next(line for line in block.splitlines() if line.startswith("conv1 "))
        rows = gains[(gains["epsilon"] - epsilon).abs() < 1e-9]
        numbers = [rows[rows["statistic"] == s]["value"].item() for s in ("median", "max")]
        assert line.split()[1:] == [f"{number:.4g}" for number in numbers]


def test_listings(command, tmp_path):
    status, out, err = command("models")
    assert (status, err) == (0, "")
    assert "imagenet/resnet18/IMAGENET1K_V1" in out
    assert len(command("models", "--all")[1].splitlines()) > len(out.splitlines())
    assert all(id in out for id in shipped_ids())
    assert "streetdigits" in command("data")[1]
    file = tmp_path / "networks.csv"
    assert command("models", "--out", file)[0] == 0
    table = pd.read_csv(file)
    assert set(table["version"].astype(str)) == {__version__}
    assert "imagenet/resnet18/IMAGENET1K_V1" in set(table["id"])


def test_the_doctor_says_what_there_is(command, tmp_path):
    status, out, _ = command("doctor")
    assert status == 0
    for word in ("python", "torch", "processor features", "threads", "GPU", "data folder"):
        assert word in out
    assert os.environ["DQVIZ_DATA"] in out
    for id in shipped_ids():
        assert f"network {id}" in out
    assert command("doctor", "--out", tmp_path / "machine.json")[0] == 0
    rows = json.loads((tmp_path / "machine.json").read_text())
    assert {row["version"] for row in rows} == {__version__}


def test_the_doctor_finds_a_damaged_network(monkeypatch, tmp_path, command):
    from dqviz import cards

    ids = shipped_ids()
    card = cards.load_card(ids[0])
    stem = cards.file_stem(ids[0])
    (tmp_path / f"{stem}.json").write_text(cards.format_card(card), encoding="utf-8")
    (tmp_path / f"{stem}.safetensors").write_bytes(b"damaged")
    monkeypatch.setattr(cards, "weights_folder", lambda: tmp_path)
    line = next(line for line in command("doctor")[1].splitlines() if ids[0] in line)
    assert "damaged" in line
    assert line.endswith("no")


def test_a_recipe_is_trained(command, monkeypatch, tmp_path):
    import dqviz.defense

    asked = []

    def train(recipe, folder, *, progress, loading):
        asked.append((recipe, folder))
        return folder / "net.safetensors"

    monkeypatch.setattr(dqviz.defense, "train", train)
    recipe = tmp_path / "recipe.toml"
    recipe.touch()
    status, out, _ = command("train", recipe, "--out", tmp_path / "runs")
    assert status == 0
    assert asked == [(recipe, tmp_path / "runs")]
    assert "net.safetensors" in out


def test_the_first_example_of_the_documentation(command, images_folder, tmp_path):
    file = tmp_path / "curve.csv"
    options = "--n 8 --weight-bits 8 --act-bits 4 --attack fgsm --eps 1/255 --seed 0"
    network = ["--model", "cifar10/resnet20/dq"]
    data = ["--data", f"parquet:{images_folder}"]
    assert command("amplify", *network, *data, *options.split(), "--out", file)[0] == 0
    table = pd.read_csv(file)
    assert set(table["weights"]) == {"dq"}
    assert set(table["calibration"]) == {"card"}
    assert {"relative_distance", "quantizer_gain", "bucket_flip_rate"} <= set(table["metric"])


def test_the_second_example_of_the_documentation(command, tmp_path):
    from safetensors.torch import save_file

    from dqviz.models import build

    checkpoint, file = tmp_path / "own.safetensors", tmp_path / "norms.json"
    save_file(build("resnet20", 10).state_dict(), checkpoint)
    options = "--arch resnet20 --classes 10 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
    arguments = ["--checkpoint", checkpoint, *options.split(), "--out", file]
    assert command("lipschitz", *arguments)[0] == 0
    rows = json.loads(file.read_text())
    upper = [row for row in rows if (row["metric"], row["statistic"]) == ("operator_norm", "upper")]
    assert len(upper) == 20
    assert all(row["value"] > 0 for row in upper)


def test_the_third_example_of_the_documentation(command):
    network = ["--model", "streetdigits/resnet20/vanilla", "--n", "16"]
    options = "--attack pgd --eps 1/255 --steps 10 --act-bits 4"
    status, out, err = command("accuracy", *network, *options.split())
    assert (status, err) == (0, "")
    assert "16 images of streetdigits test" in out
    assert "robust_accuracy" in out


def test_trust_prints_the_verdict_the_checks_and_what_each_variant_leaves(command):
    options = ["--n", "4", "--attack", "pgd", "--steps", "2", "--eps", "1/255", "--act-bits", "4"]
    status, out, err = command("trust", *options)
    assert status == 0, err
    checks, _, left = out.partition("What each variant of the attack leaves standing")
    assert "The same image gets the same answer twice" in checks
    assert "of 4 images" in checks
    variants = [line.split()[0] for line in left.splitlines() if line][1:]
    assert {"attack", "fgsm", "steps", "square", "identity", "unquantized"} <= set(variants)
