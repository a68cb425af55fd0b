"""Architectures by name: single ones, and open series such as `wrn_DEPTH_WIDTH`."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable

import torch
from torch import nn

from dqviz.models.errors import ModelError

State = dict[str, torch.Tensor]


def _unchanged(state: State) -> State:
    return state


@dataclasses.dataclass(frozen=True, kw_only=True)
class Architecture:
    """How a network is made.

    `make(classes)` gives a network from normalised images (N, 3, H, W) to logits (N, classes).
    `family` groups relatives: one member of each is tested. `image_size` is the side, in pixels,
    of the images it was designed for. `adapt` turns the names in published checkpoints into ours.
    """

    name: str
    family: str
    make: Callable[[int], nn.Module]
    image_size: int
    adapt: Callable[[State], State] = _unchanged


@dataclasses.dataclass(frozen=True, kw_only=True)
class Series:
    """Architectures without number: every name that starts with `prefix` goes to `parse`.

    `form` is how such a name is written, `examples` are the members that listings show.
    """

    prefix: str
    form: str
    examples: tuple[str, ...]
    parse: Callable[[str], Architecture]


class Registry:
    """Architectures under unique names."""

    def __init__(self) -> None:
        self._architectures: dict[str, Architecture] = {}
        self._series: list[Series] = []
        self._late: list[Callable[[], Iterable[Architecture]]] = []

    def register(self, architecture: Architecture) -> None:
        """Adds one architecture.

        Raises:
            ValueError: if the name is taken, or belongs to a series.
        """
        taken = architecture.name in self._architectures
        if taken or self._series_of(architecture.name) is not None:
            raise ValueError(f"the architecture {architecture.name!r} is registered already")
        self._architectures[architecture.name] = architecture

    def register_series(self, series: Series) -> None:
        """Adds a series.

        Raises:
            ValueError: if a registered name or series would be caught by its prefix.
        """
        others = [*self._architectures, *(other.prefix for other in self._series)]
        for name in others:
            if name.startswith(series.prefix) or series.prefix.startswith(name):
                raise ValueError(f"the series {series.prefix!r} collides with {name!r}")
        self._series.append(series)

    def register_late(self, read: Callable[[], Iterable[Architecture]]) -> None:
        """Adds architectures that take time to read: once, when a name is none of the others."""
        self._late.append(read)

    def names(self) -> tuple[str, ...]:
        """Every registered name, and the examples of each series."""
        self._read_late()
        examples = [name for series in self._series for name in series.examples]
        return (*self._architectures, *examples)

    def find(self, name: str) -> Architecture:
        """The architecture of that name.

        Raises:
            ModelError: if there is none; the message names the closest ones.
        """
        if name not in self._architectures:
            series = self._series_of(name)
            if series is not None:
                return series.parse(name)
            self._read_late()
        if name in self._architectures:
            return self._architectures[name]
        close = difflib.get_close_matches(name, self.names(), n=3, cutoff=0.5)
        forms = ", ".join(series.form for series in self._series)
        raise ModelError(
            f"no architecture is named {name!r}"
            + (f"; close to it: {', '.join(close)}" if close else "")
            + f"; there are {len(self._architectures)}, such as "
            + ", ".join(list(self._architectures)[:5])
            + (f", and {forms}" if forms else "")
        )

    def _read_late(self) -> None:
        while self._late:
            for architecture in self._late.pop()():
                self.register(architecture)

    def _series_of(self, name: str) -> Series | None:
        return next((series for series in self._series if name.startswith(series.prefix)), None)
