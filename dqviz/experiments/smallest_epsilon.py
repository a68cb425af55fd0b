"""The smallest epsilon that flips each image: its distribution, by bisection on an attack."""

from __future__ import annotations

from dqviz.attacks import AttackError, smallest_epsilons
from dqviz.attacks.arithmetic import threads_of
from dqviz.measure.accuracy import wilson
from dqviz.measure.quantiles import quantiles
from dqviz.measure.rows import NETWORK, Row, value_rows
from dqviz.specs import ExperimentSpec

from .arithmetic import arithmetic_for
from .findings import Findings, proportion_rows
from .setting import Setting, add_notes, prepare
from .steps import Steps
from .workbench import Workbench

TOLERANCE = 1 / 256
"""The bisection's, as a share of the bound: eight halvings."""

SMALLEST = "smallest_epsilon"
NEVER = "never_flipped"


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Rows for the whole network; the column `epsilon` holds the search's bound.

    The bound is the largest epsilon of the attack. `smallest_epsilon` (pixel units) has the
    statistics `q10`, `q25`, `median`, `q75`, `q90`, and `low` and `high`, the 95 % interval of the
    median, over all images: 0 for those that the network gets wrong by themselves, infinite for
    those that the attack does not flip within the bound. `never_flipped` is the share of the
    latter, `clean_accuracy` that of images right by themselves, with `value`, `low` and `high` of a
    95 % Wilson interval each. The samples hold every image's `smallest_epsilon`.

    Raises:
        AttackError: if the bound is 0, or perturbations are to be crafted on another network.
    """
    bound = max(spec.attack.epsilons)
    if bound == 0:
        raise AttackError(
            "the largest epsilon is the bound of the search for the smallest, above 0; got 0"
        )
    if spec.crafted_on is not None:
        raise AttackError(
            "the smallest epsilon is searched for on the network itself; got perturbations "
            f"crafted on {spec.crafted_on.label}"
        )
    loading, judging, searching = steps.split([1, 1, 20])
    setting = prepare(spec, bench, loading)
    found = Findings(columns={**setting.accuracy_columns(judging)})
    add_notes(found, setting)
    rows, smallest = _searched(setting, bound, searching)
    rows = proportion_rows("clean_accuracy", setting.clean(judging)) + rows
    found.add(rows, attack=spec.attack.name, epsilon=bound)
    found.add_sample(SMALLEST, smallest, attack=spec.attack.name, epsilon=bound)
    return found


def _searched(setting: Setting, bound: float, steps: Steps) -> tuple[list[Row], list[float]]:
    """The distribution's rows, and every image's smallest epsilon."""
    subject, fast = setting.subject, setting.spec.fast
    with threads_of(arithmetic_for(subject.key[0], fast=fast)):
        smallest = smallest_epsilons(
            subject.attacked,
            setting.data.images,
            setting.data.labels,
            setting.spec.attack,
            bound=bound,
            tolerance=bound * TOLERANCE,
            batch_size=setting.spec.batch_size,
            progress=steps.counter("halving epsilons"),
            gradients_of=setting.bench.gradients_of(subject, fast=fast),
        ).epsilon.cpu()
    never = wilson(int(smallest.isinf().sum()), len(smallest))
    rows = value_rows(NETWORK, -1, SMALLEST, quantiles(smallest).items())
    return rows + proportion_rows(NEVER, never), smallest.tolist()
