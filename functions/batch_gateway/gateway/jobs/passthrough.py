"""Relay calls for existing jobs: get, list, cancel, delete, and operations.

A scoped key sees, cancels and deletes its own team's jobs. A job's labels tell its owner: they are set at
create and Vertex AI does not allow changes to them, so no record is needed.
"""

from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from batch_gateway.core.access import callers
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.filters import narrow
from batch_gateway.core.jobs.record import parse_name
from batch_gateway.gateway.http import forwarding, requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.logs import log
from batch_gateway.ports import (
    JobStore,
    RecordError,
    StoreUnavailableError,
    Upstream,
    UpstreamResponse,
    UpstreamUnavailableError,
)
from batch_gateway.tracking import Tracker

_OK = 200
_NOT_FOUND = 404
_NO_ANSWER = frozenset({429, *range(500, 600)})
"""Statuses that leave open if the job exists."""


class Passthrough:
    """Relay of calls, which also keeps job records up to date with the answers."""

    def __init__(self, store: JobStore, upstream: Upstream, tracker: Tracker, places: Places) -> None:
        self._store = store
        self._upstream = upstream
        self._tracker = tracker
        self._places = places

    def get(self, call: Call) -> Response:
        """Relay a job, and track its state."""
        partial = forwarding.is_partial(call.request)
        if partial and call.caller.scope:
            # The labels may have been trimmed from the answer.
            self.owned_job(call, "get")
        upstream = self._relay(call)
        if partial or upstream.status != _OK:
            if upstream.status == _NOT_FOUND:
                self._check_record(call, "get")
            return responses.relay(upstream)
        job = responses.parse_json(upstream)
        self._track_page(call, [job])
        if not call.caller.owns(_labels(job)):
            raise callers.job_not_allowed("get", call.key.path)
        return responses.relay(upstream)

    def list_jobs(self, call: Call) -> Response:
        """Relay a page of jobs, and track their states."""
        query = None
        if call.caller.scope:
            wanted = (call.request.args.getlist("filter") or [""])[-1]
            try:
                narrowed = narrow(wanted, *call.caller.scope)
            except ValueError as error:
                raise ApiError(
                    "INVALID_ARGUMENT", "FILTER_INVALID", f"The filter cannot be read: {error}."
                ) from error
            query = forwarding.query(call.request, without=frozenset({"filter"}))
            query = "&".join(part for part in (query, f"filter={quote(narrowed)}") if part)
        upstream = self._relay(call, query=query)
        if upstream.status != _OK or forwarding.is_partial(call.request):
            return responses.relay(upstream)
        page = responses.parse_json(upstream)
        found = page.get("batchPredictionJobs") if isinstance(page, dict) else None
        jobs = found if isinstance(found, list) else []
        self._track_page(call, jobs)
        own = [job for job in jobs if call.caller.owns(_labels(job))]
        if len(own) == len(jobs):
            return responses.relay(upstream)
        # The filter should have excluded them; they are removed all the same.
        log("ERROR", "jobs of other owners passed the owner filter", api_key=call.caller.api_key)
        return responses.json({**page, "batchPredictionJobs": own})

    def cancel(self, call: Call) -> AuditedResponse:
        """Ask Vertex AI to cancel a job."""
        body = requests.body(call.request) or b"{}"
        if call.caller.scope:
            self.owned_job(call, "cancel")
            body = b"{}"  # a cancel has no fields, and a caller must not be able to add any
        return AuditedResponse(call.key.path, responses.relay(self._relay(call, body=body)))

    def delete(self, call: Call) -> AuditedResponse:
        """Delete a job at Vertex AI; its record stays. Its last state is tracked first: it is gone later."""
        last = self.owned_job(call, "delete")
        if last is not None:
            self._track(call, [last])
        return AuditedResponse(call.key.path, responses.relay(self._relay(call)))

    def get_operation(self, call: Call) -> Response:
        """Relay the operation that a delete returned."""
        return responses.relay(self._relay(call))

    def _relay(self, call: Call, *, body: bytes | None = None, query: str | None = None) -> UpstreamResponse:
        if query is None:
            query = forwarding.query(call.request)
        return self._upstream.send(
            call.request.method,
            call.path,
            project=call.project,
            location=call.location,
            query=query,
            headers=forwarding.headers(call.request, has_body=body is not None),
            body=body,
        )

    def owned_job(self, call: Call, permission: str, *, version: str = "v1") -> dict[str, Any] | None:
        """Return the job as Vertex AI has it, if it is the caller's; None if it does not exist.

        Raises:
            ApiError: The job is another team's, or the caller may not know that it does not exist.
            UpstreamUnavailableError: Vertex AI did not tell.
        """
        look = self._upstream.send(
            "GET", f"/{version}/{call.key.path}", project=call.project, location=call.location
        )
        job = responses.parse_json(look) if look.status == _OK else None
        if look.status in _NO_ANSWER or (look.status == _OK and not isinstance(job, dict)):
            raise UpstreamUnavailableError(f"it answered HTTP {look.status}", sent=True)
        if job is None:
            self._check_record(call, permission)
        elif not call.caller.owns(_labels(job)):
            raise callers.job_not_allowed(permission, call.key.path)
        return job

    def _check_record(self, call: Call, permission: str) -> None:
        """Ensure that only its owner learns that a job does not exist at Vertex AI (any more).

        Raises:
            ApiError: The caller does not own the job, as far as is known.
        """
        if call.caller.scope is None:
            return
        try:
            record = self._store.get_job(call.key)
        except (StoreUnavailableError, RecordError):
            # Even in an outage the answer must not show that another team's job exists.
            record = None
        if record is None or not call.caller.owns(record.seen.labels):
            raise callers.job_not_allowed(permission, call.key.path)

    def _track_page(self, call: Call, jobs: list[Any]) -> None:
        whole = [job for job in jobs if isinstance(job, dict)]
        for number in {name[0] for job in whole if (name := parse_name(str(job.get("name"))))}:
            self._places.learn(number, call.project)
        try:
            self._track(call, whole)
        except StoreUnavailableError as error:
            # Reads of jobs still pass through; the next one shows the same state again.
            log("WARNING", "jobs not tracked", jobs=len(whole), error=error)

    def _track(self, call: Call, jobs: list[dict[str, Any]]) -> None:
        """Track whole jobs. One whose record cannot be written is relayed all the same."""
        for key, error in self._tracker.observe(call.project, jobs).refused.items():
            log("ERROR", "job not tracked", job=key.path, error=error)


def _labels(job: Any) -> dict[str, Any]:
    labels = job.get("labels") if isinstance(job, dict) else None
    return labels if isinstance(labels, dict) else {}
