"""A report is written as a job, by a process of its own that can be stopped."""

import psutil
import pytest

from dqviz.jobs import JobError
from dqviz.jobs.folder import JobFolder
from dqviz.jobs.record import Record, read_record, write_record
from dqviz.studies import Owner, Store, StoreError
from tests.experiments.waiting import until
from tests.jobs.conftest import ANN, BEN
from tests.studies.conftest import cell_at
from tests.studies.making import MADE, finding


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "results" / "mine.sqlite"
    path.parent.mkdir()
    cells = [cell_at(bits, 1 / 255) for bits in (8, 4)]
    with Store(path, write=True) as opened:
        owner = Owner.new()
        opened.claim(cells, owner)
        opened.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
    return path.name


def state(book, record):
    return book.view(record.id).state


def test_a_report_is_written_and_goes_with_its_job(book, store):
    record = book.add_report(ANN, store=store)
    assert book.add_report(ANN, store=store).id == record.id, "it is being written already"
    assert book.add_report(BEN, store=store).id != record.id
    until(lambda: state(book, record) == "done")
    file = book.report_file(record.id)
    assert "2 cells: 2 done" in file.read_text(encoding="utf-8")
    assert record.address == ("studies", (("store", "mine.sqlite"),))
    book.remove(record.id, ANN)
    assert not file.exists()


def test_of_a_shipped_store_too(book):
    record = book.add_report(ANN, store="shipped:networks")
    until(lambda: book.view(record.id).text.startswith("drawing"))
    assert 0 < book.view(record.id).fraction < 1
    book.cancel(record.id, ANN)
    assert state(book, record) == "cancelled"
    until(lambda: not [p for p in psutil.Process().children() if "dqviz.reports" in said(p)])
    assert not book.report_file(record.id).exists()


def said(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_what_cannot_be_reported_on_says_why_and_can_be_tried_again(book, tmp_path):
    record = book.add_report(ANN, store="none.sqlite")
    until(lambda: state(book, record) == "failed")
    failed = book.view(record.id).record
    assert "for the store none.sqlite" in failed.error
    assert failed.error_kind == "ReportError"
    book.again(record.id, ANN)
    (view,) = book.jobs(ANN)
    assert view.record.report
    assert view.record.id != record.id


@pytest.mark.parametrize(
    ("store", "error", "message"),
    [
        ("../secret.sqlite", JobError, "in the folder of stores; got '../secret.sqlite'"),
        ("shipped:other", StoreError, "no store 'shipped:other' comes with dqviz"),
    ],
)
def test_no_other_file_is_reported_on(book, store, error, message):
    with pytest.raises(error, match=message):
        book.add_report(ANN, store=store)


def test_a_report_is_taken_up_by_the_next_server(book, store, engine, tmp_path):
    from dqviz.jobs import Book

    record = Record(user=ANN, title="Report", address=("studies", ()), store=store, report=True)
    assert read_record(write_record(record)) == record
    book.close()
    folder = JobFolder(tmp_path / "jobs")
    folder.save(record)
    after = Book(engine, folder, stores=tmp_path / "results")
    until(lambda: state(after, record) == "done")
    after.close()
