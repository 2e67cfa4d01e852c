"""Format spend: results for a page of JSON, rows for a file."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import groupby
from typing import Any

from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.spend.csv_rows import text
from batch_gateway.core.spend.entries import GROUP_FIELDS, JOB, LABEL, Bucket, Entry, Result, getter

AMOUNT_COLUMNS = ("amount", "currency", "unpriced")
"""Columns at the end of every row."""
JOB_COLUMNS = ("create_time", "job", "display_name", "state")
"""Columns at the beginning of a job's row."""


def bucket_view(found: Bucket, fields: Sequence[str]) -> dict[str, Any]:
    """Return a bucket in OpenAI's shape; fields that are not grouped by are null."""
    return {
        "object": "bucket",
        "start_time": int(found.span.start.timestamp()),
        "end_time": int(found.span.end.timestamp()),
        "results": [_result_view(result, fields) for result in found.results],
    }


def _result_view(result: Result, fields: Sequence[str]) -> dict[str, Any]:
    values = dict(zip(fields, result.group, strict=True))
    labels = {name.removeprefix(LABEL): value for name, value in values.items() if name.startswith(LABEL)}
    return {
        "object": "organization.costs.result",
        "amount": {"value": format_nano(result.amount_nano), "currency": "usd"},
        "unpriced": result.unpriced,
        **{name: values.get(name) for name in (*GROUP_FIELDS, JOB)},
        "labels": labels or None,
    }


def day_rows(found: Iterable[Bucket]) -> Iterator[list[str]]:
    """Yield a row for each day and group."""
    for bucket in found:
        start, end = bucket.span.start.isoformat(), bucket.span.end.isoformat()
        for result in bucket.results:
            yield [
                start,
                end,
                *map(text, result.group),
                *_amount(result.amount_nano, unpriced=result.unpriced),
            ]


def job_rows(entries: Iterable[Entry], fields: Sequence[str]) -> Iterator[list[str]]:
    """Yield a row for each job, or one for each of its models if they are grouped by."""
    getters = [getter(field) for field in fields]
    apart = groupby(entries, lambda entry: (entry.job, [get(entry) for get in getters]))
    for (job, group), same in apart:
        if job:
            parts = list(same)
            amount = sum(sum(part.total.quarters.values()) for part in parts)
            unpriced = any(part.total.unpriced_rows > 0 for part in parts)
            yield [*_job_cells(job), *map(text, group), *_amount(amount, unpriced=unpriced)]


def _job_cells(job: JobRecord) -> list[str]:
    created = job.create_time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [created, text(job.seen.name), text(job.seen.display_name), text(job.seen.state)]


def _amount(amount_nano: int, *, unpriced: bool) -> list[str]:
    return [format_nano(amount_nano), "USD", "true" if unpriced else "false"]
