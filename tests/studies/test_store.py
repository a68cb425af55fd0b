"""Claims and results are there whole or not at all, whatever happens in between."""

import dataclasses
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from dqviz.studies import Failure, Owner, Store
from dqviz.studies.owner import STALE_SECONDS
from tests.studies.making import MADE, finding, result_of

ROOT = Path(__file__).parents[2]
ELSEWHERE = Owner(token="a", machine="another machine", process=1, born=0.0)


def gone():
    """An owner of this machine whose process has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return dataclasses.replace(Owner.new(), process=ended.pid)


def test_a_cell_is_claimed_by_one(store, cells):
    mine, other = Owner.new(), Owner.new()
    assert store.claim(cells[:2], mine) == cells[:2]
    assert store.claim(cells, other) == cells[2:]
    assert store.states(c.key for c in cells) == dict.fromkeys([c.key for c in cells], "claimed")
    assert store.free([c.key for c in cells]) == set()


def test_a_result_comes_back_as_it_was(store, cells):
    owner = Owner.new()
    store.claim(cells, owner)
    result = result_of(cells[0], 0.25)
    assert store.finish([(cells[0], finding(cells[0], 0.25))], owner, MADE) == [cells[0]]
    found = store.finding(cells[0].key)
    assert_frame_equal(found.table(), result.table)
    assert found.notes == ("a note",)
    assert store.finding(cells[1].key) is None
    assert store.states([cells[0].key]) == {cells[0].key: "done"}
    assert store.claim(cells[:1], Owner.new()) == []


def test_claims_of_a_process_that_is_gone_count_for_nothing(store, cells):
    store.claim(cells, gone())
    assert store.free([c.key for c in cells]) == {c.key for c in cells}
    assert store.claim(cells, Owner.new()) == cells


def test_a_number_used_again_is_another_process(store, cells):
    store.claim(cells, dataclasses.replace(Owner.new(), born=Owner.new().born - 100))
    assert store.claim(cells, Owner.new()) == cells


def test_a_machine_that_is_silent_for_long_has_lost_its_claims(store, cells):
    now = time.time()
    store.claim(cells, ELSEWHERE, now=now)
    assert store.claim(cells, Owner.new(), now=now + STALE_SECONDS - 1) == []
    store.beat(ELSEWHERE, now=now + 100)
    assert store.claim(cells, Owner.new(), now=now + STALE_SECONDS + 50) == []
    assert store.claim(cells, Owner.new(), now=now + 100 + STALE_SECONDS + 1) == cells


def test_a_process_that_is_there_keeps_its_claims_however_long_it_is_silent(store, cells):
    now = time.time()
    store.claim(cells, Owner.new(), now=now)
    assert store.claim(cells, Owner.new(), now=now + 10 * STALE_SECONDS) == []


def test_what_was_taken_over_is_not_written_by_its_first_owner(store, cells):
    first, second = gone(), Owner.new()
    store.claim(cells, first)
    store.claim(cells, second)
    assert store.finish([(cells[0], finding(cells[0], 0.1))], first, MADE) == []
    store.fail(cells, first, Failure(message="no", kind="DataError"))
    assert store.states([cells[0].key]) == {cells[0].key: "claimed"}
    assert store.finish([(cells[0], finding(cells[0], 0.2))], second, MADE) == [cells[0]]
    assert store.finding(cells[0].key).table()["value"].iloc[0] == 0.2


def test_failures_are_tried_again_only_when_asked(store, cells):
    owner = Owner.new()
    store.claim(cells, owner)
    store.fail(cells[:1], owner, Failure(message="no such layer", kind="ModelError"))
    assert store.to_retry(every=False) == set()
    assert store.claim(cells[:1], owner) == []
    again = store.to_retry(every=True)
    assert again == {cells[0].key}
    assert store.claim(cells[:1], owner, again=again) == cells[:1]
    store.finish([(cells[0], finding(cells[0]))], owner, MADE)
    assert store.to_retry(every=True) == set()
    assert store.claim(cells[:1], owner, again=again) == []


def test_a_lost_process_is_no_fault_of_the_cells_unless_it_happens_often(store, cells):
    owner, key = Owner.new(), cells[0].key
    for attempt in range(3):
        assert store.claim(cells[:1], owner, again=store.to_retry(every=False)) == cells[:1]
        store.fail(cells[:1], owner, Failure(message="lost", kind="worker"))
        assert store.to_retry(every=False) == ({key} if attempt < 2 else set())


def test_what_is_given_back_is_as_before(store, cells):
    owner = Owner.new()
    store.claim(cells, owner)
    store.fail(cells[:1], owner, Failure(message="no", kind="ModelError"))
    store.finish([(cells[1], finding(cells[1]))], owner, MADE)
    store.claim(cells[:1], owner, again={cells[0].key})
    store.release(owner)
    states = store.states(c.key for c in cells)
    assert states == {cells[0].key: "failed", cells[1].key: "done"}


def test_several_cells_are_kept_together_or_not_at_all(store, cells):
    owner = Owner.new()
    store.claim(cells, owner)
    broken = dataclasses.replace(finding(cells[1]), numbers=((None,) * 7,))
    with pytest.raises(ValueError, match="NOT NULL"):
        store.finish([(cells[0], finding(cells[0])), (cells[1], broken)], owner, MADE)
    assert store.finding(cells[0].key) is None
    assert set(store.states(c.key for c in cells).values()) == {"claimed"}
    assert store.finish([(cells[0], finding(cells[0]))], owner, MADE)


def test_readers_wait_for_nobody(store, cells):
    owner = Owner.new()
    store.claim(cells, owner)
    begun, go_on = threading.Event(), threading.Event()

    def numbers():
        yield from finding(cells[0]).numbers
        begun.set()
        go_on.wait(20)

    half = dataclasses.replace(finding(cells[0]), numbers=numbers())
    writer = threading.Thread(target=store.finish, args=([(cells[0], half)], owner, MADE))
    writer.start()
    try:
        assert begun.wait(20)
        with Store(store.path) as reader:
            assert reader.states([cells[0].key]) == {cells[0].key: "claimed"}
            assert reader.finding(cells[0].key) is None
    finally:
        go_on.set()
        writer.join()
    assert store.states([cells[0].key]) == {cells[0].key: "done"}


KILLED = """
import os, sys
from dqviz.studies import Owner, Store
from tests.studies.conftest import cell_at
from tests.studies.making import MADE, finding
import dataclasses

def numbers():
    yield from finding(cell).numbers
    os.kill(os.getpid(), {signal})

cell, owner = cell_at(4), Owner.new()
store = Store(sys.argv[1], write=True)
store.claim([cell], owner)
store.finish([(cell, dataclasses.replace(finding(cell), numbers=numbers()))], owner, MADE)
"""


def test_a_process_killed_while_it_writes_leaves_no_half_of_a_cell(tmp_path, cells):
    path = tmp_path / "store.sqlite"
    kill = int(getattr(signal, "SIGKILL", signal.SIGTERM))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED.format(signal=kill), str(path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True)
    assert done.returncode not in (0, 1), done.stderr
    with Store(path, write=True) as store:
        (cell,) = [c for c in cells if c.spec.quant.act_bits == 4]
        assert store.states([cell.key]) == {cell.key: "claimed"}
        assert store.finding(cell.key) is None
        assert store.claim([cell], Owner.new()) == [cell]


def test_an_owner_can_be_read_back():
    owner = Owner.new()
    assert Owner.read(str(owner)) == owner
    assert owner.machine == platform.node()
    assert Owner.new() != owner
