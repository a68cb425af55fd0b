"""An engine whose workers do what the specifications say, and a book of jobs in a folder."""

import pytest

from dqviz.experiments import Engine
from dqviz.jobs import Book
from dqviz.jobs.folder import JobFolder
from dqviz.specs import ExperimentSpec
from tests.experiments.conftest import (  # noqa: F401
    checkpoint,
    data,
    images_folder,
    model,
    own_data_folder,
)
from tests.experiments.waiting import PATIENCE
from tests.jobs.tasks import task

ANN, BEN = "a" * 32, "b" * 32


@pytest.fixture(scope="module")
def engine():
    running = Engine(workers=1, jobs=1, task=task)
    running.start_in_background()
    assert running.wait_until_ready(PATIENCE)
    yield running
    running.shutdown()


@pytest.fixture
def book(engine, tmp_path):
    opened = Book(engine, JobFolder(tmp_path / "jobs"), stores=tmp_path / "results")
    yield opened
    opened.close()
    engine.release(ANN)
    engine.release(BEN)


@pytest.fixture
def spec(model, data):  # noqa: F811
    """A specification by what the worker is to do."""

    def make(what):
        return ExperimentSpec(kind="playground", model=model, data=data, image=what)

    return make


@pytest.fixture
def add(book, spec):
    """A page's request that has become a job."""

    def added(*what, user=ANN, title="a job"):
        specs = tuple(spec(each) for each in what)
        return book.add_page(
            user, title=title, address=("amplification", (("n", "64"),)), specs=specs
        )

    return added
