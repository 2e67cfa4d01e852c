"""The part of MemoryStore for the sweep."""

from collections.abc import Mapping
from datetime import datetime
from threading import RLock
from typing import TypeVar

from batch_gateway.core.accounting.settlement import Checkpoint, Output
from batch_gateway.core.jobs.record import JobKey, JobRecord
from batch_gateway.ports import SweepNotes, Turn

Item = TypeVar("Item")


class MemorySweep:
    """The part of the Store port for the sweep, a mix-in of MemoryStore."""

    _lock: RLock
    _jobs: dict[JobKey, JobRecord]
    _parked: dict[str, Output]
    _projects: dict[str, str]
    _checkpoints: dict[str, Checkpoint]
    _turns: dict[Turn, str]
    _notes: SweepNotes
    _changed_owners: list[str]

    def ping(self) -> None:
        """Raise StoreUnavailableError while the store is down: MemoryStore does."""

    def _count_write(self) -> None:
        """Count a write."""

    def sweep_notes(self) -> SweepNotes:
        self.ping()
        return self._notes

    def put_sweep_notes(self, notes: SweepNotes) -> None:
        self._count_write()
        self._notes = notes

    def changed_owners(self, mark: str | None) -> tuple[set[str], str | None]:
        self.ping()
        with self._lock:
            return set(self._changed_owners[int(mark or 0) :]), str(len(self._changed_owners))

    def open_jobs(self, limit: int) -> list[JobRecord]:
        self.ping()
        with self._lock:
            return self._in_turn(
                "jobs", {job.key.path: job for job in self._jobs.values() if not job.closed}, limit
            )

    def ended_jobs(self, limit: int) -> list[JobRecord]:
        self.ping()
        with self._lock:
            ended = {job.key.path: job for job in self._jobs.values() if job.seen.terminal and not job.closed}
            return self._in_turn("ended", ended, limit)

    def watched_jobs(self, due: datetime, limit: int) -> list[JobRecord]:
        self.ping()
        watched = [(job.next_look, job.key, job) for job in self._jobs.values() if job.next_look]
        return [job for look, _, job in sorted(watched) if look <= due][:limit]

    def parked(self, limit: int) -> list[Output]:
        self.ping()
        with self._lock:
            return self._in_turn("parked", self._parked, limit)

    def _in_turn(self, turn: Turn, named: Mapping[str, Item], limit: int) -> list[Item]:
        last = self._turns.get(turn, "")
        return [named[name] for name in sorted(named, key=lambda name: (name <= last, name))[:limit]]

    def pass_turn(self, turn: Turn, last: JobKey | Output) -> None:
        self._count_write()
        self._turns[turn] = last.path if isinstance(last, JobKey) else last.id

    def park(self, output: Output) -> None:
        self._count_write()
        self._parked[output.id] = output

    def unpark(self, output: Output) -> None:
        self._count_write()
        self._parked.pop(output.id, None)

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._count_write()
        self._checkpoints[checkpoint.uri] = checkpoint

    def project_of_number(self, number: str) -> str | None:
        self.ping()
        return self._projects.get(number)

    def remember_project(self, number: str, project: str) -> None:
        self._count_write()
        self._projects[number] = project
