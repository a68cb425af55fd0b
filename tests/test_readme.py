"""What the README says is run: its library example, and the commands that it promises."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dqviz.cards import shipped_ids
from dqviz.cli.asked import experiment_spec
from dqviz.cli.main import build_parser
from dqviz.studies import parse_grid

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def executed(example):
    """The names that an example leaves behind, on few images."""
    names = {}
    exec(compile(example.replace("n_samples=64", "n_samples=8"), "README.md", "exec"), names)
    return names


def test_the_library_examples_run_and_give_one_and_the_same_number(capsys):
    """Ranges come from training images in both, and not from those measured."""
    whole, pieces = blocks("python")
    table = executed(whole)["result"].table
    assert "statistic" in capsys.readouterr().out
    names = executed(pieces)
    assert "logits amplification median" in capsys.readouterr().out
    rows = names["amplification"](names["quantized"], names["data"].images, names["adversarial"])
    wanted = ("logits", "relative_distance", "median")
    (shown,) = (row.value for row in rows if (row.layer, row.metric, row.statistic) == wanted)
    found = table[["layer", "metric", "statistic"]].eq(list(wanted)).all(axis=1)
    assert shown == pytest.approx(table[found]["value"].item(), rel=1e-3)


def test_the_first_library_example_has_ten_lines():
    whole, _ = blocks("python")
    assert len([line for line in whole.splitlines() if line]) <= 10


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
    assert {"models", "amplify", "accuracy", "lipschitz", "train", "doctor", "sweep"} <= commands
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
    outside = re.findall(r"```sh\n(.*?)```", before, flags=re.S)
    outside = [text for text in outside if "python" in text and "activate" not in text]
    assert all(re.search(r"\.venv/bin/python|python3 -m venv", text) for text in outside)


def test_the_grid_is_one_and_its_commands_are_commands():
    (example,) = [text for text in blocks("toml") if "act_bits" in text]
    grid = parse_grid(example)
    assert len(list(grid.cells())) == grid.product - 2 * 3 * 2
    section = README.partition("## Studies")[2].partition("\n## ")[0]
    lines = [text for text in section.splitlines() if text.startswith("python -m dqviz")]
    assert len(lines) == 8
    for line in lines:
        words = line.replace("$SLURM_ARRAY_TASK_ID", "3").partition("  #")[0].split()[3:]
        assert build_parser().parse_args(words).command in ("sweep", "results", "report")


def test_pictures_and_recipes_exist():
    root = Path(__file__).parents[1]
    names = re.findall(r"\]\((docs/[^)]+)\)", README) + re.findall(r"recipes/[\w-]+\.toml", README)
    assert names
    assert [name for name in names if not (root / name).exists()] == []
