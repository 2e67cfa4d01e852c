"""The sweep: finds what events and answers missed, so that the books are right whatever was lost.

It looks through the served places (jobs change unseen, or were made outside the gateway), then at closed
jobs that are still watched, at every job that is not closed, and at outputs of nobody; what time is left goes
into estimates of jobs that have none. Each step may be cut short by the time limit and done by two sweeps at
once: jobs come in turn, and whatever is done twice comes to the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from batch_gateway import events
from batch_gateway.core import excerpts
from batch_gateway.core.books import Output
from batch_gateway.core.jobs import WITH_OUTPUT_STATES, JobKey, JobRecord
from batch_gateway.core.notifications import Event
from batch_gateway.core.outputs import directory_of, is_incremental_output, split_uri
from batch_gateway.core.watch import is_watched, next_look
from batch_gateway.logs import log
from batch_gateway.ports import StoreUnavailableError, Submission, Unreadable
from batch_gateway.settlement.adoption import LOOK_BACK, look_through
from batch_gateway.settlement.closing import Look, announce, close, look_at, may_close
from batch_gateway.settlement.deps import Deps, NotYetError
from batch_gateway.settlement.enforcement import act_on, note_overrun, passed
from batch_gateway.settlement.notifying import deliver_due
from batch_gateway.settlement.outputs import commit, lose, settle_live
from batch_gateway.settlement.owners import find_job, refresh
from batch_gateway.settlement.tables import read_table
from batch_gateway.tracking import Tracker

SECONDS = 30.0
"""How long one sweep may take, and 25 s more for the last event that it sends out: within the time limit that
an HTTP function has unless told otherwise."""
_PLACES_UNTIL, _WATCHED_UNTIL, _JOBS_UNTIL, _PARKED_UNTIL, _EVENTS_UNTIL = 0.3, 0.45, 0.7, 0.85, 1.0
"""By when, in shares of that time, a step makes way for the next one."""
_LEAST_SHARE = 0.15
"""Of that time a step has at least, however late it begins, so that none keeps another one from its turn."""
_QUEUED_TOO_LONG = timedelta(hours=72)
_RUNNING_TOO_LONG = timedelta(hours=24)
"""Vertex AI ends jobs after these times ("Batch inference" of Google's documentation)."""
_QUEUED = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING"})
_FOUND_BY = timedelta(hours=1)
"""When a create whose job is not there has made none. Jobs show in lists within seconds."""
_MOST_PROGRESS_BYTES = 64 * 1024 * 1024
_BATCH = 5
_MOST_WATCHED = 500
"""Closed jobs that are looked at in one sweep; those that have waited longest come first."""
_MOST_SUBMISSIONS = 500
_NOT_FOUND = 404

Item = TypeVar("Item", JobRecord, Output)
Each = TypeVar("Each", JobRecord, Output, Submission)


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


def reconcile(
    places: Iterable[tuple[str, str]],
    tracker: Tracker,
    deps: Deps,
    now: datetime,
    seconds: float = SECONDS,
    *,
    weigh: Callable[[JobRecord], None],
) -> Sweep:
    """Sweeps once.

    Args:
        places: (project id, location) of every place that is served.
        tracker: Remembers jobs, so that unchanged ones cost nothing.
        deps: The outside.
        now: The time.
        seconds: Time limit.
        weigh: Puts the estimate of a job that has none on record.

    Raises:
        StoreUnavailableError: The books cannot be reached; the next sweep does what is left.
    """
    sweep = _Sweeping(tracker, deps, now, seconds)
    sweep.check_budgets()
    sweep.look_through(list(places))
    sweep.watch_closed_jobs()
    sweep.finish_jobs()
    sweep.settle_parked()
    sweep.send_events()
    sweep.weigh_jobs(weigh)
    log("INFO", "sweep done", event="sweep.done", **msgspec.structs.asdict(sweep.done))
    return sweep.done


class _Sweeping:
    def __init__(self, tracker: Tracker, deps: Deps, now: datetime, seconds: float) -> None:
        self.done = Sweep()
        self._tracker = tracker
        self._deps = deps
        self._now = now
        self._begun = deps.clock()
        self._seconds = seconds
        self._seen: set[JobKey] = set()
        self._over: set[str] = set()
        self._events: list[Event] = []
        self._unweighed: list[JobRecord] = []
        self._until = self._begun + seconds

    def check_budgets(self) -> None:
        """Finds the budgets that are passed, and says so."""
        self._over, said = passed(self._deps.keys, self._deps.store, self._now, self._problem)
        self._events += said

    def look_through(self, places: list[tuple[str, str]]) -> None:
        """Brings recent jobs up to date, and lets go of creates that made none."""
        self._begin_step(_PLACES_UNTIL)
        submissions = list(self._readable(self._deps.store.open_submissions(_MOST_SUBMISSIONS)))
        # Another place goes first each time, so that a slow one does not keep the rest waiting for ever.
        first = int(self._now.timestamp()) // 60 % max(1, len(places))
        for place in places[first:] + places[:first]:
            left = [each for each in submissions if (each.project, each.location) == place]
            with self._going_on("/".join(place)):
                for page in look_through(
                    place, left, self._tracker, self._deps, self._now, going_on=self._going_on
                ):
                    self._seen |= page.jobs
                    self.done.adopted += page.adopted
                    left = page.submissions
                    if self._is_late():
                        return
                self._drop(left, _FOUND_BY)
        # Of places that are not served any more.
        self._drop(submissions, LOOK_BACK)

    def _drop(self, submissions: list[Submission], age: timedelta) -> None:
        for submission in submissions:
            if self._now - submission.created > age:
                with self._going_on(f"submissions/{submission.id}"):
                    self._deps.store.drop_submission(submission)
                    self.done.dropped_submissions += 1

    def watch_closed_jobs(self) -> None:
        """Looks whether output came, or was overwritten, after a job was closed."""
        self._begin_step(_WATCHED_UNTIL)
        for job in self._readable(self._deps.store.watched_jobs(self._now, _MOST_WATCHED)):
            if self._is_late():
                return
            self.done.watched += 1
            with self._going_on(job.key.path):
                self._watch(job)

    def finish_jobs(self) -> None:
        """Looks at every job that is not closed: settles what is missing of those that have ended."""
        self._begin_step(_JOBS_UNTIL)
        for job in self._in_turn(self._deps.store.open_jobs):
            self.done.jobs += 1
            with self._going_on(job.key.path):
                self._finish(job)

    def settle_parked(self) -> None:
        """Looks again whose the outputs of nobody are."""
        self._begin_step(_PARKED_UNTIL)
        for output in self._in_turn(self._deps.store.parked):
            with self._going_on(output.uri):
                self._settle_parked(output)

    def weigh_jobs(self, weigh: Callable[[JobRecord], None]) -> None:
        """Has jobs estimated that were created without, for as long as there is time."""
        for job in self._unweighed:
            if self._deps.clock() - self._begun > self._seconds:
                return
            with self._going_on(job.key.path):
                weigh(job)

    def send_events(self) -> None:
        """Sends out what happened, and what could not be delivered before."""
        self._begin_step(_EVENTS_UNTIL)
        sent = deliver_due(self._deps.notify(), self._now, self._until, self._events)
        self.done.delivered = sent.delivered
        self.done.problems += sent.problems
        self.done.complete &= not sent.problems

    def _finish(self, job: JobRecord) -> None:
        job = self._fresh(job)
        if job.estimate is None:
            self._unweighed.append(job)
        settled = self.done.settled
        if not job.ended:
            self._settle_progress(job)
            job = self._note_overrun(job, settled)
            self._check_stuck(job)
            act_on(job, self._over, self._deps)
        else:
            self._finish_ended(job)

    def _finish_ended(self, job: JobRecord) -> None:
        """Settles what is missing of a job that has ended, and closes it if no more is expected."""
        settled = self.done.settled
        table = None if job.seen.output_directory else job.seen.output_table
        look = self._settle_table(job, table) if table else self._settle_missing(job)
        self._note_overrun(job, settled)
        if may_close(job, look, self._now):
            closed = close(job, look, self._deps, self._now)
            self.done.closed += closed is not None
            event = closed[1] if closed else None
        else:
            event = announce(job, self._deps, self._now)
        self._events += [event] if event else []

    def _watch(self, job: JobRecord) -> None:
        """Looks at the output of a closed job; what came opens it again, and it is closed once more."""
        # Its turn is over before it is looked at: a job that nobody gets through with must not hold up more.
        self._look_again(job, self._now)
        self._finish_ended(job)
        self._look_again(job, next_look(job, self._now))

    def _look_again(self, job: JobRecord, time: datetime | None) -> None:
        def change(record: JobRecord) -> JobRecord | None:
            again = record.closed and record.next_look != time
            return msgspec.structs.replace(record, next_look=time) if again else None

        self._deps.store.amend_job(job.key, change)

    def _note_overrun(self, job: JobRecord, settled: int) -> JobRecord:
        """Says it if a job cost more than was reserved for it.

        Args:
            job: As it stood before it was looked at.
            settled: How many outputs the sweep had settled then.

        Returns:
            The job as it stands.
        """
        if self.done.settled != settled:
            job = self._deps.store.get_job(job.key) or job
        event = note_overrun(job, self._deps.store, self._now)
        self._events += [event] if event else []
        return job

    def _fresh(self, job: JobRecord) -> JobRecord:
        """A job's record as up to date as can be."""
        if job.key in self._seen or job.deleted:
            return job
        fresh = refresh(job.key, self._deps)
        if fresh is not None or not self._is_deleted(job):
            return fresh or job
        amended = self._deps.store.amend_job(
            job.key, lambda record: msgspec.structs.replace(record, deleted=True, deleted_at=self._now)
        )
        return amended[0] if amended else job

    def _is_deleted(self, job: JobRecord) -> bool:
        """Whether Vertex AI does not have a job; if we may not see it (403), that says nothing."""
        answer = self._deps.upstream.send(
            "GET", f"/v1/{job.key.path}", project=job.key.project, location=job.key.location
        )
        return answer.status == _NOT_FOUND

    def _settle_missing(self, job: JobRecord) -> Look:
        """Settles what is missing of a job's directory."""
        look = look_at(job, self._deps, self._now)
        for live in look.missing:
            bucket, _ = split_uri(job.seen.output_directory or "")
            self.done.settled += settle_live(
                job, bucket, live, self._deps, now=self._now, deadline=self._deadline()
            )
        return look

    def _settle_progress(self, job: JobRecord) -> None:
        """Settles what a running job has exported so far, until its final output takes the place of that.

        Only what is quickly read: the file grows, and is read anew each time.
        """
        if job.seen.output_directory is None:
            return
        bucket, prefix = split_uri(job.seen.output_directory)
        for live in self._deps.objects.list(bucket, f"{prefix}/"):
            if is_incremental_output(live.name) and live.size <= _MOST_PROGRESS_BYTES:
                self.done.settled += settle_live(
                    job, bucket, live, self._deps, now=self._now, deadline=self._deadline()
                )

    def _settle_table(self, job: JobRecord, table: str) -> Look:
        """Settles a job's output table if it is not in the books as it is now."""
        tables = self._deps.tables()
        info = tables.stat(table)
        settled = {output.uri: output.generation for output in self._deps.store.get_outputs(job.key)}
        last = settled.get(table)
        # That there is none is settled, too, once none is expected any more.
        if (last or 0) < info.generation if info else last is None and not is_watched(job, self._now):
            output = read_table(job, table, tables, self._deps.prices, self._now)
            written = job.seen.end_time or self._now
            self.done.settled += commit(job, output, self._deps, written=written) is not None
        is_there = info is not None or bool(last)
        # Nothing tells when the table of a job that did not succeed is whole.
        return Look([], is_there, is_there and job.seen.state in WITH_OUTPUT_STATES)

    def _settle_parked(self, output: Output) -> None:
        bucket, name = split_uri(output.uri)
        job = find_job(directory_of(bucket, name), self._deps)
        live = self._deps.objects.stat(bucket, name)
        if job is None and live is not None:
            self.done.parked += 1
            return
        if job is not None and live is not None:
            self.done.settled += settle_live(
                job, bucket, live, self._deps, now=self._now, deadline=self._deadline()
            )
        elif job is not None:
            lose(job, output.uri, self._deps, now=self._now)
        self._deps.store.unpark(output)

    def _check_stuck(self, job: JobRecord) -> None:
        queued = job.seen.state in _QUEUED
        since = job.create_time if queued else job.seen.start_time or job.create_time
        age = self._now - since
        if age > (_QUEUED_TOO_LONG if queued else _RUNNING_TOO_LONG):
            self.done.stuck.append(job.seen.name)
            hours = int(age.total_seconds() // 3600)
            events.problem(
                "WARNING", "job.stuck", "job stuck", **events.of_job(job), state=job.seen.state, hours=hours
            )

    def _in_turn(self, fetch: Callable[[int], Sequence[Item | Unreadable]]) -> Iterator[Item]:
        """Every item once, in turn, until the step has used up its time."""
        had: set[str] = set()
        rounds = 0
        while rounds <= 1:
            if self._is_late():
                return
            batch = fetch(_BATCH)
            rounds += not batch
            for item in batch:
                name = _name_of(item)
                if name in had:
                    return
                had.add(name)
                yield from self._readable([item])

    def _readable(self, found: Iterable[Each | Unreadable]) -> Iterator[Each]:
        """Passes over records that cannot be read, and names them."""
        for each in found:
            if isinstance(each, Unreadable):
                self._problem(each.name, each.problem)
            else:
                yield each

    def _problem(self, what: str, problem: str) -> None:
        self.done.problems.append(f"{what}: {problem}")
        self.done.complete = False
        events.problem("ERROR", "settlement.failed", "sweep problem", what=what, error=problem)

    def _begin_step(self, share: float) -> None:
        """Gives a step until that share of the time is used up, and some time in any case."""
        least = self._deps.clock() + _LEAST_SHARE * self._seconds
        self._until = max(self._begun + share * self._seconds, least)

    def _deadline(self) -> float:
        """Until when one output may be read: a large one must not take the time of all the others."""
        return min(self._until, self._deps.clock() + self._seconds / 3)

    def _is_late(self) -> bool:
        late = self._deps.clock() > self._until
        self.done.complete &= not late
        return late

    @contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """What goes wrong with one place, job or output does not keep the rest from their turn."""
        try:
            yield
        except StoreUnavailableError:
            raise
        except NotYetError as error:
            self.done.problems.append(f"{what}: {error}")
            self.done.complete = False
        except Exception as error:  # noqa: BLE001 - nothing is lost: whatever it was is left for the next sweep
            self._problem(what, excerpts.text(str(error)))


def _name_of(item: JobRecord | Output | Unreadable) -> str:
    if isinstance(item, JobRecord):
        return item.key.path
    return item.uri if isinstance(item, Output) else item.name
