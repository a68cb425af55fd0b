"""Progress of what is mostly quick."""

from __future__ import annotations

from dqviz.cli.late import Late


class Line:
    """A progress line that keeps what it is told."""

    def __init__(self):
        self.told = []

    def __call__(self, share, text):
        self.told.append((share, text))

    def clear(self):
        self.told.append("clear")


def test_progress_of_what_is_quick_is_not_shown():
    line = Line()
    with Late(line, "at work") as report:
        report(0.5, "half")
    assert line.told == ["clear"]


def test_progress_of_what_takes_long_is_shown_from_then_on():
    line = Line()
    with Late(line, "at work", seconds=0.01) as report:
        report._timer.join()
        report(0.5, "half")
    assert line.told == [(0, "at work"), (0.5, "half"), "clear"]
