"""Compute what one settled output changes in its job record and in the totals.

An output owns its usage. A job's usage is the sum over its outputs, its cost is the price of that sum (so it
is rounded once), and totals change by the difference between a job's new and old cost. All of it is computed
here; a store only has to write the result in one transaction.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from batch_gateway.core.accounting.budgets import remaining_reservation
from batch_gateway.core.jobs.labels import MARKER_LABEL
from batch_gateway.core.jobs.output_names import OutputKind, kind_of
from batch_gateway.core.jobs.record import JobRecord, Repricing
from batch_gateway.core.pricing.cost import cost_of, rows_without_price
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.spend.time_buckets import quarter_of
from batch_gateway.core.usage import Usage


class Output(msgspec.Struct, frozen=True, rename="camel"):
    """One output object as it was settled.

    Attributes:
        uri: ``gs://bucket/name``, or ``bq://project.dataset.table``.
        generation: Generation of the object that was read; a higher one replaces it.
        bytes: Size of the object.
        usage: Usage of its rows.
        settled_at: When it was settled.
        unreadable: Why it can never be read; None if it was read.
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
        """The name of its document: one for each object, whatever its generation."""
        return output_id(self.uri)

    @property
    def has_results(self) -> bool:
        """True if it holds final results; one without a generation was deleted before it could be read."""
        return kind_of(self.uri) is OutputKind.RESULTS and self.generation > 0

    @property
    def is_counted_increment(self) -> bool:
        """True if it holds rows that count until a final output repeats them."""
        return kind_of(self.uri) is OutputKind.INCREMENTAL and not self.superseded


def output_id(uri: str) -> str:
    """Return the name of an output's document."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


class Checkpoint(msgspec.Struct, frozen=True, rename="camel"):
    """The progress of reading an output that is too large to be read at once.

    Attributes:
        uri: URI of the object.
        generation: Generation of the object; a checkpoint of another generation is useless.
        offset: Bytes of whole lines that were read.
        usage: Usage of those lines.
        expires: When the checkpoint can be deleted, since nobody will resume from it.
    """

    uri: str
    generation: int
    offset: int
    usage: Usage
    expires: datetime


class TotalKey(msgspec.Struct, frozen=True, rename="camel"):
    """The key of a total: a day, and everything that spend is grouped by.

    Attributes:
        day: UTC day of the job's createTime, ``2026-11-22``.
        model: Key in the price table, or the name as reported.
        api_key: Alias of the key; empty for a job made outside the gateway.
        team: Id of the team; empty if there is none.
        project: Id of the project.
        location: As in the job's name.
        labels: The job's labels, without the one that marks its submission.
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
        """The name of the total's document."""
        return (
            f"{self.day}:{hashlib.sha256(msgspec.json.encode(self, order='deterministic')).hexdigest()[:32]}"
        )


class ItemTotal(msgspec.Struct, frozen=True, rename="camel"):
    """Units of an item and their cost.

    Attributes:
        quantity: Number of units.
        amount_nano: nano-USD; 0 if none of them has a price.
        discount_nano: nano-USD that the operator's prices saved against the table's.
    """

    quantity: int = 0
    amount_nano: int = 0
    discount_nano: int = 0

    def __add__(self, other: "ItemTotal") -> "ItemTotal":
        return ItemTotal(
            self.quantity + other.quantity,
            self.amount_nano + other.amount_nano,
            self.discount_nano + other.discount_nano,
        )


class DailyTotal(TotalKey, frozen=True, rename="camel"):
    """The spend of one day under one key.

    Attributes:
        quarters: nano-USD by UTC quarter of an hour of the day (``"52"`` from 13:00 on), so that a day can
            be cut at the offset of any time zone.
        items: Units and amounts by item; the amounts add up to those of the quarters. Empty in a roll-up.
        unpriced_rows: Rows whose cost is not, or not wholly, in the amounts.
    """

    quarters: dict[str, int] = {}
    items: dict[str, ItemTotal] = {}
    unpriced_rows: int = 0


class TotalDelta(msgspec.Struct, frozen=True, rename="camel"):
    """An addition to a total; negative where an overwritten output shrank.

    Attributes:
        quarter: UTC quarter of an hour of the day that the amount belongs to, from 0 to 95.
        amount_nano: nano-USD.
        quantities: Units by item.
        amounts_nano: nano-USD by item, priced items only; their sum is ``amount_nano``.
        unpriced_rows: Rows whose cost is not, or not wholly, in the amount.
        discounts_nano: nano-USD saved against the table's prices by item.
    """

    quarter: int
    amount_nano: int
    quantities: dict[str, int]
    amounts_nano: dict[str, int]
    unpriced_rows: int = 0
    discounts_nano: dict[str, int] = {}


class Change(NamedTuple):
    """A change of a job record, with what it adds to totals.

    Attributes:
        job: The record as it is to be written.
        deltas: What to add to which totals.
    """

    job: JobRecord
    deltas: list[tuple[TotalKey, TotalDelta]]


def supersedes(job: JobRecord, output: Output) -> bool:
    """Return True if an output replaces incremental ones that are on record."""
    return output.has_results and job.incremental_outputs > 0


def supersede(output: Output, now: datetime) -> Output:
    """Return an incremental output as it is once a final one is on record: it no longer counts."""
    return msgspec.structs.replace(output, usage=Usage(), unreadable=None, superseded=True, settled_at=now)


def is_settled(on_record: int | None, generation: int) -> bool:
    """Return True if an output need not be read: this generation of it, or a later one, is on record.

    Args:
        on_record: The generation that was settled; None if none was, 0 if it was deleted before it was read.
        generation: The one that is there now.
    """
    return on_record is not None and on_record >= generation


