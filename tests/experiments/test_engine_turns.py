"""What is long makes room, waits its turn, and outlives the engine. See `test_engine`."""

from __future__ import annotations

import dataclasses
import time

import psutil
import pytest

from dqviz.experiments import Engine
from dqviz.experiments import engine as engine_module
from dqviz.experiments.host import worker_options
from dqviz.experiments.kept import KeptResults
from tests.experiments import fake_tasks
from tests.experiments.waiting import PATIENCE, until


def test_a_long_computation_makes_room_for_somebody_else(engine, wanted, ask):
    long = ask("busy/long", owner="one")
    until(lambda: long.status == "running")
    mine = ask("echo/of the same", owner="one", channel="another page")
    theirs = ask("echo/of another", owner="two")
    assert theirs.result(PATIENCE).notes == ("of another",)
    until(lambda: long.status == "running" and mine.status == "done")
    assert [job.lane for job in engine._ledger.sent()] == ["jobs"]
    long.cancel()


def test_a_long_computation_does_not_make_room_for_its_own_asker(engine, wanted, ask):
    long = ask("busy/long alone", owner="one")
    until(lambda: long.status == "running")
    mine = ask("echo/behind the long one", owner="one", channel="another page")
    until(lambda: time.monotonic() - long.begun > 3)
    assert (long.status, mine.status) == ("running", "queued")
    assert [job.lane for job in engine._ledger.sent()] == ["interactive"]
    long.cancel()
    assert mine.result(PATIENCE).notes == ("behind the long one",)


@pytest.fixture
def jobs_at_work(engine, wanted):
    """As many jobs as there may be, less one or none; they run until they are cancelled."""

    def begun(number):
        specs = [wanted(f"busy/job {place}") for place in range(number)]
        handles = engine.submit(specs, owner="jobs", channel="job", background=True)
        until(lambda: all(handle.status == "running" for handle in handles))
        return handles

    yield begun
    engine.release("jobs")


def test_no_more_jobs_are_at_work_than_there_may_be(engine, ask, jobs_at_work):
    jobs = jobs_at_work(engine.job_workers)
    page = ask("busy/page that takes long", owner="two")
    until(lambda: page.status == "running")
    until(lambda: page.status == "queued")  # it is long, and all places for jobs are taken
    assert all(job.status == "running" for job in jobs)
    assert ask("echo/short").result(PATIENCE).notes == ("short",)
    jobs[0].cancel()
    until(lambda: page.status == "running")
    assert {sent.lane for sent in engine._ledger.sent()} == {"jobs"}
    page.cancel()


def test_a_long_computation_in_the_interactive_lane_counts_as_a_job(
    engine, wanted, ask, jobs_at_work
):
    jobs_at_work(engine.job_workers - 1)
    page = ask("busy/page", owner="two")
    until(lambda: page.status == "running" and time.monotonic() - page.begun > 2.5)
    (job,) = engine.submit([wanted("echo/job")], owner="one", channel="another", background=True)
    until(lambda: engine._ledger.waiting("jobs"))
    assert (page.status, job.status, job.before) == ("running", "queued", 0)
    page.cancel()
    assert job.result(PATIENCE).notes == ("job",)


def test_what_is_known_to_be_long_waits_among_the_jobs(engine, wanted, ask):
    known = dataclasses.replace(wanted("echo/known to be long"), controls=True)
    engine._costs.learn(known, 60.0)
    (handle,) = engine.submit([known], owner="me", channel="known")
    job = next(iter(engine._ledger.jobs()), None)
    assert job is None or job.lane == "jobs"
    niceness = psutil.Process(int(handle.result(PATIENCE).table["value"].iloc[0])).nice()
    quick = ask("echo/quick").result(PATIENCE)
    assert niceness > psutil.Process(int(quick.table["value"].iloc[0])).nice()


def test_how_many_come_first_is_told(engine, wanted, ask):
    blocker = ask("busy/first", owner="one", channel="blocker")
    until(lambda: blocker.status == "running")
    names = [f"echo/before {number}" for number in range(3)]
    handles = engine.submit([wanted(name) for name in names], owner="one", channel="page")
    assert [handle.before for handle in (blocker, *handles)] == [0, 0, 1, 2]
    blocker.cancel()
    assert handles[-1].result(PATIENCE).notes == ("before 2",)
    assert handles[-1].before == 0


def test_only_one_channel_is_released(engine, ask):
    page = ask("busy/page", owner="one", channel="page")
    job = ask("echo/job", owner="one", channel="job")
    engine.release("one", "page")
    assert page.status == "cancelled"
    assert job.result(PATIENCE).notes == ("job",)


def test_results_of_long_computations_are_kept_and_found_by_the_next_engine(
    wanted, tmp_path, monkeypatch
):
    monkeypatch.setattr(engine_module, "LONG_SECONDS", -1.0)
    first = Engine(task=fake_tasks.task, workers=1, kept=KeptResults(tmp_path))
    result = first.submit([wanted("echo/kept")], owner="me", channel="page")[0].result(PATIENCE)
    until(lambda: result.spec_key in first.kept)
    first.shutdown()
    second = Engine(task=fake_tasks.task, workers=1, kept=KeptResults(tmp_path))
    assert second.is_known(wanted("echo/kept"))
    (handle,) = second.submit([wanted("echo/kept")], owner="me", channel="page")
    assert handle.status == "done"
    assert handle.result(0).notes == ("kept",)
    second.shutdown()


def test_the_memory_that_it_takes_is_bounded_and_told():
    made = Engine(workers=2, jobs=1, cache_bytes=10**6)
    total = psutil.virtual_memory().total
    assert made.memory_limit() == pytest.approx(0.9 * total + 10**6, rel=1e-6)
    lanes = ("interactive", "jobs")
    limits = [worker_options(lane, "", workers=2)["memory_limit"] for lane in lanes]
    assert limits == [0.3, 0.15]


def test_without_jobs_everything_is_computed_by_all_workers_however_long(wanted):
    made = Engine(task=fake_tasks.task, workers=2, jobs=0)
    specs = [wanted(f"busy/long cell {number}") for number in range(3)]
    for spec in specs:
        made._costs.learn(spec, 60.0)
    handles = made.submit(specs, owner="one", channel="sweep", background=True)
    until(lambda: [handle.status for handle in handles] == ["running", "running", "queued"])
    assert made.width(background=True) == made.width() == 2
    other = made.submit([wanted("echo/other")], owner="two", channel="sweep")[0]
    until(lambda: time.monotonic() - handles[1].begun > 3)
    assert [handle.status for handle in handles] == ["running", "running", "queued"]
    handles[0].cancel()
    assert other.result(PATIENCE).notes == ("other",)
    assert made.memory_limit() > 0
    made.shutdown()
