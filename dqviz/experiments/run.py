"""`run`: a specification in, its numbers out. Imports torch; the browser's process never does.

Each kind of experiment has a file of its own with a function `measure(spec, bench, steps)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

from dqviz import __version__
from dqviz.measure.distances import difference_norms, norms, norms_around_mean
from dqviz.measure.quantizer_noise import noise_sums
from dqviz.specs import ExperimentSpec, spec_key

from . import accuracy, amplification, corruptions, lipschitz, masking, playground, smallest_epsilon
from .arithmetic import precision_of
from .columns import common_columns
from .findings import Findings
from .provenance import provenance
from .resolve import Look, is_resolved, resolve
from .result import Result, make_samples, make_table
from .steps import Steps
from .workbench import Workbench

Measure = Callable[[ExperimentSpec, Workbench, Steps], Findings]

KINDS: Mapping[str, Measure] = {
    "amplification": amplification.measure,
    "lipschitz": lipschitz.measure,
    "accuracy": accuracy.measure,
    "playground": playground.measure,
    "masking": masking.measure,
    "smallest_epsilon": smallest_epsilon.measure,
    "corruptions": corruptions.measure,
}

BENCH = Workbench()
"""What this process has loaded lately."""


def run(
    spec: ExperimentSpec,
    *,
    progress: Callable[[float, str], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    bench: Workbench | None = None,
) -> Result:
    """Computes an experiment.

    Args:
        spec: what is wanted; resolved first if it is not yet.
        progress: called with a share of 0 to 1 and what is being done.
        cancelled: asked between batches and steps of the attack.
        bench: keeps what is loaded; None takes this process' own.

    Raises:
        Cancelled: if `cancelled` said so.
        ValueError: one of the rooms' errors (`DataError`, `ModelError`, ...), with a clear text.
    """
    begin = time.monotonic()
    steps = Steps(progress, cancelled)
    look = Look(steps.part(0.0, 0.0).counter("looking at the files"))
    resolved = spec if is_resolved(spec) else resolve(spec, look)
    steps.at(0.0, "loading")
    found = KINDS[resolved.kind](resolved, bench or BENCH, steps)
    common = common_columns(resolved)
    table = make_table(found.rows, found.extra, shared={**common, **found.columns})
    network = {name: common[name] for name in ("model", "weights", "weight_bits", "act_bits")}
    return Result(
        table=table,
        arrays=found.arrays,
        notes=tuple(found.notes),
        spec_key=spec_key(resolved),
        version=__version__,
        samples=make_samples({**network, **row} for row in found.samples),
        reasons=found.reasons,
        epsilon_notes=found.epsilon_notes,
        provenance=provenance(
            precision=precision_of(resolved),
            threads=torch.get_num_threads(),
            seconds=time.monotonic() - begin,
        ),
    )


def warm_up() -> None:
    """Does what is done only once, so that the first request need not wait for it.

    Torch's first convolution is slow, and the measurement's loops are compiled or read from disk.
    """
    weight = torch.zeros(8, 3, 3, 3)
    images = torch.zeros(2, 3, 32, 32, requires_grad=True)
    output = torch.nn.functional.conv2d(images, weight, padding=1)
    torch.autograd.grad(output.sum(), images)
    values = torch.zeros(1, 1)
    norms(values)
    norms_around_mean(values)
    difference_norms(values, values)
    noise_sums(values, values, values, values, step=1.0, low=0.0, high=1.0)
