"""Sweeps killed without warning, at random moments, and what their stores hold afterwards.

    python benchmarks/faults.py [--moments 20] [--seed 0] [--victims sweep,worker,host,...]

Each trial starts a sweep on the command line, or a study in the app, kills its victim (kill -9) at
a random moment, starts it again if it has ended, and compares the store with that of an undisturbed
run: no finished cell may be lost or computed twice, and all numbers must be the same, bit for bit.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.app_server import AppServer  # noqa: E402
from dqviz.data.folder_paths import cache_folder  # noqa: E402
from dqviz.studies import Store, StoreError  # noqa: E402

VICTIMS = ("sweep", "worker", "host", "scheduler", "app")
GRID = """
kind = "accuracy"
model = ["streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq"]

[data]
n_samples = 32

[quant]
act_bits = [8, 4, 3]

[attack]
name = ["fgsm", "pgd"]
epsilon = ["0.5/255", "1/255", "2/255"]
steps = 5
"""
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has one way of killing
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
ENVIRONMENT["PYTHONPATH"] = str(ROOT)
# How long a sweep waits for a scheduler that is gone, before it says so and ends.
ENVIRONMENT["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "5s"
CACHE = cache_folder()
"""Where the processes with that environment keep what they have measured."""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

Cells = dict[str, tuple[float, int, tuple[object, ...]]]
"""By key: when it was finished, at which attempt, and its numbers."""


@dataclasses.dataclass(frozen=True)
class Trial:
    """What became of one killed sweep."""

    victim: str
    seconds: float
    done: int
    total: int
    lost: int
    twice: int
    equal: bool


def cells_of(path: Path) -> Cells:
    """Every finished cell of a store; none where there is no store yet."""
    try:
        with Store(path) as store:
            rows = store._connection.execute(
                "SELECT key, finished, attempts FROM cells WHERE state = 'done'"
            ).fetchall()
            found = {}
            for row in rows:
                finding = store.finding(row["key"])
                assert finding is not None
                found[row["key"]] = (row["finished"], row["attempts"], finding.numbers)
            return found
    except StoreError as error:
        if "there is no store" in str(error) or "no store of results" in str(error):
            return {}
        raise


def numbers_of(cells: Cells) -> dict[str, object]:
    """The numbers alone, by key."""
    return {key: numbers for key, (_, _, numbers) in cells.items()}


def start(grid: Path, store: Path, *, scheduler: str | None = None) -> subprocess.Popen[bytes]:
    """A sweep in a process of its own, with two workers or on a running scheduler."""
    command = [sys.executable, "-m", "dqviz", "sweep", str(grid), "--store", str(store)]
    command += ["--scheduler", scheduler] if scheduler else ["--workers", "2"]
    return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, **QUIET)


def begin(
    victim: str, grid: Path, store: Path, dask: Dask | None
) -> subprocess.Popen[bytes] | AppServer:
    """Whatever computes the grid in this trial."""
    if victim == "app":
        home = store.parent / store.stem
        text = grid.read_text(encoding="utf-8")
        return AppServer(home, text, store=store.name, environment=ENVIRONMENT, cache=CACHE)
    return start(grid, store, scheduler=None if dask is None else dask.address)


class Dask:
    """A scheduler and a process with two workers, as on a cluster."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        self.scheduler = self._run("scheduler", "--host", "127.0.0.1", "--port", str(port))
        self.workers = self._run("worker", self.address, "--nworkers", "2", "--nthreads", "1")

    def _run(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
        return subprocess.Popen([*command, "--no-dashboard"], env=ENVIRONMENT, **QUIET)

    def stop(self) -> None:
        """Ends both, and what they started."""
        for process in (self.workers, self.scheduler):
            kill_family(process)


def kill_family(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and its descendants."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait()


@contextlib.contextmanager
def cluster(victim: str) -> Iterator[Dask | None]:
    """A Dask cluster where the victim is its scheduler."""
    if victim != "scheduler":
        yield None
        return
    dask = Dask()
    try:
        yield dask
    finally:
        dask.stop()


def find(victim: str, sweep: subprocess.Popen[bytes] | AppServer, dask: Dask | None) -> int | None:
    """The number of the process to kill; None where it is not there (yet)."""
    if victim in ("sweep", "app"):
        return sweep.pid
    if dask is not None:
        return dask.scheduler.pid
    hosts, workers = [], []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(sweep.pid).children(recursive=True):
            line = " ".join(process.cmdline())
            if "dqviz.experiments.host" in line:
                hosts.append(process.pid)
            elif "spawn_main" in line:
                workers.append(process.pid)
    found = hosts if victim == "host" else sorted(workers)[:2]
    return found[-1] if found else None


def result_of(victim: str, store: Path) -> Path:
    """Where the cells of a trial go: the app keeps stores in its data folder."""
    return store.parent / store.stem / "results" / store.name if victim == "app" else store


def trial(
    victim: str, when: Callable[[float], bool], *, grid: Path, store: Path, expected: Cells
) -> Trial:
    """One sweep, killed as soon as `when` says so of its seconds, and gone on with to the end."""
    result = result_of(victim, store)
    result.parent.mkdir(parents=True, exist_ok=True)
    with cluster(victim) as dask:
        begun = time.monotonic()
        sweep = begin(victim, grid, store, dask)
        while sweep.poll() is None and not when(time.monotonic() - begun):
            time.sleep(0.01)
        seconds = time.monotonic() - begun
        pid = find(victim, sweep, dask)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, KILL)
        if victim in ("sweep", "scheduler", "app"):
            sweep.wait()
        before = cells_of(result)
        if dask is not None:
            dask.stop()
    with cluster(victim) as dask:
        sweep.wait()
        while len(cells_of(result)) < len(expected):
            again = begin(victim, grid, store, dask)
            if again.wait() not in (0, 2):
                raise SystemExit(f"the sweep after the kill of the {victim} did not end well")
    return compare(victim, seconds, before, cells_of(result), expected)


def compare(victim: str, seconds: float, before: Cells, cells: Cells, expected: Cells) -> Trial:
    """How a store stands beside that of an undisturbed run."""
    kept = [key for key in before if key in cells]
    return Trial(
        victim=victim,
        seconds=seconds,
        done=len(before),
        total=len(expected),
        lost=len(before) - len(kept),
        twice=sum(cells[key][:2] != before[key][:2] for key in kept),
        equal=numbers_of(cells) == numbers_of(expected),
    )


def undisturbed(grid: Path, store: Path) -> tuple[Cells, float]:
    """The cells of a sweep that nothing happens to, and how long it took."""
    begun = time.monotonic()
    if start(grid, store).wait():
        raise SystemExit("the undisturbed sweep did not end well")
    return cells_of(store), time.monotonic() - begun


def main() -> int:
    """Print a line for every trial, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--victims", default=",".join(VICTIMS))
    options = parser.parse_args()
    victims, chance = options.victims.split(","), random.Random(options.seed)
    trials = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grid = folder / "grid.toml"
        grid.write_text(GRID, encoding="utf-8")
        expected, seconds = undisturbed(grid, folder / "undisturbed.sqlite")
        print(f"undisturbed: {len(expected)} cells in {seconds:.1f} s")
        print("victim     killed after   done then   lost   computed twice   numbers equal")
        for number in range(options.moments):
            victim, after = victims[number % len(victims)], chance.uniform(0.05, 1.0) * seconds
            store = folder / f"{number}.sqlite"
            found = trial(victim, after.__le__, grid=grid, store=store, expected=expected)
            trials.append(found)
            print(
                f"{victim:10} {after:10.2f} s {found.done:5} of {found.total} {found.lost:6} "
                f"{found.twice:16} {'yes' if found.equal else 'NO':>15}",
                flush=True,
            )
    bad = sum(found.lost + found.twice + (not found.equal) for found in trials)
    print(f"{len(trials)} moments, {bad} faults")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