def settle_output(
    job: JobRecord, old: Output | None, increments: Sequence[Output], new: Output, prices: PriceTable
) -> Change | None:
    """Settle an output.

    Args:
        job: The record before.
        old: The same object as settled before; None if it was not.
        increments: The incremental outputs that it replaces (`supersedes`).
        new: The object as just read.
        prices: The price table in force.

    Returns:
        The change to write; None if there is nothing to do, because this generation or a later one is on
        record, or final results that repeat its rows are. A closed job is opened again if its usage changes.
    """
    if is_settled(old.generation if old else None, new.generation):
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
    is_news = usage != job.usage or unreadable != job.unreadable_outputs or job.output_missing
    settled = msgspec.structs.replace(
        job,
        usage=usage,
        cost=cost,
        reserved_nano=remaining_reservation(job, cost.amount_nano, is_replaced=bool(increments)),
        settled_outputs=job.settled_outputs + (old is None),
        result_outputs=job.result_outputs + new.has_results - (old is not None and old.has_results),
        incremental_outputs=job.incremental_outputs
        + new.is_counted_increment
        - (old is not None and old.is_counted_increment)
        - len(increments),
        unreadable_outputs=unreadable,
        # The cost is no longer final until the job is closed again.
        closed=job.closed and not is_news,
        next_look=None if is_news else job.next_look,
        reopened=job.reopened + (job.closed and is_news),
        repricings=_repricings(job, "", new.settled_at) if _is_price_changed(job, prices) else job.repricings,
    )
    return Change(settled, total_deltas(job, settled))


def reprice(job: JobRecord, prices: PriceTable, *, by: str, now: datetime) -> Change | None:
    """Price a job's usage with the present table, and keep its earlier cost on record.

    Returns:
        The change to write; None if the job costs the same, or was never priced.
    """
    cost = cost_of(job.usage, prices, location=job.key.location, at=job.priced_at)
    # Prices of another name that come to the same change nothing: the record says which ones were used.
    same = msgspec.structs.replace(cost, price_table=job.cost.price_table)
    if same == job.cost or not job.cost.price_table:
        return None
    repriced = msgspec.structs.replace(job, cost=cost, repricings=_repricings(job, by, now))
    return Change(repriced, total_deltas(job, repriced))


def _is_price_changed(job: JobRecord, prices: PriceTable) -> bool:
    """Return True if earlier outputs, priced with an older table, now cost something else."""
    if job.cost.price_table in {"", prices.version}:
        return False
    cost = cost_of(job.usage, prices, location=job.key.location, at=job.priced_at)
    return cost.line_items != job.cost.line_items


def _repricings(job: JobRecord, by: str, now: datetime) -> tuple[Repricing, ...]:
    unpriced = unpriced_rows_of(job).total()
    before = Repricing(now, by, job.cost.amount_nano, job.cost.price_table, unpriced)
    return (*job.repricings, before)


def total_deltas(before: JobRecord, after: JobRecord) -> list[tuple[TotalKey, TotalDelta]]:
    """Return what a change of a job's cost adds to totals: one delta for each model in it."""
    deltas = []
    unpriced = unpriced_rows_of(after)
    unpriced.subtract(unpriced_rows_of(before))
    models = {item.model for cost in (before.cost, after.cost) for item in cost.line_items}
    for model in sorted(models | unpriced.keys()):
        quantities: Counter[str] = Counter()
        amounts: Counter[str] = Counter()
        discounts: Counter[str] = Counter()
        for sign, cost in ((-1, before.cost), (1, after.cost)):
            for item in cost.line_items:
                if item.model == model:
                    quantities[item.item] += sign * item.quantity
                    if item.amount_nano is not None:
                        amounts[item.item] += sign * item.amount_nano
                    discounts[item.item] += sign * item.discount_nano
        delta = TotalDelta(
            quarter_of_job(after),
            amounts.total(),
            _without_zeros(quantities),
            _without_zeros(amounts),
            unpriced[model],
            _without_zeros(discounts),
        )
        if delta.quantities or delta.amounts_nano or delta.discounts_nano or delta.unpriced_rows:
            deltas.append((total_key(after, model), delta))
    return deltas


def unpriced_rows_of(job: JobRecord) -> Counter[str]:
    """Count the rows whose cost is not, or not wholly, in a job's amount, by model.

    Rows with an item that has no price count for that item's model, all others for the job's. An output that
    could not be read counts as one row.
    """
    rows = rows_without_price(job.cost.line_items)
    of_job = job.cost.unpriced_rows - rows.total() + job.usage.rows.unread + job.unreadable_outputs
    rows[short_name(job.seen.model)] += max(0, of_job)
    return +rows


def quarter_of_job(job: JobRecord) -> int:
    """Return the UTC quarter of an hour of the day, from 0 to 95, that a job's cost belongs to."""
    return quarter_of(job.create_time.astimezone(UTC))


def _without_zeros(sums: Counter[str]) -> dict[str, int]:
    return {item: change for item, change in sums.items() if change}


def total_key(job: JobRecord, model: str) -> TotalKey:
    """Return the key of the total that a job's cost with a model belongs to."""
    return TotalKey(
        day=job.create_time.astimezone(UTC).date().isoformat(),
        model=model,
        api_key=job.api_key or "",
        team=job.team or "",
        project=job.key.project,
        location=job.key.location,
        labels={name: value for name, value in job.seen.labels.items() if name != MARKER_LABEL},
    )
