"""What makes a store unsound, each fault made on purpose, and whose claims count for nothing."""

import json
import platform
import time

import pytest

from dqviz.specs import keys, to_json
from dqviz.studies import Owner, StoreError
from dqviz.studies.checking import Condition, check_store
from dqviz.studies.owner import STALE_SECONDS
from tests.studies.stores import cell, change, fill, traces

A, B, C, D = (cell(bits) for bits in (8, 4, 3, 2))


@pytest.fixture
def path(tmp_path):
    """A sound store with two finished cells and a failed one."""
    return fill(tmp_path / "store.sqlite", done=[A, B], failed=[C])


def problems(path):
    return check_store(path).problems


def test_a_sound_store_has_no_problems_and_stays_as_it_is(path):
    before = traces(path)
    counts = {"done": 2, "failed": 1}
    assert check_store(path) == Condition(states=counts, numbers=8, problems=(), gone={})
    assert traces(path) == before


def test_an_empty_store_is_sound(tmp_path):
    path = fill(tmp_path / "s")
    assert check_store(path) == Condition(states={}, numbers=0, problems=(), gone={})


def test_a_broken_page_is_found(tmp_path):
    path = fill(tmp_path / "s", done=[cell(seed=seed) for seed in range(200)])
    content = path.read_bytes()
    path.write_bytes(content[:-4096] + bytes(4096))
    found = problems(path)
    assert found
    assert all(problem.startswith("SQLite: ") and "\n" not in problem for problem in found)


def test_an_index_that_does_not_fit_is_found(path):
    change(
        path,
        ("PRAGMA writable_schema = ON",),
        (
            "UPDATE sqlite_master SET sql = replace(sql, 'statistic, layer', 'layer, statistic') "
            "WHERE name = 'numbers_by_metric'",
        ),
    )
    assert any("missing from index numbers_by_metric" in problem for problem in problems(path))


def test_where_the_file_is_broken_nothing_else_is_looked_at(path):
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))
    found = check_store(path)
    assert found.problems
    assert all(problem.startswith("SQLite: ") for problem in found.problems)
    assert found.states == {}


def test_a_file_that_cannot_be_looked_at_is_refused(path):
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(3996) + content[4096:])
    with pytest.raises(StoreError, match="is damaged"):
        check_store(path)


def test_a_store_without_a_table_is_refused(path):
    change(path, ("DROP TABLE numbers",))
    with pytest.raises(StoreError, match="no such table: numbers"):
        check_store(path)


def test_numbers_of_no_cell_are_found(path):
    change(path, ("DELETE FROM cells WHERE key = ?", A.key))
    assert problems(path) == ("4 numbers belong to no cell",)


def test_a_finished_cell_without_numbers_is_found(path):
    change(path, ("DELETE FROM numbers WHERE cell = 2",))
    assert problems(path) == (f"cell {B.key} is done and has no numbers",)


def test_a_cell_under_the_key_of_another_is_found(path):
    change(path, ("UPDATE cells SET spec = ? WHERE key = ?", D.text, A.key))
    assert problems(path) == (f"cell {A.key} has the specification of {D.key}",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "Expecting property name"),
        ("[" * 100_000, "recursion"),
        ("3", "a specification is an object; got 3"),
        ('{"class": "Secret"}', "'Secret' is no specification"),
        (json.dumps({**to_json(A.spec), "more": 1}), "ExperimentSpec has no field 'more'"),
        (json.dumps({**to_json(A.spec), "batch_size": 0}), "batch_size must be at least 1; got 0"),
        (json.dumps({**to_json(A.spec), "model": to_json(A.spec.quant)}), "of type ModelSpec"),
    ],
)
def test_a_specification_that_cannot_be_read_is_found(path, text, said):
    change(path, ("UPDATE cells SET spec = ? WHERE key = ?", text, A.key))
    (problem,) = problems(path)
    assert problem.startswith(f"cell {A.key} has a specification that cannot be read: ")
    assert said in problem


def test_an_unresolved_specification_is_found(path):
    text = A.text.replace('"card:0"', "null")
    change(path, ("UPDATE cells SET spec = ? WHERE key = ?", text, A.key))
    assert "has no fingerprint" in problems(path)[0]


def test_what_has_failed_may_have_any_specification(path):
    change(path, ("UPDATE cells SET spec = '{}' WHERE key = ?", C.key))
    assert problems(path) == ()


def test_claims_of_processes_that_are_gone_are_named_and_are_no_problem(path):
    gone = Owner(token="a", machine=platform.node(), process=2**22 + 1, born=1.0)
    fill(path, claimed=[D, cell(5)], owner=gone)
    far = Owner(token="b", machine="a far machine", process=7, born=1.0)
    fill(path, claimed=[cell(6)], owner=far)
    fill(path, claimed=[cell(7)])
    found = check_store(path)
    assert found.gone == {f"process {2**22 + 1} on {platform.node()}": 2}
    assert found.problems == ()
    assert found.states["claimed"] == 4
    later = check_store(path, now=time.time() + STALE_SECONDS + 1)
    assert later.gone["process 7 on a far machine"] == 1


@pytest.mark.parametrize("owner", ["nobody", None, "a 1 x here", ""])
def test_a_claim_of_nobody_is_found(path, owner):
    fill(path, claimed=[D])
    change(path, ("UPDATE cells SET owner = ? WHERE key = ?", owner, D.key))
    assert problems(path) == (f"cell {D.key} is claimed by nobody that can be read: {owner!r}",)


def test_a_claim_without_a_sign_of_life_is_found(path):
    fill(path, claimed=[D])
    change(path, ("UPDATE cells SET heartbeat = NULL WHERE key = ?", D.key))
    assert "is claimed by nobody" in problems(path)[0]


def test_progress_is_told(path):
    told = []
    check_store(path, report=lambda share, text: told.append((share, text)))
    assert told == [(0, "checking the file"), (0, "checking the cells' specifications")]


def test_results_of_an_older_version_are_sound_and_those_of_a_newer_one_are_not(path, monkeypatch):
    monkeypatch.setattr(keys, "RESULTS_VERSION", keys.RESULTS_VERSION + 1)
    assert problems(path) == ()
    monkeypatch.setattr(keys, "RESULTS_VERSION", 0)
    assert len(problems(path)) == 2
