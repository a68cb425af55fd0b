"""How long computations take, learned from those that have ended."""

from __future__ import annotations

from dqviz.specs import FULL_PRECISION, ExperimentSpec

LONG_SECONDS = 2.0
"""What takes longer is a job: it waits its turn, and goes on when its page is left."""

KEPT = 1000
"""Of so many kinds of computation it is remembered how long they take."""


class Costs:
    """Seconds an image, by the kind of computation. Not thread-safe.

    The least that was seen counts: the first of a kind also loads what the others find loaded.
    """

    def __init__(self) -> None:
        self._seconds: dict[tuple[object, ...], float] = {}

    def learn(self, spec: ExperimentSpec, seconds: float) -> None:
        """A computation took so long."""
        kind, size = _kind(spec), _size(spec)
        before = self._seconds.pop(kind, float("inf"))
        self._seconds[kind] = min(before, seconds / size)
        if len(self._seconds) > KEPT:
            del self._seconds[next(iter(self._seconds))]

    def expected(self, spec: ExperimentSpec) -> float | None:
        """About how many seconds a computation takes; None if none of its kind has ended yet."""
        seconds = self._seconds.get(_kind(spec))
        return None if seconds is None else seconds * _size(spec)

    def is_long(self, spec: ExperimentSpec) -> bool:
        """Whether it is known to take longer than `LONG_SECONDS`."""
        return (self.expected(spec) or 0.0) > LONG_SECONDS


def _kind(spec: ExperimentSpec) -> tuple[object, ...]:
    """What the time for an image depends on; networks that differ in their weights are alike."""
    arch = spec.model.label.rpartition("/")[0]
    bits = (spec.quant.weight_bits, spec.quant.act_bits)
    rounded = tuple(width < FULL_PRECISION for width in bits)
    attack = spec.attack
    method = (
        *(attack.name, attack.steps, attack.restarts, attack.queries),
        len(attack.epsilons),
    )
    return (spec.kind, arch, rounded, method, spec.controls, spec.details, spec.layers)


def _size(spec: ExperimentSpec) -> int:
    """How many images are computed with; where all are asked for, as many as a test set has."""
    return 1 if spec.kind == "playground" else spec.data.n_samples or 10_000
