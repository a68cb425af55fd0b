"""What the experiments leave in a folder: verdicts, effects and numbers as tables, and one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from dqviz import __version__
from dqviz.cards import load_card
from dqviz.data import fingerprint_data
from dqviz.experiments.result import Result
from dqviz.experiments.whole_file import write_whole
from dqviz.specs import DataSpec

from .networks import Network
from .page import page
from .plan import Part
from .tables import Tables

ABOUT, PAGE = "about.json", "paper.html"


def write_files(
    folder: Path, networks: Sequence[Network], results: Mapping[Part, Result], tables: Tables
) -> list[str]:
    """Writes everything, each file whole or not at all; returns the names.

    `about.json` says with which version and weights it was computed. Of each experiment all numbers
    are in one Parquet file, named by it: there are millions.
    """
    files: dict[str, str | bytes] = {
        **tables.files(),
        ABOUT: json.dumps(about(networks, results), indent=2),
        PAGE: page(tables),
    }
    for experiment in dict.fromkeys(part.experiment for part in results):
        own = [result.table for part, result in results.items() if part.experiment == experiment]
        files[f"{experiment}.parquet"] = pd.concat(own, ignore_index=True).to_parquet(index=False)
    for name, content in files.items():
        write_whole(folder / name, content if isinstance(content, bytes) else content.encode())
    return list(files)


def about(networks: Sequence[Network], results: Mapping[Part, Result]) -> dict[str, object]:
    """With what it was computed: version, weights, images, libraries."""
    names = {network.dataset for network in networks}
    made = [r.provenance for r in results.values() if r.provenance is not None]
    return {
        "version": __version__,
        "weights": {network.id: load_card(network.id).sha256 for network in networks},
        "data": {name: fingerprint_data(DataSpec(name=name)) for name in sorted(names)},
        "results": len(results),
        "seconds": round(sum(p.seconds for p in made), 1),
        "libraries": sorted({words for p in made for words in _in_words(p.libraries)}),
        "precision": sorted({p.precision for p in made}),
    }


def _in_words(libraries: str) -> list[str]:
    """Each library with its version: `torch 2.15.0`."""
    return [f"{name} {version}" for name, version in json.loads(libraries).items()]
