"""Stores brought together: what wins, what is refused, and that nothing is half written."""

import math
import os
import sqlite3
from contextlib import closing

import pytest

from dqviz.studies import Owner, Store, StoreError
from dqviz.studies import merge as merging
from dqviz.studies.checking import check_store
from dqviz.studies.merge import Merged, merge
from dqviz.studies.soundness import COPIED
from tests.studies.stores import FAILURE, MADE, cell, change, fill, numbers, rows_of, traces

A, B, C, D = (cell(bits) for bits in (8, 4, 3, 2))


def states(path):
    return dict(rows_of(path, "SELECT key, state FROM cells"))


def value(path, one):
    """The first number of a cell."""
    with Store(path) as store:
        return store.finding(one.key).numbers[0][-1]


@pytest.fixture
def target(tmp_path):
    return tmp_path / "all.sqlite"


@pytest.fixture
def source(tmp_path):
    """A store with two finished cells, a failed and a claimed one."""
    return fill(tmp_path / "part.sqlite", done=[A, B], failed=[C], claimed=[D])


def test_what_is_finished_or_failed_goes_into_a_new_store(target, source):
    before = traces(source)[:2]
    assert merge(target, [source]) == [Merged(source=source, done=2, failed=1)]
    assert states(target) == {A.key: "done", B.key: "done", C.key: "failed"}
    named = ", ".join(COPIED)
    query = f"SELECT {named}, owner, heartbeat FROM cells WHERE state != 'claimed' ORDER BY id"
    assert rows_of(target, query) == rows_of(source, query)
    with Store(target) as merged:
        assert merged.finding(A.key) == numbers(A)
    assert traces(source)[:2] == before
    assert check_store(target).problems == ()


def test_all_that_a_store_says_of_a_cell_is_taken_over(source):
    with closing(sqlite3.connect(source)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(cells)")]
    assert sorted(COPIED) == sorted(set(columns) - {"id", "owner", "heartbeat"})


def test_the_parts_make_the_whole(target, tmp_path):
    cells = [cell(seed=seed) for seed in range(7)]
    parts = [fill(tmp_path / str(part), done=cells[part::3], value=part) for part in range(3)]
    assert [merged.done for merged in merge(target, parts)] == [3, 2, 2]
    assert {value(target, one) for one in cells} == {0, 1, 2}
    with Store(target) as store:
        for seed, one in enumerate(cells):
            assert store.finding(one.key) == numbers(one, seed % 3)


def test_merging_again_changes_nothing(target, source):
    merge(target, [source])
    before = rows_of(target, "SELECT * FROM cells"), rows_of(target, "SELECT * FROM numbers")
    assert merge(target, [source, source]) == [Merged(source=source, kept=3)] * 2
    assert before == (
        rows_of(target, "SELECT * FROM cells"),
        rows_of(target, "SELECT * FROM numbers"),
    )


def test_done_beats_failed_and_claimed_and_stays_where_it_is(target, source):
    fill(target, failed=[A], claimed=[B, C], done=[D], value=0.25)
    assert merge(target, [source]) == [Merged(source=source, done=2, kept=1)]
    assert states(target) == {
        A.key: "done",
        B.key: "done",
        C.key: "claimed",  # somebody is at it again
        D.key: "done",
    }
    assert (value(target, A), value(target, D)) == (0.5, 0.25)
    query = f"SELECT error, error_kind, owner, heartbeat FROM cells WHERE key = '{A.key}'"
    assert rows_of(target, query) == [(None,) * 4]


def test_what_has_failed_replaces_nothing(target, source):
    fill(target, done=[C])
    assert merge(target, [source])[0].kept == 1
    assert states(target)[C.key] == "done"
    other = fill(target.with_name("other"), failed=[C])
    change(other, ("UPDATE cells SET error = 'later'",))
    failed = fill(target.with_name("failed"), failed=[C])
    assert merge(failed, [other]) == [Merged(source=other, kept=1)]
    assert rows_of(failed, "SELECT error FROM cells") == [(FAILURE.message,)]


def test_a_sweep_whose_cell_was_merged_meanwhile_keeps_the_merged_numbers(target, source):
    owner = Owner.new()
    fill(target, claimed=[A], owner=owner)
    merge(target, [source])
    with Store(target, write=True) as store:
        assert store.finish([(A, numbers(A, 0.125))], owner, MADE) == []
    assert value(target, A) == 0.5


@pytest.mark.parametrize(
    ("other", "differing", "difference"),
    [
        ({"value": 0.5, "clean": 0.9}, 0, 0),
        ({"value": math.nextafter(0.5, 1), "clean": 0.9}, 2, 2**-53),
        ({"value": 0.25, "clean": 0.9}, 2, 0.25),
        ({"value": math.inf, "clean": 0.9}, 2, math.inf),
        ({"value": None, "clean": 0.9}, 2, math.inf),
        ({"value": 0.5, "clean": 0.875}, 2, 0.9 - 0.875),
    ],
    ids=str,
)
def test_other_numbers_for_one_key_are_counted_and_the_targets_kept(
    target, source, other, differing, difference
):
    fill(target, done=[A, B], **other)
    kept = {"kept": 2, "failed": 1, "differing": differing, "difference": difference}
    before = rows_of(target, "SELECT * FROM numbers")
    assert merge(target, [source]) == [Merged(source=source, **kept)]
    assert rows_of(target, "SELECT * FROM numbers") == before


def test_endless_numbers_are_equal_to_themselves(target, tmp_path):
    same = [fill(path, done=[A], value=math.inf) for path in (target, tmp_path / "same.sqlite")]
    assert merge(target, same[1:]) == [Merged(source=same[1], kept=1)]


def test_fewer_rows_are_other_numbers_and_another_version_is_not(target, source):
    fill(target, done=[A, B])
    change(target, ("UPDATE cells SET shared = json_set(shared, '$.version', '9')",))
    assert merge(target, [source])[0].differing == 0
    change(target, ("UPDATE numbers SET place = 9 WHERE place = 2 AND cell = 1",))
    assert merge(target, [source])[0].difference == math.inf


def damaged(path):
    """A store whose last page is gone."""
    fill(path, done=[cell(seed=seed) for seed in range(200)])
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + bytes(4096))
    return path


