"""Build the cost report of a job (the answer to ``GET …/{id}/cost``)."""

from collections.abc import Iterable
from typing import Any

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.jobs.record import WITH_OUTPUT_STATES, JobRecord
from batch_gateway.core.pricing.cost import Cost, LineItem, rows_without_price
from batch_gateway.core.pricing.models import short_name
from batch_gateway.core.pricing.money import format_nano, format_pico
from batch_gateway.core.usage import NO_PRICE, NO_USAGE, Unpriced


def cost_report(job: JobRecord, outputs: Iterable[Output]) -> dict[str, Any]:
    """Return the cost report of a job, ready for JSON.

    ``amount`` is a floor unless ``complete``. ``rows.unpriced`` counts the rows of ``rows.succeeded`` whose
    cost is not, or not wholly, in the amount, for any of ``unpricedReasons``; the other members of ``rows``
    add up to all rows.
    """
    rows, tokens = job.usage.rows, job.usage.tokens
    status = status_of(job)
    return {
        "name": job.seen.name,
        "state": job.seen.state,
        "status": status,
        "currency": "USD",
        "amount": format_nano(job.cost.amount_nano),
        "complete": is_complete(job),
        "model": short_name(job.seen.model),
        "team": job.team,
        "apiKey": job.api_key,
        "labels": job.seen.labels,
        "rows": {
            "succeeded": rows.succeeded,
            "failed": rows.failed,
            "malformed": rows.malformed,
            "unrecognized": rows.unrecognized,
            "unpriced": job.cost.unpriced_rows,
            "carriedOver": rows.carried_over,
        },
        "unpricedReasons": _unpriced_reasons(job),
        "usage": {
            "inputTokens": tokens.input,
            "cachedInputTokens": tokens.cached_input,
            "outputTokens": tokens.output,
            "thoughtsTokens": tokens.thoughts,
            "totalTokens": tokens.total,
        },
        "lineItems": [_line_item(item) for item in job.cost.line_items],
        "waste": _waste(job.cost),
        "queryFees": _query_fees(job.cost),
        "priceTable": job.cost.price_table or None,
        "estimate": _estimate(job.estimate),
        "projected": None if status == "FINAL" else _projected(job),
        "progress": _progress(job),
        "outputs": [
            {
                "uri": output.uri,
                "generation": str(output.generation),
                "bytes": output.bytes,
                "rows": output.usage.rows.total,
                **({"error": output.unreadable} if output.unreadable else {}),
            }
            for output in outputs
            if not output.superseded
        ],
        "resumedFrom": job.resumed_from,
        "resumedBy": job.resumed_by,
    }


def status_of(job: JobRecord) -> str:
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


def _estimate(bounds: Bounds | None) -> dict[str, str | None] | None:
    if bounds is None or bounds == UNKNOWN_BOUNDS:
        return None
    levels = {"low": bounds.low_nano, "expected": bounds.expected_nano, "high": bounds.high_nano}
    return {name: None if nano is None else format_nano(nano) for name, nano in levels.items()}


def _unpriced_reasons(job: JobRecord) -> list[dict[str, Any]]:
    """List why rows are unpriced; a row without a price may count for another reason as well."""
    reasons = [
        Unpriced(NO_PRICE, rows_without_price(job.cost.line_items).total()),
        Unpriced(NO_USAGE, job.usage.rows.unmetered),
        *job.usage.unpriced,
    ]
    return [{"reason": unpriced.reason, "rows": unpriced.rows} for unpriced in reasons if unpriced.rows]


def _line_item(item: LineItem) -> dict[str, Any]:
    return {
        "item": item.item,
        "model": item.model,
        "contextWindow": item.context_window or None,
        "quantity": item.quantity,
        "unit": item.unit,
        "unitPrice": None if item.unit_price_pico is None else format_pico(item.unit_price_pico),
        "amount": None if item.amount_nano is None else format_nano(item.amount_nano),
    }


def _waste(cost: Cost) -> dict[str, Any]:
    """Report what was paid for useless rows; the sum is a floor where the cost of a reason is unknown."""
    return {
        "amount": format_nano(sum(wasted.amount_nano or 0 for wasted in cost.waste)),
        "reasons": [
            {
                "kind": wasted.kind,
                "reason": wasted.reason,
                "rows": wasted.rows,
                "amount": None if wasted.amount_nano is None else format_nano(wasted.amount_nano),
            }
            for wasted in cost.waste
        ],
    }


def _query_fees(cost: Cost) -> dict[str, Any] | None:
    """Report search fees, which are not in the amount; one unknown fee leaves the upper bound unknown."""
    if not cost.query_fees:
        return None
    amounts = [fee.amount_nano for fee in cost.query_fees]
    known = [amount for amount in amounts if amount is not None]
    return {
        "upperBound": format_nano(sum(known)) if len(known) == len(amounts) else None,
        "items": [
            {
                "item": fee.item,
                "grounding": fee.grounding,
                "model": fee.model,
                "quantity": fee.quantity,
                "unitPrice": None if fee.unit_price_pico is None else format_pico(fee.unit_price_pico),
                "amount": None if fee.amount_nano is None else format_nano(fee.amount_nano),
            }
            for fee in cost.query_fees
        ],
    }


def _progress(job: JobRecord) -> dict[str, int | None]:
    """Return rows done and all rows, by Vertex AI's count or as settled: the higher one; null: unknown."""
    rows, stats = job.usage.rows.total, job.seen.completion
    if stats is None:
        return {"completed": rows or None, "total": rows if rows and job.closed else None}
    # The output of a job that ended early may list the rows that it did not run, too.
    lists_all = _was_cut_short(job) and rows == stats.total
    completed = stats.completed if lists_all else max(rows, stats.completed)
    return {"completed": completed, "total": None if stats.total is None else max(completed, stats.total)}


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
