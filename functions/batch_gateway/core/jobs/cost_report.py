"""Build the cost report of a job (the answer to ``GET …/{id}/cost``)."""

from collections.abc import Iterable

from msgspec import UNSET

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_answers import (
    CostLineItem,
    CostOutput,
    CostQueryFees,
    CostReport,
    CostRows,
    CostUsage,
    CostWaste,
    EarlierCost,
    JobEstimate,
    JobProgress,
    QueryFee,
    Status,
    UnpricedReason,
    WasteReason,
)
from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.pricing.cost import Cost, LineItem, rows_without_price
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.money import Pico, format_nano, format_pico
from batch_gateway.core.usage import NO_PRICE, NO_USAGE, Unpriced


def cost_report(job: JobRecord, outputs: Iterable[Output]) -> CostReport:
    """Return the cost report of a job."""
    rows, tokens = job.usage.rows, job.usage.tokens
    status = status_of(job)
    return CostReport(
        name=job.seen.name,
        state=job.seen.state,
        status=status,
        amount=format_nano(job.cost.amount_nano),
        complete=is_complete(job),
        model=short_name(job.seen.model),
        team=job.team,
        api_key=job.api_key,
        labels=job.seen.labels,
        rows=CostRows(
            rows.succeeded,
            rows.failed,
            rows.malformed,
            rows.unrecognized,
            job.cost.unpriced_rows,
            rows.carried_over,
        ),
        unpriced_reasons=_unpriced_reasons(job),
        usage=CostUsage(tokens.input, tokens.cached_input, tokens.output, tokens.thoughts, tokens.total),
        line_items=[_line_item(item) for item in job.cost.line_items],
        waste=_waste(job.cost),
        query_fees=_query_fees(job.cost),
        price_table=job.cost.price_table or None,
        estimate=_estimate(job.estimate),
        projected=None if status == "FINAL" else _projected(job),
        progress=_progress(job),
        outputs=[
            CostOutput(
                output.uri,
                str(output.generation),
                output.bytes,
                output.usage.rows.total,
                output.unreadable or UNSET,
            )
            for output in outputs
            if not output.superseded
        ],
        resumed_from=job.resumed_from,
        resumed_by=job.resumed_by,
        earlier_costs=[
            EarlierCost(amount=format_nano(each.amount_nano), price_table=each.price_table, until=each.time)
            for each in job.repricings
        ]
        or UNSET,
    )


def status_of(job: JobRecord) -> Status:
    """Return how final a job's cost is.

    Returns:
        ``FINAL``: the job has ended, everything in its directory is settled, and no more is expected.
        ``PENDING``: nothing is settled yet.
        ``PARTIAL``: something is settled, but the job still runs or more output may come.
    """
    if job.closed and job.seen.terminal:
        return "FINAL"
    return "PARTIAL" if job.settled_outputs else "PENDING"


def is_complete(job: JobRecord) -> bool:
    """Return True if the amount contains the cost of every row, and no more rows are expected.

    Rows that Vertex AI counts as answered but that are in no output may have cost something.
    """
    answered = job.seen.completion.successful if job.seen.completion else 0
    wrote = answered or job.deleted or job.seen.state in WITH_OUTPUT_STATES
    short = job.usage.rows.total < answered
    lost = job.output_missing or short or (wrote and not job.settled_outputs)
    return status_of(job) == "FINAL" and not (_has_gaps(job) or lost)


def _has_gaps(job: JobRecord) -> bool:
    """Return True if part of the settled usage has no known cost."""
    return bool(job.cost.unpriced_rows or job.usage.rows.unread or job.unreadable_outputs)


def _estimate(bounds: Bounds | None) -> JobEstimate | None:
    if bounds is None or bounds == UNKNOWN_BOUNDS:
        return None
    return JobEstimate(_usd(bounds.low_nano), _usd(bounds.expected_nano), _usd(bounds.high_nano))


def _usd(nano: int | None) -> str | None:
    return None if nano is None else format_nano(nano)


def _unit_price(pico: Pico | None) -> str | None:
    return None if pico is None else format_pico(pico)


def _unpriced_reasons(job: JobRecord) -> list[UnpricedReason]:
    """List why rows are unpriced; a row without a price may count for another reason as well."""
    reasons = [
        Unpriced(NO_PRICE, rows_without_price(job.cost.line_items).total()),
        Unpriced(NO_USAGE, job.usage.rows.unmetered),
        *job.usage.unpriced,
    ]
    return [UnpricedReason(unpriced.reason, unpriced.rows) for unpriced in reasons if unpriced.rows]


def _line_item(item: LineItem) -> CostLineItem:
    return CostLineItem(
        item.item,
        item.model,
        item.context_window or None,
        item.quantity,
        item.unit,
        _unit_price(item.unit_price_pico),
        _usd(item.amount_nano),
    )


def _waste(cost: Cost) -> CostWaste:
    """Report what was paid for useless rows; the sum is a floor where the cost of a reason is unknown."""
    return CostWaste(
        format_nano(sum(wasted.amount_nano or 0 for wasted in cost.waste)),
        [
            WasteReason(wasted.kind, wasted.reason, wasted.rows, _usd(wasted.amount_nano))
            for wasted in cost.waste
        ],
    )


def _query_fees(cost: Cost) -> CostQueryFees | None:
    """Report search fees, which are not in the amount; one unknown fee leaves the upper bound unknown."""
    if not cost.query_fees:
        return None
    amounts = [fee.amount_nano for fee in cost.query_fees]
    known = [amount for amount in amounts if amount is not None]
    return CostQueryFees(
        format_nano(sum(known)) if len(known) == len(amounts) else None,
        [
            QueryFee(
                fee.item,
                fee.grounding,
                fee.model,
                fee.quantity,
                _unit_price(fee.unit_price_pico),
                _usd(fee.amount_nano),
            )
            for fee in cost.query_fees
        ],
    )


def _progress(job: JobRecord) -> JobProgress:
    """Return rows done and all rows, by Vertex AI's count or as settled: the higher one; null: unknown."""
    rows, stats = job.usage.rows.total, job.seen.completion
    if stats is None:
        return JobProgress(rows or None, rows if rows and job.closed else None)
    # The output of a job that ended early may list the rows that it did not run, too.
    lists_all = _was_cut_short(job) and rows == stats.total
    completed = stats.completed if lists_all else max(rows, stats.completed)
    return JobProgress(completed, None if stats.total is None else max(completed, stats.total))


def _was_cut_short(job: JobRecord) -> bool:
    """Return True if the job has ended without success."""
    return job.ended and job.seen.state not in WITH_OUTPUT_STATES


def _projected(job: JobRecord) -> str | None:
    """Project the job's final cost in USD; return None if that is not possible yet.

    The cost of the settled rows is extrapolated to all rows; until one of them is answered, the estimate is
    used. Rows that were carried over cost nothing and say nothing about the others. A job that has ended has
    run no more rows than Vertex AI counts as completed.
    """
    if _has_gaps(job):
        return None
    rows, stats, amount = job.usage.rows, job.seen.completion, job.cost.amount_nano
    expected = job.estimate.expected_nano if job.estimate else None
    if stats is None or not stats.total:
        return None if expected is None or expected < amount or _was_cut_short(job) else format_nano(expected)
    total = max(stats.total, rows.total)
    left = max((stats.completed if job.ended else total) - rows.total, 0)
    if rows.succeeded:
        return format_nano(amount + amount * left // (rows.total - rows.carried_over))
    return None if expected is None else format_nano(expected * left // total)