def truncated(path):
    fill(path, done=[cell(seed=seed) for seed in range(200)])
    path.write_bytes(path.read_bytes()[:-8192])
    return path


def foreign(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    return path


def without_tables(path):
    fill(path, done=[A])
    change(path, ("DROP TABLE numbers",))
    return path


def orphaned(path):
    fill(path, done=[A])
    change(path, ("DELETE FROM cells",))
    return path


def text(path):
    path.write_text("model,value\n")
    return path


@pytest.mark.parametrize("there", [False, True], ids=["new target", "old target"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (damaged, "is damaged"),
        (truncated, "is damaged"),
        (foreign, "the database of another program"),
        (without_tables, "no such table: numbers"),
        (orphaned, "4 numbers belong to no cell"),
        (text, "is no store of results"),
        (lambda path: path, "there is no store"),
    ],
    ids=["damaged", "truncated", "foreign", "without tables", "orphaned", "text", "missing"],
)
def test_a_bad_source_is_refused_before_anything_is_written(target, source, make, said, there):
    if there:
        fill(target, done=[C])
    bad = make(target.with_name("bad.sqlite"))
    before = traces(target) if there else sorted(target.parent.iterdir())
    with pytest.raises(StoreError) as caught:
        merge(target, [source, bad])
    assert said in str(caught.value)
    assert str(bad) in str(caught.value)
    assert before == (traces(target) if there else sorted(target.parent.iterdir()))


def test_a_foreign_target_is_left_as_it_is(target, source):
    foreign(target)
    before = traces(target)
    with pytest.raises(StoreError, match="the database of another program"):
        merge(target, [source])
    assert traces(target) == before


@pytest.mark.parametrize("way", ["itself", "a detour", "a symbolic link", "a hard link"])
def test_the_target_is_none_of_the_sources(source, tmp_path, way):
    (tmp_path / "folder").mkdir()
    names = {"itself": source, "a detour": tmp_path / "folder" / ".." / source.name}
    same = names.get(way, tmp_path / "other.sqlite")
    if way == "a symbolic link":
        same.symlink_to(source)
    elif way == "a hard link":
        os.link(source, same)
    other = fill(tmp_path / "x.sqlite", done=[C])
    before = traces(source)
    with pytest.raises(StoreError, match="is the store to merge into"):
        merge(source, [other, same])
    assert traces(source) == before


def test_what_is_interrupted_leaves_no_part_of_a_transaction(target, source, tmp_path, monkeypatch):
    first = fill(tmp_path / "first.sqlite", done=[cell(7)])
    copied, copy = [], merging._copy

    def stop(into, origin, row):
        copied.append(row["key"])
        if len(copied) == 3:  # the second of the second source
            raise KeyboardInterrupt
        copy(into, origin, row)

    monkeypatch.setattr(merging, "_copy", stop)
    with pytest.raises(KeyboardInterrupt):
        merge(target, [first, source])
    assert states(target) == {cell(7).key: "done"}
    assert rows_of(target, "SELECT count(*) FROM numbers") == [(4,)]
    monkeypatch.undo()
    merge(target, [first, source])
    assert len(states(target)) == 4


def test_progress_is_told(target, source, tmp_path):
    told = []
    other = fill(tmp_path / "x.sqlite", done=[cell(7)])
    merge(target, [source, other], report=lambda share, text: told.append((share, text)))
    assert [(share, text) for share, text in told if "merging" in text] == [
        (0, f"merging {source}"),
        (0.5, f"merging {other}"),
    ]


def test_others_are_let_in_while_many_cells_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "TRANSACTION_SECONDS", 0.0)
    source, target = tmp_path / "source.sqlite", tmp_path / "target.sqlite"
    fill(source, done=[cell(bits) for bits in (8, 6, 5, 4, 3)])
    seen = []

    def look(share, text):
        if text.startswith("merging") and target.exists():
            with Store(target) as store:
                seen.append(len(store.states(cell(bits).key for bits in (8, 6, 5, 4, 3))))

    monkeypatch.setattr(merging, "REPORTED_EVERY", 1)
    (merged,) = merge(target, [source], report=look)
    assert (merged.done, merged.cells) == (5, 5)
    assert seen == [0, 1, 2, 3, 4]


def test_a_store_of_the_package_is_a_source(tmp_path):
    (merged,) = merge(tmp_path / "mine.sqlite", ["shipped:networks"])
    assert merged.done > 100
    (again,) = merge(tmp_path / "mine.sqlite", ["shipped:networks"])
    assert (again.done, again.kept, again.differing) == (0, merged.done, 0)
