"""What happens to jobs, as structured log lines: names and fields are what metrics and alerts go by.

Names of fields: OpenTelemetry's semantic conventions for generative AI where they have one
(``gen_ai.request.model``, ``gen_ai.usage.input_tokens`` …), ours beside them. Amounts
are USD, as JSON numbers.
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.notifications import COST_UPDATED, TYPE_OF_STATE, is_update
from batch_gateway.core.pricing.models import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.rows import UnrecognizedRow
from batch_gateway.logs import Severity, log

_SEVERITIES: dict[str, Severity] = {
    "batch.completed": "INFO",
    "batch.failed": "ERROR",
    "batch.cancelled": "NOTICE",
    "batch.expired": "ERROR",
    "batch.deleted": "WARNING",
    COST_UPDATED: "NOTICE",
}


def usd(nano_usd: int) -> msgspec.Raw:
    """An amount as a JSON number, exact to the digit."""
    return msgspec.Raw(format_nano(nano_usd).encode())


def of_job(job: JobRecord) -> dict[str, Any]:
    """What every line about a job says."""
    return {
        "job": job.seen.name,
        "gen_ai.request.model": short_name(job.seen.model),
        "team": job.team,
        "api_key": job.api_key,
        "labels": job.seen.labels,
    }


def state_changed(before: JobRecord, now: JobRecord) -> None:
    """A job was seen in another state than before."""
    log(
        "INFO",
        "job state changed",
        event="job.state_changed",
        **of_job(now),
        state=now.seen.state,
        previous_state=before.seen.state,
        error=now.seen.error,
    )


def output_settled(before: JobRecord, job: JobRecord, output: Output, written: datetime) -> None:
    """An output is in the books; ``cost_usd`` is what the job's amount moved by."""
    rows, tokens = output.usage.rows, output.usage.tokens
    unpriced = job.cost.unpriced_rows - before.cost.unpriced_rows
    log(
        "WARNING" if rows.unread or unpriced > 0 or output.unreadable else "INFO",
        "output settled",
        event="output.settled",
        **of_job(job),
        uri=output.uri,
        # As text: a JSON number of this size loses digits in Cloud Logging.
        generation=str(output.generation),
        bytes=output.bytes,
        rows=rows,
        unpriced_rows=unpriced,
        cost_usd=usd(job.cost.amount_nano - before.cost.amount_nano),
        job_cost_usd=usd(job.cost.amount_nano),
        lag_seconds=round((output.settled_at - written).total_seconds(), 1),
        **{"gen_ai.usage.input_tokens": tokens.input, "gen_ai.usage.output_tokens": tokens.output},
    )


def reopened(job: JobRecord) -> None:
    """Output of a closed job came or changed: its cost is not final until the job is closed again."""
    log("WARNING", "job reopened", event="job.reopened", **of_job(job), state=job.seen.state)


def unrecognized_rows(job: JobRecord, uri: str, rows: Sequence[UnrecognizedRow], before: int) -> None:
    """Names rows of no known shape by number and members, never by what they hold; nothing without any.

    Args:
        job: Whose output it is.
        uri: Of the output.
        rows: The first of them.
        before: Rows of the output that were read before these were counted.
    """
    if rows:
        named = [{"row": before + row.row, "members": row.members} for row in rows]
        problem("WARNING", "rows.unrecognized", "rows of no known shape", **of_job(job), uri=uri, rows=named)


def ended(job: JobRecord) -> None:
    """A job has ended. If it is closed, everything that it wrote is settled and its cost is final."""
    event = COST_UPDATED if is_update(job) else TYPE_OF_STATE.get(job.seen.state, "batch.deleted")
    tokens = job.usage.tokens
    log(
        _SEVERITIES[event],
        "job closed" if job.closed else "job ended",
        event=event,
        **of_job(job),
        state=job.seen.state,
        error=job.seen.error,
        rows=job.usage.rows,
        unpriced_rows=job.cost.unpriced_rows,
        cost_usd=usd(job.cost.amount_nano),
        **{"gen_ai.usage.input_tokens": tokens.input, "gen_ai.usage.output_tokens": tokens.output},
    )


def refused(call: str, status: int, *, project: str, location: str, reason: str, detail: str) -> None:
    """Vertex AI refused a call: for a missing right, a model or job that is not there, or a quota.

    Args:
        call: ``create``, ``cancel``, ``delete`` or ``get``.
        status: HTTP status, such as 403.
        project: Id of the project that was called.
        location: Likewise.
        reason: Google's reason in capitals (``SERVICE_DISABLED``), or the name of the status.
        detail: Google's message.
    """
    severity: Severity = "ERROR"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        severity = "NOTICE"
    elif status == HTTPStatus.NOT_FOUND and call != "create":
        # A job that is not there is a caller's mistake; a create's 404 is about the model.
        severity = "INFO"
    log(
        severity,
        "refused by Vertex AI",
        event="upstream.refused",
        call=call,
        status=status,
        project=project,
        location=location,
        reason=reason,
        detail=detail,
    )


def problem(severity: Severity, event: str, message: str, **fields: Any) -> None:
    """Says that somebody should look at something: ``output.parked``, ``job.stuck`` and the like."""
    log(severity, message, event=event, **fields)
