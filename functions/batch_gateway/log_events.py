"""Write log lines about jobs. Metrics and alerts depend on their event names and fields.

Fields have the names of OpenTelemetry's semantic conventions for generative AI where there is one
(``gen_ai.request.model``, ``gen_ai.usage.input_tokens`` …), and our own names otherwise. Amounts are USD, as
JSON numbers.
"""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.event_names import EventName
from batch_gateway.core.notify.events import COST_UPDATED, TYPE_OF_STATE, is_update
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.rows import UnrecognizedRow
from batch_gateway.logs import Severity, log

_SEVERITIES: dict[EventName, Severity] = {
    "batch.completed": "INFO",
    "batch.failed": "ERROR",
    "batch.cancelled": "NOTICE",
    "batch.expired": "ERROR",
    "batch.deleted": "WARNING",
    COST_UPDATED: "NOTICE",
}


def usd(nano_usd: int) -> msgspec.Raw:
    """Return an amount as a JSON number, exact to the nano-dollar."""
    return msgspec.Raw(format_nano(nano_usd).encode())


def job_fields(job: JobRecord) -> dict[str, Any]:
    """Return the fields that every line about a job has."""
    return {
        "job": job.seen.name,
        "gen_ai.request.model": short_name(job.seen.model),
        "team": job.team,
        "api_key": job.api_key,
        "labels": job.seen.labels,
    }


def state_changed(before: JobRecord, now: JobRecord) -> None:
    """Log that a job has changed its state."""
    log(
        "INFO",
        "job state changed",
        event="job.state_changed",
        **job_fields(now),
        state=now.seen.state,
        previous_state=before.seen.state,
        error=now.seen.error,
    )


def output_settled(before: JobRecord, job: JobRecord, output: Output, written: datetime) -> None:
    """Log that an output was settled; ``cost_usd`` is the change of the job's amount."""
    rows, tokens = output.usage.rows, output.usage.tokens
    unpriced = job.cost.unpriced_rows - before.cost.unpriced_rows
    log(
        "WARNING" if rows.unread or unpriced > 0 or output.unreadable else "INFO",
        "output settled",
        event="output.settled",
        **job_fields(job),
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
    """Log that output of a closed job came or changed: its cost is not final until it is closed again."""
    log("WARNING", "job reopened", event="job.reopened", **job_fields(job), state=job.seen.state)


def unrecognized_rows(job: JobRecord, uri: str, rows: Sequence[UnrecognizedRow], before: int) -> None:
    """Log the number and member names of each row of an unknown shape, never its content.

    Args:
        job: The job that wrote the output.
        uri: URI of the output.
        rows: The first unrecognized rows.
        before: Number of rows of the output that were read in earlier steps.
    """
    if rows:
        named = [{"row": before + row.row, "members": row.members} for row in rows]
        log(
            "WARNING",
            "rows of an unknown shape",
            event="rows.unrecognized",
            **job_fields(job),
            uri=uri,
            rows=named,
        )


def ended(job: JobRecord) -> None:
    """Log that a job has ended. If it is closed, all of its output is settled and its cost is final."""
    event: EventName = COST_UPDATED if is_update(job) else TYPE_OF_STATE.get(job.seen.state, "batch.deleted")
    tokens = job.usage.tokens
    log(
        _SEVERITIES[event],
        "job closed" if job.closed else "job ended",
        event=event,
        **job_fields(job),
        state=job.seen.state,
        error=job.seen.error,
        rows=job.usage.rows,
        unpriced_rows=job.cost.unpriced_rows,
        cost_usd=usd(job.cost.amount_nano),
        **{"gen_ai.usage.input_tokens": tokens.input, "gen_ai.usage.output_tokens": tokens.output},
    )


def refused(call: str, status: int, *, project: str, location: str, reason: str, detail: str) -> None:
    """Log that Vertex AI refused a call: for a missing permission, an unknown model or job, or a quota.

    Args:
        call: ``create``, ``cancel``, ``delete`` or ``get``.
        status: HTTP status, such as 403.
        project: Id of the project that was called.
        location: Location that was called.
        reason: Google's reason in capitals (``SERVICE_DISABLED``), or the name of the status.
        detail: Google's message.
    """
    severity: Severity = "ERROR"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        severity = "NOTICE"
    elif status == HTTPStatus.NOT_FOUND and call != "create":
        # An unknown job is a caller's mistake; a create's 404 is about the model.
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
