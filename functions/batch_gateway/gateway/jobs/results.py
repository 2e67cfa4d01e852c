"""Stream what a job wrote, to callers without a Google identity.

Everything that can be wrong is found out before the answer begins, up to the first row. After that, an error
breaks the connection: an answer without its last chunk cannot be taken for a whole one.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.rows import UnreadableOutputError
from batch_gateway.gateway.http import connections, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs import result_source
from batch_gateway.gateway.jobs.owned_jobs import OwnedJobs
from batch_gateway.gateway.jobs.result_parameters import ResultQuery, parse
from batch_gateway.gateway.jobs.result_reading import ClientGoneError, Reading
from batch_gateway.gateway.jobs.result_source import find_objects, find_table
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectChangedError,
    ObjectsUnavailableError,
    Store,
    TablesUnavailableError,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.job_lookup import find_base_model

MOST_STREAMS = 4
"""Results that one key may read at a time from an instance."""
MOST_STREAMS_OF_ALL = 16
"""Results that all keys may read at a time from an instance: less than half of its threads as deployed, since
each takes a thread for as long as its client takes to receive it."""
_BUSY_SECONDS = 10


class Results:
    """Handler of results; make one for each instance, since it counts the streams."""

    def __init__(self, store: Store, jobs: OwnedJobs, settlement: Callable[[], SettlementDeps]) -> None:
        self._store = store
        self._jobs = jobs
        self._settlement = settlement
        self._streams = connections.Quota(MOST_STREAMS, MOST_STREAMS_OF_ALL)

    def get(self, call: Call) -> Response:
        """Stream what a job has written.

        Raises:
            ApiError: The job is another's or not on record, its output is not there (any more) or cannot be
                read, a parameter is invalid, or too many results are being read.
            StoreUnavailableError: Firestore does not answer.
            RecordError: The job's record cannot be read.
        """
        job = self._jobs.find(call)
        query = parse(call.request)
        key = call.caller.key_id or ""
        if not self._streams.acquire(key):
            raise ApiError(
                "RESOURCE_EXHAUSTED",
                "TOO_MANY_DOWNLOADS",
                f"The key reads {MOST_STREAMS} results already, or all keys {MOST_STREAMS_OF_ALL}, as many "
                "as one instance of the gateway serves at a time. Try again when one has ended.",
                retry_after=_BUSY_SECONDS,
            )
        try:
            response = self._respond(job, query, call.request)
        except BaseException:
            self._streams.release(key)
            raise
        response.call_on_close(lambda: self._streams.release(key))
        return response

    def _respond(self, job: JobRecord, query: ResultQuery, request: Request) -> Response:
        job = self._jobs.refresh(job)
        try:
            reading = self._open(job, query, request)
            pieces = reading.pieces()
        except ObjectChangedError as error:
            raise result_source.gone(str(error)) from error
        except (ObjectsUnavailableError, TablesUnavailableError) as error:
            log("ERROR", "results not read", event="results.failed", job=job.seen.name, error=error)
            raise ApiError(
                "UNAVAILABLE",
                "OUTPUT_UNAVAILABLE",
                "The job's output cannot be read now: Cloud Storage or BigQuery does not answer, or refuses "
                "the gateway's account. Try again; the administrator can find the reason in the log.",
                retry_after=5,
            ) from error
        except UnreadableOutputError as error:
            raise ApiError(
                "FAILED_PRECONDITION",
                "OUTPUT_UNREADABLE",
                f"The rows of the job's output cannot be told apart: it {error}. Leave out view, state and "
                "limit to get the bytes as they are.",
            ) from error
        # It has no length: Cloud Run accepts answers of more than 32 MiB in chunks only.
        return responses.RelayedResponse(_log_end(pieces, job), content_type=reading.content_type)

    def _open(self, job: JobRecord, query: ResultQuery, request: Request) -> Reading:
        """Find a job's output."""
        deps = self._settlement()
        # Without it the rows are shown all the same, without amounts.
        with suppress(UpstreamUnavailableError, UpstreamCredentialsError):
            job = msgspec.structs.replace(job, base_model=find_base_model(job, deps))
        table = None if job.seen.output_directory else job.seen.output_table
        source = (
            find_table(job, table, deps.tables())
            if table
            else find_objects(job, self._store.get_outputs(job.key), self._store, deps.objects)
        )
        return Reading(job, source, query, deps, connections.hang_up_test(request))


def _log_end(pieces: Iterator[bytes], job: JobRecord) -> Iterator[bytes]:
    """Log how a stream ends if it does not end well: the answer has begun, so no error can be returned."""
    try:
        yield from pieces
    except (GeneratorExit, ClientGoneError):
        log("INFO", "client hung up", event="results.abandoned", job=job.seen.name)
        raise
    except Exception as error:
        log("ERROR", "results broke off", event="results.broken", job=job.seen.name, error=error)
        raise
