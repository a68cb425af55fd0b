"""Values that nobody could have written are found, named, and never surprise a reader."""

import random
import sqlite3

import pytest

from dqviz.cli.main import main
from dqviz.studies import Owner, Store, StoreError
from dqviz.studies.checking import check_store
from dqviz.studies.merge import merge
from dqviz.studies.queries import cell_table, number_table, reading
from dqviz.studies.selection import select
from dqviz.studies.store_file import refused
from tests.studies.stores import cell, change, fill

A, B, C = (cell(bits) for bits in (8, 4, 3))
NO_TEXT = "CAST(x'ff' AS TEXT)"


@pytest.fixture
def path(tmp_path):
    """A sound store with two finished cells and a failed one."""
    return fill(tmp_path / "store.sqlite", done=[A, B], failed=[C])


def spoil(path, column, value, table="cells"):
    """Puts a value where it does not belong, in one row or number."""
    where = "cell = 1 AND place = 1" if table == "numbers" else f"key = '{A.key}'"
    change(path, (f"UPDATE {table} SET {column} = {value} WHERE {where}",))


def read_all(path):
    with reading(path) as connection:
        selection = select(connection, {})
        cell_table(connection, selection)
        number_table(connection, selection, made=True)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("libraries", NO_TEXT, f"cell {A.key}: its libraries cannot be read"),
        ("machine", NO_TEXT, f"cell {A.key}: its machine cannot be read"),
        ("shared", "'{\"a\": '", f"cell {A.key}: its shared cannot be read"),
        ("shared", "'[]'", f"cell {A.key}: its shared cannot be read"),
        ("notes", "NULL", f"cell {A.key}: its notes cannot be read"),
        ("seconds", "'long'", "1 of cells.seconds are not of type REAL"),
        ("threads", "2.5", "1 of cells.threads are not of type INTEGER"),
        ("precision", "x'00'", "1 of cells.precision are not of type TEXT"),
        ("finished", "1e300", "1 of cells.finished are no time"),
        ("weights", "'other'", f"cell {A.key} is filed under another weights than its"),
        ("act_bits", "5", f"cell {A.key} is filed under another act_bits than its"),
    ],
)
def test_a_value_of_a_cell_that_cannot_be_is_named(path, column, value, said):
    assert check_store(path).problems == ()
    spoil(path, column, value)
    (problem,) = check_store(path).problems
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("layer", NO_TEXT, "numbers have a text in layer that is no UTF-8"),
        ("value", "'high'", "1 of numbers.value are not of type REAL"),
        ("depth", "'deep'", "1 of numbers.depth are not of type INTEGER"),
    ],
)
def test_a_number_that_cannot_be_is_named(path, column, value, said):
    spoil(path, column, value, table="numbers")
    (problem,) = check_store(path).problems
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("column", "value"),
    [("libraries", NO_TEXT), ("shared", "'{'"), ("seconds", "'long'"), ("finished", "1e300")],
)
def test_a_reader_is_told_that_the_file_is_damaged(path, column, value):
    spoil(path, column, value)
    with pytest.raises(StoreError, match="is damaged, or no store of results"):
        read_all(path)


def test_numbers_of_a_cell_that_is_gone_are_damage(path):
    change(path, (f"DELETE FROM cells WHERE key = '{A.key}'",))
    with pytest.raises(StoreError, match=r"is damaged.*numbers belong to no cell"):
        read_all(path)


def test_a_mistake_of_the_readers_own_is_no_damage(path):
    with pytest.raises(KeyError, match="mine"), reading(path):
        raise KeyError("mine")


def test_what_cannot_be_read_is_not_merged(path, tmp_path):
    spoil(path, "libraries", NO_TEXT)
    with pytest.raises(StoreError, match=r"its libraries cannot be read.*nothing was merged"):
        merge(tmp_path / "all.sqlite", [path])
    assert not (tmp_path / "all.sqlite").exists()


def test_reading_fills_no_disk(path):
    error = sqlite3.OperationalError("database or disk is full")
    with pytest.raises(StoreError, match="is damaged"), refused(path, write=False):
        raise error
    with pytest.raises(StoreError, match="the disk is full"), refused(path):
        raise error


def test_a_claim_of_nobody_that_can_be_read_is_free(path):
    fill(path, claimed=[cell(5)])
    with Store(path) as store:
        assert store.free([cell(5).key]) == set()
    change(path, ("UPDATE cells SET owner = 'x' WHERE state = 'claimed'",))
    with Store(path, write=True) as store:
        assert store.free([cell(5).key]) == {cell(5).key}
        assert store.claim([cell(5)], Owner.new()) == [cell(5)]


def test_a_page_that_a_sweep_cannot_read_is_told_clearly(tmp_path):
    path = fill(tmp_path / "s", done=[cell(seed=seed) for seed in range(200)])
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with pytest.raises(StoreError, match="is damaged"), Store(path) as store:
        store.states([A.key])


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_damaged_no_command_crashes_or_changes_the_file(path, seed, capsys):
    """Bytes overwritten at random: an answer, or exit status 2 with one clear line."""
    drawn = random.Random(seed)
    content = bytearray(path.read_bytes())
    width = drawn.choice([1, 2, 8, 100])
    at = drawn.randrange(100, len(content) - width)
    content[at : at + width] = drawn.randbytes(width)
    path.write_bytes(content)
    for command in (("check",), ("list",), ("show",), ("export", "--out", f"{path}.csv")):
        status = main(["results", command[0], str(path), *command[1:]])
        said = capsys.readouterr().err
        assert status in (0, None) or (status == 2 and "error: " in said)
        assert "Traceback" not in said
    assert path.read_bytes() == content
