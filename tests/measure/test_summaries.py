import math

import pytest
import torch

from dqviz.measure.rows import summary
from dqviz.measure.summaries import summaries

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    "line",
    [
        [3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 0.0],
        [NAN, 1.0, NAN, 5.0, 4.0, 9.0, 0.0],
        [NAN] * 7,
        [INF, 1.0, 2.0, INF, 4.0, 9.0, 0.0],
        [INF] * 7,
        [NAN] * 6 + [2.0],
    ],
)
def test_a_table_of_lines_is_summarised_like_each_line(line):
    table = torch.tensor([[1.0] * 7, line, [2.0] * 7], dtype=torch.float64)
    found = summaries(table)
    assert len(found) == 3
    assert found[1] == pytest.approx(summary(table[1]), nan_ok=True)
    assert list(found[1]) == list(summary(table[1]))


def test_one_sample_is_its_own_summary():
    (found,) = summaries(torch.tensor([[2.5]], dtype=torch.float64))
    assert found == {"mean": 2.5, "median": 2.5, "q10": 2.5, "q90": 2.5, "nan_count": 0.0}
