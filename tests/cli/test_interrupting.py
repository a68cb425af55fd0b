"""Progress, interrupting, and faults."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dqviz.cli import main
from dqviz.cli.terminal import ProgressLine
from dqviz.experiments.run import run
from dqviz.specs import ExperimentSpec, QuantSpec

ROOT = Path(__file__).parents[2]


class Terminal:
    """A stream that remembers what was written."""

    def __init__(self, is_terminal):
        self.text = ""
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_progress_is_for_terminals_only():
    silent, shown = (ProgressLine(Terminal(there)) for there in (False, True))
    for line in (silent, shown):
        line(0.5, "crafting")
        line(0.51, "a moment later")
        line.clear()
    assert silent._stream.text == ""
    assert " 50 %  crafting" in shown._stream.text
    assert "a moment later" not in shown._stream.text
    assert shown._stream.text.endswith("\r")
    assert "\n" not in shown._stream.text


def test_a_log_file_gets_a_line_now_and_then(monkeypatch):
    now = iter([100.0, 100.0, 110.0, 131.0, 131.0])
    monkeypatch.setattr("dqviz.cli.terminal.time.monotonic", lambda: next(now))
    line = ProgressLine(Terminal(False))
    for text in ("first", "too soon", "later"):
        line.say(text, log_every=30)
    assert line._stream.text == "first\nlater\n"


def test_interrupting_is_clean(monkeypatch, command, network, images, tmp_path):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("dqviz.experiments.run.run", interrupted)
    file = tmp_path / "rows.csv"
    assert command("accuracy", *network, *images, "--out", file) == (130, "", "interrupted\n")
    assert not file.exists()


def test_interrupting_a_running_command_is_clean(network, images, tmp_path):
    told = tmp_path / "started"
    code = (
        "import sys, pathlib, dqviz.cli, dqviz.experiments.steps as s\n"
        f"at = s.Steps.at\n"
        "def said(self, fraction, text):\n"
        "    if text == 'crafting the perturbation':\n"
        f"        pathlib.Path({str(told)!r}).touch()\n"
        "    at(self, fraction, text)\n"
        "s.Steps.at = said\n"
        "sys.exit(dqviz.cli.main(sys.argv[1:]))\n"
    )
    arguments = ["accuracy", *network, *images, "--attack", "pgd", "--steps", "1000000"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        while not told.exists():
            assert process.poll() is None, process.stderr.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def test_the_module_runs_and_a_closed_pipe_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-m", "dqviz", "models", "--all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
    assert (process.returncode, err) == (0, b"")


def test_a_fault_of_the_program_is_no_bad_input(monkeypatch, network, images):
    def broken(*arguments, **options):
        raise KeyError("oops")

    monkeypatch.setattr("dqviz.experiments.run.run", broken)
    with pytest.raises(KeyError):
        main(["accuracy", *network, *images])


def test_numbers_are_those_of_the_library(command, network, images, tmp_path, model, data):
    file = tmp_path / "rows.parquet"
    assert command("amplify", *network, *images, "--act-bits", "4", "--out", file)[0] == 0
    spec = ExperimentSpec(kind="amplification", model=model, data=data, quant=QuantSpec(act_bits=4))
    expected = run(spec).table["value"]
    assert pd.read_parquet(file)["value"].equals(expected)
