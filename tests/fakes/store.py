"""The Store port in dicts."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import RLock

import msgspec

from batch_gateway.core.accounting.budgets import (
    BudgetBalance,
    OwnedBudget,
    balance_deltas,
    check_budget,
    reservation_deltas,
    sum_balances,
    window_of,
)
from batch_gateway.core.accounting.settlement import (
    Change,
    Checkpoint,
    DailyTotal,
    ItemTotal,
    Output,
    output_id,
    supersede,
    supersedes,
)
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, merge_observations
from batch_gateway.core.notify.events import Event
from batch_gateway.core.timing.job_times import TimeCounts, time_added
from batch_gateway.ports import (
    JobResumedError,
    Observed,
    Resumption,
    Settlement,
    StoreUnavailableError,
    Submission,
    SweepNotes,
    Turn,
)
from fakes.job_times import MemoryJobTimes
from fakes.outbox import MemoryOutbox
from fakes.sweep import MemorySweep
from fakes.totals import MemoryTotals

_FIELDS: dict[str, Callable[[JobRecord], str | None]] = {
    "api_key": lambda job: job.api_key,
    "location": lambda job: job.key.location,
    "project": lambda job: job.key.project,
    "state": lambda job: job.seen.state,
    "team": lambda job: job.team,
}


class MemoryStore(MemoryOutbox, MemorySweep, MemoryTotals, MemoryJobTimes):
    """The Store port in dicts.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
        writes: Number of calls that changed something.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.submissions: dict[str, Submission] = {}
        self._lock = RLock()
        self._jobs: dict[JobKey, JobRecord] = {}
        self._outputs: dict[JobKey, dict[str, Output]] = {}
        self._cells: dict[str, DailyTotal] = {}
        self._times = defaultdict(TimeCounts.empty)
        self._parked: dict[str, Output] = {}
        self._projects: dict[str, str] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._turns: dict[Turn, str] = {}
        self._notes = SweepNotes()
        self._ledgers: dict[tuple[str, str], BudgetBalance] = {}
        self._changed_owners: list[str] = []

    def ping(self) -> None:
        if self.down:
            raise StoreUnavailableError("down")

    def begin_submission(
        self, submission: Submission, limits: Sequence[OwnedBudget] = ()
    ) -> Submission | None:
        self.ping()
        with self._lock:
            existing = self.submissions.get(submission.id)
            if existing is not None and not existing.is_over(submission.created):
                return existing
            if submission.resumes is not None:
                self._check_unclaimed(submission.resumes, submission.id)
            for limit in limits:
                window = window_of(limit.duration, submission.created)
                ledger = self.budget_balances([(limit.owner, window.periods)])[limit.owner]
                check_budget(limit, ledger, submission.reserved_nano, window)
            self.writes += 1
            self._release(submission)
            self.submissions[submission.id] = submission
            if submission.resumes is not None:
                self._amend(submission.resumes.key, resuming=submission.id)
            self._add_to_ledgers(
                reservation_deltas(submission.owners, submission.reserved_at, submission.reserved_nano)
            )
        return None

    def _check_unclaimed(self, resumes: Resumption, submission_id: str) -> None:
        job = self._jobs[resumes.key]
        if job.resumed_by != resumes.replaces:
            raise JobResumedError(job.resumed_by)
        claim = self.submissions.get(job.resuming or "")
        if claim is not None and claim.id != submission_id and claim.answer is None:
            raise JobResumedError(None)

    def _amend(self, key: JobKey, **changes: str) -> None:
        self._jobs[key] = msgspec.structs.replace(self._jobs[key], **changes)

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        self._count_write()
        with self._lock:
            if self.submissions.get(old.id) != old:
                return False
            self.submissions[old.id] = new
        return True

    def get_submission(self, submission_id: str) -> Submission | None:
        self.ping()
        return self.submissions.get(submission_id)

    def open_submissions(self, limit: int) -> list[Submission]:
        self.ping()
        return [each for each in self.submissions.values() if each.answer is None][:limit]

    def drop_submission(self, submission: Submission) -> bool:
        self._count_write()
        with self._lock:
            if self.submissions.get(submission.id) != submission:
                return False
            self._release(submission)
            del self.submissions[submission.id]
        return True

    def budget_balances(self, entries: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, BudgetBalance]:
        self.ping()
        return {
            owner: sum_balances(self._ledgers.get((owner, period), BudgetBalance()) for period in periods)
            for owner, periods in entries
        }

    def _release(self, submission: Submission) -> int:
        """Release the reservation of a submission; return its amount."""
        existing = self.submissions.get(submission.id)
        if existing is None:
            return 0
        self._add_to_ledgers(
            reservation_deltas(existing.owners, existing.reserved_at, -existing.reserved_nano)
        )
        return existing.reserved_nano

    def _add_to_ledgers(self, moved: Mapping[tuple[str, str], BudgetBalance]) -> None:
        self._changed_owners += [owner for owner, _ in moved]
        for entry, change in moved.items():
            self._ledgers[entry] = self._ledgers.get(entry, BudgetBalance()) + change

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        self._count_write()
        with self._lock:
            if submission is not None:
                reserved = self._release(submission)
                if job.key not in self._jobs:
                    is_reserved = submission.reserved_at is not None
                    at = job.create_time if is_reserved else None
                    job = msgspec.structs.replace(job, reserved_nano=reserved, reserved_at=at)
                    self._add_to_ledgers(reservation_deltas(submission.owners, at, reserved))
                self.submissions.pop(submission.id, None)
                if submission.answer is not None:
                    kept = msgspec.structs.replace(submission, reserved_nano=0)
                    self.submissions[submission.id] = kept
            self._jobs.setdefault(job.key, job)
            if submission is not None and submission.resumes is not None:
                self._amend(job.key, resumed_from=submission.resumes.name)
                if submission.resumes.key in self._jobs:
                    self._amend(submission.resumes.key, resumed_by=job.seen.name)

    def get_job(self, key: JobKey) -> JobRecord | None:
        self.ping()
        return self._jobs.get(key)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, Observed]:
        self.ping()
        records = {}
        with self._lock:
            for key, observation in seen.items():
                job = self._jobs.get(key)
                if job is None:
                    continue
                now = msgspec.structs.replace(job, seen=merge_observations(job.seen, observation))
                if now != job:
                    self.writes += 1
                    self._jobs[key] = now
                records[key] = Observed(job, now)
        return records

    def amend_job(
        self,
        key: JobKey,
        change: Callable[[JobRecord], JobRecord | None],
        event: Callable[[JobRecord], Event | None] = lambda _: None,
    ) -> tuple[JobRecord, Event | None] | None:
        self.ping()
        with self._lock:
            job = change(self._jobs[key])
            if job is None:
                return None
            noted = event(job)
            if noted is not None:
                self.add_event(noted)
            return self._move(key, Change(job, [])), noted

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        self.ping()
        return [job for job in self._jobs.values() if job.seen.output_directory == directory]

    def jobs_by_table(self, table: str) -> list[JobRecord]:
        self.ping()
        return [job for job in self._jobs.values() if job.seen.output_table == table]

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        self.ping()
        found = [
            job
            for job in self._jobs.values()
            if job.seen.output_prefix == output_prefix
            and job.seen.output_directory is None
            and not (job.closed or job.seen.terminal)
        ]
        return found[:limit]

    def get_outputs(self, key: JobKey) -> list[Output]:
        self.ping()
        return sorted(self._outputs.get(key, {}).values(), key=lambda output: output.uri)

    def get_output(self, key: JobKey, uri: str) -> tuple[Output | None, Checkpoint | None]:
        self.ping()
        return self._outputs.get(key, {}).get(output_id(uri)), self._checkpoints.get(uri)

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        with self._lock:
            job = self.get_job(key)
            return (job, self.get_outputs(key)) if job else None

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        self.ping()
        with self._lock:
            outputs, job = self._outputs.setdefault(key, {}), self._jobs[key]
            increments = [each for each in outputs.values() if each.is_counted_increment]
            if not supersedes(job, output):
                increments = []
            change = settlement(job, outputs.get(output.id), increments)
            if change is None:
                return None
            outputs[output.id] = output
            outputs |= {each.id: supersede(each, output.settled_at) for each in increments}
            return self._move(key, change)

    def reprice(self, key: JobKey, repricing: Callable[[JobRecord], Change | None]) -> JobRecord | None:
        self.ping()
        with self._lock:
            change = repricing(self._jobs[key])
            return self._move(key, change) if change else None

    def _move(self, key: JobKey, change: Change) -> JobRecord:
        self.writes += 1
        job = change.job
        self._add_to_ledgers(balance_deltas(self._jobs[key], job))
        self._add_to_times(time_added(self._jobs[key], job))
        self._jobs[key] = job
        for total, delta in change.deltas:
            cell = self._cells.get(total.id) or DailyTotal(**msgspec.structs.asdict(total))
            quarters, items = dict(cell.quarters), dict(cell.items)
            quarter = str(delta.quarter)
            quarters[quarter] = quarters.get(quarter, 0) + delta.amount_nano
            for item in delta.quantities.keys() | delta.amounts_nano.keys() | delta.discounts_nano.keys():
                items[item] = items.get(item, ItemTotal()) + ItemTotal(
                    delta.quantities.get(item, 0),
                    delta.amounts_nano.get(item, 0),
                    delta.discounts_nano.get(item, 0),
                )
            unpriced = cell.unpriced_rows + delta.unpriced_rows
            self._cells[total.id] = msgspec.structs.replace(
                cell, quarters=quarters, items=items, unpriced_rows=unpriced
            )
        return job

    def jobs_created(
        self, start: datetime, end: datetime, after: tuple[datetime, JobKey] | None, limit: int
    ) -> list[JobRecord]:
        self.ping()
        found = sorted(
            (job for job in self._jobs.values() if start <= job.create_time < end),
            key=lambda job: (job.create_time, job.key),
        )
        return [job for job in found if after is None or (job.create_time, job.key) > after][:limit]

    def recent_jobs(
        self,
        scope: tuple[str, str] | None,
        since: datetime | None,
        before: tuple[datetime, JobKey] | None,
        limit: int,
        *,
        until: datetime | None = None,
        equal: Mapping[str, str] = {},
    ) -> list[JobRecord]:
        self.ping()
        found = [
            job
            for job in self._jobs.values()
            if (scope is None or getattr(job, scope[0]) == scope[1])
            and all(_FIELDS[name](job) == value for name, value in equal.items())
            and (until is None or job.create_time < until)
            and (since is None or job.create_time >= since)
            and (before is None or (job.create_time, job.key) < before)
        ]
        return heapq.nlargest(limit, found, key=lambda job: (job.create_time, job.key))

    def top_jobs(
        self,
        scope: tuple[str, str] | None,
        since: datetime | None,
        limit: int,
        *,
        until: datetime | None = None,
        team: str | None = None,
    ) -> list[JobRecord]:
        self.ping()
        found = [
            job
            for job in self._jobs.values()
            if (scope is None or getattr(job, scope[0]) == scope[1])
            and (team is None or job.team == team)
            and (until is None or job.create_time < until)
            and (since is None or job.create_time >= since)
        ]
        found.sort(key=lambda job: (job.cost.amount_nano, job.create_time, job.key), reverse=True)
        return found[:limit]

    def _count_write(self) -> None:
        self.ping()
        self.writes += 1
