"""Puts one output into the books: reads it, prices it, commits it."""

from datetime import datetime

import msgspec

from batch_gateway import events
from batch_gateway.core.books import Output, settle_output
from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.outputs import OutputKind, is_incremental_output, kind_of
from batch_gateway.core.rows.readers import UnreadableOutputError
from batch_gateway.core.usage import Usage
from batch_gateway.ports import Change, ObjectInfo
from batch_gateway.settlement.deps import Deps
from batch_gateway.settlement.owners import base_model
from batch_gateway.settlement.reading import read_usage


def settle_live(
    job: JobRecord, bucket: str, live: ObjectInfo, deps: Deps, *, now: datetime, deadline: float
) -> bool:
    """Settles the generation of an object that lives now; whether there was anything to do.

    Raises:
        NotYetError: It is too large for the time that was left; a later try goes on.
        Exception: Anything that a port raises; nothing has been written.
    """
    uri = f"gs://{bucket}/{live.name}"
    outputs = deps.store.get_outputs(job.key)
    if any(output.uri == uri and output.generation >= live.generation for output in outputs):
        return False
    found = base_model(job, deps.upstream)
    job = msgspec.structs.replace(job, base_model=found)
    usage, problem = Usage(), None
    try:
        usage = read_usage(job, bucket, live, deps, now=now, deadline=deadline)
    except UnreadableOutputError as error:
        problem = str(error)
    output = Output(uri, live.generation, live.size, usage, now, problem)
    while True:
        try:
            settled = commit(job, output, deps, written=live.created)
        except _RepeatsError as error:
            for incremental in error.outputs:
                supersede = msgspec.structs.replace(
                    incremental, usage=Usage(), superseded=True, settled_at=now
                )
                commit(job, supersede, deps, written=now)
        else:
            break
    deps.store.drop_checkpoint(uri)
    return settled


class _RepeatsError(Exception):
    """A final output cannot be committed yet: incremental ones are in the books, whose rows it repeats."""

    def __init__(self, outputs: list[Output]) -> None:
        super().__init__(f"{len(outputs)} incremental outputs count")
        self.outputs = outputs


def _is_repeated(job: JobRecord, output: Output, deps: Deps) -> bool:
    """Whether an output is an incremental one, and final ones are in the books already.

    It is asked within a commit, after the job's record was read: whatever other output is settled
    from there on changes that record, and makes the commit start over.

    Raises:
        _RepeatsError: It is the other way round.
    """
    incremental = is_incremental_output(output.uri) and not output.superseded
    final = _is_read(output)
    others = deps.store.get_outputs(job.key) if incremental or final else []
    if final and (
        counted := [each for each in others if is_incremental_output(each.uri) and not each.superseded]
    ):
        raise _RepeatsError(counted)
    return incremental and any(map(_is_read, others))


def _is_read(output: Output) -> bool:
    """Whether it holds final results; one without a generation was deleted before it could be read."""
    return kind_of(output.uri) is OutputKind.RESULTS and output.generation > 0


def commit(job: JobRecord, output: Output, deps: Deps, *, written: datetime) -> bool:
    """Commits what was read of an output; whether it was news to the books."""
    before = job

    def settlement(record: JobRecord, old: Output | None) -> Change | None:
        nonlocal before
        before = record
        if _is_repeated(record, output, deps):
            return None
        change = settle_output(record, old, output, deps.prices)
        return change and (msgspec.structs.replace(change[0], base_model=job.base_model), change[1])

    settled = deps.store.settle(job.key, output, settlement)
    if settled is None:
        return False
    events.output_settled(before, settled, output, written)
    if before.closed and not settled.closed:
        events.reopened(settled)
    return True


def lose(job: JobRecord, uri: str, deps: Deps, *, now: datetime) -> bool:
    """Puts an output into the books that was deleted before it could be read; whether it was news.

    If it was settled before, its cost stays. If not, that is an error for good.
    """
    output = Output(uri, 0, 0, Usage(), now, unreadable="deleted before it could be read")
    lost = commit(job, output, deps, written=now)
    if lost:
        events.problem("ERROR", "output.lost", "output lost", job=job.seen.name, uri=uri)
    return lost
