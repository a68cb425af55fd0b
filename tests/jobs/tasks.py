"""What workers do in the tests of jobs: what engine's tests have them do, and a grid's cells."""

from __future__ import annotations

from dqviz.experiments.worker import Outcome
from dqviz.specs import ExperimentSpec
from tests.experiments import fake_tasks
from tests.studies import tasks as study_tasks


def task(spec: ExperimentSpec, name: str) -> Outcome:
    """A page's request does what its image says; a cell of a grid takes a moment."""
    if spec.kind == "playground":
        return fake_tasks.task(spec, name)
    return study_tasks.run(spec, name, study_tasks.moment)
