"""`doctor`: what is on this machine, and what the program will use of it."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dqviz import __version__, cards

from .browser import chosen_browser, find_browser, why_none
from .terminal import ProgressLine

LIBRARIES = (
    "torch",
    "torchvision",
    "streamlit",
    "plotly",
    "pandas",
    "numpy",
    "pyarrow",
    "safetensors",
    "pillow",
    "dask",
    "distributed",
    "numba",
)
FEATURES = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")
COLUMNS = ("what", "value", "fine")


def doctor_rows(options: argparse.Namespace, progress: ProgressLine) -> list[dict[str, Any]]:
    """One row a finding: what, its value, and whether all is well with it."""
    findings = [*_versions(), *_processor(), *_folders(), *_networks(), *_browser(), *_use()]
    return [
        {"what": what, "value": value, "fine": fine, "version": __version__}
        for what, value, fine in findings
    ]


Finding = tuple[str, str, bool]


def _versions() -> list[Finding]:
    found: list[Finding] = [
        ("dqviz", __version__, True),
        ("python", platform.python_version(), sys.version_info >= (3, 11)),
        ("system", platform.platform(), True),
    ]
    for name in LIBRARIES:
        try:
            found.append((name, importlib.metadata.version(name), True))
        except importlib.metadata.PackageNotFoundError:
            found.append((name, "missing: install requirements.txt", False))
    return found


def _processor() -> list[Finding]:
    import torch

    features: Mapping[str, Any] = torch.cpu.get_capabilities()
    has = [name for name in FEATURES if features.get(name)]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    cores = os.cpu_count() or 1
    return [
        ("processor", str(features.get("cpu_name") or platform.processor() or "unknown"), True),
        ("processor features", ", ".join(has) or "none of " + ", ".join(FEATURES), True),
        ("torch kernels for", torch.backends.cpu.get_cpu_capability(), True),
        ("threads", f"{torch.get_num_threads()} of {cores} logical processors", True),
        ("GPU", gpu, True),
    ]


def _folders() -> list[Finding]:
    from dqviz.data import data_folder

    folder = data_folder()
    set_by = "DQVIZ_DATA" if os.environ.get("DQVIZ_DATA", "").strip() else "the default"
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    state = "exists" if folder.is_dir() else "is made when needed"
    state = state if writable else "cannot be written"
    return [
        ("data folder", f"{folder} ({set_by}; {state})", writable),
        ("program folder", str(Path(cards.__file__).parent), True),
    ]


def _networks() -> list[Finding]:
    shipped = cards.shipped_ids()
    if not shipped:
        return [("shipped networks", "none", False)]
    return [_network(id) for id in shipped]


def _network(id: str) -> Finding:
    try:
        card = cards.load_card(id)
        content = cards.weights_folder().joinpath(card.file).read_bytes()
    except (cards.CardError, OSError) as error:
        return (f"network {id}", str(error), False)
    if hashlib.sha256(content).hexdigest() != card.sha256:
        return (f"network {id}", f"{card.file} is damaged: install the package again", False)
    return (f"network {id}", "hash as on its card", True)


def _browser() -> list[Finding]:
    found = find_browser()
    text = f"{why_none()}; only the browser tests need one" if found is None else str(found)
    return [("Chromium for browser tests", text, found is not None or not chosen_browser())]


def _use() -> list[Finding]:
    import torch

    threads = torch.get_num_threads()
    training = (
        f"the GPU {torch.cuda.get_device_name()}"
        if torch.cuda.is_available()
        else (f"the processor, {threads} threads, bfloat16 where a trial shows that it gains")
    )
    return [
        ("experiments use", f"the processor, float32, {threads} threads", True),
        ("training uses", training, True),
        ("the app listens on", "127.0.0.1 unless told otherwise; it sends nothing anywhere", True),
    ]
