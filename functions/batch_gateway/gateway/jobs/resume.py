"""Resume jobs (``POST …/{id}:resume``): create a job that runs only what an earlier one left undone.

The new job reads the earlier one's output. Vertex AI runs the rows that have no answer there and copies the
others ("Resume an incomplete batch inference job" of Google's documentation, which names failed, cancelled
and expired jobs, and output in Cloud Storage and BigQuery). That it does the same for the failed rows of a
job that succeeded is likely and not confirmed.

The create itself is that of `create`. The earlier job's output and the place beside it need no grant: whoever
may see a job may read its output, and resume it. Everything else that it names is checked.
"""

import re
from collections.abc import Callable
from typing import Any

from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.output_names import OutputKind, kind_of, lacks_shards, split_uri
from batch_gateway.core.jobs.record import (
    WITH_OUTPUT_STATES,
    JobKey,
    JobRecord,
    Observation,
    observe,
    parse_name,
)
from batch_gateway.gateway.http import params, requests
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.params import invalid
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.gateway.jobs import create_outcome
from batch_gateway.gateway.jobs.create import Creates
from batch_gateway.gateway.jobs.create_policy import CreatePolicy
from batch_gateway.gateway.jobs.drafts import Draft, ResumedJob
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.gateway.jobs.passthrough import Passthrough
from batch_gateway.gateway.jobs.resume_body import (
    Ends,
    Fields,
    body_of,
    ends_in_files,
    ends_in_tables,
    inputs_of,
    read_fields,
)
from batch_gateway.logs import log
from batch_gateway.ports import (
    Absent,
    ObjectsUnavailableError,
    Resumption,
    Store,
)
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.job_lookup import find_base_model

_LINES = re.compile(r".+\.jsonl(-\d+-of-\d+)?")


