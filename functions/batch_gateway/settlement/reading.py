"""Read one output object, in several steps if it is too large for one.

Rows of output repeat those of the input. For a job of a key with ``allowed_uri_prefixes``, the files that
they name are looked at again, since the input may have been overwritten after the create.
"""

from datetime import datetime, timedelta

from batch_gateway import log_events
from batch_gateway.core.access.row_grants import RowGrants
from batch_gateway.core.accounting.settlement import Checkpoint
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.lines import whole_lines
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.object_readers import reader_for
from batch_gateway.core.usage import Usage
from batch_gateway.ports import ObjectInfo
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.row_alerts import note_row_uri

_KEPT = timedelta(days=7)


def read_usage(
    job: JobRecord,
    bucket: str,
    live: ObjectInfo,
    begun: Checkpoint | None,
    deps: SettlementDeps,
    *,
    prices: PriceTable,
    now: datetime,
    deadline: float,
) -> Usage:
    """Read the usage of an object's rows.

    Args:
        job: The job that wrote the object.
        bucket: Bucket.
        live: The object, in the generation to be read.
        begun: Checkpoint of an earlier try, if there is one.
        deps: The ports.
        prices: The prices in force.
        now: The current time.
        deadline: Time on ``deps.clock`` at which reading has to stop. The progress is saved.

    Raises:
        NotYetError: Time ran out; the next try continues where this one stopped.
        UnreadableOutputError: Its rows can never be counted.
    """
    uri = f"gs://{bucket}/{live.name}"
    usage, start = Usage(), 0
    if begun is not None and begun.generation == live.generation:
        usage, start = begun.usage, begun.offset
    reader = reader_for(live.name, prices, job.priced_model, job.carried_before)
    granted = RowGrants(job.uri_grants) if job.uri_grants else None
    for block in whole_lines(deps.objects.read(bucket, live.name, live.generation, start)):
        reader.add_block(block)
        if granted and (denied := granted.find_denied_in_output(block.lines)):
            note_row_uri(job, denied, uri, deps.store, now)
            granted = None
        offset = start + block.end
        if reader.resumable and offset < live.size and deps.clock() >= deadline:
            read = usage + reader.usage
            log_events.unrecognized_rows(job, uri, reader.unrecognized, usage.rows.total)
            deps.store.put_checkpoint(Checkpoint(uri, live.generation, offset, read, now + _KEPT))
            raise NotYetError(f"read up to byte {offset} of {live.size}; the next try continues from there")
    log_events.unrecognized_rows(job, uri, reader.unrecognized, usage.rows.total)
    return usage + reader.usage
