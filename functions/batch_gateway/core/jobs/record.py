"""Job records, and the observations of Vertex AI's job resources that they keep.

Source for fields and states: BatchPredictionJob and JobState of the Vertex AI API, discovery revision
20261106 (v1 and v1beta1 agree on everything used here).
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from batch_gateway.core import excerpts
from batch_gateway.core.access.row_grants import UriGrants
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.labels import OURS
from batch_gateway.core.pricing.cost import Cost
from batch_gateway.core.usage import Usage

_STATES = (
    "JOB_STATE_UNSPECIFIED",
    "JOB_STATE_QUEUED",
    "JOB_STATE_PENDING",
    "JOB_STATE_RUNNING",
    "JOB_STATE_SUCCEEDED",
    "JOB_STATE_FAILED",
    "JOB_STATE_CANCELLING",
    "JOB_STATE_CANCELLED",
    "JOB_STATE_PAUSED",
    "JOB_STATE_EXPIRED",
    "JOB_STATE_UPDATING",
    "JOB_STATE_PARTIALLY_SUCCEEDED",
)
WITH_OUTPUT_STATES = frozenset({"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"})
"""States of jobs that have written output."""
TERMINAL_STATES = WITH_OUTPUT_STATES | {"JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"}
"""States that a job does not leave."""
LIVE_STATES = tuple(state for state in _STATES if state not in TERMINAL_STATES)

_NAME = re.compile(
    r"projects/([A-Za-z0-9][A-Za-z0-9.:_-]{0,127})/locations/([A-Za-z0-9-]{1,63})"
    r"/batchPredictionJobs/([A-Za-z0-9_-]{1,128})"
)
"""Job names whose parts can also be part of a document's name."""
_CLOCK_SKEW = timedelta(milliseconds=100)
"""Tolerance between the clocks of jobs and rows; small, since an earlier job's rows may be hardly older."""
_FRACTION = re.compile(r"\.(\d+)")


class JobKey(msgspec.Struct, frozen=True, order=True):
    """The key of a job record; the project is its id as configured, never its number."""

    project: str
    location: str
    job_id: str

    @property
    def path(self) -> str:
        """The job's resource name, with the project's id."""
        return f"projects/{self.project}/locations/{self.location}/batchPredictionJobs/{self.job_id}"


class Completion(msgspec.Struct, frozen=True, rename="camel"):
    """Row counts of Vertex AI's completionStats; an incomplete count of -1 means unknown."""

    successful: int = 0
    failed: int = 0
    incomplete: int = 0

    @property
    def completed(self) -> int:
        """Number of rows that have an outcome."""
        return self.successful + self.failed

    @property
    def total(self) -> int | None:
        """Number of all rows; None while that is unknown."""
        return None if self.incomplete < 0 else self.completed + self.incomplete


class Observation(msgspec.Struct, frozen=True, rename="camel"):
    """The part of a job resource that the gateway follows, shortened to fit into a record.

    Attributes:
        name: As Vertex AI gave it, with the project's number.
        labels_cut: Number of labels that were left out because Vertex AI itself accepts none like them.
        input_uris_cut: Number of input URIs that were left out.
        output_prefix: ``gs://bucket/path`` that the caller chose, without a trailing slash.
        output_directory: ``gs://bucket/path/prediction-model-…`` once Vertex AI reports it, without a
            trailing slash.
        output_table: ``bq://project.dataset.table`` of a job that writes to BigQuery, once it is known.
        error: google.rpc.Status of a failed or cancelled job; its code is a gRPC number.
    """

    name: str
    state: str
    model: str = ""
    display_name: str = ""
    labels: dict[str, str] = {}
    labels_cut: int = 0
    input_uris: tuple[str, ...] = ()
    input_uris_cut: int = 0
    output_prefix: str | None = None
    output_directory: str | None = None
    output_table: str | None = None
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    update_time: datetime | None = None
    completion: Completion | None = None
    error: dict[str, Any] | None = None

    @property
    def terminal(self) -> bool:
        """True if the job has ended."""
        return self.state in TERMINAL_STATES


class Repricing(msgspec.Struct, frozen=True, rename="camel"):
    """A repricing of a job, with its cost before.

    Attributes:
        time: When it was priced again.
        by: Alias of the key that asked for it; empty if output was settled after the table had changed.
        amount_nano: Its cost until then, nano-USD.
        price_table: Version of the table that it was priced with until then.
        unpriced_rows: Rows whose cost was not, or not wholly, in that amount; None if it was not noted.
    """

    time: datetime
    by: str
    amount_nano: int
    price_table: str
    unpriced_rows: int | None = None


