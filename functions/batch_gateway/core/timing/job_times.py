"""Sum up how long jobs waited and ran, and how they ended, by model, location and UTC day.

Times are Vertex AI's own: createTime, startTime (when the job entered JOB_STATE_RUNNING) and endTime
(BatchPredictionJob, discovery revision 20261106). A job counts once, when it is closed, on the day it ended.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec
from msgspec import Meta

from batch_gateway.core import excerpts
from batch_gateway.core.answers import Count
from batch_gateway.core.jobs.late_output import ended_at
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.timing.histogram import Counts, bucket_of, quantile

WINDOWS = (7, 30)
"""Days that statistics cover."""
ENOUGH_JOBS = 10
"""Number of jobs from which the shortest window is used to predict."""
_OUTCOMES = {
    **dict.fromkeys(WITH_OUTPUT_STATES, "succeeded"),
    "JOB_STATE_FAILED": "failed",
    "JOB_STATE_CANCELLED": "cancelled",
    "JOB_STATE_EXPIRED": "expired",
}
Outcome = Literal["succeeded", "failed", "cancelled", "expired"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
_LONGEST_MODEL = 128
_HOUR = 3600
_MINUTES = 60

Owner = tuple[str, str]
"""Owner of jobs: ``("team", id)``, or ``("key_id", id)`` for a key without a team."""


class JobTime(NamedTuple):
    """The times of a job that has ended.

    Attributes:
        owner: Its owner; None if it has none.
        day: UTC day of its end, ``2026-11-22``.
        model: Short name of its model, or of the base of a tuned one, without a version.
        location: Its location.
        outcome: One of OUTCOMES.
        queue: Seconds from its creation to its start; None if it never started.
        run: Seconds from its start to its end; None if it did not succeed.
        rate: Rows that it ran in an hour; None if that is not known.
    """

    owner: Owner | None
    day: str
    model: str
    location: str
    outcome: str
    queue: int | None
    run: int | None
    rate: int | None


class TimeCounts(NamedTuple):
    """Numbers of jobs.

    Attributes:
        outcomes: By outcome.
        queue: By bucket of their seconds in the queue.
        run: By bucket of the seconds that they ran.
        rate: By bucket of their rows an hour.
    """

    outcomes: Counter[str]
    queue: Counter[int]
    run: Counter[int]
    rate: Counter[int]

    @classmethod
    def empty(cls) -> "TimeCounts":
        """Return counts of no jobs."""
        return cls(Counter(), Counter(), Counter(), Counter())

    def add(self, other: "TimeCounts") -> None:
        """Add the jobs of another."""
        self.outcomes.update(other.outcomes)
        self.queue.update(other.queue)
        self.run.update(other.run)
        self.rate.update(other.rate)


class DailyTimes(NamedTuple):
    """The times of the jobs of one model and location that ended on one day."""

    day: str
    model: str
    location: str
    counts: TimeCounts


_Figure = Annotated[float, Meta(ge=0)]
_Days = Annotated[int, Meta(extra_json_schema={"enum": WINDOWS})]


class Quantiles(msgspec.Struct, frozen=True):
    """The median and the ninetieth percentile. null: there were no jobs."""

    p50: _Figure | None = None
    p90: _Figure | None = None


class TimeStats(msgspec.Struct, frozen=True, rename="camel"):
    """The times of the jobs of one model and location that ended within some days.

    Attributes:
        model: Short name; of the base of a tuned model.
        days: Number of UTC days, today included.
        jobs: Number of jobs by outcome.
        queue_seconds: From creation to start, of jobs that started.
        run_seconds: From start to end, of jobs that succeeded.
        rows_per_minute: Rows that a job ran, by its time from start to end, of jobs that succeeded.
    """

    model: str
    location: str
    days: _Days
    jobs: Annotated[dict[Outcome, Count], Meta(extra_json_schema={"required": OUTCOMES})]
    queue_seconds: Quantiles
    run_seconds: Quantiles
    rows_per_minute: Quantiles


class Expectation(msgspec.Struct, frozen=True, rename="camel"):
    """The times that a job is expected to take, from earlier jobs with its model and location.

    Attributes:
        queue_seconds: From creation to start.
        run_seconds: From start to end, if it succeeds.
        jobs: Number of those jobs.
        days: Number of UTC days on which they ended.
    """

    queue_seconds: Quantiles
    run_seconds: Quantiles
    jobs: Count
    days: _Days


def owner_of(job: JobRecord) -> Owner | None:
    """Return the owner whose callers see a job's times; None if only the administrator does."""
    return ("team", job.team) if job.team else ("key_id", job.key_id) if job.key_id else None


