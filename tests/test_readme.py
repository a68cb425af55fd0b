"""What the README says is run: its library example, and the commands that it promises."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dqviz.cards import shipped_ids
from dqviz.cli.main import build_parser
from dqviz.cli.options import experiment_spec
from dqviz.experiments.run import run
from dqviz.specs import DataSpec, ExperimentSpec, QuantSpec

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_library_example_runs(capsys):
    (example,) = blocks("python")
    example = example.replace("n_samples=64", "n_samples=8")
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "logits amplification median" in printed


def test_the_library_example_gives_the_apps_numbers():
    """Its ranges come from training images, as the app's do, and not from those measured."""
    (example,) = blocks("python")
    names = {"print": lambda *_: None}
    exec(compile(example.replace("n_samples=64", "n_samples=8"), "README.md", "exec"), names)
    rows = names["amplification"](names["quantized"], names["data"].images, names["adversarial"])
    wanted = ("logits", "relative_distance", "median")
    (shown,) = (row.value for row in rows if (row.layer, row.metric, row.statistic) == wanted)
    spec = ExperimentSpec(
        kind="amplification", data=DataSpec(n_samples=8), quant=QuantSpec(act_bits=4)
    )
    table = run(spec).table
    chosen = table[(table["layer"] == "logits") & (table["metric"] == "relative_distance")]
    expected = chosen[chosen["statistic"] == "median"]["value"].item()
    assert shown == pytest.approx(expected, rel=1e-3)


def test_the_library_example_has_ten_statements_at_most_beside_imports():
    (example,) = blocks("python")
    lines = [line for line in example.splitlines() if line and not line.startswith("from")]
    assert len(lines) <= 10


@pytest.mark.parametrize("requirements", ["requirements.txt", "requirements-dev.txt"])
def test_one_command_does_everything(requirements):
    commands = [block for block in blocks("sh") if f"-r {requirements} &&" in block]
    assert len(commands) == 1
    assert len(commands[0].strip().splitlines()) == 1
    windows = [block for block in blocks("powershell") if f"-r {requirements};" in block]
    assert len(windows) == 1


def test_every_command_of_the_command_line_is_one():
    commands = set(re.findall(r"python -m dqviz (\w+)", README))
    shown = subprocess.run(
        [sys.executable, "-m", "dqviz", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert {"models", "amplify", "accuracy", "lipschitz", "train", "doctor"} <= commands
    assert not {command for command in commands if command not in shown}


def test_the_commands_work_as_they_are_written():
    """They need no file that is not there; `python` is that of the environment by then."""
    before, _, after = README.partition("python -m dqviz models")
    assert ". .venv/bin/activate" in before
    assert r".venv\Scripts\Activate.ps1" in before
    section = "python -m dqviz models" + after.partition("```")[0]
    for line in section.strip().splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == ["python", "-m", "dqviz"]
        options = build_parser().parse_args(words[3:])
        if options.command in ("amplify", "accuracy", "lipschitz"):
            kind = {"amplify": "amplification"}.get(options.command, options.command)
            assert experiment_spec(kind, options).model.id in shipped_ids()
        if options.command == "train":
            assert (Path(__file__).parents[1] / options.recipe).is_file()
    outside = [text for text in blocks("sh") if "python" in text and section not in text]
    assert all(re.search(r"\.venv/bin/python|python3 -m venv", text) for text in outside)


def test_pictures_and_recipes_exist():
    root = Path(__file__).parents[1]
    names = re.findall(r"\]\((docs/[^)]+)\)", README) + re.findall(r"recipes/[\w-]+\.toml", README)
    assert names
    assert [name for name in names if not (root / name).exists()] == []
