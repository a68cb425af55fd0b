"""What `results` takes; apart from what it does, so that other commands need not load that."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import Any

from .options import add_command, add_out
from .values import html_file, number, out_file, whole

EXAMPLES = """examples:
  python -m dqviz results list study.sqlite
  python -m dqviz results show study.sqlite --metric robust_accuracy --eps 1/255
  python -m dqviz results export study.sqlite --out study.parquet
  python -m dqviz results merge study.sqlite part1.sqlite part2.sqlite
  python -m dqviz results check study.sqlite
A store is the file that `sweep` writes. `python -m dqviz results list --help` shows the filters."""
LIST_EXAMPLES = """examples:
  python -m dqviz results list study.sqlite
  python -m dqviz results list study.sqlite --state failed,claimed --seed 0
  python -m dqviz results list study.sqlite --model streetdigits/resnet20/dq --out cells.csv"""
SHOW_EXAMPLES = """examples:
  python -m dqviz results show study.sqlite --metric robust_accuracy --statistic value
  python -m dqviz results show study.sqlite --act-bits 4,2 --eps 1/255 --layer logits
  python -m dqviz results show study.sqlite --attack pgd --out pgd.csv"""
EXPORT_EXAMPLES = """examples:
  python -m dqviz results export study.sqlite --out study.parquet
  python -m dqviz results export study.sqlite --kind accuracy --out accuracy.csv"""
MERGE_EXAMPLES = """examples:
  python -m dqviz results merge study.sqlite part1.sqlite part2.sqlite
Cells that study.sqlite has finished stay as they are. The parts are not changed."""
REPORT_EXAMPLES = """examples:
  python -m dqviz report study.sqlite --out report.html
  python -m dqviz report study.sqlite --out pgd.html --attack pgd --title "PGD alone"
The file holds all that it needs: it can be sent to anybody and opened without a network."""
CHECK_EXAMPLES = """examples:
  python -m dqviz results check study.sqlite
The exit status is 0 for a sound store, else 2."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `results`, each with its options."""
    parser.set_defaults(out=None)
    commands = parser.add_subparsers(dest="subcommand", metavar="SUBCOMMAND", required=True)

    add = functools.partial(add_command, commands)
    cells = add("list", "list the cells of a store, a line each", LIST_EXAMPLES)
    _add_store(cells)
    _add_filters(cells, CELL_FILTERS)
    add_out(cells)
    numbers = add("show", "show the numbers of a store, a line each", SHOW_EXAMPLES)
    _add_store(numbers)
    _add_filters(numbers, (*CELL_FILTERS, *NUMBER_FILTERS))
    add_out(numbers)
    export = add("export", "write numbers and how each was made to a file", EXPORT_EXAMPLES)
    _add_store(export)
    _add_filters(export, (*CELL_FILTERS, *NUMBER_FILTERS))
    export.add_argument(
        "--out",
        metavar="FILE",
        type=out_file,
        required=True,
        help="write all rows to FILE (.json, .csv or .parquet)",
    )
    merge = add("merge", "bring the cells of several stores into one", MERGE_EXAMPLES)
    merge.add_argument("target", metavar="TARGET", help="the store to write; made if it is missing")
    merge.add_argument("sources", metavar="SOURCE", nargs="+", help="a store to read")
    _add_store(add("check", "look whether a store is sound", CHECK_EXAMPLES))


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """What `report` takes."""
    _add_store(parser)
    parser.add_argument(
        "--out", metavar="FILE", type=html_file, required=True, help="the report to write (.html)"
    )
    parser.add_argument("--title", metavar="TEXT", help="its heading (default: the store's name)")
    _add_filters(parser, CELL_FILTERS)


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "store",
        metavar="STORE",
        help="the file, which is only read; shipped:NAME is one that comes with dqviz",
    )


def _some(convert: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """A converter for one or several values with commas between them."""

    def convert_all(text: str) -> tuple[Any, ...]:
        return tuple(convert(part.strip()) for part in text.split(","))

    return convert_all


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a name; got ''")
    return text


Filter = tuple[str, str, Callable[[str], Any], str]

CELL_FILTERS: tuple[Filter, ...] = (
    ("state", "state", _name, "done, failed or claimed"),
    ("kind", "kind", _name, "amplification, lipschitz or accuracy"),
    ("model", "model", _name, "DATASET/ARCH, or a whole id DATASET/ARCH/WEIGHTS"),
    ("weights", "weights", _name, "the last part of the id: vanilla, dq, ..."),
    ("weight-bits", "weight_bits", whole(1, 32), "32 is full precision"),
    ("act-bits", "act_bits", whole(1, 32), "32 is full precision"),
    ("attack", "attack", _name, "fgsm, pgd, ..."),
    ("eps", "epsilon", number, "in pixel units: 1/255"),
    ("data", "data", _name, "streetdigits, cifar10, ..."),
    ("seed", "seed", whole(0), "of the images"),
)
NUMBER_FILTERS: tuple[Filter, ...] = (
    ("metric", "metric", _name, "robust_accuracy, relative_distance, ..."),
    ("statistic", "statistic", _name, "median, value, low, high, ..."),
    ("layer", "layer", _name, "a layer's name; `network` for what concerns all of it"),
)
"""For each filter its option, the store's column, what reads a value, and the help."""


def _add_filters(parser: argparse.ArgumentParser, filters: tuple[Filter, ...]) -> None:
    group = parser.add_argument_group(
        "filters", "each may be given several times, or several values with commas: any will do"
    )
    for option, column, convert, help in filters:
        group.add_argument(
            f"--{option}",
            metavar="V[,V...]",
            dest=_place(column),
            type=_some(convert),
            action="extend",
            help=help,
        )


def wanted(options: argparse.Namespace) -> dict[str, tuple[Any, ...]]:
    """The values asked for, by the store's column."""
    columns = [column for _, column, *_ in (*CELL_FILTERS, *NUMBER_FILTERS)]
    return {column: tuple(getattr(options, _place(column), None) or ()) for column in columns}


def _place(column: str) -> str:
    """Where a filter's values are; other names than the options' of experiments have."""
    return f"only_{column}"
