"""Jobs are computed in turn, can be cancelled, and are found again after the server has ended."""

import sqlite3

import pytest

from dqviz.jobs import Book, JobError
from dqviz.jobs import book as book_module
from dqviz.jobs.folder import JobFolder
from dqviz.studies import GridError, Store
from tests.experiments.waiting import processor_share, until
from tests.jobs.conftest import ANN, BEN

GRID = """
kind = "accuracy"
model = "streetdigits/resnet20/dq"

[data]
n_samples = 8

[quant]
act_bits = [8, 4, 3]

[attack]
name = "pgd"
epsilon = ["1/255", "2/255"]
"""


def state(book, record):
    return book.view(record.id).state


def cells_done(path):
    if not path.exists():
        return 0
    with sqlite3.connect(path) as connection:
        try:
            found = connection.execute("SELECT count(*) FROM cells WHERE state = 'done'")
        except sqlite3.OperationalError:  # the file is there, its tables are not yet
            return 0
        return found.fetchone()[0]


def test_a_job_is_done_and_stays_listed(book, add):
    record = add("echo/a job", "echo/another")
    until(lambda: state(book, record) == "done")
    (view,) = book.jobs(ANN)
    assert (view.fraction, view.record.title) == (1.0, "a job")
    assert view.record.ended >= view.record.made
    assert book.jobs(BEN) == []


def test_progress_is_told_and_so_is_the_time_left(book, add):
    record = add("busy/progress")
    until(lambda: book.view(record.id).fraction == 0.5)
    view = book.view(record.id)
    assert (view.state, view.text) == ("running", "busy")
    before = view.seconds_left
    until(lambda: book.view(record.id).seconds_left > before)  # half done after a longer time
    book.cancel(record.id, ANN)


def test_a_cancelled_job_stops_and_the_processor_is_idle(book, add, engine):
    record = add("busy/cancel")
    until(lambda: book.view(record.id).fraction == 0.5)
    book.cancel(record.id, ANN)
    assert state(book, record) == "cancelled"
    until(lambda: processor_share(engine.host_pid, 0.5) < 0.05)


def test_only_the_owner_cancels_or_removes(book, add):
    record = add("busy/mine")
    book.cancel(record.id, BEN)
    assert book.view(record.id).record.state == "open"
    book.cancel(record.id, ANN)
    book.remove(record.id, BEN)
    assert state(book, record) == "cancelled"
    book.remove(record.id, ANN)
    assert book.view(record.id) is None


def test_a_job_that_fails_says_why_and_can_be_tried_again(book, add):
    record = add("echo/good", "fail/there are no images")
    until(lambda: state(book, record) == "failed")
    failed = book.view(record.id).record
    assert (failed.error, failed.error_kind) == ("there are no images", "DataError")
    book.again(record.id, ANN)
    (view,) = book.jobs(ANN)
    assert view.record.id != record.id
    until(lambda: book.jobs(ANN)[0].state == "failed")


def test_the_same_request_is_one_job_and_of_two_users_one_computation(book, add, engine):
    one = add("busy/same")
    assert add("busy/same").id == one.id
    other = add("busy/same", user=BEN)
    assert other.id != one.id
    until(lambda: state(book, one) == state(book, other) == "running")
    assert len(engine._ledger.sent()) == 1
    assert book.others(ANN) == (1, 0)
    book.cancel(one.id, ANN)
    assert state(book, other) == "running"
    book.cancel(other.id, BEN)


def test_users_take_turns(book, add):
    blocker = add("busy/turns")
    until(lambda: state(book, blocker) == "running")
    mine = [add(f"clock/mine {number}") for number in range(3)]
    theirs = add("clock/theirs", user=BEN)
    assert [book.view(record.id).before for record in [*mine, theirs]] == [1, 2, 3, 0]
    book.cancel(blocker.id, ANN)
    until(lambda: all(state(book, record) == "done" for record in [*mine, theirs]))


def test_there_is_room_for_a_bounded_number(book, add, monkeypatch):
    monkeypatch.setattr(book_module, "MAX_OPEN", 2)
    records = [add("busy/room 1"), add("busy/room 2")]
    assert add("busy/room 3") is None
    with pytest.raises(JobError, match="2 of your jobs"):
        book.add_study(ANN, grid=GRID, store="a.sqlite")
    assert add("busy/room 3", user=BEN) is not None
    monkeypatch.setattr(book_module, "MAX_OPEN_OF_ALL", 3)
    assert add("busy/room 4", user="c" * 32) is None
    for record in records:
        book.cancel(record.id, ANN)


def test_of_old_jobs_the_latest_are_kept(book, add, monkeypatch, tmp_path):
    monkeypatch.setattr(book_module, "KEPT", 2)
    for number in range(4):
        record = add(f"echo/{number}", title=f"job {number}")
        until(lambda record=record: book.view(record.id) and state(book, record) == "done")
    assert [view.record.title for view in book.jobs(ANN)] == ["job 3", "job 2"]
    assert len(list((tmp_path / "jobs").glob("*.json"))) == 2


