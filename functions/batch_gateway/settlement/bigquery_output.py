"""Reads the output of a job that writes to BigQuery: there is no object, and no event of one."""

from collections.abc import Iterator
from datetime import datetime
from itertools import repeat

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Usage
from batch_gateway.ports import Tables

_MANY = 1_000
"""Rows alike from which on their usage is multiplied rather than each row added."""


def read_table(job: JobRecord, uri: str, tables: Tables, prices: PriceTable, now: datetime) -> Output:
    """The output table of a job, as the books want it.

    Args:
        job: It has ended.
        uri: ``bq://project.dataset.table``.
        tables: Where it is.
        prices: The table in force.
        now: The time.

    Returns:
        What its rows used. A table that is not there is unreadable for good if the job wrote one; a
        job that failed before it could has none.

    Raises:
        TablesUnavailableError: BigQuery does not answer.
        ObjectChangedError: The table changed while it was read.
    """
    table = tables.stat(uri)
    if table is None:
        completion = job.seen.completion
        wrote = job.seen.state in WITH_OUTPUT_STATES or (completion is not None and completion.successful > 0)
        return Output(uri, 0, 0, Usage(), now, unreadable="there is no such table" if wrote else None)
    lines = tables.usage_lines(table, carried_before=job.carried_before)
    usage = _usage(lines, prices, job.priced_model, job.carried_before)
    return Output(uri, table.generation, table.size, usage, now)


def _usage(
    lines: Iterator[tuple[bytes, int]], prices: PriceTable, model: str, carried_before: datetime
) -> Usage:
    tally = Tally(prices, model, carried_before)
    many = Usage()
    for line, count in lines:
        if count < _MANY:
            tally.add_lines(repeat(line, count))
        else:
            alike = Tally(prices, model, carried_before)
            alike.add(line)
            many += _times(alike.usage, count)
    return tally.usage + many


def _times(usage: Usage, count: int) -> Usage:
    """The usage of as many rows as have this one."""
    total = Usage()
    while count:
        if count % 2:
            total += usage
        usage += usage
        count //= 2
    return total
