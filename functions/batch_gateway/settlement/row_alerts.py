"""Announce jobs whose rows named files that their key may not read."""

from datetime import datetime

from batch_gateway import log_events
from batch_gateway.core.excerpts import text
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.events import URI_NOT_ALLOWED, row_uri_event
from batch_gateway.logs import log
from batch_gateway.ports import Store


def note_row_uri(job: JobRecord, uri: str, output: str, store: Store, now: datetime) -> None:
    """Log once for each job that its rows named a file outside its key's prefixes, and add the event.

    The event is in the outbox, and the next sweep delivers it.

    Args:
        job: The job.
        uri: The file.
        output: URI of the output whose rows repeat the file's.
        store: Takes the event.
        now: The current time.

    Raises:
        StoreUnavailableError: Firestore does not answer.
    """
    uri = text(uri)
    if store.add_event(row_uri_event(job, uri, output, now)):
        log(
            "ERROR",
            "rows named a file that the job's key may not read",
            event=URI_NOT_ALLOWED,
            **log_events.job_fields(job),
            uri=uri,
            output=output,
        )
