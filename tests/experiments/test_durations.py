"""Times in the words of a progress bar."""

import pytest

from dqviz.experiments.durations import duration, remaining


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min")],
)
def test_the_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, ""), (0.0, ""), (0.4, ""), (1.2, ", about 1 s left"),
                           (75, ", about 1 min 15 s left")],
)  # fmt: skip
def test_no_time_is_told_once_it_has_run_out(seconds: float | None, words: str) -> None:
    """'About 0 s left' for many seconds would be wrong."""
    assert remaining(seconds) == words
