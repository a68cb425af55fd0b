"""What is read of a store, by whom, and that reading leaves no trace."""

import dataclasses
import datetime
import os
import time

import pandas as pd
import pytest

from dqviz.experiments.result import COLUMNS
from dqviz.studies import Owner, Store, StoreError, store_file
from dqviz.studies.queries import (
    EXPORTED,
    LISTED,
    cell_table,
    count_numbers,
    measured,
    number_table,
    reading,
)
from dqviz.studies.selection import Selection, select
from tests.studies.stores import (
    CLAIMED,
    DONE,
    FAILED,
    FAILURE,
    MADE,
    cell,
    fill,
    found,
    numbers,
    rows_of,
    traces,
)

ALL = Selection()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A store with 48 finished cells, a failed and a claimed one."""
    file = tmp_path_factory.mktemp("store") / "study.sqlite"
    return fill(file, done=DONE, failed=[FAILED], claimed=[CLAIMED])


def test_numbers_come_back_as_they_went_in(path):
    chosen = DONE[5]
    with reading(path) as connection:
        table = number_table(connection, ALL)
    own = table[table["key"] == chosen.key].drop(columns="key").reset_index(drop=True)
    pd.testing.assert_frame_equal(own, numbers(chosen).table(), check_dtype=False)
    assert tuple(table.columns) == (*COLUMNS, "key")
    assert len(table) == 4 * len(DONE)
    assert table["n_samples"].dtype == table["seed"].dtype == table["depth"].dtype == "Int64"


def test_rows_are_in_the_order_of_the_cells_and_of_their_tables(path):
    with reading(path) as connection:
        table = number_table(connection, select(connection, {"metric": ["margin"]}))
        first = number_table(connection, select(connection, {"metric": ["margin"]}), limit=3)
    assert list(table["key"]) == [each.key for each in DONE for _ in range(2)]
    assert list(table["layer"]) == ["network", "conv1"] * len(DONE)
    pd.testing.assert_frame_equal(first, table[:3])


def test_an_export_says_how_each_number_was_made(path):
    with reading(path) as connection:
        table = number_table(connection, ALL, made=True)
    assert tuple(table.columns) == (*COLUMNS, "key", *EXPORTED)
    made = table.iloc[0]
    for name in ("version", "code", "libraries", "precision", "threads", "machine"):
        assert made[name] == getattr(MADE, name)
    assert made["seconds"] == MADE.seconds / len(DONE)
    assert (made["kind"], made["norm"]) == ("accuracy", "linf")
    assert (made["weights_hash"], made["data_hash"]) == ("card:0", "0")
    then = datetime.datetime.fromisoformat(made["finished"])
    assert abs(time.time() - then.timestamp()) < 600
    assert then.utcoffset() == datetime.timedelta(0)


def test_what_a_kind_adds_to_its_table_is_kept(tmp_path):
    owner, one = Owner.new(), cell()
    plain = numbers(one)
    finding = dataclasses.replace(plain, shared={**plain.shared, "extra": "more"})
    with Store(tmp_path / "s", write=True) as store:
        store.claim([one], owner)
        store.finish([(one, finding)], owner, MADE)
    with reading(tmp_path / "s") as connection:
        table = number_table(connection, ALL, made=True)
    assert tuple(table.columns) == (*COLUMNS, "extra", "key", *EXPORTED)
    assert set(table["extra"]) == {"more"}


def test_cells_say_what_failed_and_what_it_took(path):
    with reading(path) as connection:
        table = cell_table(connection, ALL).set_index("key")
    assert [*table.columns, "key"] == list(LISTED)
    assert table.loc[FAILED.key, "error"] == FAILURE.message
    assert table.loc[FAILED.key, "state"] == "failed"
    assert table.loc[CLAIMED.key, "state"] == "claimed"
    assert pd.isna(table.loc[CLAIMED.key, "finished"])
    done = table.loc[DONE[0].key]
    assert (done["data"], done["split"], done["n_samples"]) == ("streetdigits", "test", 8)
    assert pd.isna(done["error"])


def read_all(path):
    with reading(path) as connection:
        selection = select(connection, {"weights": ["dq"], "metric": ["margin"]})
        return len(cell_table(connection, selection)), len(number_table(connection, selection))


def test_reading_leaves_no_trace(path):
    before = traces(path)
    assert read_all(path) == (32, 64)
    assert traces(path) == before


def test_a_file_and_folder_that_cannot_be_written_are_read_all_the_same(tmp_path, monkeypatch):
    folder = tmp_path / "shipped"
    folder.mkdir()
    path = fill(folder / "store.sqlite", done=[cell(model="some/net/dq")])
    path.chmod(0o444)
    folder.chmod(0o555)
    # For the superuser everything can be written, whatever the permissions say.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda at, mode: mode != os.W_OK and allowed(at, mode))
    seen, opened = [], store_file._open
    monkeypatch.setattr(
        store_file, "_open", lambda at, options: seen.append(options) or opened(at, options)
    )
    before = traces(path)
    try:
        assert read_all(path) == (1, 2)
        assert traces(path) == before
    finally:
        folder.chmod(0o755)  # so that it can be removed
    assert seen == ["mode=ro&immutable=1"]


def test_reading_waits_for_no_writer_and_sees_what_was_finished(tmp_path):
    path, owner = fill(tmp_path / "s", done=[cell(8)]), Owner.new()
    with Store(path, write=True) as writer:
        writer.claim([cell(2)], owner)
        writer._connection.execute("BEGIN IMMEDIATE")
        begin = time.monotonic()
        assert found(path, state=["done"]) == {cell(8).key}
        assert time.monotonic() - begin < 5
        writer._connection.execute("ROLLBACK")
        with reading(path) as connection:
            before = count_numbers(connection, ALL)
            writer.finish([(cell(2), numbers(cell(2)))], owner, MADE)
            assert count_numbers(connection, ALL) == before == 4
        assert found(path, state=["done"]) == {cell(8).key, cell(2).key}


def test_a_reader_cannot_write(path):
    with pytest.raises(StoreError, match="cannot be written"), reading(path) as connection:
        connection.execute("DELETE FROM cells")
    assert rows_of(path, "SELECT count(*) FROM cells") == [(50,)]


def test_progress_is_told(path, monkeypatch):
    monkeypatch.setattr("dqviz.studies.queries.BATCH", 50)
    told = []
    with reading(path) as connection:
        whole = number_table(connection, ALL)
        table = number_table(connection, ALL, report=lambda share, text: told.append(share))
    pd.testing.assert_frame_equal(table, whole)
    assert told == sorted(told)
    assert len(told) == 4
    assert 0 < told[0] < told[-1] <= 1


def test_what_networks_cost_is_named_after_what_they_do(tmp_path):
    metrics = ("bit_operations", "robust_accuracy", "clean_accuracy", "amplification")
    rows = [("fgsm", 0.1, "network", -1, metric, "value", 1.0) for metric in metrics]
    rows.append(("fgsm", 0.1, "logits", 9, "amplification", "median", 1.0))
    finding = dataclasses.replace(numbers(DONE[0]), numbers=tuple(rows))
    with Store(tmp_path / "s.sqlite", write=True) as store:
        owner = Owner.new()
        store.claim([DONE[0]], owner)
        store.finish([(DONE[0], finding)], owner, MADE)
    with reading(tmp_path / "s.sqlite") as connection:
        offered = [metric for metric, *_ in measured(connection)]
    assert offered == [*sorted(metrics[1:]), "bit_operations", "amplification"]
