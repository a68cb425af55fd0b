"""What there is to choose from on this machine: shipped networks and data sets.

A page never takes a path: data is chosen from built-in names and from what lies in the data folder.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dqviz.cards import shipped_ids
from dqviz.data.folder_paths import data_folder
from dqviz.data.locations import has_splits, readable
from dqviz.ui.settings import BUILT_IN_DATA

PREFERRED = ("streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq")
MAX_LISTED = 50
RESERVED = frozenset(
    {
        "cache",
        "uploads",
        "results",
        "jobs",
        "kept",
        "lab",
        "reports",
        "cifar10",
        "svhn",
        "streetdigits",
    }
)


@st.cache_data(ttl=60, max_entries=1, show_spinner=False)
def networks() -> tuple[str, ...]:
    """The ids of the shipped networks, the two of the story first."""
    shipped = shipped_ids()
    first = [name for name in PREFERRED if name in shipped]
    return (*first, *[name for name in shipped if name not in first])


@st.cache_data(ttl=20, max_entries=4, show_spinner=False)
def data_sets(folder: Path | None = None) -> tuple[str, ...]:
    """The built-in names, then `parquet:NAME` and `folder:NAME` for what lies in the data folder.

    NAME is relative to the data folder; the folders that dqviz itself fills are left out.
    """
    root = folder or data_folder()
    entries = sorted(root.iterdir()) if root.is_dir() else []
    own = [_data_name(entry) for entry in entries if not entry.name.startswith(".")]
    # What is not readable cannot stand on a page or in a link.
    return (*BUILT_IN_DATA, *[name for name in own if name and name == readable(name)][:MAX_LISTED])


@st.cache_data(ttl=20, max_entries=1, show_spinner=False)
def trainable() -> tuple[str, ...]:
    """Those of `data_sets` that a network can be trained on: their test images lie apart."""
    return tuple(name for name in data_sets() if has_splits(resolve_data(name)))


def _data_name(entry: Path) -> str:
    """How an entry of the data folder is chosen, '' where it is no data set."""
    if entry.is_file():
        return f"parquet:{entry.name}" if entry.suffix == ".parquet" else ""
    if not entry.is_dir() or entry.name in RESERVED:
        return ""
    if any(entry.glob("*.parquet")):
        return f"parquet:{entry.name}"
    return f"folder:{entry.name}" if any(child.is_dir() for child in entry.iterdir()) else ""


def resolve_data(name: str) -> str:
    """The name a `DataSpec` takes: what was chosen relative to the data folder, made absolute.

    Raises:
        ValueError: if it would lead out of the data folder.
    """
    kind, separator, relative = name.partition(":")
    if not separator:
        return name
    root = data_folder().resolve()
    path = (root / relative).resolve()
    if not path.is_relative_to(root) or kind not in ("parquet", "folder"):
        raise ValueError(f"data must lie in the folder {root.name!r}; got {name!r}")
    return f"{kind}:{path}"
