"""Bad input: exit status 2 and one clear line, for each option of each command."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from safetensors.torch import save_file

from dqviz.cli.main import build_parser
from dqviz.models import build

MISSING = "/nowhere/at/all"
BAD = {
    "--model": [("two/parts", "three parts"), ("no/such/network", "no/such/network"), ("=", "''")],
    "--checkpoint": [(MISSING, MISSING), ("{folder}", "{folder}"), ("{text}", "{text}")],
    "--arch": [("resnet19", "resnet19"), ("vit_b_16", "vit_b_16")],
    "--classes": [
        ("1", "2 to 100000"),
        ("999999999999", "2 to 100000"),
        ("ten", "'ten'"),
        ("5", "5"),
    ],
    "--mean": [("0.5", "3 numbers"), ("a,b,c", "'a'"), ("nan,0,0", "finite")],
    "--std": [
        ("0.5,0.5", "3 numbers"),
        ("0,1,1", "positive"),
        ("1e-320,1,1", "positive"),
        ("1,,1", "''"),
    ],
    "--squeeze-bits": [("0", "1 to 8"), ("9", "1 to 8"), ("few", "'few'")],
    "--squeeze-median": [("1", "2 to 9"), ("10", "2 to 9"), ("3x3", "'3x3'")],
    "--severities": [("0", "1 to 5"), ("1,6", "1 to 5"), ("1,,2", "''"), ("1,1", "different")],
    "--data": [
        ("mnist", "mnist"),
        (f"parquet:{MISSING}", MISSING),
        ("parquet:", "PATH"),
        ("=", "is empty"),
        ("folder:~nobody-here/x", "~nobody-here/x"),
    ],
    "--split": [("validation", "validation")],
    "--n": [("0", "1 or more"), ("many", "'many'"), ("13", "13"), ("1.5", "1.5")],
    "--seed": [("-1", "0 or more"), ("x", "'x'")],
    "--image-size": [("4", "8 to 1024"), ("big", "'big'")],
    "--batch-size": [("0", "1 to 100000"), ("9223372036854775808", "1 to 100000")],
    "--weight-bits": [("1", "2 to 8"), ("9", "2 to 8"), ("four", "'four'")],
    "--act-bits": [("0", "1 to 8"), ("16", "or 32"), ("-4", "-4")],
    "--first-bits": [("1", "2 to 8")],
    "--last-bits": [("33", "2 to 8")],
    "--ranges": [("median", "median")],
    "--percentile": [("50", "above 50"), ("101", "at most 100"), ("p", "'p'")],
    "--fold-batchnorm": [("=yes", "yes")],
    "--estimator": [("ste", "ste")],
    "--calibration": [("mnist", "mnist"), (f"folder:{MISSING}", MISSING)],
    "--attack": [("cw", "cw")],
    "--eps": [
        ("8", "8/255"),
        ("-1/255", "0 or more"),
        ("1/0", "'1/0'"),
        ("1e-320", "lost in rounding"),
        ("1/2/3", "'1/2/3'"),
        ("one", "'one'"),
        ("inf", "finite"),
        ("1/255,", "''"),
    ],
    "--norm": [("l1", "l1")],
    "--steps": [("0", "1 or more")],
    "--alpha": [("0", "positive"), ("x", "'x'"), ("1e30", "at most 10000")],
    "--restarts": [("0", "1 or more")],
    "--random-start": [("=no", "no")],
    "--targeted": [("=3", "3")],
    "--loss": [("hinge", "hinge")],
    "--momentum": [("2", "at most 1"), ("-0.5", "at least 0"), ("x", "'x'")],
    "--queries": [("0", "1 or more"), ("x", "'x'")],
    "--save-images": [
        ("{text}", "--save-images: "),
        ("{text}/images", "text.pt is a file"),
        ("=", "no folder can be called ''"),
    ],
    "--crafted-on": [("nothing", "three parts"), ("no/such/network", "no/such/network")],
    "--out": [
        ("rows.xlsx", ".json, .csv, .parquet"),
        ("rows", "suffix"),
        (".csv", "suffix"),
        (f"{MISSING}/rows.csv", "/nowhere/at"),
        ("{folder}/folder.csv", "is a folder"),
        ("{folder}/text.pt/rows.csv", "no folder"),
        (f"{{folder}}/{'n' * 240}.csv", "cannot be written: File name too long"),
        ("a\0b.csv", r"no file can be called 'a\x00b.csv'"),
    ],
    "--controls": [("=all", "all")],
    "--fast": [("=no", "no")],
    "--details": [("=some", "some")],
    "--all": [("=1", "1")],
}
KINDS = ("amplify", "lipschitz", "accuracy", "smallest-epsilon", "trust", "corrupt")
LISTINGS = ("models", "data", "doctor")


def options_of(name):
    """The long options of a command, without --help and the negative forms."""
    commands = next(
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return [
        action.option_strings[0]
        for action in commands.choices[name]._actions
        if action.option_strings and "--help" not in action.option_strings
    ]


def cases():
    for name in (*KINDS, *LISTINGS):
        for option in options_of(name):
            for value, said in BAD[option]:
                if name == "lipschitz" and (option, value) == ("--n", "13"):
                    continue  # it reads no images unless details are asked for
                yield pytest.param(name, option, value, said, id=f"{name} {option} {value}")


def assert_one_line(answer, *said):
    status, out, err = answer
    assert status == 2
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("dqviz")
    assert ": error: " in err
    assert "Traceback" not in err
    for part in said:
        assert part in err, err


@pytest.fixture(scope="session")
def odd_files(tmp_path_factory):
    """A folder with a name like a file's, and a file that holds no weights."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "folder.csv").mkdir()
    (folder / "text.pt").write_text("no weights")
    return {"folder": str(folder), "text": str(folder / "text.pt")}


