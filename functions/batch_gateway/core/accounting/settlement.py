"""The books: what one settled output changes in its job and in the totals.

An output owns its usage. A job's usage is the sum over its outputs, its cost the price of that sum
(so it is rounded once), and totals move by the difference between a job's new and old cost. All of
it is computed here; a store has only to write the result in one transaction.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from batch_gateway.core.access.callers import MARKER_LABEL
from batch_gateway.core.accounting.budgets import left_reserved
from batch_gateway.core.jobs.output_names import OutputKind, kind_of
from batch_gateway.core.jobs.record import JobRecord, Repricing
from batch_gateway.core.pricing.cost import cost_of, rows_without_price
from batch_gateway.core.pricing.models import short_name
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.usage import Usage


class Output(msgspec.Struct, frozen=True, rename="camel"):
    """One output object as it was settled.

    Attributes:
        uri: ``gs://bucket/name``, or ``bq://project.dataset.table``.
        generation: Of the object that was read; a higher one replaces it.
        bytes: Size of the object.
        usage: Of its rows.
        settled_at: When.
        unreadable: Why it could not be read, for good; None if it was.
        superseded: Its rows no longer count, because a final output holds them too.
    """

    uri: str
    generation: int
    bytes: int
    usage: Usage
    settled_at: datetime
    unreadable: str | None = None
    superseded: bool = False

    @property
    def id(self) -> str:
        """A name for the document that holds it: one for each object, whatever its generation."""
        return output_id(self.uri)

    @property
    def has_results(self) -> bool:
        """Whether it holds final results; one without a generation was deleted before it could be read."""
        return kind_of(self.uri) is OutputKind.RESULTS and self.generation > 0

    @property
    def is_counted_increment(self) -> bool:
        """Whether it holds rows that a final output will repeat, and that count until then."""
        return kind_of(self.uri) is OutputKind.INCREMENTAL and not self.superseded


def output_id(uri: str) -> str:
    """A document's name for an output."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


class Checkpoint(msgspec.Struct, frozen=True, rename="camel"):
    """How far an output was read that is too large for one go.

    Attributes:
        uri: Of the object.
        generation: Of the object; a checkpoint of another generation is worth nothing.
        offset: Bytes of whole lines that were read.
        usage: Of those lines.
        expires: When nobody will go on from here any more.
    """

    uri: str
    generation: int
    offset: int
    usage: Usage
    expires: datetime


class Total(msgspec.Struct, frozen=True, rename="camel"):
    """One cell of the totals: a day, and everything that spend is grouped by.

    Attributes:
        day: UTC day of the job's createTime, ``2026-11-22``.
        model: Key in the price table, or the name as reported.
        api_key: Alias of the key; empty for a job made outside the gateway.
        team: Empty if none.
        project: Id.
        location: As in the job's name.
        labels: The job's labels, without the one that tells submissions apart.
    """

    day: str
    model: str
    api_key: str
    team: str
    project: str
    location: str
    labels: dict[str, str]

    @property
    def id(self) -> str:
        """A name for the document that holds it."""
        return (
            f"{self.day}:{hashlib.sha256(msgspec.json.encode(self, order='deterministic')).hexdigest()[:32]}"
        )


class ItemTotal(msgspec.Struct, frozen=True, rename="camel"):
    """Units of an item and what they cost in nano-USD (0 where nothing of it has a price)."""

    quantity: int = 0
    amount_nano: int = 0


class Cell(Total, frozen=True, rename="camel"):
    """A cell with what has moved into it.

    Attributes:
        quarters: nano-USD by UTC quarter of an hour of the day (``"52"`` from 13:00 on), so that a day can
            be cut at the offset of any time zone.
        items: By item; their amounts add up to those of the quarters. Empty in a roll-up.
        unpriced_rows: Rows whose cost is not, or not wholly, in the amounts.
    """

    quarters: dict[str, int] = {}
    items: dict[str, ItemTotal] = {}
    unpriced_rows: int = 0


class Movement(msgspec.Struct, frozen=True, rename="camel"):
    """What is added to a cell of the totals; negative where an overwritten output shrank.

    Attributes:
        quarter: UTC quarter of an hour of the day that the amount belongs to, from 0 to 95.
        amount_nano: nano-USD.
        quantities: Units by item.
        amounts_nano: nano-USD by item, priced items only; their sum is ``amount_nano``.
        unpriced_rows: Rows whose cost is not, or not wholly, in the amount.
    """

    quarter: int
    amount_nano: int
    quantities: dict[str, int]
    amounts_nano: dict[str, int]
    unpriced_rows: int = 0


def supersedes(job: JobRecord, output: Output) -> bool:
    """Tell whether an output takes the place of incremental ones that are in the books."""
    return output.has_results and job.incremental_outputs > 0


def superseded(output: Output, now: datetime) -> Output:
    """Return an incremental output as it stands once a final one is in the books: it counts no more."""
    return msgspec.structs.replace(output, usage=Usage(), unreadable=None, superseded=True, settled_at=now)


