"""What the README says is run: its library example, and the commands that it promises."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def test_the_library_example_runs(capsys):
    (example,) = blocks("python")
    example = example.replace("n_samples=64", "n_samples=8")
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "logits amplification median" in printed


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


def test_pictures_and_recipes_exist():
    root = Path(__file__).parents[1]
    names = re.findall(r"\]\((docs/[^)]+)\)", README) + re.findall(r"recipes/[\w-]+\.toml", README)
    assert names
    assert [name for name in names if not (root / name).exists()] == []
