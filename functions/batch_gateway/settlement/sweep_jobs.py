"""Looks at one job: settles what is missing of it, and closes it if no more is expected."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

import msgspec

from batch_gateway import log_events
from batch_gateway.core.accounting.budgets import owners_of
from batch_gateway.core.jobs.output_names import is_incremental_output, split_uri
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobKey, JobRecord, observe
from batch_gateway.core.jobs.watch import is_watched, next_look
from batch_gateway.ports import ObjectInfo
from batch_gateway.settlement.bigquery_output import read_table
from batch_gateway.settlement.closing import Look, announce, close, look_at, may_close
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.enforcement import act_on, note_overrun
from batch_gateway.settlement.outputs import commit, settle_live
from batch_gateway.settlement.sweep_places import Shown
from batch_gateway.settlement.sweep_progress import Progress
from batch_gateway.tracking import note

_QUEUED_TOO_LONG = timedelta(hours=72)
_RUNNING_TOO_LONG = timedelta(hours=24)
"""Vertex AI ends jobs after these times ("Batch inference" of Google's documentation)."""
_QUEUED = frozenset({"JOB_STATE_QUEUED", "JOB_STATE_PENDING"})
_MOST_PROGRESS_BYTES = 64 * 1024 * 1024
_NOT_FOUND = 404


class JobLooks:
    """Looks at jobs, several at once."""

    def __init__(
        self, shown: Shown, over: AbstractSet[str], deps: SettlementDeps, progress: Progress, now: datetime
    ) -> None:
        self._shown = shown
        self._over = over
        self._deps = deps
        self._progress = progress
        self._now = now

    def as_listed(self, job: JobRecord) -> JobRecord:
        """Return a job's record as the lists have left it."""
        return self._shown.fresh.get(job.key, job)

    def needs_calls(self, job: JobRecord) -> bool:
        """Tell whether a look at a job takes more than its record."""
        is_seen = job.key in self._shown.jobs
        is_plain = not (job.ended or job.overran or self._over & set(owners_of(job.key_id, job.team)))
        return not (is_seen and is_plain and job.seen.output_directory is None)

    def look(self, job: JobRecord) -> None:
        """Look at a job that is not closed."""
        self._progress.count(jobs=1)
        with self._progress.going_on(job.key.path):
            job = self._fresh(job)
            if job.ended:
                self._finish_ended(job)
                return
            if self._settle_progress(job):
                job = self._deps.store.get_job(job.key) or job
            self._progress.say(note_overrun(job, self._deps.store, self._now))
            self._check_stuck(job)
            act_on(job, self._over, self._deps)

    def watch(self, job: JobRecord) -> None:
        """Look at the output of a closed job; what came opens it again, and it is closed once more."""
        self._progress.count(watched=1)
        with self._progress.going_on(job.key.path):
            # Its turn is over before it is looked at: a job that nobody gets through with holds up no more.
            self._look_again(job.key, self._now)
            if not (job.seen.output_directory or job.seen.output_table):
                # The lists do not go back to it any more.
                job = self._refreshed(job)
            self._finish_ended(job)
            self._look_again(job.key, next_look(job, self._now))

    def _look_again(self, key: JobKey, time: datetime | None) -> None:
        def change(record: JobRecord) -> JobRecord | None:
            again = record.closed and record.next_look != time
            return msgspec.structs.replace(record, next_look=time) if again else None

        self._deps.store.amend_job(key, change)

    def _fresh(self, job: JobRecord) -> JobRecord:
        """Return a job's record as up to date as can be."""
        is_known = job.key in self._shown.jobs or job.deleted
        ended_with_directory = job.seen.terminal and job.seen.output_directory is not None
        return job if is_known or ended_with_directory else self._refreshed(job)

    def _refreshed(self, job: JobRecord) -> JobRecord:
        """Return a job's record after Vertex AI was asked for the job, which no list has shown."""
        found = self._deps.upstream.get_job(job.key)
        seen = observe(found) if found else None
        if seen is not None:
            return note(self._deps.store, {job.key: seen}).get(job.key, job)
        if job.deleted or not self._is_deleted(job.key):
            return job
        amended = self._deps.store.amend_job(
            job.key, lambda record: msgspec.structs.replace(record, deleted=True, deleted_at=self._now)
        )
        return amended[0] if amended else job

    def _is_deleted(self, key: JobKey) -> bool:
        """Tell whether Vertex AI does not have a job; if we may not see it (403), that says nothing."""
        answer = self._deps.upstream.send(
            "GET", f"/v1/{key.path}", project=key.project, location=key.location
        )
        return answer.status == _NOT_FOUND

    def _finish_ended(self, job: JobRecord) -> None:
        """Settle what is missing of a job that has ended, and close it if no more is expected."""
        table = None if job.seen.output_directory else job.seen.output_table
        look, settled = self._settle_table(job, table) if table else self._settle_missing(job)
        now_is = self._deps.store.get_job(job.key) or job if settled else job
        self._progress.say(note_overrun(now_is, self._deps.store, self._now))
        if may_close(job, look, self._now):
            closed = close(job, look, self._deps, self._now)
            if closed is not None:
                self._progress.count(closed=1)
                self._progress.say(closed[1])
        elif not job.announced:
            self._progress.say(announce(job, self._deps, self._now))

    def _settle_missing(self, job: JobRecord) -> tuple[Look, bool]:
        """Settle what is missing of a job's directory; whether there was anything."""
        look = look_at(job, self._deps, self._now)
        bucket, _ = split_uri(job.seen.output_directory or "gs://none")
        settled = [self._settle(job, bucket, live) for live in look.missing]
        return look, any(settled)

    def _settle_progress(self, job: JobRecord) -> bool:
        """Settle what a running job has exported so far, until its final output takes the place of that.

        Only what is quickly read: the file grows, and is read anew each time.
        """
        if job.seen.output_directory is None:
            return False
        bucket, prefix = split_uri(job.seen.output_directory)
        settled = [
            self._settle(job, bucket, live)
            for live in self._deps.objects.list(bucket, f"{prefix}/")
            if is_incremental_output(live.name) and live.size <= _MOST_PROGRESS_BYTES
        ]
        return any(settled)

    def _settle(self, job: JobRecord, bucket: str, live: ObjectInfo) -> bool:
        settled = settle_live(
            job, bucket, live, self._deps, now=self._now, deadline=self._progress.deadline()
        )
        self._progress.count(settled=settled)
        return settled

    def _settle_table(self, job: JobRecord, table: str) -> tuple[Look, bool]:
        """Settle a job's output table if it is not in the books as it is now; whether it was not."""
        tables = self._deps.tables()
        info = tables.stat(table)
        last = {output.uri: output.generation for output in self._deps.store.get_outputs(job.key)}.get(table)
        settled = False
        # That there is none is settled, too, once none is expected any more.
        if (last or 0) < info.generation if info else last is None and not is_watched(job, self._now):
            output = read_table(job, table, tables, self._deps.prices, self._now)
            written = job.seen.end_time or self._now
            settled = commit(job, output, self._deps, written=written) is not None
            self._progress.count(settled=settled)
        is_there = info is not None or bool(last)
        # Nothing tells when the table of a job that did not succeed is whole.
        return Look([], is_there, is_there and job.seen.state in WITH_OUTPUT_STATES), settled

    def _check_stuck(self, job: JobRecord) -> None:
        queued = job.seen.state in _QUEUED
        since = job.create_time if queued else job.seen.start_time or job.create_time
        age = self._now - since
        if age > (_QUEUED_TOO_LONG if queued else _RUNNING_TOO_LONG):
            self._progress.name_stuck(job.seen.name)
            hours = int(age.total_seconds() // 3600)
            log_events.problem(
                "WARNING",
                "job.stuck",
                "job stuck",
                **log_events.of_job(job),
                state=job.seen.state,
                hours=hours,
            )
