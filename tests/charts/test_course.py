"""The course of a training as charts: lines by step, and every layer before and now."""

import pytest

from dqviz.charts import ChartError
from dqviz.charts.course import accuracy_course, loss_course, noise_course, norms_course

LAYERS = ("net.conv1", "net.layer1.0.conv1", "net.linear")


def look(step, scale):
    return {
        "step": step,
        "loss": 2.0 / (1 + step),
        "penalty": 0.5 * scale,
        "clean": 0.25,
        "robust": 0.125,
        "raw": dict.fromkeys(LAYERS, 2.0),
        "folded": {layer: scale * (n + 1) for n, layer in enumerate(LAYERS)},
        "distance": {layer: 0.02 * scale**n for n, layer in enumerate(LAYERS)},
    }


COURSE = [look(0, 3.0), look(10, 2.0), look(20, 1.5)]


def test_loss_and_accuracy_go_with_the_steps():
    loss, penalty = loss_course(COURSE).figure.data
    assert list(loss.x) == [10, 20]  # before the first step there is none
    assert list(penalty.y) == [1.0, 0.75]
    clean, robust = accuracy_course(COURSE).figure.data
    assert set(clean.y) == {25.0}
    assert set(robust.y) == {12.5}
    assert "25 % are classified correctly, under attack 12 %" in accuracy_course(COURSE).alt


def test_layers_are_drawn_before_and_now():
    traces = {trace.name: list(trace.y) for trace in norms_course(COURSE).figure.data}
    assert traces["folded, before"] == [3.0, 6.0, 9.0]
    assert traces["folded, now"] == [1.5, 3.0, 4.5]
    assert traces["raw, before"] == traces["raw, now"] == [2.0] * 3
    assert "folded now: at most 4.5 at net.linear" in norms_course(COURSE).alt


def test_noise_is_relative_to_the_first_layer():
    traces = {trace.name: list(trace.y) for trace in noise_course(COURSE).figure.data}
    assert traces["before"] == pytest.approx([1.0, 3.0, 9.0])
    assert traces["now"] == pytest.approx([1.0, 1.5, 2.25])


@pytest.mark.parametrize("draw", [loss_course, accuracy_course, norms_course, noise_course])
def test_an_empty_course_is_not_drawn(draw):
    with pytest.raises(ChartError, match="nothing has been seen"):
        draw([])
