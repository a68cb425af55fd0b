"""An engine with the real one's interface that computes nothing: pages are tested over it.

The seed of the request says what becomes of it, so that a test in a browser can ask for any state:
`SLOW` stays at 40 % until it is cancelled, `BAD_DATA` fails by the user's fault, `LOST` by the
worker's. So many images as `SLOW_IMAGES`, which a slider asks for, are slow too. Everything else is
done at once.
"""

from __future__ import annotations

from dqviz.experiments.errors import ExperimentError
from dqviz.experiments.handle import CANCELLED, DONE, FAILED, RUNNING, Handle, Job, Progress
from dqviz.specs import ExperimentSpec
from tests.ui.numbers import key_of, result_of

NETWORKS = tuple(
    f"{data}/{arch}/{weights}"
    for data in ("cifar10", "streetdigits")
    for arch in ("plain20", "resnet20")
    for weights in ("dq", "vanilla")
)
SLOW, BAD_DATA, LOST = 9001, 9002, 9003
SLOW_IMAGES = 512
ERRORS = {
    BAD_DATA: ("there are no images in the folder data/cifar10", "DataError"),
    LOST: ("the computing process was lost twice", "worker"),
}


class FakeEngine:
    """Answers every request at once, except those whose seed asks for something else."""

    def __init__(self) -> None:
        self.state = self.message = "ready"
        self.starts = 0
        self.has_started = True
        self.kept = None
        self.job_workers = 2
        self.asked: list[ExperimentSpec] = []
        self.ahead: list[ExperimentSpec] = []
        self.jobs: list[ExperimentSpec] = []
        self.slow: list[Job] = []
        self._jobs: dict[str, Job] = {}

    def start_in_background(self) -> None:
        """Only counts."""
        self.starts += 1

    def set_state(self, state: str, message: str) -> None:
        """What the engine says of itself from now on."""
        self.state, self.message = state, message

    def is_known(self, spec: ExperimentSpec) -> bool:
        """Everything that is not slow counts as known, so that pages ask for it alone."""
        return not _is_slow(spec)

    def release(self, owner: str, channel: str | None = None) -> None:
        """Nothing to let go."""

    def memory_limit(self) -> int:
        """As if there were 10 GB."""
        return 10**10

    def width(self, *, background: bool = False) -> int:
        """As the real one's on two processors."""
        return 2

    def submit(
        self, specs: list[ExperimentSpec], *, owner: str, channel: str, background: bool = False
    ) -> list[Handle]:
        """One handle a specification."""
        assert owner
        assert channel
        of_job = channel.startswith("job ")
        (self.jobs if of_job else self.ahead if background else self.asked).extend(specs)
        return [Handle(self._job(spec), release=self._release) for spec in specs]

    def finish_slow(self, only: ExperimentSpec | None = None) -> None:
        """Gives the slow requests their results, or one of them."""
        for job in self.slow:
            if only in (None, job.spec) and not job.over.is_set():
                job.result = result_of(job.spec)
                job.finish(DONE)

    def _job(self, spec: ExperimentSpec) -> Job:
        key = key_of(spec)
        if key not in self._jobs:
            job = Job(key=key, spec=spec, lane="interactive")
            self._decide(job)
            if job.status == FAILED:
                return job
            self._jobs[key] = job
        return self._jobs[key]

    def _decide(self, job: Job) -> None:
        seed = job.spec.data.seed
        if _is_slow(job.spec) or self.state == "starting":
            job.status, job.progress = RUNNING, Progress(0.4, "crafting the perturbation")
            self.slow.append(job)
        elif seed in ERRORS:
            message, kind = ERRORS[seed]
            job.error = ExperimentError(message, kind=kind)
            job.finish(FAILED)
        else:
            job.result = result_of(job.spec)
            job.finish(DONE)

    def _release(self, job: Job) -> None:
        self._jobs.pop(job.key, None)
        job.finish(CANCELLED)


def _is_slow(spec: ExperimentSpec) -> bool:
    asked = spec.kind != "playground" and spec.data.n_samples == SLOW_IMAGES
    return asked or spec.data.seed == SLOW
