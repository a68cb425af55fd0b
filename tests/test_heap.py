"""Freed memory is kept: a process that asks for it again has no new pages to touch."""

import os
import subprocess
import sys

import pytest

from dqviz.heap import MEMORY, _is_gnu

needs_gnu = pytest.mark.skipif(not _is_gnu(), reason="another C library")

ROUNDS = """
import resource, sys
from dqviz.heap import keep_freed_memory
print(sys.argv[1] == "keep" and keep_freed_memory())
def some():
    return [bytearray(20 * 2**20) for _ in range(3)]
some(), some()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    some()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def kept_and_faults(what, **environment):
    """What `keep_freed_memory` says, and the page faults of a process that takes 60 MiB again."""
    clean = {name: value for name, value in os.environ.items() if name not in MEMORY}
    done = subprocess.run(
        [sys.executable, "-c", ROUNDS, what],
        env=clean | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@needs_gnu
def test_memory_that_is_kept_is_not_asked_for_again():
    kept, few = kept_and_faults("keep")
    _, many = kept_and_faults("leave")
    assert kept
    assert 20 * few < many


@needs_gnu
def test_settings_of_the_environment_stay():
    own = {"MALLOC_TRIM_THRESHOLD_": str(2**17), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
    kept, faults = kept_and_faults("keep", **own)
    assert not kept
    assert faults > 1000


def test_the_command_line_keeps_memory(monkeypatch):
    import runpy

    asked = []
    monkeypatch.setattr("dqviz.heap.keep_freed_memory", lambda: asked.append(True))
    monkeypatch.setattr("dqviz.cli.main", lambda: 0)
    with pytest.raises(SystemExit):
        runpy.run_module("dqviz", run_name="__main__")
    assert asked == [True]