class JobRecord(msgspec.Struct, frozen=True, rename="camel"):
    """The record of a job.

    Attributes:
        key: Project, location and id of the job.
        seen: The newest observation.
        create_time: When it was created; decides which hour, day and price its cost belongs to.
        api_key: Alias of the key that created it; None if it was made outside the gateway.
        team: The key's team; None if it has none.
        key_id: Id of that key; stays the same when its alias changes.
        usage: Sum over the settled outputs.
        cost: Cost of that usage.
        settled_outputs: Number of outputs on record, readable or not.
        result_outputs: How many of them hold final results, unless they were deleted unread.
        incremental_outputs: How many of them are incremental and count, because there are no final results.
        unreadable_outputs: How many of them could not be read.
        closed: The job has ended, everything in its output directory is settled, and no more is expected.
        output_missing: It was closed without all of the output that it should have.
        reopened: How often output arrived after it was closed and changed its cost.
        next_look: When the sweep looks again for output of a closed job; None if it is no longer watched.
        announced: The event of its end was sent before its cost was final.
        base_model: Base of a tuned model, as Vertex AI names it; empty if none is known, None if it was not
            looked up yet.
        deleted: Vertex AI no longer has the job, so that it will never be seen to end.
        deleted_at: When that was found out.
        repricings: Its earlier costs, the latest last.
        reserved_nano: Amount still reserved for it in the budgets of its key and team, nano-USD.
        reserved_at: Time in whose periods it is reserved: createTime, or in records from before 2026-11-29
            the time of the reservation.
        estimate: Its estimated cost; None if it was never estimated, UNKNOWN_BOUNDS if that was not possible.
        resumed_from: Name of the job that this one resumed, as Vertex AI gave it; None if it resumed none.
        resumed_by: Name of the last job that resumed this one; None if there is none.
        resuming: Id of the last submission that resumes it; counts only while it is open.
        uri_grants: The prefixes that its key and team were limited to when it was created.
    """

    key: JobKey
    seen: Observation
    create_time: datetime
    api_key: str | None = None
    team: str | None = None
    key_id: str | None = None
    usage: Usage = Usage()
    cost: Cost = Cost()
    settled_outputs: int = 0
    result_outputs: int = 0
    incremental_outputs: int = 0
    unreadable_outputs: int = 0
    closed: bool = False
    output_missing: bool = False
    reopened: int = 0
    next_look: datetime | None = None
    announced: bool = False
    base_model: str | None = None
    deleted: bool = False
    deleted_at: datetime | None = None
    repricings: tuple[Repricing, ...] = ()
    reserved_nano: int = 0
    reserved_at: datetime | None = None
    estimate: Bounds | None = None
    resumed_from: str | None = None
    resumed_by: str | None = None
    resuming: str | None = None
    uri_grants: UriGrants = {}

    @property
    def ended(self) -> bool:
        """True if the job no longer runs. Only jobs that have ended can be deleted."""
        return self.seen.terminal or self.deleted

    @property
    def overran(self) -> bool:
        """True if it cost more than was reserved: its input was overwritten after it was weighed."""
        if self.reserved_at is None or self.estimate is None or self.estimate.high_nano is None:
            return False
        return self.cost.amount_nano > self.estimate.high_nano

    @property
    def priced_model(self) -> str:
        """The model whose prices apply: a tuned model costs as much as its base (Vertex AI pricing page)."""
        return self.base_model or self.seen.model

    @property
    def priced_at(self) -> datetime:
        """The time whose prices apply: when the job began to run."""
        return self.seen.start_time or self.create_time

    @property
    def carried_before(self) -> datetime:
        """The time before which rows were processed by an earlier job, whose output this one resumed from."""
        created = self.seen.create_time or self.create_time
        # Exact where it is certain that there are such rows; their times are in milliseconds.
        exact = created.replace(microsecond=created.microsecond // 1000 * 1000)
        return exact if self.resumed_from else created - _CLOCK_SKEW


def parse_name(name: str) -> tuple[str, str, str] | None:
    """Return (project id or number, location, job id) of a job's resource name; None if it is not one."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2], match[3]) if match else None


def state_name(value: object) -> str:
    """Return a state's name; clients that ask for ``enum-encoding=int`` get numbers."""
    if isinstance(value, int) and 0 <= value < len(_STATES):
        return _STATES[value]
    return value if isinstance(value, str) and value else _STATES[0]


def parse_time(value: object) -> datetime | None:
    """Parse an RFC 3339 time of Google's (up to nanoseconds) as UTC; return None if it is not one."""
    if not isinstance(value, str):
        return None
    try:
        # datetime has no more than microseconds.
        parsed = datetime.fromisoformat(_FRACTION.sub(lambda m: f".{m[1][:6]:0<6}", value))
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def uris_of(value: object) -> tuple[str, ...]:
    """Return the URIs of a gcsSource; Google's own examples send a string where the schema has a list."""
    if isinstance(value, str):
        return (value,)
    return tuple(uri for uri in value if isinstance(uri, str)) if isinstance(value, list) else ()


def observe(job: dict[str, Any]) -> Observation | None:
    """Extract an observation from a job resource; return None if it has no valid name.

    A resource trimmed by ``fields`` or ``readMask`` must not be passed: a field that was trimmed would be
    taken for one that Vertex AI has not set.
    """
    name = job.get("name")
    if not isinstance(name, str) or parse_name(name) is None:
        return None
    input_config = _dict(job, "inputConfig")
    output_info = _dict(job, "outputInfo")
    uris = uris_of(_dict(input_config, "gcsSource").get("uris"))
    table = _string(_dict(input_config, "bigquerySource"), "inputUri")
    labels, labels_cut = excerpts.labels(_dict(job, "labels"), OURS)
    input_uris, input_uris_cut = excerpts.uris((*uris, table) if table else uris)
    return Observation(
        name=name,
        state=excerpts.text(state_name(job.get("state"))),
        model=excerpts.text(_string(job, "model") or ""),
        display_name=excerpts.text(_string(job, "displayName") or ""),
        labels=labels,
        labels_cut=labels_cut,
        input_uris=input_uris,
        input_uris_cut=input_uris_cut,
        output_prefix=excerpts.directory(
            _dict(_dict(job, "outputConfig"), "gcsDestination").get("outputUriPrefix")
        ),
        output_directory=excerpts.directory(output_info.get("gcsOutputDirectory")),
        output_table=excerpts.path(_table(job, output_info)),
        create_time=parse_time(job.get("createTime")),
        start_time=parse_time(job.get("startTime")),
        end_time=parse_time(job.get("endTime")),
        update_time=parse_time(job.get("updateTime")),
        completion=_completion(job.get("completionStats")),
        error=excerpts.status(_dict(job, "error")) or None,
    )


def _completion(stats: object) -> Completion | None:
    if not isinstance(stats, dict) or not stats:
        return None
    return Completion(
        *(_int64(stats.get(name)) for name in ("successfulCount", "failedCount", "incompleteCount")),
    )


def _int64(value: object) -> int:
    """Parse an int64, which proto3 JSON writes as a string and leaves out when it is zero."""
    try:
        number = int(value) if isinstance(value, str | int) else 0
    except ValueError:
        return 0
    return number if -(2**63) <= number < 2**63 else 0


def _dict(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _string(parent: dict[str, Any], name: str) -> str | None:
    value = parent.get(name)
    return value if isinstance(value, str) and value else None


def _table(job: dict[str, Any], output_info: dict[str, Any]) -> str | None:
    """Return the table of the output rows: as reported, else the one that the caller named."""
    dataset, table = (
        _string(output_info, "bigqueryOutputDataset"),
        _string(output_info, "bigqueryOutputTable"),
    )
    if dataset and table:
        return f"{dataset}.{table}"
    wanted = _string(_dict(_dict(job, "outputConfig"), "bigqueryDestination"), "outputUri") or ""
    return wanted if wanted.count(".") == 2 else None  # noqa: PLR2004 - bq://project.dataset.table


def merge_observations(recorded: Observation, seen: Observation) -> Observation:
    """Merge a new observation of a job into the recorded one.

    Observations may arrive out of order: an older one changes nothing, an ended job stays ended, and an
    output directory once reported stays known.
    """
    if recorded.update_time and seen.update_time and seen.update_time < recorded.update_time:
        return recorded
    if recorded.terminal and not seen.terminal:
        return recorded
    return msgspec.structs.replace(
        seen,
        output_directory=seen.output_directory or recorded.output_directory,
        output_table=seen.output_table or recorded.output_table,
    )
