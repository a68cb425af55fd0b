"""A sweep computes what is missing, once, and goes on from wherever it was ended."""

import threading
import time

import pytest

from dqviz.experiments import Engine
from dqviz.studies import Store, StoreError, Sweep, sweep
from tests.studies.conftest import cell_at
from tests.studies.tasks import task

BITS, EPSILONS = (8, 4, 2), (1 / 255, 2 / 255)


@pytest.fixture(scope="module")
def engine():
    running = Engine(workers=2, jobs=0, task=task)
    running.start_in_background()
    assert running.wait_until_ready(120)
    yield running
    running.shutdown()


def grid(what, attack="fgsm"):
    return [cell_at(b, e, attack=attack, image=what) for b in BITS for e in EPSILONS]


def states(store, cells):
    found = store.states(cell.key for cell in cells)
    return [found.get(cell.key) for cell in cells]


def lines(path):
    return sorted(path.read_text().splitlines()) if path.exists() else []


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
def test_every_cell_is_computed_once(engine, store, tmp_path, attack):
    counted = tmp_path / "counted"
    cells = grid(f"count/{counted}", attack)
    progress = Sweep([*cells, *cells], store, engine).run()
    assert (progress.total, progress.done, progress.failed, progress.before) == (6, 6, 0, 0)
    assert lines(counted) == sorted(f"{b} {e}" for b in BITS for e in (1, 2))
    for cell in cells:
        (value,) = store.finding(cell.key).table()["value"]
        assert value == cell.spec.attack.epsilons[0] * cell.spec.quant.act_bits
    assert Sweep(cells, store, engine).run().before == 6
    assert len(lines(counted)) == 6


def test_what_is_there_is_not_computed_again(engine, store, tmp_path):
    counted = tmp_path / "counted"
    cells = grid(f"count/{counted}")
    Sweep(cells[:3], store, engine).run()
    progress = Sweep(cells, store, engine).run()
    assert (progress.done, progress.before) == (6, 3)
    assert len(lines(counted)) == len(set(lines(counted))) == 6


def test_a_cell_that_fails_does_not_stop_the_rest(engine, store):
    cells = grid("fail/")
    progress = Sweep(cells, store, engine).run()
    assert (progress.done, progress.failed) == (4, 2)
    assert states(store, cells) == ["done"] * 4 + ["failed"] * 2
    again = Sweep(cells, store, engine).run()
    assert (again.done, again.failed, again.seconds < 1) == (4, 2, True)
    once_more = Sweep(cells, store, engine, retry_failed=True).run()
    assert (once_more.done, once_more.failed) == (4, 2)


def test_a_cell_that_takes_too_long_has_failed(engine, store):
    cells = grid("sleep/30")
    begin = time.monotonic()
    progress = Sweep(cells, store, engine, cell_seconds=4).run()
    assert (progress.done, progress.failed) == (4, 2)
    assert time.monotonic() - begin < 20
    row = store._connection.execute("SELECT * FROM cells WHERE state = 'failed'").fetchone()
    assert (row["error"], row["error_kind"]) == ("it took more than 4 seconds", "timeout")


def test_a_lost_worker_costs_no_cell(engine, store, tmp_path):
    lives = tmp_path / "lives"
    lives.write_bytes(b"1")
    cells = grid(f"die/{lives}")
    progress = Sweep(cells, store, engine).run()
    assert (progress.done, progress.failed) == (6, 0)


def test_a_cell_whose_worker_is_lost_each_time_fails_and_is_tried_again_later(
    engine, store, tmp_path
):
    lives = tmp_path / "lives"
    lives.write_bytes(b"more than enough")
    cells = grid(f"die/{lives}")
    progress = Sweep(cells, store, engine).run()
    assert (progress.done, progress.failed) == (4, 2)
    lives.write_bytes(b"")
    again = Sweep(cells, store, engine).run()
    assert (again.done, again.failed) == (6, 0)


def test_two_sweeps_of_one_grid_share_the_work(engine, tmp_path):
    counted = tmp_path / "counted"
    cells = grid(f"count/{counted}", "pgd")
    found = []

    def run(mine):
        with Store(tmp_path / "shared.sqlite", write=True) as store:
            found.append(Sweep(mine, store, engine).run())

    threads = [threading.Thread(target=run, args=(part,)) for part in (cells, cells[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [(p.done, p.failed) for p in found] == [(6, 0), (6, 0)]
    assert len(lines(counted)) == len(set(lines(counted))) == 6


def test_interrupting_keeps_what_is_finished_and_gives_the_rest_back(engine, store):
    cells = grid("sleep/30")

    def stop(progress):
        if progress.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Sweep(cells, store, engine, report=stop).run()
    assert states(store, cells) == ["done"] * 4 + [None] * 2


def test_workers_of_another_version_end_the_sweep_and_no_cell_has_failed(engine, store):
    cells = grid("other/")
    with pytest.raises(StoreError, match="another dqviz"):
        Sweep(cells, store, engine).run()
    assert states(store, cells) == [None] * 6


def test_an_engine_that_does_not_run_any_more_ends_the_sweep(store, monkeypatch):
    cells = grid("count/x")
    stopped = Engine(scheduler="tcp://127.0.0.1:9", task=task)
    monkeypatch.setattr("dqviz.experiments.cluster.CONNECT_SECONDS", 0.5)
    stopped.start_in_background()
    assert not stopped.wait_until_ready(60)
    with pytest.raises(StoreError, match="start again to go on"):
        Sweep(cells, store, stopped).run()
    assert states(store, cells) == [None] * 6
    stopped.shutdown()


def test_signs_of_life_are_given(engine, store, monkeypatch):
    monkeypatch.setattr(sweep, "BEAT_SECONDS", 0.05)
    beats = []
    monkeypatch.setattr(store, "beat", lambda owner: beats.append(owner))
    Sweep(grid("sleep/1"), store, engine).run()
    assert len(set(beats)) == 1
    assert len(beats) > 5


def test_progress_is_reported_with_the_time_left():
    state = sweep.Progress(total=10, done=6, failed=1, before=2, seconds=2.0)
    assert state.rate == 2.0
    assert state.seconds_left == 1.5
    assert sweep.Progress(total=10).seconds_left is None
