"""What state the engine is in, in words for a person, and which processes it has lost."""

from __future__ import annotations

STARTING, READY, RESTARTED, DEAD = "starting", "ready", "restarted", "failed"


class Condition:
    """The engine's state and how often it had to start a process anew. Not thread-safe.

    It is `restarted` once something that is wanted was lost, and so until a result has arrived and
    something new is asked for, so that whoever waited for that result can say what happened. A
    process that was ended because a cancelled computation did not stop concerns nobody, unless
    something else waited for it.
    """

    def __init__(self) -> None:
        self.restarts = 0
        self._lost: set[str] = set()
        self._ended: set[str] = set()
        self.start()

    def start(self) -> None:
        """The engine begins to start."""
        self._set(STARTING, "the engine is starting")

    def connected(self) -> None:
        """There are workers, none of them lost."""
        self._lost.clear()
        self._ended.clear()
        if self.state == STARTING:
            self._set(READY, "ready")

    def asked(self) -> None:
        """Something new is asked for."""
        if self.state == RESTARTED and self._recovered:
            self._set(READY, "ready")

    def recovered(self) -> None:
        """A result has arrived."""
        self._recovered = True

    def give_up(self, reason: str) -> None:
        """The engine does not run any more."""
        self._set(DEAD, f"the engine does not run: {reason}")

    def host_lost(self) -> None:
        """The process that holds the workers has ended."""
        self.restarts += 1
        self._set(RESTARTED, "the engine's process ended and was started again")

    def worker_ended(self, worker: str) -> None:
        """A worker, by its address, was ended since a cancelled computation did not stop."""
        self.restarts += 1
        self._lost.add(worker)
        self._ended.add(worker)

    def task_lost(self, worker: str) -> None:
        """Something that is wanted was lost with its worker; it may not be the first."""
        if worker in self._ended:
            self._ended.discard(worker)
            self._set(RESTARTED, "a cancelled computation did not stop: its process was ended")
        elif worker not in self._lost:
            self._lost.add(worker)
            self.restarts += 1
            self._set(RESTARTED, "a computing process was lost and started again")

    def _set(self, state: str, message: str) -> None:
        self.state, self.message = state, message
        self._recovered = False
