"""Stores that come with the package are read as they stand and never written."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from dqviz.studies import Store, StoreError, read_grid, shipped
from dqviz.studies.cells import resolve_cells
from dqviz.studies.checking import check_store
from dqviz.studies.queries import cell_table, reading
from dqviz.studies.selection import select

NAME = "shipped:networks"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a store that anybody could write."""
    shutil.copy(shipped.find_store(NAME), tmp_path / "networks.sqlite")
    monkeypatch.setattr(shipped, "folder", lambda: tmp_path.resolve())
    return tmp_path


def test_the_package_has_one_of_whole_cells():
    assert NAME in shipped.shipped_names()
    with reading(NAME) as connection:
        cells = cell_table(connection, select(connection, {}))
    assert set(cells["state"]) == {"done"}
    assert set(cells["kind"]) == {"accuracy", "amplification"}
    assert {"resnet20", "plain20"} == {model.rpartition("/")[2] for model in cells["model"]}
    assert check_store(shipped.find_store(NAME)).problems == ()


def test_reading_leaves_no_trace_beside_it(package):
    before = (package / "networks.sqlite").read_bytes()
    with Store(NAME) as store:
        assert store.states([]) == {}
        with reading(NAME) as connection:
            assert len(cell_table(connection, select(connection, {"weights": ["dq"]})))
    assert [file.name for file in package.iterdir()] == ["networks.sqlite"]
    assert (package / "networks.sqlite").read_bytes() == before
    assert sqlite3.connect(package / "networks.sqlite").execute(
        "PRAGMA journal_mode"
    ).fetchone() == ("delete",)


def test_writing_is_refused(package):
    for name in (NAME, package / "networks.sqlite", package / "new.sqlite"):
        with pytest.raises(StoreError, match="comes with dqviz"):
            Store(name, write=True)
    assert [file.name for file in package.iterdir()] == ["networks.sqlite"]


@pytest.mark.parametrize("name", ["shipped:", "shipped:other", "shipped:../networks"])
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(StoreError, match="shipped:networks"):
        Store(name)


def test_it_holds_the_cells_of_its_grid():
    grid = read_grid(Path(__file__).parents[2] / "recipes" / "grids" / "networks.toml")
    keys = {cell.key for cell in resolve_cells(grid)}
    with reading(NAME) as connection:
        cells = cell_table(connection, select(connection, {}))
    assert set(cells["key"]) == keys
