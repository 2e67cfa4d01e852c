"""What can be done to jobs that are there, passed through: get, list, cancel, delete, and operations.

A scoped key sees and ends its own team's jobs. Whose a job is, its labels say: they are set at create
and Vertex AI does not let them be changed, so no record is needed to tell.
"""

from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from batch_gateway.core.access import callers
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.filters import narrow
from batch_gateway.core.jobs.record import parse_name
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.routes import Done
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.logs import log
from batch_gateway.ports import (
    RecordError,
    Store,
    StoreUnavailableError,
    Upstream,
    UpstreamResponse,
    UpstreamUnavailableError,
)
from batch_gateway.tracking import Tracker

_OK = 200
_NOT_FOUND = 404
_NO_ANSWER = frozenset({429, *range(500, 600)})
"""Statuses that do not say whether there is a job."""


class Passthrough:
    """Relays calls, and keeps the books up to date with what their answers show."""

    def __init__(self, store: Store, upstream: Upstream, tracker: Tracker, places: Places) -> None:
        self._store = store
        self._upstream = upstream
        self._tracker = tracker
        self._places = places

    def get(self, call: Call) -> Response:
        """A job. What it shows is noted."""
        partial = requests.is_partial(call.request)
        if partial and call.caller.scope:
            # The labels may be among what was trimmed.
            self._check_owner(call, "get")
        upstream = self._relay(call)
        if partial or upstream.status != _OK:
            if upstream.status == _NOT_FOUND:
                self._check_record(call, "get")
            return responses.relayed(upstream)
        job = responses.parsed(upstream)
        self._see(call, [job])
        if not call.caller.owns(_labels(job)):
            raise callers.not_yours("get", call.key.path)
        return responses.relayed(upstream)

    def list_jobs(self, call: Call) -> Response:
        """A page of jobs. What it shows is noted."""
        query = None
        if call.caller.scope:
            wanted = (call.request.args.getlist("filter") or [""])[-1]
            try:
                narrowed = narrow(wanted, *call.caller.scope)
            except ValueError as error:
                raise ApiError(
                    "INVALID_ARGUMENT", "FILTER_INVALID", f"The filter cannot be read: {error}."
                ) from error
            query = requests.query(call.request, without=frozenset({"filter"}))
            query = "&".join(part for part in (query, f"filter={quote(narrowed)}") if part)
        upstream = self._relay(call, query=query)
        if upstream.status != _OK or requests.is_partial(call.request):
            return responses.relayed(upstream)
        page = responses.parsed(upstream)
        found = page.get("batchPredictionJobs") if isinstance(page, dict) else None
        jobs = found if isinstance(found, list) else []
        self._see(call, jobs)
        own = [job for job in jobs if call.caller.owns(_labels(job))]
        if len(own) == len(jobs):
            return responses.relayed(upstream)
        # The filter should have kept them away; what it lets through is still not shown.
        log("ERROR", "the team filter let other jobs through", api_key=call.caller.api_key)
        return responses.json({**page, "batchPredictionJobs": own})

    def cancel(self, call: Call) -> Done:
        """Ask Vertex AI to end a job."""
        body = requests.body(call.request) or b"{}"
        if call.caller.scope:
            self._check_owner(call, "cancel")
            body = b"{}"  # it has no other meaning, and must not get one
        return Done(call.key.path, responses.relayed(self._relay(call, body=body)))

    def delete(self, call: Call) -> Done:
        """Delete a job upstream, not from the books. Its last state is noted first: later there is none."""
        last = self._check_owner(call, "delete")
        if last is not None:
            self._note(call, [last])
        return Done(call.key.path, responses.relayed(self._relay(call)))

    def operation(self, call: Call) -> Response:
        """The operation that a delete returned."""
        return responses.relayed(self._relay(call))

    def _relay(self, call: Call, *, body: bytes | None = None, query: str | None = None) -> UpstreamResponse:
        if query is None:
            query = requests.query(call.request)
        return self._upstream.send(
            call.request.method,
            call.path,
            project=call.project,
            location=call.location,
            query=query,
            headers=requests.headers(call.request, has_body=body is not None),
            body=body,
        )

    def _check_owner(self, call: Call, permission: str) -> dict[str, Any] | None:
        """The job as Vertex AI has it, None if it has none.

        Raises:
            ApiError: It is somebody else's, or the caller cannot know that there is none.
        """
        look = self._upstream.send(
            "GET", f"/v1/{call.key.path}", project=call.project, location=call.location
        )
        job = responses.parsed(look) if look.status == _OK else None
        if look.status in _NO_ANSWER or (look.status == _OK and not isinstance(job, dict)):
            raise UpstreamUnavailableError(f"it answered HTTP {look.status}", sent=True)
        if job is None:
            self._check_record(call, permission)
        elif not call.caller.owns(_labels(job)):
            raise callers.not_yours(permission, call.key.path)
        return job

    def _check_record(self, call: Call, permission: str) -> None:
        """For a job that Vertex AI does not have (any more): only its owner learns that it is gone."""
        if call.caller.scope is None:
            return
        try:
            record = self._store.get_job(call.key)
        except (StoreUnavailableError, RecordError):
            # An outage must not tell another team's job from none either.
            record = None
        if record is None or not call.caller.owns(record.seen.labels):
            raise callers.not_yours(permission, call.key.path)

    def _see(self, call: Call, jobs: list[Any]) -> None:
        whole = [job for job in jobs if isinstance(job, dict)]
        for number in {name[0] for job in whole if (name := parse_name(str(job.get("name"))))}:
            self._places.learn(number, call.project)
        try:
            self._note(call, whole)
        except StoreUnavailableError as error:
            # Reads of jobs go through all the same; the next one shows the same again.
            log("WARNING", "jobs not tracked", jobs=len(whole), error=error)

    def _note(self, call: Call, jobs: list[dict[str, Any]]) -> None:
        """Takes note of whole jobs. One that the books do not take is passed through all the same."""
        for key, error in self._tracker.observe(call.project, jobs).refused.items():
            log("ERROR", "job not tracked", job=key.path, error=error)


def _labels(job: Any) -> dict[str, Any]:
    labels = job.get("labels") if isinstance(job, dict) else None
    return labels if isinstance(labels, dict) else {}