@pytest.mark.parametrize(("name", "option", "value", "said"), list(cases()))
def test_each_option_refuses_bad_values(
    name, option, value, said, command, network, images, odd_files
):
    value, said = value.format(**odd_files), said.format(**odd_files)
    given = []
    if name in KINDS:
        given = [*images] if option == "--model" else [*network, *images]
        if option == "--calibration":
            given += ["--act-bits", "4"]
    bad = [f"{option}{value}"] if value.startswith("=") else [f"{option}={value}"]
    assert_one_line(command(name, *given, *bad), said, f"dqviz {name}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["data", "--colour"], "--colour"),
        (["amplify", "extra"], "extra"),
        (["accuracy", "--arch", "resnet20"], "--checkpoint"),
        (["accuracy", "--checkpoint", __file__, "--model", "a/b/c"], "not both"),
        (["train"], "RECIPE"),
        (["train", "recipe.toml"], "--out"),
        (["train", MISSING, "--out", "runs"], MISSING),
        (["train", __file__, "--out", __file__], "is a file"),
        (["train", __file__, "--out", "runs-that-are-never-made"], "test_cli_bad_input.py"),
    ],
)
def test_commands_that_make_no_sense(arguments, said, command):
    assert_one_line(command(*arguments), said)


@pytest.fixture
def nothing_is_computed(monkeypatch):
    """A file that cannot be written is refused before any work, not after it."""

    def fail(*_, **__):
        pytest.fail("the work began although its result cannot be written")

    for name in ("run.run", "run.resolve"):
        monkeypatch.setattr(f"dqviz.experiments.{name}", fail)
    monkeypatch.setattr("dqviz.defense.train", fail)
    monkeypatch.setattr("dqviz.models.list_models", fail)


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize("name", [*KINDS, "models"])
def test_a_file_that_cannot_be_written_is_refused_at_once(name, command, odd_files, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dqviz.cli.output._try", refuse)
    file = f"{odd_files['folder']}/rows.csv"
    assert_one_line(command(name, "--out", file), file, "cannot be written: Permission denied")


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("{text}", "is a file"),
        ("{text}/runs", "text.pt is a file"),
        ("{text}/deep/runs", "text.pt is a file"),
        ("{folder}/" + "n" * 300, "cannot be written: File name too long"),
        ("{folder}/new/" + "n" * 300, "cannot be written: File name too long"),
        ("", "no folder can be called ''"),
        ("a\0b", "no folder can be called"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_at_once(folder, said, command, odd_files):
    before = sorted(Path(odd_files["folder"]).rglob("*"))
    assert_one_line(command("train", __file__, "--out", folder.format(**odd_files)), said)
    assert sorted(Path(odd_files["folder"]).rglob("*")) == before


def test_images_that_nobody_named_are_not_guessed(command, network):
    assert_one_line(command("accuracy", *network), "--data", "tiny.safetensors")
    assert_one_line(command("lipschitz", *network, "--details"), "--data")
    published = ["--model", "imagenet/resnet18/IMAGENET1K_V1"]
    assert_one_line(command("amplify", *published), "--data")


def test_quantized_labels_and_networks_that_do_not_fit(command, network, images):
    assert_one_line(command("accuracy", *network, *images, "--classes=3"), "3")
    assert_one_line(command("amplify", *network, *images, "--n=1", "--controls"), "other_image")


@pytest.fixture(scope="session")
def deep_network(tmp_path_factory):
    """The options that name a network of torchvision's, which shrinks its images a lot."""
    file = tmp_path_factory.mktemp("deep") / "deep.safetensors"
    save_file(build("squeezenet1_1", 4).state_dict(), file)
    described = "--arch squeezenet1_1 --classes 4 --mean 0.5,0.5,0.5 --std 0.25,0.25,0.25"
    return ["--checkpoint", str(file), *described.split()]


@pytest.mark.parametrize("more", [[], ["--act-bits=4"], ["--weight-bits=4"]], ids=str)
@pytest.mark.parametrize("name", KINDS)
def test_images_too_small_for_the_network(name, more, command, deep_network, images):
    answer = command(name, *deep_network, *images, "--image-size=8", *more)
    assert_one_line(answer, "squeezenet1_1 takes no images of 8x8 pixels", "--image-size")


@pytest.mark.usefixtures("nothing_is_computed")
@pytest.mark.parametrize(
    ("given", "out"),
    [
        (["--data", "parquet:{folder}/mine.parquet"], "{folder}/mine.parquet"),
        (["--data", "parquet:{folder}"], "{folder}/test.parquet"),
        (["--calibration", "parquet:{folder}/mine.parquet"], "{folder}/../{name}/mine.parquet"),
        (["--checkpoint", "{folder}/net.json.csv"], "{folder}/net.json.csv"),
        (["--checkpoint", "{folder}/net.pt"], "{folder}/net.json"),
    ],
)
def test_what_is_read_is_never_written_over(given, out, command, tmp_path):
    places = {"folder": str(tmp_path), "name": tmp_path.name}
    card = '{"arch": "resnet20", "classes": 10, "mean": [0, 0, 0], "std": [1, 1, 1]}'
    for name in ("mine.parquet", "net.pt", "net.json.csv", "net.json"):
        (tmp_path / name).write_text(card)
    given = [part.format(**places) for part in given]
    answer = command("accuracy", *given, "--out", out.format(**places))
    assert_one_line(answer, "belongs to what is read; choose another file")
    assert (tmp_path / "mine.parquet").read_text() == card
