"""A training is a job: it ends with a network, can be stopped, and is found by the next server."""

import pytest

from dqviz.jobs import Book, JobError
from dqviz.jobs import book as book_module
from dqviz.jobs.folder import JobFolder
from dqviz.jobs.record import read_record, write_record
from tests.defense.test_probe import SMALL
from tests.experiments.waiting import until
from tests.jobs.conftest import ANN, BEN


@pytest.fixture
def recipe(images_folder):
    return SMALL.replace("NAME", f"parquet:{images_folder}")


def test_it_ends_with_a_network_that_goes_with_its_job(book, recipe):
    record = book.add_training(ANN, recipe=recipe, title="small")
    folder = book.training_folder(record.id)
    assert read_record(write_record(record)) == record
    assert record.address == ("lab", (("run", record.id),))
    until(lambda: book.view(record.id).state != "running")
    assert book.view(record.id).state == "done", book.view(record.id).record.error
    assert len(list(folder.glob("*.safetensors"))) == 1
    assert (folder / "course.jsonl").is_file()
    book.remove(record.id, BEN)
    assert folder.exists(), "it is another visitor's"
    book.remove(record.id, ANN)
    assert not folder.exists()


def test_what_is_wrong_is_said(book, recipe):
    record = book.add_training(ANN, recipe=recipe.replace("crop = 0", "crap = 0"), title="small")
    until(lambda: book.view(record.id).state != "running")
    ended = book.view(record.id).record
    assert ended.state == "failed"
    assert "unknown setting 'crap'" in ended.error


def test_it_is_stopped_and_found_again(book, engine, recipe, tmp_path):
    record = book.add_training(ANN, recipe=recipe.replace("epochs = 1", "epochs = 500"), title="x")
    course = book.training_folder(record.id) / "course.jsonl"
    until(lambda: course.is_file() or book.view(record.id).state == "failed")
    book.close()
    again = Book(engine, JobFolder(tmp_path / "jobs"), stores=tmp_path / "results")
    try:
        until(lambda: again.view(record.id).text.startswith("epoch"))
        again.cancel(record.id, ANN)
        assert again.view(record.id).state == "cancelled"
    finally:
        again.close()


def test_there_is_room_for_so_many(book, recipe, monkeypatch):
    monkeypatch.setattr(book_module, "MAX_OPEN", 0)
    with pytest.raises(JobError, match="of your jobs are not over"):
        book.add_training(ANN, recipe=recipe, title="one too many")
