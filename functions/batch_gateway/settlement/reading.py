"""Reads one output object, in one go or, where it is too large for that, in several."""

from datetime import datetime, timedelta

from batch_gateway import log_events
from batch_gateway.core.accounting.settlement import Checkpoint
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.lines import whole_lines
from batch_gateway.core.rows.readers import reader_for
from batch_gateway.core.usage import Usage
from batch_gateway.ports import ObjectInfo
from batch_gateway.settlement.deps import NotYetError, SettlementDeps

_KEPT = timedelta(days=7)


def read_usage(
    job: JobRecord,
    bucket: str,
    live: ObjectInfo,
    begun: Checkpoint | None,
    deps: SettlementDeps,
    *,
    now: datetime,
    deadline: float,
) -> Usage:
    """Read the usage of an object's rows.

    Args:
        job: Whose output it is.
        bucket: Bucket.
        live: The object, in the generation to be read.
        begun: How far it was read before, if it was.
        deps: The outside.
        now: The time.
        deadline: When reading has to stop, on ``deps.clock``. What was read until then is kept.

    Raises:
        NotYetError: Time ran out; the next try goes on from where this one stopped.
        UnreadableOutputError: Its rows cannot be counted, now or ever.
    """
    uri = f"gs://{bucket}/{live.name}"
    usage, start = Usage(), 0
    if begun is not None and begun.generation == live.generation:
        usage, start = begun.usage, begun.offset
    reader = reader_for(live.name, deps.prices, job.priced_model, job.carried_before)
    for block in whole_lines(deps.objects.read(bucket, live.name, live.generation, start)):
        reader.add_block(block)
        offset = start + block.end
        if reader.resumable and offset < live.size and deps.clock() >= deadline:
            read = usage + reader.usage
            log_events.unrecognized_rows(job, uri, reader.unrecognized, usage.rows.total)
            deps.store.put_checkpoint(Checkpoint(uri, live.generation, offset, read, now + _KEPT))
            raise NotYetError(f"read up to byte {offset} of {live.size}; the next try goes on from there")
    log_events.unrecognized_rows(job, uri, reader.unrecognized, usage.rows.total)
    return usage + reader.usage
