"""What sweeping costs beside computing, as ratios from one run, side by side.

    python benchmarks/sweeps.py [--rows 1000000]

A grid of 5 bit-widths and 8 epsilons against its cells one by one; the time that the engine and the
store add to a cell of some seconds; two workers against one; a filter in a store of a million rows;
and from these, on paper, what a hundred thousand cells need on a cluster. Let the machine have
nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import plotly.graph_objects as go

from dqviz.experiments import Engine
from dqviz.experiments.provenance import Provenance
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec
from dqviz.studies import Cell, Finding, Owner, Store, Sweep, parse_grid
from dqviz.studies.cells import resolve_cells
from dqviz.studies.queries import number_table, reading
from dqviz.studies.selection import select

SHARED = """
kind = "{kind}"
model = "streetdigits/resnet20/vanilla"
[data]
n_samples = 64
[quant]
weight_bits = 8
act_bits = [32, 8, 6, 4, 3]
[attack]
epsilon = [{epsilons}]
"""
SECONDS = """
kind = "accuracy"
model = "streetdigits/resnet20/vanilla"
[data]
n_samples = 128
seed = [0, 1, 2, 3, 4, 5, 6, 7]
[quant]
act_bits = 4
[attack]
name = "pgd"
steps = 10
epsilon = "1/255"
"""
WARM = """
kind = "accuracy"
model = "streetdigits/resnet20/vanilla"
seed = [90, 91, 92, 93]
[data]
n_samples = 8
[quant]
act_bits = [4, 8]
"""
EPSILONS = ", ".join(f'"{k / 2}/255"' for k in range(1, 9))


def swept(cells: Sequence[Cell], *, workers: int, folder: Path) -> tuple[float, float]:
    """Seconds that a sweep takes once its workers are warm, and the sum of what its cells took."""
    engine = Engine(workers=workers, jobs=0)
    engine.start_in_background()
    if not engine.wait_until_ready(120):
        raise SystemExit(engine.message)
    path = folder / f"{random.random()}.sqlite"
    try:
        warm = resolve_cells(parse_grid(WARM))
        with Store(path, write=True) as store:
            Sweep(warm, store, engine).run()
            progress = Sweep(cells, store, engine).run()
            query = "SELECT sum(seconds) FROM cells WHERE data != '' AND n_samples > 8"
            inside = store._connection.execute(query).fetchone()[0]
        return progress.seconds, float(inside)
    finally:
        engine.shutdown()


def sharing(kind: str, folder: Path) -> None:
    """A grid of 5 bit-widths and 8 epsilons against its cells one by one."""
    from dqviz.experiments.run import run
    from dqviz.experiments.workbench import Workbench

    cells = resolve_cells(parse_grid(SHARED.format(kind=kind, epsilons=EPSILONS)))
    run(cells[0].spec, bench=Workbench())  # what a process does only once
    begin = time.perf_counter()
    for cell in cells:
        run(cell.spec, bench=Workbench())
    alone = time.perf_counter() - begin
    together, _ = swept(cells, workers=1, folder=folder)
    report(f"{kind}, {len(cells)} cells: sweep / one by one", together, alone, 1 / 3)


def overhead_and_speed_up(folder: Path) -> float:
    """What a cell of some seconds costs more in a sweep, and two workers against one.

    Returns:
        The seconds of a cell.
    """
    cells = resolve_cells(parse_grid(SECONDS))
    one, inside = swept(cells, workers=1, folder=folder)
    two, _ = swept(cells, workers=2, folder=folder)
    print(f"a cell takes {inside / len(cells):.2f} s")
    report("sweep with one worker / its cells alone", one, inside, 1.05)
    print(f"one worker {one:.2f} s, two {two:.2f} s: {one / two:.2f} times as fast")
    return inside / len(cells)


def large_store(rows: int, folder: Path) -> tuple[float, float]:
    """A filter in a store of so many rows.

    Returns:
        The seconds that claiming and keeping a cell of a thousand rows takes, and its bytes.
    """
    path = folder / "large.sqlite"
    begin = time.perf_counter()
    fill(path, rows)
    kept = (time.perf_counter() - begin) / (rows // 1000)
    size = path.stat().st_size / 2**20
    wanted = {"metric": ["relative_distance"], "statistic": ["median"]}
    begin = time.perf_counter()
    with reading(path) as connection:
        found = number_table(connection, select(connection, wanted))
    filtered = time.perf_counter() - begin
    summary = found[found["layer"] == "layer7"].groupby("act_bits")["value"].mean()
    figure = go.Figure(go.Scatter(x=list(summary.index), y=list(summary))).to_json()
    seconds = time.perf_counter() - begin
    assert figure
    print(
        f"{rows:,} rows, {size:.0f} MiB: {len(found):,} rows filtered in {filtered:.2f} s, with a "
        f"plot {seconds:.2f} s (goal 1)"
    )
    return kept, path.stat().st_size / (rows // 1000)


def on_paper(seconds: float, kept: float, size: float, *, cells: int = 100_000) -> None:
    """What many such cells need, if nothing but computing and keeping takes time."""
    hours = cells * seconds / 3600
    print(
        f"on paper, {cells:,} cells of {seconds:.1f} s and a thousand rows: {hours:,.0f} hours of "
        f"one core, {hours / 100:.1f} hours of 100; claiming and keeping a cell takes the sweep "
        f"{1000 * kept:.0f} ms, {cells * kept / 60:.0f} minutes in all, so it keeps up with "
        f"{seconds / kept:,.0f} workers; the store has {cells * size / 2**30:.0f} GiB"
    )


def fill(path: Path, rows: int) -> None:
    """A store with about so many rows, 1,000 a cell."""
    owner = Owner.new()
    made = Provenance(
        version="0", code="0", libraries="{}", precision="float32", threads=1, machine="", seconds=1
    )
    with Store(path, write=True) as store:
        for cell in made_up(rows // 1000):
            store.claim([cell], owner)
            store.finish([(cell, finding(cell))], owner, made)


def made_up(count: int) -> Iterator[Cell]:
    """Cells of a network and images that are not there."""
    for seed in range(count):
        yield Cell.of(
            ExperimentSpec(
                kind="amplification",
                model=ModelSpec(id="some/net/vanilla", fingerprint="card:0"),
                data=DataSpec(n_samples=8, seed=seed // 8, fingerprint="0"),
                quant=QuantSpec(act_bits=1 + seed % 8),
                attack=AttackSpec(epsilons=(1 / 255,)),
            )
        )


def finding(cell: Cell) -> Finding:
    """A thousand numbers: 20 layers, 10 metrics, 5 statistics."""
    metrics = ["relative_distance", *(f"metric{k}" for k in range(9))]
    rows = [
        {"attack": "fgsm", "epsilon": 1 / 255, "layer": f"layer{layer}", "depth": layer,
         "metric": metric, "statistic": statistic, "value": random.random()}
        for layer in range(20)
        for metric in metrics
        for statistic in ("mean", "median", "q10", "q90", "nan_count")
    ]  # fmt: skip
    return Finding(
        numbers=tuple(tuple(row.values()) for row in rows),
        shared={"model": "some/net", "weights": "vanilla", "version": "0"},
        notes=(),
    )


def report(what: str, seconds: float, against: float, bound: float) -> None:
    """One line: the ratio and what it should be at most."""
    ratio = seconds / against
    verdict = "ok" if ratio <= bound else "MISSED"
    print(
        f"{what}: {seconds:.2f} s / {against:.2f} s = {ratio:.2f} (at most {bound:.2f}) {verdict}"
    )


def main() -> None:
    """Print every figure."""
    os.environ["OMP_NUM_THREADS"] = "1"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        for kind in ("accuracy", "amplification"):
            sharing(kind, Path(name))
        seconds = overhead_and_speed_up(Path(name))
        on_paper(seconds, *large_store(options.rows, Path(name)))


if __name__ == "__main__":
    main()
