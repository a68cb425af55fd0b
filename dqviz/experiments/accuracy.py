"""Clean and robust accuracy with intervals, at every epsilon of an attack, and what they cost."""

from __future__ import annotations

import torch

from dqviz.attacks import BREAKERS, Outcome
from dqviz.measure.accuracy import correctness, wilson
from dqviz.measure.efficiency import efficiency, efficiency_rows
from dqviz.measure.rows import NETWORK, Row, value_rows
from dqviz.specs import ExperimentSpec

from .findings import Findings, proportion_rows
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Workbench

ROUNDED_FROM = 0.5 / 255
"""Rounding to 8 bits takes back an L-infinity perturbation below half a grey level."""

BROKEN_BY = "broken_by"
"""The metric that says which attack of an ensemble broke an image."""


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows for the whole network, `value`, `low` and `high` of a 95 % Wilson interval each.

    `clean_accuracy` and, at every epsilon, `robust_accuracy`; from half a grey level up also
    `robust_accuracy_uint8`, with the attack's last images rounded to 8 bits as when saved to a
    file, unless `spec.rounded` is off. For L2 attacks it is given at every epsilon.

    The column `estimator` names the gradient through rounding that the attack followed.

    What the network costs (see `efficiency`) stands beside them, one `value` each, so that
    robustness can be set against it.

    The samples say of every image and epsilon whether it is classified correctly, 1 or 0, under
    these names. Under the attack `standard` on the network itself they also hold `broken_by`, the
    number of an entry of `BREAKERS`, and the rows the shares of images, one statistic an entry.
    """
    loading, judging, crafting, measuring = steps.split([1, 1, 10, 2])
    setting = prepare(spec, bench, loading)
    # A robust accuracy says little unless one knows which gradient was followed.
    columns = {**setting.accuracy_columns(judging), "estimator": spec.quant.estimator}
    found = Findings(columns=columns, extra=("estimator",))
    add_notes(found, setting)
    hunting, rounding = crafting.split([1, int(spec.rounded)])
    # An image that the network gets wrong needs no further attack; one that another network gets
    # wrong may yet be right for this one, and one at the border comes back when it is rounded.
    attacked = setting.outcomes(hunting, early_stop=spec.crafted_on is None)
    clean = setting.correct(judging)
    unattacked = proportion_rows("clean_accuracy", setting.clean(judging)) + _cost_rows(setting)
    for epsilon, part in zip(attacked, measuring.split([1] * len(attacked)), strict=True):
        rows, right = list(unattacked), {"clean_accuracy": clean}
        for metric, images in _versions(setting, epsilon, attacked[epsilon], rounding).items():
            right[metric] = _judged(setting, images, part)
            rows += proportion_rows(metric, wilson(int(right[metric].sum()), len(clean)))
        numbers = {metric: correct.float() for metric, correct in right.items()}
        if spec.attack.name == "standard" and spec.crafted_on is None:
            numbers[BROKEN_BY] = _broken_by(attacked[epsilon], clean)
            rows += _share_rows(numbers[BROKEN_BY])
        found.add(rows, attack=spec.attack.name, epsilon=epsilon)
        for metric, number in numbers.items():
            found.add_sample(metric, number.numpy(), attack=spec.attack.name, epsilon=epsilon)
    return found


def _versions(
    setting: Setting, epsilon: float, attacked: Outcome, rounding: Steps
) -> dict[str, torch.Tensor]:
    """The adversarial images as they are, and rounded where that does not undo the attack."""
    versions = {"robust_accuracy": attacked.adversarial}
    shows = setting.spec.attack.norm != "linf" or epsilon >= ROUNDED_FROM
    if setting.spec.rounded and shows:
        versions["robust_accuracy_uint8"] = rounded(setting.crafted(rounding)[epsilon])
    return versions


def rounded(images: torch.Tensor) -> torch.Tensor:
    """Images as they come back from a file of 8 bits a channel."""
    return (images * 255).round() / 255


def _judged(setting: Setting, images: torch.Tensor, part: Steps) -> torch.Tensor:
    """Which images the network classifies correctly, (N,) bool."""
    return correctness(
        setting.subject.network,
        images,
        setting.data.labels,
        batch_size=setting.spec.batch_size,
        progress=part.counter("robust accuracy"),
    )


def _broken_by(attacked: Outcome, clean: torch.Tensor) -> torch.Tensor:
    """A number of `BREAKERS` for each image; without an attack only the wrong ones are broken."""
    if attacked.broken_by is not None:
        return attacked.broken_by.cpu().float()
    return torch.where(clean, float(BREAKERS.index("none")), float(BREAKERS.index("clean")))


def _share_rows(broken_by: torch.Tensor) -> list[Row]:
    """The share of images that each attack broke, that were wrong before, and that stand."""
    shares = [float((broken_by == code).double().mean()) for code in range(len(BREAKERS))]
    return value_rows(NETWORK, -1, BROKEN_BY, zip(BREAKERS, shares, strict=True))


def _cost_rows(setting: Setting) -> list[Row]:
    """What the network costs at its bits and at the images' size."""
    _, channels, height, width = setting.data.images.shape
    network, shape = setting.subject.network, (channels, height, width)
    key = (setting.subject.key[0], shape)
    return setting.bench.cost_rows.get(key, lambda: efficiency_rows(efficiency(network, shape)))
