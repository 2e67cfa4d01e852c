"""The five methods of batchPredictionJobs and their operations, passed through."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs import JobKey, JobRecord, observe, parse_name
from batch_gateway.core.models import short_name
from batch_gateway.gateway import answers, inbound
from batch_gateway.gateway.places import Places
from batch_gateway.logs import log
from batch_gateway.ports import (
    Store,
    StoreUnavailableError,
    Submission,
    Upstream,
    UpstreamResponse,
    UpstreamUnavailableError,
)
from batch_gateway.settings import Settings
from batch_gateway.tracking import Tracker

_OK = 200
_ENDED_SUBMISSION = range(400, 500)


class Call(NamedTuple):
    """A request that was let in.

    Attributes:
        request: As it came.
        caller: Who calls.
        version: ``v1`` or ``v1beta1``.
        project: Id of the project, as configured.
        location: Location.
        path: What Vertex AI is asked, from the version on, with the project as the caller wrote it.
    """

    request: Request
    caller: Caller
    version: str
    project: str
    location: str
    path: str


class Passthrough:
    """Relays calls, and keeps the books up to date with what their answers show."""

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        upstream: Upstream,
        tracker: Tracker,
        places: Places,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._store = store
        self._upstream = upstream
        self._tracker = tracker
        self._places = places
        self._now = now

    def create(self, call: Call) -> Response:
        """Submits a job. It is on record before its answer goes back."""
        raw = inbound.body(call.request)
        fields = _fields(raw)
        raw = self._with_full_model_name(call, raw, fields)
        # A trimmed answer might not even name the job, so creates are always answered in full.
        query = inbound.query(call.request, without=frozenset({"fields"}))
        submission = Submission(
            id=uuid.uuid4().hex,
            project=call.project,
            location=call.location,
            api_key=call.caller.api_key,
            team=call.caller.team,
            display_name=_text(fields, "displayName"),
            created=self._now(),
        )
        try:
            self._store.begin_submission(submission)
        except StoreUnavailableError as error:
            log("ERROR", "create refused: the books cannot be reached", error=error)
            raise ApiError(
                "UNAVAILABLE",
                "BOOKS_UNAVAILABLE",
                "The job was not submitted: its record could not be written. Try again.",
                retry_after=5,
            ) from error
        try:
            upstream = self._send(call, body=raw, query=query)
        except UpstreamUnavailableError as error:
            if not error.sent:
                self._forget(submission)
                raise
            raise ApiError(
                "DEADLINE_EXCEEDED" if error.timed_out else "UNAVAILABLE",
                "CREATE_FATE_UNKNOWN",
                "Vertex AI did not answer the create, so the job may or may not exist. List the jobs by "
                "display_name before you submit it again.",
                metadata={"submission": submission.id},
            ) from error
        if upstream.status in _ENDED_SUBMISSION:
            self._forget(submission)
        if upstream.status == _OK:
            self._record(call, raw, upstream, submission)
        return answers.relayed(upstream)

    def get(self, call: Call) -> Response:
        """A job. What it shows is noted."""
        upstream = self._send(call)
        if upstream.status == _OK and not inbound.is_partial(call.request):
            self._see(call.project, [answers.parsed(upstream)])
        return answers.relayed(upstream)

    def list_jobs(self, call: Call) -> Response:
        """A page of jobs. What it shows is noted."""
        upstream = self._send(call)
        if upstream.status == _OK and not inbound.is_partial(call.request):
            page = answers.parsed(upstream)
            self._see(call.project, page.get("batchPredictionJobs") or [] if isinstance(page, dict) else [])
        return answers.relayed(upstream)

    def cancel(self, call: Call) -> Response:
        """Asks for a job's end."""
        return answers.relayed(self._send(call, body=inbound.body(call.request) or b"{}"))

    def delete(self, call: Call) -> Response:
        """Deletes a job upstream, not from the books. Its last state is noted first: later there is none."""
        job_id = call.path.rpartition("/")[2]
        last = self._upstream.get_job(JobKey(call.project, call.location, job_id))
        if last is not None:
            self._tracker.see(call.project, [last])
        return answers.relayed(self._send(call))

    def operation(self, call: Call) -> Response:
        """The operation that a delete returned."""
        return answers.relayed(self._send(call))

    def _send(self, call: Call, body: bytes | None = None, query: str | None = None) -> UpstreamResponse:
        return self._upstream.send(
            call.request.method,
            call.path,
            project=call.project,
            location=call.location,
            query=inbound.query(call.request) if query is None else query,
            headers=inbound.headers(call.request, has_body=body is not None),
            body=body,
        )

    def _with_full_model_name(self, call: Call, raw: bytes, fields: dict[str, msgspec.Raw]) -> bytes:
        """The body with an alias replaced by the name that it stands for, else the body as it came."""
        model = _text(fields, "model")
        resource = self._settings.resolve_model(model, call.project, call.location)
        if resource is None:
            places = self._settings.places_of(model)
            if places and "/" not in model:
                raise ApiError(
                    "INVALID_ARGUMENT",
                    "MODEL_NOT_SERVED_HERE",
                    f"The model {model!r} is configured for {', '.join(places)}, not for "
                    f"{call.project}/{call.location}. Send the job there, or write the model's full name.",
                )
            return raw
        return msgspec.json.encode({**fields, "model": resource})

    def _record(self, call: Call, sent: bytes, upstream: UpstreamResponse, submission: Submission) -> None:
        job = answers.parsed(upstream)
        seen = observe({**msgspec.json.decode(sent), **job}) if isinstance(job, dict) else None
        if seen is None:
            log("ERROR", "create answered without a job's name", submission=submission.id)
            return
        number, location, job_id = parse_name(seen.name) or ("", "", "")
        record = JobRecord(
            key=JobKey(call.project, location, job_id),
            seen=seen,
            create_time=seen.create_time or submission.created,
            api_key=call.caller.api_key,
            team=call.caller.team,
        )
        try:
            self._store.add_job(record, submission.id)
        except StoreUnavailableError as error:
            log(
                "ERROR",
                "job submitted but not recorded",
                job=seen.name,
                submission=submission.id,
                error=error,
            )
            raise ApiError(
                "UNAVAILABLE",
                "JOB_NOT_RECORDED",
                f"The job was submitted as {seen.name}, but its record could not be written: its cost "
                "will be tracked only after the gateway has found it again. Do not submit it again.",
                metadata={"job": seen.name, "submission": submission.id},
            ) from error
        self._places.learn(number, call.project)
        log(
            "INFO",
            "job created",
            job=seen.name,
            model=short_name(seen.model),
            api_key=call.caller.api_key,
            team=call.caller.team,
        )

    def _forget(self, submission: Submission) -> None:
        try:
            self._store.drop_submission(submission.id)
        except StoreUnavailableError as error:
            # Left behind, it does no harm: it names no job.
            log("WARNING", "submission not dropped", submission=submission.id, error=error)

    def _see(self, project: str, jobs: list[Any]) -> None:
        whole = [job for job in jobs if isinstance(job, dict)]
        try:
            self._tracker.see(project, whole)
        except StoreUnavailableError as error:
            # Reads of jobs go through all the same; the next one shows the same again.
            log("WARNING", "jobs not tracked", jobs=len(whole), error=error)


def _fields(raw: bytes) -> dict[str, msgspec.Raw]:
    """The body's top-level fields, their values left as they came."""
    try:
        return msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as error:
        raise ApiError(
            "INVALID_ARGUMENT", "BODY_INVALID", "The body must be a JSON object: a BatchPredictionJob."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ApiError(
            "INVALID_ARGUMENT", "BODY_INVALID", f"The body is no JSON: {error}. Send a BatchPredictionJob."
        ) from error


def _text(fields: dict[str, msgspec.Raw], name: str) -> str:
    """A field's string; empty if it is none, which Vertex AI is left to complain about."""
    try:
        return msgspec.json.decode(fields.get(name, b'""'), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
