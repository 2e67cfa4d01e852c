"""The progress of a sweep and its use of time, shared by its threads."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import msgspec

from batch_gateway.core import excerpts
from batch_gateway.core.answers import Count
from batch_gateway.core.notify.events import Event
from batch_gateway.logs import log
from batch_gateway.ports import StoreUnavailableError, Unreadable
from batch_gateway.settlement.deps import NotYetError, SettlementDeps

WORKERS = 8
"""Places, or jobs, that a sweep handles at once."""
_LEAST_SHARE = 0.15
"""Share of the time that each step has at least, however late it begins, so that none is starved."""
Each = TypeVar("Each")


class SweepReport(msgspec.Struct, rename="camel"):
    """The result of a sweep.

    Attributes:
        jobs: Jobs without a final cost that were examined.
        adopted: Jobs put on record that were created outside the gateway, or whose record was lost.
        settled: Settled outputs whose events were lost.
        watched: Jobs with a final cost that were checked for late or overwritten output.
        closed: Jobs whose cost became final, or final again.
        parked: Outputs that belong to no job on record.
        stuck: Jobs queued for more than 72 hours or running for more than 24.
        dropped_submissions: Creates whose answer was lost, and that made no job.
        delivered: Events accepted by a webhook or the Pub/Sub topic.
        problems: Steps that failed; the next sweep tries them again.
        complete: true: everything was examined, and ``problems`` is empty.
    """

    jobs: Count = 0
    adopted: Count = 0
    settled: Count = 0
    watched: Count = 0
    closed: Count = 0
    parked: Count = 0
    stuck: list[str] = []
    dropped_submissions: Count = 0
    delivered: Count = 0
    problems: list[str] = []
    complete: bool = True


class Progress:
    """The progress of a sweep: results, failures, and the time that is left.

    Attributes:
        done: Results so far.
        events: Events to send.
        notes: State that one sweep leaves to the next.
    """

    def __init__(self, deps: SettlementDeps, seconds: float) -> None:
        self.done = SweepReport()
        self.events: list[Event] = []
        self.begun = deps.clock()
        self.seconds = seconds
        self.until = self.begun + seconds
        self.notes = deps.store.sweep_notes()
        self._store = deps.store
        self._clock = deps.clock
        self._lock = Lock()

    def count(self, **numbers: int) -> None:
        """Add to the counts of the report."""
        with self._lock:
            for name, number in numbers.items():
                setattr(self.done, name, getattr(self.done, name) + number)

    def queue_event(self, event: Event | None) -> None:
        """Keep an event for the step that sends events; None is ignored."""
        if event is not None:
            with self._lock:
                self.events.append(event)

    def update_notes(self, **changes: Any) -> None:
        """Save state for later sweeps. Of two sweeps at once the later write wins; old notes do no harm."""
        notes = msgspec.structs.replace(self.notes, **changes)
        if notes != self.notes:
            self._store.put_sweep_notes(notes)
            self.notes = notes

    def add_stuck(self, name: str) -> None:
        """Add a job that should have ended by now to the report."""
        with self._lock:
            self.done.stuck.append(name)

    def mark_incomplete(self, problem: str | None = None) -> None:
        """Mark the sweep as incomplete, with the problem if there is one."""
        with self._lock:
            self.done.complete = False
            self.done.problems += [problem] if problem else []

    def report_problem(self, what: str, problem: str) -> None:
        """Report and log a problem with one place, job, record or output."""
        self.mark_incomplete(f"{what}: {problem}")
        log("ERROR", "sweep problem", event="settlement.failed", what=what, error=problem)

    def skip_unreadable(self, found: Iterable[Each | Unreadable]) -> Iterator[Each]:
        """Yield the records that can be read, and report the others."""
        for each in found:
            if isinstance(each, Unreadable):
                self.report_problem(each.name, each.problem)
            else:
                yield each

    def begin_step(self, share: float) -> None:
        """Begin a step that ends at a share of the sweep's time, or a little later if it begins late."""
        least = self._clock() + _LEAST_SHARE * self.seconds
        self.until = max(self.begun + share * self.seconds, least)

    def deadline(self) -> float:
        """Return the deadline for reading one output, so that a large one cannot starve the others."""
        return min(self.until, self._clock() + self.seconds / 3)

    def is_late(self) -> bool:
        """Return whether the step has used up its time; if so, mark the sweep as incomplete."""
        late = self._clock() > self.until
        if late:
            self.mark_incomplete()
        return late

    def is_over(self) -> bool:
        """Return whether the sweep has used up its time."""
        return self._clock() - self.begun > self.seconds

    @contextmanager
    def isolate(self, what: str) -> Iterator[None]:
        """Keep a failure of one place, job or output from stopping the others."""
        try:
            yield
        except StoreUnavailableError:
            raise
        except NotYetError as error:
            self.mark_incomplete(f"{what}: {error}")
        except Exception as error:  # noqa: BLE001 - nothing is lost: the next sweep tries again
            self.report_problem(what, excerpts.text(str(error)))