class Resumes:
    """Handler of resumes."""

    def __init__(
        self,
        store: Store,
        settlement: Callable[[], SettlementDeps],
        *,
        passthrough: Passthrough,
        policy: CreatePolicy,
        creates: Creates,
    ) -> None:
        self._store = store
        self._settlement = settlement
        self._passthrough = passthrough
        self._policy = policy
        self._creates = creates

    def resume(self, call: Call) -> AuditedResponse:
        """Create a job that runs what the job in the path left undone; the target is that job's name.

        Raises:
            ApiError: The job cannot be resumed, or its create is rejected.
        """
        raw = requests.body(call.request)
        identity = f"{call.path}\n".encode() + raw
        create = call._replace(path=call.path.removesuffix(f"/{call.job_id}:resume"))
        response = self._creates.answer_again(create, identity)
        if response is None:
            response = self._creates.submit(create, self._draft(call, read_fields(raw), identity=identity))
        return AuditedResponse(call.key.path, response)

    def _draft(self, call: Call, fields: Fields, *, identity: bytes) -> Draft:
        job, record = self._find(call)
        seen = observe(job) or record.seen
        _check_unfinished(seen, record)
        if find_base_model(record, self._settlement()) == "":
            raise _not_supported("Vertex AI resumes jobs of generative models only")
        ends = self._ends(call.job_id, job, seen, fields.output_uri_prefix)
        model = self._policy.name_of(call, seen.model)
        replaces = self._replaceable(record)
        # Otherwise the create finds it out when it claims the job, unless its answer is only given again.
        if params.validate_only(call.request) and record.resumed_by != replaces:
            raise create_outcome.resumed_before(record.resumed_by)
        resumed = ResumedJob(
            Resumption(call.key, seen.name, replaces),
            ends.own_uris,
            seen.completion.total if seen.completion else None,
            inputs_of(job),
        )
        return Draft(JobBody(body_of(job, model, ends, fields.display_name)), identity, resumed)

    def _ends(self, job_id: str, job: dict[str, Any], seen: Observation, wanted: str | None) -> Ends:
        config = job.get("outputConfig")
        config = config if isinstance(config, dict) else {}
        files, table = config.get("gcsDestination"), config.get("bigqueryDestination")
        if table:
            if seen.output_table is None:
                raise _no_output(seen)
            return ends_in_tables(seen.output_table, wanted)
        prefix = files.get("outputUriPrefix") if isinstance(files, dict) else None
        if not isinstance(prefix, str) or config.get("predictionsFormat") != "jsonl":
            raise _not_supported("only output as jsonl in Cloud Storage or in BigQuery can be read as input")
        uris = self._files_of(seen)
        if wanted is not None and f"{wanted}/".startswith(f"{seen.output_directory}/"):
            # What is written there would count as this job's output.
            raise invalid("outputUriPrefix: must not be inside the output directory of the job")
        return ends_in_files(job_id, prefix, uris, wanted)

    def _find(self, call: Call) -> tuple[dict[str, Any], JobRecord]:
        """Return the job as Vertex AI has it, and its record.

        Raises:
            ApiError: As for a get; and there is no such job, or no record of it.
        """
        job = self._passthrough.owned_job(call, "get", version=call.version)
        record = self._store.get_job(call.key)
        if job is None and record is not None:
            where = record.seen.output_directory or record.seen.output_table
            advice = f"with its output, {where}, as input" if where else "from its input"
            raise ApiError(
                "NOT_FOUND",
                "JOB_DELETED",
                f"Vertex AI no longer has {call.key.path}, so its parameters are unknown. Create a job "
                f"{advice}.",
            )
        if job is None or record is None:
            raise ApiError(
                "NOT_FOUND",
                "JOB_NOT_ON_RECORD",
                f"The gateway has no record of {call.key.path}. Check the id. A job that was created outside "
                "the gateway is put on record by the sweep if it is less than seven days old.",
            )
        return job, record

    def _replaceable(self, record: JobRecord) -> str | None:
        """Return the job that resumed this one before, if it has ended without success or is gone."""
        name = record.resumed_by
        found = parse_name(name) if name else None
        if found is None:
            return None
        key = JobKey(record.key.project, found[1], found[2])
        later = self._store.get_job(key)
        seen = later.seen if later else None
        if seen is None or not seen.terminal:
            # The record may be as old as the last sweep.
            job = self._settlement().upstream.get_job(key)
            if job is Absent.MISSING:
                return name
            seen = None if isinstance(job, Absent) else observe(job)
        ended = seen is not None and seen.terminal and seen.state not in WITH_OUTPUT_STATES
        return name if ended else None

    def _files_of(self, seen: Observation) -> tuple[str, ...]:
        """Return the URIs of the files that hold a job's rows.

        Raises:
            ApiError: There are none, some are missing, or they cannot be listed.
        """
        directory = seen.output_directory
        if directory is None:
            raise _no_output(seen)
        bucket, prefix = split_uri(directory)
        try:
            listed = [info.name for info in self._settlement().objects.list(bucket, f"{prefix}/")]
        except ObjectsUnavailableError as error:
            log("WARNING", "output not listed", job=seen.name, error=error)
            raise ApiError(
                "UNAVAILABLE",
                "OUTPUT_UNAVAILABLE",
                f"The gateway cannot list {directory} now. Try again; if it stays so, its administrator can "
                "find the reason in the log.",
                retry_after=5,
            ) from error
        final = [name for name in listed if kind_of(name) is OutputKind.RESULTS]
        names = final or [name for name in listed if kind_of(name) is OutputKind.INCREMENTAL]
        if not names or lacks_shards(final):
            raise _no_output(seen)
        if not all(_LINES.fullmatch(name) for name in names):
            raise _not_supported("only output as jsonl can be read as input")
        return tuple(f"gs://{bucket}/{name}" for name in sorted(names))


def _check_unfinished(seen: Observation, record: JobRecord) -> None:
    """Check that a job has ended and has left something undone.

    Raises:
        ApiError: It has not.
    """
    if not seen.terminal:
        raise ApiError(
            "FAILED_PRECONDITION",
            "JOB_NOT_ENDED",
            f"The job is in {seen.state}. Only a job that has ended can be resumed: wait, or cancel it.",
            metadata={"state": seen.state},
        )
    stats, rows = seen.completion, record.usage.rows
    if stats is not None and stats.total is not None:
        finished = 0 < stats.total == stats.successful
    else:
        finished = (
            record.closed
            and not record.output_missing
            and seen.state in WITH_OUTPUT_STATES
            and 0 < rows.total == rows.succeeded + rows.carried_over
        )
    if finished:
        raise ApiError(
            "FAILED_PRECONDITION",
            "NOTHING_TO_RESUME",
            "All rows of the job have an answer, so there is nothing to resume. To run them again, create a "
            "job with the same input.",
        )


def _no_output(seen: Observation) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "OUTPUT_NOT_THERE",
        f"The job is in {seen.state} and its output is not there, or not all of it. If it has just ended, "
        "try again in a few minutes; else create the job again from its input.",
        metadata={"state": seen.state},
    )


def _not_supported(why: str) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "RESUME_NOT_SUPPORTED",
        f"This job cannot be resumed: {why}. Create a job from the rows that are missing.",
    )
