"""Lipschitz constants by layer and of the network."""

from __future__ import annotations

from dqviz.specs import ExperimentSpec

from .findings import Findings
from .steps import Steps
from .workbench import Workbench


def measure(spec: ExperimentSpec, bench: Workbench, steps: Steps) -> Findings:
    """Not here yet."""
    raise NotImplementedError
