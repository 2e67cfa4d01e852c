"""Format spend: results for a page of JSON, rows for a file."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import groupby
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from batch_gateway.core.answers import Money
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.spend.csv_rows import text
from batch_gateway.core.spend.entries import JOB, LABEL, Bucket, Entry, Result, getter

AMOUNT_COLUMNS = ("amount", "currency", "unpriced")
"""Columns at the end of every row."""
JOB_COLUMNS = ("create_time", "job", "display_name", "state")
"""Columns at the beginning of a job's row."""


_Group = Annotated[str | None, Meta(description="null: not grouped by, or no value.")]


class SpendAmount(msgspec.Struct, frozen=True):
    """An amount of money in OpenAI's shape."""

    value: Money
    currency: Literal["usd"] = "usd"


class SpendResult(msgspec.Struct, frozen=True, kw_only=True):
    """The spend of a group in a bucket.

    Attributes:
        unpriced: true: some usage has no price, or some rows of a job are not understood, so the amount is a
            floor.
        labels: Labels that were grouped by.
    """

    object: Literal["organization.costs.result"] = "organization.costs.result"
    amount: SpendAmount
    unpriced: bool
    model: _Group
    team: _Group
    api_key: _Group
    project: _Group
    location: _Group
    job: _Group
    labels: dict[str, str | None] | None


class SpendBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The spend of a span of time.

    Attributes:
        start_time: Unix seconds.
        end_time: Unix seconds.
        results: The largest first.
    """

    object: Literal["bucket"] = "bucket"
    start_time: int
    end_time: int
    results: list[SpendResult]


class SpendPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of spend, in the shape of OpenAI's costs API.

    Attributes:
        next_page: Pass it as ``page``.
    """

    object: Literal["page"] = "page"
    data: list[SpendBucket]
    has_more: bool
    next_page: str | None


def bucket_view(found: Bucket, fields: Sequence[str]) -> SpendBucket:
    """Return a bucket; fields that are not grouped by are null."""
    return SpendBucket(
        start_time=int(found.span.start.timestamp()),
        end_time=int(found.span.end.timestamp()),
        results=[_result_view(result, fields) for result in found.results],
    )


def _result_view(result: Result, fields: Sequence[str]) -> SpendResult:
    values = dict(zip(fields, result.group, strict=True))
    labels = {name.removeprefix(LABEL): value for name, value in values.items() if name.startswith(LABEL)}
    return SpendResult(
        amount=SpendAmount(format_nano(result.amount_nano)),
        unpriced=result.unpriced,
        model=values.get("model"),
        team=values.get("team"),
        api_key=values.get("api_key"),
        project=values.get("project"),
        location=values.get("location"),
        job=values.get(JOB),
        labels=labels or None,
    )


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
