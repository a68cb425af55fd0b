"""Accuracy on images corrupted without malice: what quantization costs where nobody attacks."""

from __future__ import annotations

import math

from dqviz.data.corruptions import corrupt
from dqviz.measure.accuracy import correctness, wilson
from dqviz.specs import CORRUPTIONS, ExperimentSpec

from .findings import Findings, proportion_rows
from .setting import add_notes, prepare
from .steps import Steps
from .workbench import Workbench


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows for the whole network, `value`, `low` and `high` of a 95 % Wilson interval each.

    `clean_accuracy`, and for each of `CORRUPTIONS`, named in the column `attack`, and each severity
    asked for, `corrupted_accuracy_1` to `corrupted_accuracy_5`. There is no epsilon. The samples
    say of every image whether it is classified correctly, 1 or 0, under these names.
    """
    loading, judging, measuring = steps.split([1, 1, 10])
    setting = prepare(spec, bench, loading)
    found = Findings(columns={**setting.accuracy_columns(judging), "crafted_on": None})
    add_notes(found, setting)
    clean = setting.correct(judging)
    found.add(proportion_rows("clean_accuracy", setting.clean(judging)), attack="none")
    found.add_sample("clean_accuracy", clean.float().numpy(), attack="none", epsilon=math.nan)
    wanted = [(name, severity) for name in CORRUPTIONS for severity in spec.severities]
    for (name, severity), part in zip(wanted, measuring.split([1] * len(wanted)), strict=True):
        right = correctness(
            setting.subject.network,
            corrupt(setting.data.images, name, severity=severity, seed=spec.data.seed),
            setting.data.labels,
            batch_size=spec.batch_size,
            progress=part.counter("corrupted accuracy"),
        )
        metric = f"corrupted_accuracy_{severity}"
        found.add(proportion_rows(metric, wilson(int(right.sum()), len(right))), attack=name)
        found.add_sample(metric, right.float().numpy(), attack=name, epsilon=math.nan)
    return found