def time_added(before: JobRecord, after: JobRecord) -> JobTime | None:
    """Return what a change of a job's record adds to the times; None if it adds nothing.

    A job that was opened again and is closed once more was counted before.
    """
    is_first = after.closed and not before.closed and not after.reopened
    return time_of(after) if is_first else None


def time_of(job: JobRecord) -> JobTime | None:
    """Return the times of a job that has ended; None if it was deleted before it was seen to end."""
    seen = job.seen
    outcome = _OUTCOMES.get(seen.state)
    if outcome is None:
        return None
    run = _seconds(seen.start_time, seen.end_time) if outcome == "succeeded" else None
    rows = job.usage.rows.total - job.usage.rows.carried_over
    return JobTime(
        owner_of(job),
        ended_at(job).astimezone(UTC).date().isoformat(),
        excerpts.text(model_name(job.priced_model), _LONGEST_MODEL),
        job.key.location,
        outcome,
        _seconds(seen.create_time or job.create_time, seen.start_time),
        run,
        rows * _HOUR // run if run and rows and not job.output_missing else None,
    )


def model_name(model: str) -> str:
    """Return the name of a model under which times are kept."""
    return short_name(model).partition("@")[0]


def _seconds(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None or end < start:
        return None
    return round((end - start).total_seconds())


def counts_of(job: JobTime) -> TimeCounts:
    """Return the counts of one job."""
    queue, run, rate = (
        Counter([] if value is None else [bucket_of(value)]) for value in (job.queue, job.run, job.rate)
    )
    return TimeCounts(Counter([job.outcome]), queue, run, rate)


def first_day(today: date, days: int) -> str:
    """Return the first of some UTC days, the last of which is today."""
    return (today - timedelta(days=days - 1)).isoformat()


def summarize(daily: Iterable[DailyTimes], today: date) -> list[TimeStats]:
    """Return statistics by model, location and window, in this order; without those that have no job.

    Args:
        daily: Times of the days of the longest window.
        today: The current UTC day.
    """
    sums: defaultdict[tuple[str, str, int], TimeCounts] = defaultdict(TimeCounts.empty)
    for each in daily:
        for days in WINDOWS:
            if each.day >= first_day(today, days):
                sums[each.model, each.location, days].add(each.counts)
    return [
        TimeStats(
            model,
            location,
            days,
            {outcome: counts.outcomes[outcome] for outcome in OUTCOMES},
            _quantiles(counts.queue),
            _quantiles(counts.run),
            _per_minute(_quantiles(counts.rate)),
        )
        for (model, location, days), counts in sorted(sums.items())
    ]


def expect(daily: Sequence[DailyTimes], today: date) -> Expectation:
    """Predict how long a job takes: from the shortest window if it has enough jobs, else from the longest.

    Args:
        daily: Times of the earlier jobs that are like it, of the days of the longest window.
        today: The current UTC day.
    """
    for days in WINDOWS:
        counts = TimeCounts.empty()
        for each in daily:
            if each.day >= first_day(today, days):
                counts.add(each.counts)
        if counts.outcomes.total() >= ENOUGH_JOBS:
            break
    return Expectation(_quantiles(counts.queue), _quantiles(counts.run), counts.outcomes.total(), days)


def _quantiles(counts: Counts) -> Quantiles:
    return Quantiles(quantile(counts, 50), quantile(counts, 90))


def _per_minute(hourly: Quantiles) -> Quantiles:
    """Return rows a minute, with as many digits as they are good for."""
    return Quantiles(
        *(each if each is None else float(f"{each / _MINUTES:.3g}") for each in (hourly.p50, hourly.p90))
    )
