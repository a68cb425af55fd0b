"""What is written down of a job, so that it is found again after the server has ended."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dqviz.experiments.handle import CANCELLED, DONE, FAILED
from dqviz.specs import ExperimentSpec, to_json
from dqviz.specs.keys import from_json

OPEN = "open"
"""The state of a job that is not over: it waits or is at work."""

STATES = (OPEN, DONE, FAILED, CANCELLED)

Address = tuple[str, tuple[tuple[str, str], ...]]
"""A page and the names and values after it in the address bar, a name several times for a list."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Record:
    """One job.

    Attributes:
        id: names it; 16 hexadecimal digits.
        user: whose it is; see `dqviz.ui.visitor`.
        title: what it is, in words.
        address: where its picture is to be seen.
        specs: what a page has asked for; none for a study.
        grid: a study's grid as TOML; empty for what a page has asked for.
        store: the name of the store: a study's, in the folder of stores, or the one reported on.
        report: whether it is a report on a store.
        recipe: a training's recipe as TOML; empty for everything else.
        made: when it was asked for (Unix time).
        state: one of `STATES`.
        ended: when it was over (Unix time).
        error: why it failed, in words, and `error_kind` the cause's name.
    """

    user: str
    title: str
    address: Address
    specs: tuple[ExperimentSpec, ...] = ()
    grid: str = ""
    store: str = ""
    report: bool = False
    recipe: str = ""
    id: str = dataclasses.field(default_factory=lambda: secrets.token_hex(8))
    made: float = dataclasses.field(default_factory=time.time)
    state: str = OPEN
    ended: float | None = None
    error: str = ""
    error_kind: str = ""

    @property
    def is_study(self) -> bool:
        """Whether it is a grid of experiments."""
        return bool(self.grid)

    def over(self, state: str, *, error: str = "", error_kind: str = "") -> Record:
        """The same job, over."""
        return dataclasses.replace(
            self, state=state, ended=time.time(), error=error, error_kind=error_kind
        )


def write_record(record: Record) -> str:
    """A record as JSON; `read_record` is the way back."""
    fields = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    return json.dumps({**fields, "specs": [to_json(spec) for spec in record.specs]}, indent=1)


def read_record(text: str) -> Record:
    """The record that a text holds.

    Raises:
        ValueError: if it holds none, with what is wrong.
    """
    try:
        fields: Mapping[str, Any] = json.loads(text)
        page, query = fields["address"]
        address = (str(page), tuple((str(name), str(value)) for name, value in query))
        specs = tuple(_experiment(item) for item in fields["specs"])
        record = Record(**{**fields, "address": address, "specs": specs})
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no record of a job: {error!r}") from error
    names = ("id", "user", "title", "grid", "store", "recipe")
    texts: Sequence[object] = [getattr(record, name) for name in names]
    texts_fit = all(isinstance(text, str) for text in texts) and isinstance(record.report, bool)
    if record.state not in STATES or not texts_fit:
        raise ValueError("this is no record of a job: its fields are of other types")
    if not isinstance(record.made, int | float):
        raise ValueError("this is no record of a job: it says no time")
    return record


def _experiment(document: object) -> ExperimentSpec:
    spec = from_json(document)
    if not isinstance(spec, ExperimentSpec):
        raise ValueError(f"expected an ExperimentSpec; got {type(spec).__name__}")
    return spec
