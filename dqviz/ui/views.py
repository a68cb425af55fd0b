"""Results as pages draw them: merged tables, cut by epsilon once and kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dqviz.experiments import Result


@dataclasses.dataclass(frozen=True)
class View:
    """The results that can be drawn.

    `stale` says that they answer an older request, `busy` that more of them will come, `partial`
    that some of what was asked for is not there at all.
    """

    results: tuple[Result, ...] = ()
    stale: bool = False
    busy: bool = False
    partial: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The results' keys: equal keys, equal content."""
        return tuple(result.spec_key for result in self.results)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader needs to know of these results, each said once."""
        return tuple(dict.fromkeys(note for result in self.results for note in result.notes))

    @property
    def reasons(self) -> dict[str, Mapping[str, str]]:
        """Why a network has no lower or upper Lipschitz bound, by `MODEL/WEIGHTS`."""
        return {network_of(result): result.reasons for result in self.results}

    @property
    def table(self) -> pd.DataFrame:
        """The rows of all results; not to be changed."""
        return _merged(self.keys, self.results)

    @property
    def samples(self) -> pd.DataFrame:
        """The numbers by image of all results; not to be changed.

        A column `crafted_on` says of each what its rows say.
        """
        return _all_samples(self.keys, self.results)

    @property
    def arithmetic(self) -> tuple[str, ...]:
        """The arithmetic that the results were computed in, in words, where they say it."""
        said = [result.provenance for result in self.results if result.provenance is not None]
        return tuple(dict.fromkeys(made.precision for made in said))

    def at(self, epsilon: float) -> pd.DataFrame:
        """The rows of one epsilon (pixel units), the nearest that there is; not to be changed."""
        return nearest(_by_epsilon(self.keys, self.results), epsilon)

    def samples_at(self, epsilon: float) -> pd.DataFrame:
        """The numbers by image at the nearest epsilon that there is; not to be changed."""
        found = _samples(self.keys, self.results)
        return nearest(found, epsilon) if found else pd.DataFrame()


def network_of(result: Result) -> str:
    """The network of a result, `MODEL/WEIGHTS`."""
    row = result.table.iloc[0]
    return f"{row['model']}/{row['weights']}"


def nearest(tables: dict[float, pd.DataFrame], epsilon: float) -> pd.DataFrame:
    """The table of the epsilon that is nearest to the one wanted."""
    return tables[min(tables, key=lambda found: abs(found - epsilon))]


def by_epsilon(table: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """A table cut by its epsilons; rows without one belong to every cut."""
    always = table[table["epsilon"].isna()]
    cuts = {float(str(epsilon)): rows for epsilon, rows in table.groupby("epsilon", sort=True)}
    if always.empty:
        return cuts
    return {epsilon: pd.concat([rows, always]) for epsilon, rows in cuts.items()}


@st.cache_resource(max_entries=32, show_spinner=False)
def _merged(keys: tuple[str, ...], _results: tuple[Result, ...]) -> pd.DataFrame:
    return pd.concat([result.table for result in _results], ignore_index=True)


@st.cache_resource(max_entries=32, show_spinner=False)
def _by_epsilon(keys: tuple[str, ...], _results: tuple[Result, ...]) -> dict[float, pd.DataFrame]:
    return by_epsilon(_merged(keys, _results))


@st.cache_resource(max_entries=32, show_spinner=False)
def _samples(keys: tuple[str, ...], _results: tuple[Result, ...]) -> dict[float, pd.DataFrame]:
    found = _all_samples(keys, _results)
    return by_epsilon(found) if len(found) else {}


@st.cache_resource(max_entries=32, show_spinner=False)
def _all_samples(keys: tuple[str, ...], _results: tuple[Result, ...]) -> pd.DataFrame:
    parts = [
        result.samples.assign(crafted_on=result.table["crafted_on"].iloc[0])
        for result in _results
        if not result.samples.empty
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
