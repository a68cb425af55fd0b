"""What a store may be, where it may lie, and what is said of all else."""

import os
import sqlite3
from types import SimpleNamespace

import psutil
import pytest

from dqviz.studies import Owner, Store, StoreError, schema, store_file
from tests.studies.making import MADE, finding


def refusal(path, *, write=False):
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StoreError) as caught:
        Store(path, write=write)
    assert (path.read_bytes() if path.is_file() else None) == before
    return str(caught.value)


@pytest.fixture
def filled(store, cells):
    """The path of a closed store with one finished cell."""
    owner = Owner.new()
    store.claim(cells[:1], owner)
    store.finish([(cells[0], finding(cells[0]))], owner, MADE)
    store.close()
    return store.path


def test_a_new_file_and_an_empty_one_become_stores(tmp_path):
    (tmp_path / "empty").touch()
    for name in ("empty", "new"):
        Store(tmp_path / name, write=True).close()
        with sqlite3.connect(tmp_path / name) as connection:
            assert connection.execute("PRAGMA application_id").fetchone()[0] == 0x64717669
        connection.close()


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("content", [b"GIF89a", b"model,value\n1,2\n", b"SQLite format 4\0"])
def test_another_file_is_left_as_it_is(tmp_path, write, content):
    (tmp_path / "x.sqlite").write_bytes(content)
    assert "is no store of results" in refusal(tmp_path / "x.sqlite", write=write)


@pytest.mark.parametrize("write", [False, True])
def test_another_programs_database_is_left_as_it_is(tmp_path, write):
    path = tmp_path / "photos.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    connection.close()
    assert "the database of another program" in refusal(path, write=write)


def test_a_later_version_is_refused(filled):
    with sqlite3.connect(filled) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert "a store of version 99, this dqviz knows versions up to 1" in refusal(filled, write=True)


def test_an_older_version_is_brought_up_to_date(filled, cells, monkeypatch):
    monkeypatch.setattr(schema, "VERSION", 3)
    steps = {
        1: ("ALTER TABLE cells ADD COLUMN colour TEXT",),
        2: ("UPDATE cells SET colour = 'teal'",),
    }
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with Store(filled, write=True) as store:
        assert store.finding(cells[0].key) is not None
    with sqlite3.connect(filled) as connection:
        assert connection.execute("SELECT colour FROM cells").fetchone()[0] == "teal"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == 3
    connection.close()


def test_a_migration_that_fails_changes_nothing(filled, monkeypatch):
    monkeypatch.setattr(schema, "VERSION", 2)
    steps = {1: ("ALTER TABLE cells ADD COLUMN colour TEXT", "UPDATE missing SET x = 1")}
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with pytest.raises(StoreError, match="no such table"):
        Store(filled, write=True)
    monkeypatch.undo()
    Store(filled, write=True).close()


@pytest.mark.parametrize("keep", [20, 100, 5000, 9000])
def test_a_damaged_store_is_named_and_left_as_it_is(filled, keep):
    whole = filled.read_bytes()
    filled.write_bytes(whole[:keep])
    said = refusal(filled, write=True)
    assert str(filled) in said
    assert "damaged" in said or "no store" in said


def test_folders_and_missing_places_are_named(tmp_path):
    assert "is a folder" in refusal(tmp_path, write=True)
    assert "there is no folder" in refusal(tmp_path / "no" / "x", write=True)
    assert "there is no store" in refusal(tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert "no file can be called" in refusal_of_name("a\0b")


def refusal_of_name(name):
    with pytest.raises(StoreError) as caught:
        Store(name, write=True)
    return str(caught.value)


@pytest.mark.parametrize("system", ["nfs4", "cifs", "fuse.sshfs", "9p", "lustre"])
def test_a_network_file_system_is_refused_with_the_reason(tmp_path, monkeypatch, system):
    parts = [
        SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw"),
        SimpleNamespace(mountpoint=str(tmp_path), fstype=system, opts="rw"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)
    said = refusal(tmp_path / "x.sqlite", write=True)
    assert f"a network file system ({system})" in said
    assert "results merge" in said


def test_a_drive_that_is_remote_is_a_network_file_system(tmp_path, monkeypatch):
    parts = [SimpleNamespace(mountpoint=str(tmp_path), fstype="NTFS", opts="rw,remote")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: parts)
    assert "a network file system" in refusal(tmp_path / "x.sqlite", write=True)


def test_a_store_that_cannot_be_written_is_read_as_it_stands(filled, cells, monkeypatch):
    monkeypatch.setattr(store_file.os, "access", lambda path, mode: mode != os.W_OK)
    assert "cannot be written" in refusal(filled, write=True)
    before = sorted(filled.parent.iterdir())
    with Store(filled) as store:
        assert store.finding(cells[0].key) is not None
    assert sorted(filled.parent.iterdir()) == before


def test_a_copy_that_lacks_what_stands_beside_it_is_refused(filled, monkeypatch):
    filled.with_name(f"{filled.name}-wal").write_bytes(b"pages")
    monkeypatch.setattr(store_file.os, "access", lambda path, mode: mode != os.W_OK)
    assert "has results in store.sqlite-wal that are not in it yet" in refusal(filled)


def test_a_full_disk_is_said_and_costs_nothing_that_is_finished(filled, cells):
    with Store(filled, write=True) as store:
        owner = Owner.new()
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        large = finding(cells[1])
        many = tuple(large.numbers) * 3000
        store.claim(cells[1:2], owner)
        with pytest.raises(StoreError, match="the disk is full; every finished cell is kept"):
            store.finish([(cells[1], type(large)(numbers=many, shared={}, notes=()))], owner, MADE)
        assert store.finding(cells[0].key) is not None
        assert store.finding(cells[1].key) is None
    Store(filled, write=True).close()
