"""The result that comes with the package, so that the first page has a picture at once."""

from __future__ import annotations

from importlib import resources

import pandas as pd
import streamlit as st

from dqviz.ui.views import by_epsilon

FILE = "overview.parquet"


@st.cache_resource(max_entries=1, show_spinner=False)
def overview() -> dict[float, pd.DataFrame]:
    """The shipped rows by epsilon (pixel units); empty where nothing is shipped."""
    entry = resources.files("dqviz").joinpath("results", FILE)
    if not entry.is_file():
        return {}
    with entry.open("rb") as file:
        return by_epsilon(pd.read_parquet(file))
