"""What a sweep has done so far, and how it shares out its time; its threads share one account of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import msgspec

from batch_gateway import log_events
from batch_gateway.core import excerpts
from batch_gateway.core.notify.notifications import Event
from batch_gateway.ports import StoreUnavailableError, Unreadable
from batch_gateway.settlement.deps import NotYetError, SettlementDeps

WORKERS = 8
"""Calls that a sweep makes at once: of lists of jobs, and of looks at jobs."""
_LEAST_SHARE = 0.15
"""Of its time a step has at least, however late it begins, so that none keeps another one from its turn."""
Each = TypeVar("Each")


class Sweep(msgspec.Struct, rename="camel"):
    """What a sweep did.

    Attributes:
        jobs: Jobs that were not closed and were looked at.
        adopted: Jobs taken on record that were made outside the gateway, or whose record had been lost.
        settled: Outputs put into the books.
        watched: Closed jobs that were looked at for output that came late or was overwritten.
        closed: Jobs whose cost became final, or final again.
        parked: Outputs that belong to no job on record.
        stuck: Jobs that have been queued or running for longer than Vertex AI lets them.
        dropped_submissions: Creates that made no job.
        delivered: Events taken by a webhook or the topic.
        problems: What could not be done, and is tried again by the next sweep.
        complete: Whether every place, job and output had its turn, and there were no problems.
    """

    jobs: int = 0
    adopted: int = 0
    settled: int = 0
    watched: int = 0
    closed: int = 0
    parked: int = 0
    stuck: list[str] = []
    dropped_submissions: int = 0
    delivered: int = 0
    problems: list[str] = []
    complete: bool = True


class Progress:
    """What was done, what went wrong, and how much time is left.

    Attributes:
        done: What the sweep did so far.
        events: What happened that is to be sent out.
        notes: What this sweep knows from earlier ones, and leaves to later ones.
    """

    def __init__(self, deps: SettlementDeps, seconds: float) -> None:
        self.done = Sweep()
        self.events: list[Event] = []
        self.begun = deps.clock()
        self.seconds = seconds
        self.until = self.begun + seconds
        self.notes = deps.store.sweep_notes()
        self._store = deps.store
        self._clock = deps.clock
        self._lock = Lock()

    def count(self, **numbers: int) -> None:
        """Add to the numbers of the sweep's answer."""
        with self._lock:
            for name, number in numbers.items():
                setattr(self.done, name, getattr(self.done, name) + number)

    def say(self, event: Event | None) -> None:
        """Keep an event for the step that sends events out; None is no event."""
        if event is not None:
            with self._lock:
                self.events.append(event)

    def note(self, **changes: Any) -> None:
        """Leave something to later sweeps. Of two at once the last one's notes stay: old ones do no harm."""
        notes = msgspec.structs.replace(self.notes, **changes)
        if notes != self.notes:
            self._store.put_sweep_notes(notes)
            self.notes = notes

    def name_stuck(self, name: str) -> None:
        """Name a job that should have ended by now."""
        with self._lock:
            self.done.stuck.append(name)

    def leave_incomplete(self, problem: str | None = None) -> None:
        """Note that not everything had its turn, or why something has to be tried again."""
        with self._lock:
            self.done.complete = False
            self.done.problems += [problem] if problem else []

    def report(self, what: str, problem: str) -> None:
        """Note what went wrong with one place, job, record or output."""
        self.leave_incomplete(f"{what}: {problem}")
        log_events.problem("ERROR", "settlement.failed", "sweep problem", what=what, error=problem)

    def readable(self, found: Iterable[Each | Unreadable]) -> Iterator[Each]:
        """Pass over records that cannot be read, and name them."""
        for each in found:
            if isinstance(each, Unreadable):
                self.report(each.name, each.problem)
            else:
                yield each

    def begin_step(self, share: float) -> None:
        """Give a step until that share of the time is used up, and some time in any case."""
        least = self._clock() + _LEAST_SHARE * self.seconds
        self.until = max(self.begun + share * self.seconds, least)

    def deadline(self) -> float:
        """Return until when one output may be read: a large one must not take the time of all the others."""
        return min(self.until, self._clock() + self.seconds / 3)

    def is_late(self) -> bool:
        """Tell whether the step has used up its time, so that something does not get its turn."""
        late = self._clock() > self.until
        if late:
            self.leave_incomplete()
        return late

    def is_over(self) -> bool:
        """Tell whether the sweep has used up its time."""
        return self._clock() - self.begun > self.seconds

    @contextmanager
    def going_on(self, what: str) -> Iterator[None]:
        """Keep what goes wrong with one place, job or output from the others."""
        try:
            yield
        except StoreUnavailableError:
            raise
        except NotYetError as error:
            self.leave_incomplete(f"{what}: {error}")
        except Exception as error:  # noqa: BLE001 - nothing is lost: whatever it was is left for the next sweep
            self.report(what, excerpts.text(str(error)))
