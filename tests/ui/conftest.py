"""The app over an engine that computes nothing, run without a browser."""

import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dqviz.ui import choices, jobs
from tests.ui.fake_engine import NETWORKS, FakeEngine


@pytest.fixture(autouse=True)
def main_module():
    """An app that was run here stays the main module, which processes started later would run."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before


@pytest.fixture
def engine(monkeypatch, tmp_path):
    """The engine that the app uses in a test."""
    fake = FakeEngine()
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    monkeypatch.setattr(jobs, "make_engine", lambda: fake)
    monkeypatch.setattr(choices, "shipped_ids", lambda: NETWORKS)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield fake
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def open_page(engine):
    """Opens a page by its name, with query parameters; returns the running test app."""

    def opened(name="overview", **query):
        app = AppTest.from_file(str(Path(__file__).with_name("whole_app.py")), default_timeout=120)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        if name != "overview":
            app.switch_page(f"../../pages/{name}.py").run()
        return app

    return opened
