"""A training killed without warning, in a process of its own, goes on to the very same network."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dqviz.defense import TrainError, train_network
from tests.defense.test_training import images, recipe, same

ROOT = Path(__file__).parents[2]
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way of killing
SAVED_AT = 2
"""The step of the first periodic save; the kill comes after it."""

TRAINING = """
import itertools, os, sys
from pathlib import Path
from dqviz.defense import training
from tests.defense.test_training import images, recipe

def kill():
    os.kill(os.getpid(), {kill})

steps = itertools.count()
training.time.monotonic = lambda: 20.0 * next(steps)  # with 30 s between saves: every second step
assert training.CHECKPOINT_SECONDS == 30.0
{fate}
training.train_network(recipe(), Path(sys.argv[1]), data=images())
"""
FATES = {
    "between saves": """
one_step = training._Run.one_step

def stops(run):
    one_step(run)
    if run.step == 3:
        kill()

training._Run.one_step = stops
""",
    "while saving": """
saves, save = itertools.count(), training.torch.save

def stops(state, path):
    if next(saves) == 0:
        return save(state, path)
    Path(path).write_bytes(b"half of a checkpoint")
    kill()

training.torch.save = stops
""",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return train_network(recipe(), tmp_path_factory.mktemp("whole"), data=images()).model


@pytest.mark.parametrize("fate", FATES)
def test_a_training_killed_without_warning_goes_on_to_the_very_same_network(
    tmp_path, undisturbed, fate
):
    code = TRAINING.format(kill=int(KILL), fate=FATES[fate])
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if os.name != "nt":
        assert done.returncode == -KILL, done.stderr
    saved = torch.load(tmp_path / "training.pt", weights_only=True)
    assert saved["step"] == SAVED_AT
    assert same(undisturbed, train_network(recipe(), tmp_path, data=images()).model)


class Evil:
    def __reduce__(self):
        return (os.mkdir, ("made by a checkpoint",))


@pytest.mark.parametrize("content", [b"", b"garbage", {"step": 3}, {"recipe": Evil()}])
def test_a_damaged_checkpoint_is_refused_and_nothing_in_it_is_run(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "training.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(TrainError, match=r"training\.pt is damaged .* delete it to start again"):
        train_network(recipe(), tmp_path, data=images())
    assert not (tmp_path / "made by a checkpoint").exists()


def test_half_a_checkpoint_is_refused(tmp_path):
    train_network(recipe(), tmp_path, data=images())
    path = tmp_path / "training.pt"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TrainError, match=r"training\.pt is damaged"):
        train_network(recipe(), tmp_path, data=images())
