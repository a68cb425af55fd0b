"""Whose turn it is, worked out by hand."""

import pytest

from dqviz.experiments.handle import Job
from dqviz.experiments.turns import KEPT_OWNERS, Turns
from dqviz.specs import ExperimentSpec


def job(name, *owners):
    spec = ExperimentSpec(kind="accuracy")
    return Job(key=name, spec=spec, lane="jobs", wants={(owner, "page") for owner in owners})


def order(turns, waiting, slots):
    """The names in the order in which they begin, each ending before the next but `slots` - 1."""
    waiting, working, names = list(waiting), [], []
    while waiting:
        taken = turns.take(waiting, working)
        waiting.remove(taken)
        working = [*working, taken][-(slots - 1) :] if slots > 1 else []
        names.append(taken.key)
    return names


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_two_users_take_turns_however_many_jobs_the_first_has(slots):
    first = [job(f"a{number}", "a") for number in range(4)]
    second = [job(f"b{number}", "b") for number in range(2)]
    names = order(Turns(), [*first, *second], slots)
    assert names == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_one_who_comes_later_is_next():
    turns = Turns()
    alone = [job(f"a{number}", "a") for number in range(5)]
    assert [turns.take(alone[n:], ()).key for n in range(3)] == ["a0", "a1", "a2"]
    assert turns.take([*alone[3:], job("b", "b")], ()).key == "b"


def test_whoever_has_less_at_work_comes_first():
    turns = Turns()
    mine, theirs = job("mine", "a"), job("theirs", "b")
    assert turns.take([mine, theirs], [job("other", "a")]) is theirs


def test_of_one_user_the_oldest_comes_first():
    assert order(Turns(), [job("x", "a"), job("y", "a"), job("z", "a")], 2) == ["x", "y", "z"]


def test_what_several_want_comes_when_the_first_of_them_has_a_turn():
    turns = Turns()
    busy = [job("other", "a")]
    assert turns.take([job("mine", "a"), job("shared", "a", "b")], busy).key == "shared"
    # It was the turn of both.
    assert turns.take([job("b's", "b"), job("c's", "c")], ()).key == "c's"


def test_before_says_how_many_come_first_and_takes_no_turn():
    turns = Turns()
    waiting = [job("a0", "a"), job("a1", "a"), job("b0", "b")]
    assert [turns.before(each, waiting, ()) for each in waiting] == [0, 2, 1]
    assert order(turns, waiting, 1) == ["a0", "b0", "a1"]


def test_owners_of_long_ago_are_forgotten():
    turns = Turns()
    for number in range(2 * KEPT_OWNERS):
        turns.take([job("x", str(number))], ())
    assert len(turns._last) <= KEPT_OWNERS
    last = str(2 * KEPT_OWNERS - 1)
    assert turns.take([job("late", last), job("new", "someone")], ()).key == "new"
