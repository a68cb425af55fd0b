"""The result that comes with the package, so that the first page has a picture at once."""

from __future__ import annotations

import dataclasses
from importlib import resources

import pandas as pd
import streamlit as st

from dqviz import __version__
from dqviz.experiments import Result
from dqviz.experiments.result import make_samples
from dqviz.ui.choices import PREFERRED
from dqviz.ui.settings import Settings
from dqviz.ui.views import View

ROWS, SAMPLES = "overview.parquet", "overview-samples.parquet"


@st.cache_resource(max_entries=1, show_spinner=False)
def overview() -> View:
    """The shipped rows, in one result; no result where nothing is shipped."""
    tables = [_shipped(name) for name in (ROWS, SAMPLES)]
    return View() if tables[0].empty else view_of(*tables)


def answers(settings: Settings) -> bool:
    """Whether the shipped rows are what the sidebar asks for; they hold every epsilon."""
    default = Settings(networks=PREFERRED)
    return dataclasses.replace(settings, epsilon=default.epsilon, uploads=()) == default


def _shipped(name: str) -> pd.DataFrame:
    entry = resources.files("dqviz").joinpath("results", name)
    if not entry.is_file():
        return pd.DataFrame()
    with entry.open("rb") as file:
        return pd.read_parquet(file)


def view_of(table: pd.DataFrame, samples: pd.DataFrame | None = None) -> View:
    """A view of rows and of numbers by image that no engine has computed."""
    result = Result(
        table=table,
        arrays={},
        notes=(),
        spec_key="shipped",
        version=__version__,
        samples=make_samples(()) if samples is None else samples,
    )
    return View((result,))
