"""Where data lives on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """The folder for data: the environment variable `DQVIZ_DATA`, else the user's data folder.

    The folder need not exist yet; a `~name` of nobody is taken as it is written.
    """
    named = os.environ.get("DQVIZ_DATA", "").strip()
    if named:
        return Path(os.path.expanduser(named))
    return platformdirs.user_data_path("dqviz", appauthor=False)


def cache_folder() -> Path:
    """The folder for decoded and rendered images; it may be deleted at any time."""
    return data_folder() / "cache"
