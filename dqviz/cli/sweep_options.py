"""What `sweep` takes; apart from what it does, so that other commands need not load that."""

from __future__ import annotations

import argparse

from .values import part_of, positive, whole

MANY = 100_000
"""A grid of more cells is taken for a mistake, unless one says that it is none."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `sweep` takes."""
    parser.add_argument("grid", metavar="GRID.toml", help="what to compute; see the README")
    parser.add_argument(
        "--store",
        metavar="FILE",
        help="where results are kept (default: results/store.sqlite in the data folder)",
    )
    parser.add_argument(
        "--workers", metavar="N", type=whole(1, 1024), help="processes of this machine (default: 2)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="a running Dask scheduler, tcp://HOST:PORT, instead"
    )
    for name, what in (("ca", "authority"), ("cert", "certificate"), ("key", "private key")):
        parser.add_argument(
            f"--tls-{name}", metavar="FILE", help=f"the {what} for a scheduler at tls://, PEM"
        )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        type=part_of,
        help="compute only the I-th of N parts, such as 3/10",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="try cells again that have failed before"
    )
    parser.add_argument(
        "--cell-timeout",
        metavar="SECONDS",
        type=positive,
        help="how long a cell may take, or the cells that are computed together",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only list the cells and estimate the time"
    )
    parser.add_argument(
        "--yes", action="store_true", help=f"start even a grid of more than {MANY:,} cells"
    )
