"""Fixtures that tests of several rooms share, and what a skipped test is worth."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

IN_TURN = (
    "tests/browser/",
    "tests/jobs/",
    "tests/experiments/test_engine",
    "tests/experiments/test_real_engine",
    "tests/studies/test_faults",
)
"""Tests that start several processes and wait for them: two at once would starve both."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
AT_FIRST = {name: os.environ.get(name) for name in THREADS}
"""Dask's nannies set these in the process that starts them, for all that it starts later."""

LONG = (
    "tests/attacks/test_parity",
    "tests/cli/",
    "tests/models/test_families",
    "tests/defense/",
    "tests/studies/",
)
"""Of the others, what takes longest: begun last, it would keep one process busy alone."""

GIVES_WAY = 5
"""The niceness of the processes that run all other tests: those in turn last longest, and wait."""

UNPUBLISHED = "not published with the project: "
"""How the reason begins of the only tests that may be skipped in continuous integration."""


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """A folder with `datasets/` and `checkpoints/` for development; else the test is skipped."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("DQVIZ_DEV_SHARED") or beside)
    if not all((folder / part).is_dir() for part in ("datasets", "checkpoints")):
        pytest.skip(f"{UNPUBLISHED}datasets/ and checkpoints/ in {folder} (DQVIZ_DEV_SHARED)")
    return folder


@pytest.fixture(autouse=True)
def gives_way(request: pytest.FixtureRequest) -> None:
    """Of several test processes, the one with the tests in turn has the processors first."""
    beside = "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "nice")
    if beside and not request.node.nodeid.startswith(IN_TURN):
        os.nice(max(GIVES_WAY - os.nice(0), 0))  # once, and for good


@pytest.fixture(autouse=True)
def as_at_first() -> None:
    """Every test meets the same random numbers and threads: one that fails can be run again."""
    random.seed(0)
    for name, value in AT_FIRST.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


class OneWaiting(LoadScopeScheduling):  # type: ignore[misc]
    """Of the processes that run tests, one runs those `IN_TURN`; the rest goes file by file."""

    def _split_scope(self, nodeid: str) -> str:
        return "in turn" if nodeid.startswith(IN_TURN) else nodeid.partition("::")[0]


def urgency(nodeid: str) -> int:
    """The place of a test's file: those in turn, then the long ones one after the other."""
    if nodeid.startswith(IN_TURN):
        return 0
    return next((n for n, name in enumerate(LONG, 1) if nodeid.startswith(name)), len(LONG) + 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first; else the order stays."""
    items.sort(key=lambda item: urgency(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWaiting:
    """Used where tests run in several processes (`-n 0` runs them in one)."""
    return OneWaiting(config, log)


def skip_as_failure(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Where CI=true, turns a skip into a failure: what is skipped there is never tested."""
    if not report.skipped or os.environ.get("CI") != "true":
        return
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = said.removeprefix("Skipped: ")
    if not reason.startswith(UNPUBLISHED):
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI=true lets no test be skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skip_as_failure(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    skip_as_failure(report)
    return report
