"""Imports go one way. Each room is imported in a process of its own, and its imports are read."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARIES = {"torch", "torchvision", "streamlit", "plotly"}
ROOMS = ["proportions", "specs", "cards"]
ROOMS += ["data", "models", "quantize", "attacks", "measure", "defense"]
"""Top to bottom; each imports from itself and from those before it."""

MAY_IMPORT = {room: set(ROOMS[: place + 1]) for place, room in enumerate(ROOMS)} | {
    "heap": {"heap"},
    "experiments": {*ROOMS, "heap", "experiments"},
    "studies": {"specs", "cards", "data", "experiments", "studies"},
    "jobs": {"specs", "cards", "data", "experiments", "studies", "jobs"},
    "charts": {"charts", "specs", "proportions"},
    "reports": {"specs", "studies", "charts", "reports"},
    "paper": {"specs", "cards", "data", "proportions", "experiments", "charts", "paper"},
    "ui": {*ROOMS[:4], "experiments", "studies", "jobs", "charts", "reports", "paper", "ui"},
    "cli": {*ROOMS, "experiments", "studies", "charts", "reports", "paper", "cli"},
    "__main__": {"heap", "cli"},
}
FORBIDDEN_LIBRARIES = {
    "heap": LIBRARIES,
    "proportions": LIBRARIES,
    "specs": LIBRARIES,
    "cards": LIBRARIES,
    **{room: {"streamlit", "plotly"} for room in ROOMS[3:]},
    "experiments": {"streamlit", "plotly"},
    "studies": LIBRARIES,
    "jobs": LIBRARIES,
    "charts": {"torch", "torchvision", "streamlit"},
    "reports": {"torch", "torchvision", "streamlit"},
    "paper": {"torch", "torchvision", "streamlit"},
    "ui": {"torch", "torchvision"},
    "cli": {"streamlit"},
}
LIGHT = [
    "specs",
    "cards",
    "charts",
    "experiments",
    "experiments.engine",
    "studies",
    "jobs",
    "paper",
    "ui",
]
"""What the Streamlit process imports: none of it may bring torch along."""


def room_of(path):
    parts = path.relative_to(ROOT / "dqviz").with_suffix("").parts
    return parts[0]


def imported(source, package):
    """The absolute names of every module that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join(base) if node.level else ""
            module = ".".join(part for part in (prefix, node.module or "") if part)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def violations(source, *, room, package):
    """What a source of a room imports and may not, as text."""
    names = imported(source, package)
    libraries = {name.split(".")[0] for name in names} & FORBIDDEN_LIBRARIES.get(room, set())
    rooms = {name.split(".")[1] for name in names if name.startswith("dqviz.")}
    known = set(MAY_IMPORT)
    return sorted(libraries | ((rooms & known) - MAY_IMPORT[room]))


FILES = [ROOT / "dqviz" / name for name in ("cards.py", "proportions.py")]
SOURCES = [*sorted((ROOT / "dqviz").glob("*/**/*.py")), *FILES]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_above(path):
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    source = path.read_text(encoding="utf-8")
    assert violations(source, room=room_of(path), package=package) == []


@pytest.mark.parametrize("path", [ROOT / "app.py", *sorted((ROOT / "pages").glob("*.py"))])
def test_pages_import_only_the_user_interface(path):
    names = imported(path.read_text(encoding="utf-8"), "pages")
    assert not {name.split(".")[0] for name in names} & {"torch", "torchvision"}
    rooms = {name.split(".")[1] for name in names if name.startswith("dqviz.")}
    assert rooms & set(MAY_IMPORT) <= {"ui", "charts", "specs"}


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_pages_are_thin(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


@pytest.mark.parametrize("name", LIGHT)
def test_the_streamlit_process_never_loads_torch(name):
    code = f"import sys, dqviz.{name}; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("data", "from dqviz.models import build", ["models"]),
        ("data", "def f():\n    import streamlit as st", ["streamlit"]),
        ("charts", "import torch.nn.functional as F", ["torch"]),
        ("ui", "from ..models import registry", ["models"]),
        ("ui", "from dqviz import measure", ["measure"]),
        ("measure", "from dqviz.quantize import quantize_model\nimport torch", []),
    ],
)
def test_this_test_sees_a_wrong_import(room, source, expected):
    assert violations(source, room=room, package=f"dqviz.{room}") == expected
