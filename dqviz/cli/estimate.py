"""What a sweep would compute, and about how long that takes, from what was measured before."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dqviz.experiments.durations import duration
from dqviz.studies import Cell, Group, Store, group
from dqviz.studies.selection import in_levels

from .output import format_table
from .terminal import ProgressLine

if TYPE_CHECKING:
    from dqviz.specs import ExperimentSpec

SHOWN = 40
PROBE_IMAGES = 32
PROBE_EPSILONS = 4
COLUMNS = (
    *("state", "kind", "model", "weights", "weight_bits", "act_bits", "attack", "epsilon"),
    *("data", "n_samples", "seed"),
)


def dry_run(cells: Sequence[Cell], path: Path, *, workers: int, progress: ProgressLine) -> str:
    """The cells with their states, and an estimate of the time for those that are missing."""
    states: dict[str, str] = {}
    if path.exists():
        with Store(path) as store:
            states = store.states(cell.key for cell in cells)
    missing = [cell for cell in cells if states.get(cell.key) != "done"]
    rows = [
        {
            **cell.coordinates,
            "state": states.get(cell.key, "missing"),
            "epsilon": in_levels(cell.spec.attack.epsilons[0]),
        }
        for cell in cells[:SHOWN]
    ]
    lines = [format_table(rows, COLUMNS)]
    if len(cells) > SHOWN:
        lines.append(f"... and {len(cells) - SHOWN:,} more")
    tasks = group(missing)
    lines.append(
        f"\n{len(cells):,} cells, {len(cells) - len(missing):,} of them done; "
        f"{len(missing):,} to compute, in {len(tasks):,} tasks"
    )
    if tasks:
        seconds = estimate(tasks, progress=progress) / workers
        progress.clear()
        lines.append(
            f"about {duration(max(seconds, 1.0))} with {workers} workers, from one try of each kind"
        )
    return "\n".join(lines)


def estimate(tasks: Sequence[Group], *, progress: ProgressLine) -> float:
    """About how many seconds the tasks take one after the other.

    The first task of each kind, attack and architecture is tried on a few images, twice, so that
    what happens only once does not count, and scaled up to the images and epsilons asked for.
    """
    alike: dict[tuple[str, ...], list[Group]] = defaultdict(list)
    for task in tasks:
        spec = task.spec
        steps = f"{spec.attack.steps * spec.attack.restarts} {spec.attack.queries}"
        arch = spec.model.label.rpartition("/")[0]
        alike[spec.kind, spec.attack.name, steps, arch, spec.data.name].append(task)
    total = 0.0
    for number, members in enumerate(alike.values()):
        progress(number / len(alike), "trying one cell of each kind")
        largest = max(members, key=lambda task: len(task.cells))
        images, one, more = _try(largest.spec)
        for task in members:
            total += (one + more * (len(task.cells) - 1)) * _images(task.spec) / images
    return total


def _try(spec: ExperimentSpec) -> tuple[int, float, float]:
    """How many images were tried, and the seconds for the first epsilon and for each further one.

    Epsilons that are computed together share most of the work.
    """
    from dqviz.experiments.run import run
    from dqviz.experiments.workbench import Workbench

    images = min(_images(spec), PROBE_IMAGES)
    some = spec.attack.epsilons[:PROBE_EPSILONS]
    bench, took = Workbench(), dict[int, float]()
    # The first try finds nothing loaded and nothing warm, and does not count.
    for seed, count in enumerate((1, 1, len(some))):
        data = dataclasses.replace(spec.data, n_samples=images, seed=seed)
        attack = dataclasses.replace(spec.attack, epsilons=some[:count])
        begin = time.monotonic()
        run(dataclasses.replace(spec, data=data, attack=attack), bench=bench)
        took[count] = time.monotonic() - begin
        if seed and len(some) == 1:
            break
    further = max(took[len(some)] - took[1], 0.0) / max(len(some) - 1, 1)
    return images, took[1], further


def _images(spec: ExperimentSpec) -> int:
    from dqviz.data import count_images

    return spec.data.n_samples or count_images(spec.data)
