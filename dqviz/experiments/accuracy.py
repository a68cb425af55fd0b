"""Clean and robust accuracy with intervals, at every epsilon of an attack, and what they cost."""

from __future__ import annotations

from dqviz.measure.accuracy import accuracy
from dqviz.measure.efficiency import efficiency, efficiency_rows
from dqviz.measure.rows import Row
from dqviz.specs import ExperimentSpec

from .findings import Findings, proportion_rows
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Workbench

ROUNDED_FROM = 0.5 / 255
"""Rounding to 8 bits takes back an L-infinity perturbation below half a grey level."""


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows for the whole network, `value`, `low` and `high` of a 95 % Wilson interval each.

    `clean_accuracy` and, at every epsilon, `robust_accuracy`; from half a grey level up also
    `robust_accuracy_uint8`, with the attack's last images rounded to 8 bits as when saved to a
    file. For L2 attacks it is given at every epsilon.

    The column `estimator` names the gradient through rounding that the attack followed.

    What the network costs (see `efficiency`) stands beside them, one `value` each, so that
    robustness can be set against it.
    """
    loading, judging, crafting, measuring = steps.split([1, 1, 10, 2])
    setting = prepare(spec, bench, loading)
    # A robust accuracy says little unless one knows which gradient was followed.
    columns = {**setting.accuracy_columns(judging), "estimator": spec.quant.estimator}
    found = Findings(columns=columns, extra=("estimator",))
    add_notes(found, setting)
    hunting, rounding = crafting.split([1, 1])
    # An image that the network gets wrong needs no further attack; one that another network gets
    # wrong may yet be right for this one, and one at the border comes back when it is rounded.
    attacked = setting.crafted(hunting, early_stop=spec.crafted_on is None)
    unattacked = proportion_rows("clean_accuracy", setting.clean(judging)) + _cost_rows(setting)
    for epsilon, part in zip(attacked, measuring.split([1] * len(attacked)), strict=True):
        rows = list(unattacked)
        versions = {"robust_accuracy": attacked[epsilon]}
        if spec.attack.norm != "linf" or epsilon >= ROUNDED_FROM:
            final = setting.crafted(rounding)[epsilon]
            versions["robust_accuracy_uint8"] = (final * 255).round() / 255
        for metric, images in versions.items():
            share = accuracy(
                setting.subject.network,
                images,
                setting.data.labels,
                batch_size=spec.batch_size,
                progress=part.counter("robust accuracy"),
            )
            rows += proportion_rows(metric, share)
        found.add(rows, attack=spec.attack.name, epsilon=epsilon)
    return found


def _cost_rows(setting: Setting) -> list[Row]:
    """What the network costs at its bits and at the images' size."""
    _, channels, height, width = setting.data.images.shape
    network, shape = setting.subject.network, (channels, height, width)
    key = (setting.subject.key[0], shape)
    return setting.bench.cost_rows.get(key, lambda: efficiency_rows(efficiency(network, shape)))
