import math

import numpy as np
import torch

from dqviz.measure.rows import STATISTICS, Row, summary, summary_rows


def test_summary_equals_numpy():
    values = torch.rand(37, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = summary(values)
    assert math.isclose(found["mean"], np.mean(values.numpy()))
    for name, share in (("median", 0.5), ("q10", 0.1), ("q90", 0.9)):
        assert math.isclose(found[name], np.quantile(values.numpy(), share))
    assert found["nan_count"] == 0


def test_nan_is_counted_and_left_out():
    found = summary(torch.tensor([1.0, math.nan, 3.0, math.nan]))
    assert (found["mean"], found["median"], found["nan_count"]) == (2.0, 2.0, 2.0)


def test_nothing_but_nan_gives_nan_not_an_error():
    found = summary(torch.full((3,), math.nan))
    assert found["nan_count"] == 3
    assert all(math.isnan(found[name]) for name in STATISTICS if name != "nan_count")


def test_an_infinite_distance_stays():
    assert summary(torch.tensor([1.0, math.inf]))["mean"] == math.inf


def test_rows_carry_layer_and_depth():
    rows = summary_rows("layer1.0.conv1", 3, "relative_distance", torch.ones(2))
    assert rows[0] == Row("layer1.0.conv1", 3, "relative_distance", "mean", 1.0)
    assert [row.statistic for row in rows] == list(STATISTICS)