def settle_output(
    job: JobRecord, old: Output | None, increments: Sequence[Output], new: Output, prices: PriceTable
) -> tuple[JobRecord, list[tuple[Total, Movement]]] | None:
    """Put an output into the books.

    Args:
        job: As it stands.
        old: The same object as settled before, if it was.
        increments: The incremental outputs whose place it takes (`supersedes`).
        new: The object as just read.
        prices: The table in force.

    Returns:
        The job as it then stands and what to add to which totals; None if there is nothing to do: this
        generation or a later one is in the books already, or final results are that repeat its rows. A
        closed job is opened again if that changes what it used.
    """
    if old is not None and old.generation >= new.generation:
        return None
    if new.is_counted_increment and job.result_outputs:
        return None
    usage = job.usage - (old.usage if old else Usage()) + new.usage
    for increment in increments:
        usage -= increment.usage
    cost = cost_of(usage, prices, location=job.key.location, at=job.priced_at)
    unreadable = (
        job.unreadable_outputs
        + (new.unreadable is not None)
        - (old is not None and old.unreadable is not None)
        - sum(increment.unreadable is not None for increment in increments)
    )
    news = usage != job.usage or unreadable != job.unreadable_outputs or job.output_missing
    settled = msgspec.structs.replace(
        job,
        usage=usage,
        cost=cost,
        reserved_nano=left_reserved(job, cost.amount_nano),
        settled_outputs=job.settled_outputs + (old is None),
        result_outputs=job.result_outputs + new.has_results - (old is not None and old.has_results),
        incremental_outputs=job.incremental_outputs
        + new.is_counted_increment
        - (old is not None and old.is_counted_increment)
        - len(increments),
        unreadable_outputs=unreadable,
        # What was final is not any more, until the job is closed again.
        closed=job.closed and not news,
        next_look=None if news else job.next_look,
        reopened=job.reopened + (job.closed and news),
        repricings=_repricings(job, "", new.settled_at) if _priced_otherwise(job, prices) else job.repricings,
    )
    return settled, movements(job, settled)


def reprice(
    job: JobRecord, prices: PriceTable, *, by: str, now: datetime
) -> tuple[JobRecord, list[tuple[Total, Movement]]] | None:
    """Prices a job's usage with the present table, and keeps on record what it cost before.

    Returns:
        As settle_output; None if the job costs the same, by the same table.
    """
    cost = cost_of(job.usage, prices, location=job.key.location, at=job.priced_at)
    if cost == job.cost or not job.cost.price_table:
        return None
    repriced = msgspec.structs.replace(job, cost=cost, repricings=_repricings(job, by, now))
    return repriced, movements(job, repriced)


def _priced_otherwise(job: JobRecord, prices: PriceTable) -> bool:
    """Whether a job's earlier outputs, priced with an older table, now cost something else."""
    if job.cost.price_table in {"", prices.version}:
        return False
    cost = cost_of(job.usage, prices, location=job.key.location, at=job.priced_at)
    return cost.line_items != job.cost.line_items


def _repricings(job: JobRecord, by: str, now: datetime) -> tuple[Repricing, ...]:
    return (*job.repricings, Repricing(now, by, job.cost.amount_nano, job.cost.price_table))


def movements(before: JobRecord, after: JobRecord) -> list[tuple[Total, Movement]]:
    """What the totals have to move by when a job's cost changes: a cell for each model in it."""
    created = after.create_time.astimezone(UTC)
    moved = []
    unpriced = _unpriced_rows(after)
    unpriced.subtract(_unpriced_rows(before))
    models = {item.model for cost in (before.cost, after.cost) for item in cost.line_items}
    for model in sorted(models | unpriced.keys()):
        quantities: Counter[str] = Counter()
        amounts: Counter[str] = Counter()
        for sign, cost in ((-1, before.cost), (1, after.cost)):
            for item in cost.line_items:
                if item.model == model:
                    quantities[item.item] += sign * item.quantity
                    if item.amount_nano is not None:
                        amounts[item.item] += sign * item.amount_nano
        movement = Movement(
            _quarter(created), amounts.total(), _moved(quantities), _moved(amounts), unpriced[model]
        )
        if movement.quantities or movement.amounts_nano or movement.unpriced_rows:
            moved.append((_cell(after, created, model), movement))
    return moved


def _unpriced_rows(job: JobRecord) -> Counter[str]:
    """Count the rows whose cost is not, or not wholly, in a job's amount, by the model that they count for.

    Rows with an item that has no price count for that item's model, all others for the job's. An output that
    could not be read counts as a row.
    """
    rows = rows_without_price(job.cost.line_items)
    of_job = job.cost.unpriced_rows - rows.total() + job.usage.rows.unread + job.unreadable_outputs
    rows[short_name(job.seen.model)] += max(0, of_job)
    return +rows


def _quarter(time: datetime) -> int:
    return time.hour * 4 + time.minute // 15


def _moved(sums: Counter[str]) -> dict[str, int]:
    return {item: change for item, change in sums.items() if change}


def _cell(job: JobRecord, created: datetime, model: str) -> Total:
    return Total(
        day=created.date().isoformat(),
        model=model,
        api_key=job.api_key or "",
        team=job.team or "",
        project=job.key.project,
        location=job.key.location,
        labels={name: value for name, value in job.seen.labels.items() if name != MARKER_LABEL},
    )
