"""The engine's state by what happens to its processes."""

from __future__ import annotations

import pytest

from dqviz.experiments.condition import DEAD, READY, RESTARTED, STARTING, Condition


@pytest.fixture
def condition():
    made = Condition()
    made.connected()
    return made


def test_it_starts_and_can_give_up():
    made = Condition()
    assert made.state == STARTING
    made.connected()
    assert made.state == READY
    made.give_up("no memory")
    assert (made.state, made.message) == (DEAD, "the engine does not run: no memory")
    made.start()
    assert made.state == STARTING


def test_what_was_cancelled_and_did_not_stop_concerns_nobody(condition):
    condition.worker_ended("tcp://a")
    assert (condition.state, condition.message, condition.restarts) == (READY, "ready", 1)


def test_what_waited_for_an_ended_worker_is_told_of_once(condition):
    condition.worker_ended("tcp://a")
    condition.task_lost("tcp://a")
    assert (condition.state, condition.restarts) == (RESTARTED, 1)
    assert "did not stop" in condition.message
    condition.recovered()
    condition.task_lost("tcp://a")
    condition.asked()
    assert condition.state == READY


def test_a_lost_worker_counts_once_whatever_was_lost_with_it(condition):
    condition.task_lost("tcp://a")
    condition.task_lost("tcp://a")
    assert (condition.state, condition.restarts) == (RESTARTED, 1)
    condition.task_lost("tcp://b")
    assert condition.restarts == 2
    assert "was lost" in condition.message


def test_it_is_restarted_until_a_result_has_come_and_something_is_asked_for(condition):
    condition.host_lost()
    condition.connected()
    condition.asked()
    assert condition.state == RESTARTED
    condition.recovered()
    assert condition.state == RESTARTED
    condition.asked()
    assert condition.state == READY
