"""Read the output of a job that writes to BigQuery, which sends no event."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import repeat

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.late_output import ended_at
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Usage
from batch_gateway.ports import TableInfo, Tables

_MANY = 1_000
"""Number of identical rows from which their usage is multiplied instead of adding up each row."""
_CLOCK_SKEW = timedelta(minutes=1)


def is_older(table: TableInfo, job: JobRecord) -> bool:
    """Return True if a table was there before a job that names it, so that its rows may be another job's.

    Vertex AI makes the table: one that a job names must not exist, or the job fails
    (BigQueryDestination.outputUri, discovery revision 20261106).
    """
    return table.created < (job.seen.create_time or job.create_time) - _CLOCK_SKEW


def is_of_another(table: TableInfo, job: JobRecord, others: Iterable[JobRecord]) -> bool:
    """Return True if another job made a table or, as long as it runs, may have made it.

    Args:
        table: The table.
        job: A job that names it and did not succeed, perhaps because another was faster.
        others: All jobs that name it.
    """
    return any(other.key != job.key and _may_have_made(table, other) for other in others)


def _may_have_made(table: TableInfo, job: JobRecord) -> bool:
    """Return True if a job ran when a table was made, and has succeeded or still runs."""
    begun = job.seen.start_time
    if begun is None or table.created < begun - _CLOCK_SKEW:
        return False
    return not job.ended or (
        job.seen.state in WITH_OUTPUT_STATES and table.created <= ended_at(job) + _CLOCK_SKEW
    )


def read_table(job: JobRecord, uri: str, tables: Tables, prices: PriceTable, now: datetime) -> Output:
    """Read a job's output table.

    Args:
        job: A job that has ended.
        uri: ``bq://project.dataset.table``.
        tables: BigQuery.
        prices: The price table in force.
        now: The current time.

    Returns:
        The output with its rows' usage. A missing table is recorded as permanently unreadable if the job
        wrote one; a job that failed before it wrote anything has none.

    Raises:
        TablesUnavailableError: BigQuery gave no answer.
        ObjectChangedError: The table changed while it was read.
    """
    table = tables.stat(uri)
    if table is None:
        completion = job.seen.completion
        wrote = job.seen.state in WITH_OUTPUT_STATES or (completion is not None and completion.successful > 0)
        return Output(uri, 0, 0, Usage(), now, unreadable="the table does not exist" if wrote else None)
    lines = tables.usage_lines(table, carried_before=job.carried_before)
    usage = _sum_usage(lines, prices, job.priced_model, job.carried_before)
    return Output(uri, table.generation, table.size, usage, now)


def _sum_usage(
    lines: Iterator[tuple[bytes, int]], prices: PriceTable, model: str, carried_before: datetime
) -> Usage:
    tally = Tally(prices, model, carried_before)
    multiplied = Usage()
    for line, count in lines:
        if count < _MANY:
            tally.add_lines(repeat(line, count))
        else:
            single = Tally(prices, model, carried_before)
            single.add(line)
            multiplied += _multiply(single.usage, count)
    return tally.usage + multiplied


def _multiply(usage: Usage, count: int) -> Usage:
    """Return a usage multiplied by a count."""
    total = Usage()
    while count:
        if count % 2:
            total += usage
        usage += usage
        count //= 2
    return total