def test_an_open_job_is_taken_up_by_the_next_server(book, add, engine, spec, tmp_path):
    gone = add("echo/gone before the restart")
    until(lambda: state(book, gone) == "done")
    waiting = add("busy/restart")
    until(lambda: state(book, waiting) == "running")
    book.close()  # the operating system lets go of the folder when a server is killed
    engine.release(ANN)
    again = Book(engine, JobFolder(tmp_path / "jobs"), stores=tmp_path / "results")
    until(lambda: state(again, waiting) == "running")
    assert state(again, gone) == "done"
    again.cancel(waiting.id, ANN)
    assert state(again, waiting) == "cancelled"
    again.close()


def test_a_study_goes_into_its_store(book, tmp_path):
    record = book.add_study(ANN, grid=GRID, store="my study.sqlite")
    seen = set()
    until(lambda: seen.add(book.view(record.id).text) or state(book, record) == "done")
    assert any("of 6 cells; streetdigits/resnet20/dq W32 A" in text for text in seen)
    assert cells_done(tmp_path / "results" / "my study.sqlite") == 6
    assert book.view(record.id).record.address == ("studies", (("store", "my study.sqlite"),))


def test_a_cancelled_study_keeps_what_is_finished(book, tmp_path):
    path = tmp_path / "results" / "some.sqlite"
    # so many cells that it is not done between two looks, however busy the machine is
    many = ", ".join(f'"{level}/2550"' for level in range(1, 21))
    grid = GRID.replace('"1/255", "2/255"', many)
    record = book.add_study(ANN, grid=grid, store="some.sqlite")
    until(lambda: cells_done(path) >= 2)
    book.cancel(record.id, ANN)
    assert state(book, record) == "cancelled"
    until(lambda: not claimed(path))
    assert 2 <= cells_done(path) < 60
    book.again(record.id, ANN)
    until(lambda: book.jobs(ANN)[0].state == "done")
    assert cells_done(path) == 60


def claimed(path):
    with Store(path) as store:
        return store._connection.execute(
            "SELECT count(*) FROM cells WHERE state = 'claimed'"
        ).fetchone()[0]


@pytest.mark.parametrize(
    ("grid", "store", "error", "message"),
    [
        (GRID, "../up.sqlite", JobError, "name of a store"),
        (GRID, "/etc/passwd", JobError, "name of a store"),
        (GRID, "plain", JobError, "ends in .sqlite"),
        ("kind = 3\nmodel = 'x/y/z'", "a.sqlite", GridError, "kind"),
        ("model = [", "a.sqlite", GridError, "not TOML"),
        (GRID + "\nsede = 1", "a.sqlite", GridError, "sede"),
        (GRID.replace("n_samples = 8", "name = 'folder:/etc'"), "a.sqlite", GridError, "leads out"),
        (GRID.replace("n_samples = 8", "name = ['streetdigits', 'parquet:../x.parquet']"),
         "a.sqlite", GridError, "leads out"),
        (GRID.replace('"streetdigits/resnet20/dq"', "{checkpoint = '/x.pt', arch = 'resnet20'}"),
         "a.sqlite", GridError, "leads out"),
        ("model = 'streetdigits/resnet20/dq'\ncrafted_on = {model = {checkpoint = '../y.pt', "
         "arch = 'resnet20'}}", "a.sqlite", GridError, "leads out"),
        ("model = 'streetdigits/resnet20/dq'\ncalibration = {name = 'folder:..'}", "a.sqlite",
         GridError, "leads out"),
        (f"model = 'streetdigits/resnet20/dq'\nseed = {list(range(400))}\n"
         f"[attack]\nepsilon = {[e / 1000 for e in range(300)]}", "a.sqlite", JobError, "120,000"),
    ],
)  # fmt: skip
def test_a_wrong_study_is_refused_and_nothing_is_begun(book, grid, store, error, message, tmp_path):
    with pytest.raises(error, match=message):
        book.add_study(ANN, grid=grid, store=store)
    assert book.jobs(ANN) == []
    assert not (tmp_path / "results").exists()


def test_a_study_of_a_network_that_is_not_there_fails_with_its_name(book):
    record = book.add_study(ANN, grid="model = 'no/such/network'", store="a.sqlite")
    until(lambda: state(book, record) == "failed")
    assert "no/such/network" in book.view(record.id).record.error


def test_a_foreign_file_is_no_store_and_is_left_as_it_is(book, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.sqlite").write_text("something of mine")
    record = book.add_study(ANN, grid=GRID, store="a.sqlite")
    until(lambda: state(book, record) == "failed")
    assert book.view(record.id).record.error_kind == "StoreError"
    assert (tmp_path / "results" / "a.sqlite").read_text() == "something of mine"


def test_two_servers_do_not_share_the_folder(book, engine, tmp_path):
    second = Book(engine, JobFolder(tmp_path / "jobs"), stores=tmp_path / "results")
    assert (book.is_kept, second.is_kept) == (True, False)
    second.close()
