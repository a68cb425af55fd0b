"""Fixtures that tests of several rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """A folder with `datasets/` and `checkpoints/` for development; else the test is skipped."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("DQVIZ_DEV_SHARED") or beside)
    if not (folder / "datasets").is_dir():
        pytest.skip(f"needs a folder with datasets/ and checkpoints/: {folder} (DQVIZ_DEV_SHARED)")
    return folder
