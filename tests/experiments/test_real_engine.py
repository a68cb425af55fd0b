"""Real experiments through the engine: the command line's numbers, and cancelling in earnest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from dqviz.experiments import Engine
from dqviz.experiments.run import run
from dqviz.experiments.workbench import Workbench
from dqviz.specs import AttackSpec, ExperimentSpec, QuantSpec
from tests.experiments.waiting import PATIENCE, processor_share, until


@pytest.fixture(scope="module")
def engine():
    made = Engine()
    made.start_in_background()
    yield made
    made.shutdown()


def test_the_app_and_the_command_line_give_the_same_numbers(engine, model, data):
    spec = ExperimentSpec(
        kind="amplification", model=model, data=data, quant=QuantSpec(act_bits=4), controls=True
    )
    (handle,) = engine.submit([spec], owner="me", channel="page")
    here = run(spec, bench=Workbench())
    there = handle.result(PATIENCE)
    assert there.spec_key == here.spec_key == handle.key
    assert there.notes == here.notes
    assert there.table.equals(here.table)


def test_bad_input_is_told_without_a_stack_trace(engine, model, data):
    spec = ExperimentSpec(kind="playground", model=model, data=data, layers=("nowhere",))
    (handle,) = engine.submit([spec], owner="me", channel="page")
    assert handle.wait(PATIENCE)
    assert handle.error_kind == "ModelError"
    assert "no layer 'nowhere'" in handle.error


def test_a_long_attack_stops_when_cancelled_and_the_processor_is_idle(engine, model, data):
    attack = AttackSpec(name="pgd", steps=1_000_000)
    spec = ExperimentSpec(kind="accuracy", model=model, data=data, attack=attack)
    (handle,) = engine.submit([spec], owner="me", channel="page")
    until(lambda: handle.progress.text == "crafting the perturbation")
    assert handle.status == "running"
    restarts = engine.restarts
    handle.cancel()
    quick = ExperimentSpec(kind="playground", model=model, data=data)
    (after,) = engine.submit([quick], owner="me", channel="page")
    after.result(PATIENCE)
    assert engine.restarts == restarts
    until(lambda: processor_share(engine.host_pid) < 0.2)


OWNER = """
import sys, threading
from dqviz.experiments import Engine
from dqviz.specs import ExperimentSpec, ModelSpec
from tests.experiments import fake_tasks

if __name__ == "__main__":
    engine = Engine(task=fake_tasks.task)
    network = ModelSpec(id="imagenet/resnet18/IMAGENET1K_V1")
    busy = ExperimentSpec(kind="playground", model=network, image="busy/owner")
    (handle,) = engine.submit([busy], owner="me", channel="page")
    while handle.status != "running":
        threading.Event().wait(0.01)
    print(engine.host_pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_the_engine_ends_with_the_process_that_started_it(end, tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as owner:
        host = psutil.Process(int(json.loads(owner.stdout.readline())))
        folder = Path(host.cmdline()[-3])
        processes = [host, *host.children(recursive=True)]
        assert folder.is_dir()
        if end == "killed":
            owner.send_signal(signal.SIGKILL)
        _, said = owner.communicate()
    assert said == ""
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive
    assert not folder.exists()
