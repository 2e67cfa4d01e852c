"""Check one job: settle its missing output, and close it if no more is expected."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

import msgspec

from batch_gateway import log_events
from batch_gateway.core.accounting.budgets import owners_of
from batch_gateway.core.accounting.settlement import is_settled
from batch_gateway.core.jobs.late_output import is_watched, next_look
from batch_gateway.core.jobs.output_names import is_incremental_output, split_uri
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobKey, JobRecord, observe
from batch_gateway.logs import log
from batch_gateway.ports import Absent, ObjectInfo, TableInfo
from batch_gateway.settlement.bigquery_output import is_of_another, is_older, read_table
from batch_gateway.settlement.closing import (
    OutputStatus,
    announce,
    check_output,
    close,
    list_output,
    may_close,
)
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.enforcement import apply_budget_action, note_overrun
from batch_gateway.settlement.job_lookup import find_base_model
from batch_gateway.settlement.outputs import commit, settle_live
from batch_gateway.settlement.sweep_places import ListedJobs
from batch_gateway.settlement.sweep_progress import Progress
from batch_gateway.tracking import record_observations

_QUEUED_TOO_LONG = timedelta(hours=72)
_RUNNING_TOO_LONG = timedelta(hours=24)
"""Vertex AI ends jobs after these times ("Batch inference" in Google's documentation)."""
_QUEUED = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING"})
_MOST_PROGRESS_BYTES = 64 * 1024 * 1024


class JobSweeper:
    """Checks jobs; its methods may be called by several threads at once."""

    def __init__(
        self,
        shown: ListedJobs,
        over: AbstractSet[str],
        deps: SettlementDeps,
        progress: Progress,
        now: datetime,
    ) -> None:
        self._shown = shown
        self._exceeded = over
        self._deps = deps
        self._progress = progress
        self._now = now

    def listed_record(self, job: JobRecord) -> JobRecord:
        """Return a job's record, as updated from the lists of jobs."""
        return self._shown.changed.get(job.key, job)

    def needs_calls(self, job: JobRecord) -> bool:
        """Return whether checking a job takes calls, not only its record."""
        is_seen = job.key in self._shown.jobs
        is_plain = not (job.ended or job.overran or self._exceeded & set(owners_of(job.key_id, job.team)))
        return not (is_seen and is_plain and job.seen.output_directory is None)

    def sweep_open(self, job: JobRecord) -> None:
        """Check an open job."""
        self._progress.count(jobs=1)
        with self._progress.isolate(job.key.path):
            job = self._up_to_date(job)
            if job.ended:
                self._finish_ended(job)
                return
            if self._settle_progress(job):
                job = self._deps.store.get_job(job.key) or job
            self._progress.queue_event(note_overrun(job, self._deps.store, self._now))
            self._check_stuck(job)
            apply_budget_action(job, self._exceeded, self._deps)

    def sweep_closed(self, job: JobRecord) -> None:
        """Check the output of a closed job; new output reopens it, and it is closed once more."""
        self._progress.count(watched=1)
        with self._progress.isolate(job.key.path):
            # The next check is scheduled first, so that a job that fails each time does not hold up others.
            self._schedule_look(job.key, self._now)
            if not (job.seen.output_directory or job.seen.output_table):
                # The lists no longer go back to it.
                job = self._fetch_state(job)
            self._finish_ended(job)
            self._schedule_look(job.key, next_look(job, self._now))

    def _schedule_look(self, key: JobKey, time: datetime | None) -> None:
        def change(record: JobRecord) -> JobRecord | None:
            again = record.closed and record.next_look != time
            return msgspec.structs.replace(record, next_look=time) if again else None

        self._deps.store.amend_job(key, change)

    def _up_to_date(self, job: JobRecord) -> JobRecord:
        """Return a job's record, fetching its state unless a list has shown it or it cannot change."""
        is_known = job.key in self._shown.jobs or job.deleted
        ended_with_directory = job.seen.terminal and job.seen.output_directory is not None
        return job if is_known or ended_with_directory else self._fetch_state(job)

    def _fetch_state(self, job: JobRecord) -> JobRecord:
        """Fetch the state of a job that no list has shown, save it, and return the record."""
        found = self._deps.upstream.get_job(job.key)
        if found is Absent.MISSING and not job.deleted:
            amended = self._deps.store.amend_job(
                job.key, lambda record: msgspec.structs.replace(record, deleted=True, deleted_at=self._now)
            )
            return amended[0] if amended else job
        # A job that may not be seen may still be there.
        seen = None if isinstance(found, Absent) else observe(found)
        return record_observations(self._deps.store, {job.key: seen}).get(job.key, job) if seen else job

    def _finish_ended(self, job: JobRecord) -> None:
        """Settle the missing output of an ended job, and close the job if no more is expected."""
        table = None if job.seen.output_directory else job.seen.output_table
        status, settled = self._settle_table(job, table) if table else self._settle_missing(job)
        current = self._deps.store.get_job(job.key) or job if settled else job
        self._progress.queue_event(note_overrun(current, self._deps.store, self._now))
        if may_close(job, status, self._now):
            closed = close(job, status, self._deps, self._now)
            if closed is not None:
                self._progress.count(closed=1)
                self._progress.queue_event(closed[1])
        elif not job.announced:
            self._progress.queue_event(announce(job, self._deps, self._now))

    def _settle_missing(self, job: JobRecord) -> tuple[OutputStatus, bool]:
        """Settle the missing objects of a job's directory; return the status, and whether any was settled."""
        status = check_output(job, self._deps, self._now)
        bucket, _ = split_uri(job.seen.output_directory or "gs://none")
        settled = [self._settle(job, bucket, live) for live in status.missing]
        return status, any(settled)

    def _settle_progress(self, job: JobRecord) -> bool:
        """Settle the output that a running job has exported so far; its final output will replace it.

        Large objects are left out: they grow, and are read from the beginning each time.
        """
        if job.seen.output_directory is None:
            return False
        bucket, _ = split_uri(job.seen.output_directory)
        settled = [
            self._settle(job, bucket, live)
            for live in list_output(job, self._deps.objects)
            if is_incremental_output(live.name) and live.size <= _MOST_PROGRESS_BYTES
        ]
        return any(settled)

    def _settle(self, job: JobRecord, bucket: str, live: ObjectInfo) -> bool:
        settled = settle_live(
            job, bucket, live, self._deps, now=self._now, deadline=self._progress.deadline()
        )
        self._progress.count(settled=settled)
        return settled

    def _settle_table(self, job: JobRecord, table: str) -> tuple[OutputStatus, bool]:
        """Settle a job's output table if it has changed; return the status, and whether it was settled."""
        tables = self._deps.tables()
        info = tables.stat(table)
        if info and self._is_of_another(job, table, info):
            return OutputStatus([]), False
        last = {output.uri: output.generation for output in self._deps.store.get_outputs(job.key)}.get(table)
        settled = False
        # A missing table is settled, too, once none is expected any more.
        if not is_settled(last, info.generation) if info else last is None and not is_watched(job, self._now):
            prices = self._deps.prices()
            job = msgspec.structs.replace(job, base_model=find_base_model(job, self._deps))
            output = read_table(job, table, tables, prices, self._now)
            written = job.seen.end_time or self._now
            settled = commit(job, output, prices, self._deps, written=written) is not None
            self._progress.count(settled=settled)
        exists = info is not None or bool(last)
        # If the job did not succeed, there is no sign that its table is complete.
        return OutputStatus([], exists, exists and job.seen.state in WITH_OUTPUT_STATES), settled

    def _is_of_another(self, job: JobRecord, table: str, info: TableInfo) -> bool:
        """Return whether a table holds another job's rows, as may be if the job did not succeed."""
        if job.seen.state in WITH_OUTPUT_STATES:
            return False
        return is_older(info, job) or is_of_another(info, job, self._deps.store.jobs_by_table(table))

    def _check_stuck(self, job: JobRecord) -> None:
        queued = job.seen.state in _QUEUED
        since = job.create_time if queued else job.seen.start_time or job.create_time
        age = self._now - since
        if age > (_QUEUED_TOO_LONG if queued else _RUNNING_TOO_LONG):
            self._progress.add_stuck(job.seen.name)
            hours = int(age.total_seconds() // 3600)
            log(
                "WARNING",
                "job stuck",
                event="job.stuck",
                **log_events.job_fields(job),
                state=job.seen.state,
                hours=hours,
            )
