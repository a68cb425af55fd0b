"""The engine over workers that do what the tests say. They wait for states, never for a clock."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from dqviz.experiments import Engine, ExperimentError, cluster
from dqviz.heap import MEMORY
from dqviz.specs import DataSpec, ModelSpec
from tests.experiments import fake_tasks
from tests.experiments.waiting import PATIENCE, processor_share, until


def test_it_starts_in_the_background():
    made = Engine(task=fake_tasks.task, workers=1)
    begin = time.monotonic()
    made.start_in_background()
    assert time.monotonic() - begin < 0.5
    assert made.state == "starting"
    assert made.wait_until_ready(PATIENCE)
    assert made.state == "ready"
    made.shutdown()


def test_requests_made_while_it_starts_are_answered(wanted):
    made = Engine(task=fake_tasks.task, workers=1)
    handles = made.submit([wanted("echo/a"), wanted("echo/b")], owner="me", channel="page")
    assert [handle.status for handle in handles] == ["queued", "queued"]
    assert [handle.result(PATIENCE).notes for handle in handles] == [("a",), ("b",)]
    made.shutdown()


def test_a_result_comes_back_and_is_remembered(ask, wanted):
    first = ask("echo/remembered")
    result = first.result(PATIENCE)
    assert result.notes == ("remembered",)
    assert first.status == "done"
    assert first.progress.fraction == 1
    again = ask("echo/remembered", owner="another")
    assert again.status == "done"
    assert again.result(0) is result


def test_two_who_want_the_same_share_one_computation(ask):
    blocker = ask("busy/share", channel="blocker")
    until(lambda: blocker.status == "running")
    one = ask("echo/shared", owner="one")
    other = ask("echo/shared", owner="other")
    one.cancel()
    assert one.status == "cancelled"
    assert other.status != "cancelled"  # queued, unless the blocker has become long and made room
    blocker.cancel()
    assert other.result(PATIENCE).notes == ("shared",)
    assert one.status == "cancelled"
    with pytest.raises(ExperimentError, match="cancelled"):
        one.result(0)


def test_a_newer_request_replaces_the_older_one(ask):
    older = ask("busy/older")
    until(lambda: older.status == "running")
    until(lambda: older.progress.text == "busy")
    assert older.progress.fraction == 0.5
    elsewhere = ask("echo/elsewhere", channel="another page")
    newer = ask("echo/newer")
    assert older.status == "cancelled"
    assert newer.result(PATIENCE).notes == ("newer",)
    assert elsewhere.result(PATIENCE).notes == ("elsewhere",)


def test_what_the_newer_request_still_wants_goes_on(engine, wanted):
    kept, dropped = engine.submit(
        [wanted("busy/kept"), wanted("echo/dropped")], owner="me", channel="page"
    )
    until(lambda: kept.status == "running")
    again, added = engine.submit(
        [wanted("busy/kept"), wanted("echo/added")], owner="me", channel="page"
    )
    assert kept.status == again.status == "running"
    assert dropped.status == "cancelled"
    assert added.status == "queued"
    engine.release("me")
    assert again.status == added.status == "cancelled"


def test_after_cancelling_the_processor_is_idle(engine, ask):
    restarts = engine.restarts
    handle = ask("busy/idle")
    until(lambda: handle.progress.text == "busy")
    until(lambda: processor_share(engine.host_pid) > 0.2)
    handle.cancel()
    ask("echo/after cancelling").result(PATIENCE)
    assert engine.restarts == restarts  # it stopped by itself
    until(lambda: processor_share(engine.host_pid) < 0.2)  # it may still be importing torch


def test_a_computation_that_does_not_stop_is_ended(engine, ask, wanted):
    restarts = engine.restarts
    handle = ask("stubborn")
    until(lambda: handle.progress.text == "busy")
    handle.cancel()
    assert handle.status == "cancelled"
    until(lambda: engine.restarts == restarts + 1)
    # By the time that the other lane has answered, the engine has heard of the end.
    other = engine.submit([wanted("echo/lane")], owner="me", channel="job", background=True)
    assert other[0].result(PATIENCE).notes == ("lane",)
    assert engine.state == "ready"
    assert ask("echo/after stubborn").result(PATIENCE).notes == ("after stubborn",)


def test_what_is_lost_with_an_ended_computation_is_computed_anew(engine, ask):
    ask("echo/before stubborn").result(PATIENCE)
    restarts = engine.restarts
    handle = ask("stubborn")
    until(lambda: handle.progress.text == "busy")
    behind = ask("echo/behind stubborn", channel="another page")
    handle.cancel()
    assert behind.result(PATIENCE).notes == ("behind stubborn",)
    assert engine.restarts == restarts + 1
    assert engine.state == "restarted"
    assert "did not stop" in engine.message
    ask("echo/after that").result(PATIENCE)
    assert engine.state == "ready"


def test_a_lost_worker_is_replaced_and_its_request_tried_again(engine, ask, tmp_path):
    restarts = engine.restarts
    handle = ask(f"die/{tmp_path / 'marker'}")
    assert handle.result(PATIENCE).notes == (str(tmp_path / "marker"),)
    assert engine.restarts == restarts + 1
    assert engine.state == "restarted"
    assert "was lost" in engine.message


def test_a_request_that_kills_its_worker_twice_has_failed(ask):
    handle = ask("die")
    assert handle.wait(PATIENCE)
    assert handle.status == "failed"
    assert handle.error_kind == "worker"
    assert "memory" in handle.error
    assert ask("echo/after dying").result(PATIENCE).notes == ("after dying",)


def test_a_lost_host_is_replaced(engine, ask):
    ask("echo/before").result(PATIENCE)
    restarts, host = engine.restarts, engine.host_pid
    handle = ask("busy/host")
    until(lambda: handle.status == "running")
    workers = psutil.Process(host).children(recursive=True)
    os.kill(host, signal.SIGKILL)
    until(lambda: engine.restarts == restarts + 1)
    assert engine.state == "restarted"
    until(lambda: handle.status == "running" and engine.host_pid not in (None, host))
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert not alive
    handle.cancel()
    assert ask("echo/after the host").result(PATIENCE).notes == ("after the host",)


def test_bad_input_is_one_clear_text(engine, ask, wanted, tmp_path):
    handle = ask("fail/there are no images")
    assert handle.wait(PATIENCE)
    assert (handle.status, handle.error_kind) == ("failed", "DataError")
    assert handle.error == "there are no images"
    with pytest.raises(ExperimentError, match="there are no images"):
        handle.result(0)
    missing = DataSpec(name=f"parquet:{tmp_path / 'none.parquet'}")
    unknown = ModelSpec(id="no/such/network")
    handles = engine.submit(
        [
            dataclasses.replace(wanted("echo"), data=missing),
            wanted("echo/good"),
            dataclasses.replace(wanted("echo"), model=unknown),
        ],
        owner="me",
        channel="page",
    )
    assert [handle.status for handle in handles[::2]] == ["failed", "failed"]
    assert handles[0].error_kind == "DataError"
    assert "none.parquet" in handles[0].error
    assert "no/such/network" in handles[2].error
    assert handles[1].result(PATIENCE).notes == ("good",)


@pytest.mark.parametrize("name", ["MKL_NUM_THREADS", *MEMORY])
def test_workers_start_with_our_memory_settings_and_no_others(name, ask):
    (found,) = ask(f"environ/{name}").result(PATIENCE).notes
    assert found == os.environ.get(name, str(MEMORY.get(name, "not set")))


def test_requests_are_answered_in_the_order_in_which_they_were_made(engine, wanted, ask):
    blocker = ask("busy/order", channel="blocker")
    until(lambda: blocker.status == "running")
    names = [f"clock/{number}" for number in range(12)]
    handles = engine.submit([wanted(name) for name in names], owner="me", channel="page")
    blocker.cancel()
    times = [float(handle.result(PATIENCE).notes[0]) for handle in handles]
    assert times == sorted(times)


def test_two_workers_share_the_processors_and_work_side_by_side(wanted):
    made = Engine(task=fake_tasks.task, workers=2)
    threads = made.submit([wanted("environ/OMP_NUM_THREADS")], owner="me", channel="threads")[0]
    assert threads.result(PATIENCE).notes == (str(max(1, (os.cpu_count() or 1) // 2)),)
    handles = made.submit([wanted("busy/a"), wanted("busy/b")], owner="me", channel="page")
    until(lambda: [handle.status for handle in handles] == ["running", "running"])
    made.shutdown()


def test_jobs_run_beside_interactive_requests_at_a_lower_priority(engine, wanted, ask):
    (job,) = engine.submit([wanted("busy/job")], owner="me", channel="job", background=True)
    until(lambda: job.status == "running")
    interactive = ask("echo/beside").result(PATIENCE)
    assert job.status == "running"
    job.cancel()
    (other,) = engine.submit([wanted("echo/job")], owner="me", channel="job", background=True)
    nice = [
        psutil.Process(int(result.table["value"].iloc[0])).nice()
        for result in (interactive, other.result(PATIENCE))
    ]
    assert nice[1] > nice[0]


def test_nothing_listens_beyond_this_machine(engine, ask):
    ask("echo/sockets").result(PATIENCE)
    host = psutil.Process(engine.host_pid)
    sockets = [
        connection.laddr.ip
        for process in [host, *host.children(recursive=True)]
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(sockets) >= 3
    assert set(sockets) == {"127.0.0.1"}


def test_a_running_scheduler_is_used_by_its_address(engine, wanted, ask):
    ask("echo/first").result(PATIENCE)
    address = engine._dispatcher.cluster._host.address()
    second = Engine(scheduler=address, task=fake_tasks.task)
    (handle,) = second.submit([wanted("echo/abroad")], owner="me", channel="page")
    assert handle.result(PATIENCE).notes == ("abroad",)
    assert second.host_pid is None
    second.shutdown()
    assert ask("echo/still there").result(PATIENCE).notes == ("still there",)


def test_whether_a_scheduler_has_workers_is_known():
    from distributed import LocalCluster

    address = {"host": "127.0.0.1", "protocol": "tcp://", "dashboard_address": None}
    with LocalCluster(n_workers=0, processes=False, threads_per_worker=1, **address) as made:
        joined = Engine(scheduler=made.scheduler_address, task=fake_tasks.task)
        assert not joined.has_workers()
        joined.start_in_background()
        assert joined.wait_until_ready(PATIENCE)
        assert not joined.has_workers()
        made.scale(1)
        until(joined.has_workers)
        joined.shutdown()


def test_shutting_down_leaves_nothing_behind(wanted):
    made = Engine(task=fake_tasks.task, workers=1)
    handle = made.submit([wanted("busy/end")], owner="me", channel="page")[0]
    until(lambda: handle.status == "running")
    host = psutil.Process(made.host_pid)
    processes = [host, *host.children(recursive=True)]
    folder = Path(host.cmdline()[-3])
    assert folder.is_dir()
    made.shutdown()
    assert handle.status == "cancelled"
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
    assert not alive
    assert not folder.exists()


def test_an_engine_that_cannot_start_says_so(wanted, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    made = Engine(scheduler="tcp://127.0.0.1:1", task=fake_tasks.task)
    (handle,) = made.submit([wanted("echo")], owner="me", channel="page")
    assert not made.wait_until_ready(PATIENCE)
    assert made.state == "failed"
    assert handle.wait(PATIENCE)
    assert handle.error_kind == "worker"
    made.shutdown()
