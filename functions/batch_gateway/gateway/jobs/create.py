"""``POST batchPredictionJobs``: checked, noted, sent once, recorded, answered.

Timeline::

    check ─▶ note submission ─▶ send ─▶ record job, settle submission ─▶ answer
              │ Firestore down:   │ no answer, or one without a job: fate unknown
              │ nothing is sent   │ Idempotency-Key: look for the job by its marker

What is noted and recorded is cut to what Firestore holds (core/excerpts.py), so that a job which Vertex AI
takes can be recorded too.

With an ``Idempotency-Key`` the submission is found again by its id, the hash of caller and key. It is in
one of three conditions: answered (the answer is given again), being sent (refused for a moment), or left
without an answer, whose job is looked for by the marker among its labels and sent only if there is none.
"""

import hashlib
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from werkzeug.wrappers import Response

from batch_gateway import log_events
from batch_gateway.core.access import callers
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting.budgets import BudgetExceededError, OwnedBudget
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating import estimate_report
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.labels import KEY_LABEL, MARKER_LABEL, TEAM_LABEL
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, parse_name
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.routes import Done
from batch_gateway.gateway.jobs import budget_errors, create_outcome
from batch_gateway.gateway.jobs.create_policy import Checks
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.logs import log
from batch_gateway.ports import (
    RecordError,
    Store,
    StoreUnavailableError,
    Submission,
    Upstream,
    UpstreamCredentialsError,
    UpstreamResponse,
    UpstreamUnavailableError,
)

KEPT = timedelta(hours=24)
"""How long an Idempotency-Key is remembered."""
_SENDING = timedelta(seconds=90)
"""A submission without an answer may still be on its way for this long: more than all our time limits."""
_SETTLING = timedelta(seconds=create_outcome.SETTLING_SECONDS)
_HTTP_ERROR = 400
_REFUSED = frozenset(range(400, 500)) - {408, 499}
"""Statuses that say that there is no job. A request that timed out or was cancelled may have made one."""
_MOST_ANSWER_BYTES = 500_000
"""A larger answer is not kept with its Idempotency-Key: a document has 1 MiB, and this in base64."""


class Creates:
    """Submits jobs. A job is on record before its answer goes back."""

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        places: Places,
        checks: Checks,
        estimates: Estimates,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._places = places
        self._checks = checks
        self._estimates = estimates
        self._now = now

    def create(self, call: Call) -> Done:
        """Handle one create; its target is the name of the job, if there is one."""
        response = self._create(call)
        return Done(responses.name_in(response), response)

    def _create(self, call: Call) -> Response:
        body = JobBody(requests.body(call.request))
        model = self._checks.authorize(call, body)
        # An alias becomes the name it stands for.
        changed: dict[str, Any] = {"model": model} if model != body.model else {}
        if call.request.args.get("validateOnly", "").lower() == "true":
            return responses.json(estimate_report(self._estimates.for_caller(call, body.json, model)))
        submission = self._submission(call, body, model)
        limits = [limit for limit in call.caller.budgets if limit.max_nano is not None]
        if limits:
            submission = self._weighed(call, body, model, submission)
        earlier = self._begin(submission, limits)
        if earlier is not None:
            submission = self._retaken(earlier, submission)
            if submission.answer is not None:
                return self._replayed(call, submission)
            if submission.marker == earlier.marker and (found := self._find(call, body.raw, submission)):
                return self._answer(call, *found, submission)
        try:
            if call.caller.scope or submission.marker:
                changed["labels"] = _labels(call.caller, submission, body.labels)
            sent = body.with_members(changed)
        except ApiError:
            self._forget(submission)
            raise
        return self._send(call, sent, submission)

    def _submission(self, call: Call, body: JobBody, model: str) -> Submission:
        now = self._now()
        scope = call.caller.scope
        sent = body.sent(model, dict([scope]) if scope else None)
        idempotency_key = call.request.headers.get("Idempotency-Key", "")
        submission = Submission(
            id=uuid.uuid4().hex,
            project=call.project,
            location=call.location,
            api_key=call.caller.api_key,
            team=call.caller.team,
            key_id=call.caller.key_id,
            display_name=sent.display_name,
            created=now,
            sent=sent,
        )
        if not idempotency_key:
            return submission
        owner = call.caller.scope or (callers.MASTER, "")
        return msgspec.structs.replace(
            submission,
            id=_hash(*owner, idempotency_key)[:32],
            body_hash=_hash(call.project, call.location, body.raw.decode("latin-1")),
            # At random, so that nobody can prepare a job for it to be found in place of ours.
            marker=uuid.uuid4().hex,
            expires=now + KEPT,
        )

    def _weighed(self, call: Call, body: JobBody, model: str, submission: Submission) -> Submission:
        """A submission with what it may cost at most, to be reserved in the caller's budgets."""
        estimate = self._estimates.for_caller(call, body.json, model)
        if estimate.high_nano is None:
            raise budget_errors.unknown(estimate)
        bounds = Bounds(estimate.low_nano, estimate.expected_nano, estimate.high_nano, estimate.weighed)
        return msgspec.structs.replace(
            submission, estimate=bounds, reserved_nano=estimate.high_nano, reserved_at=submission.created
        )

    def _begin(self, submission: Submission, limits: list[OwnedBudget]) -> Submission | None:
        try:
            return self._store.begin_submission(submission, limits)
        except BudgetExceededError as error:
            raise budget_errors.exceeded(error) from error
        except StoreUnavailableError as error:
            log("ERROR", "create refused: the books cannot be reached", error=error)
            raise ApiError(
                "UNAVAILABLE",
                "BOOKS_UNAVAILABLE",
                "The job was not submitted: its record could not be written. Try again.",
                retry_after=5,
            ) from error

    def _retaken(self, earlier: Submission, submission: Submission) -> Submission:
        """What a create whose Idempotency-Key was used before goes on with.

        Returns:
            The earlier submission if it was answered; else one that may be sent now, with the marker of
            the earlier one if its job may be there.

        Raises:
            ApiError: The key was used for something else, or the earlier create is still under way.
        """
        if earlier.body_hash != submission.body_hash:
            raise ApiError(
                "INVALID_ARGUMENT",
                "IDEMPOTENCY_KEY_REUSED",
                "This Idempotency-Key was used for another body within the last 24 hours. Use a new one "
                "for a new job, or send the same body again.",
            )
        if earlier.answer is not None:
            return earlier
        if submission.created - earlier.created < _SENDING:
            raise _in_use()
        submission = msgspec.structs.replace(
            submission,
            marker=earlier.marker,
            reserved_nano=earlier.reserved_nano,
            reserved_at=earlier.reserved_at,
            estimate=earlier.estimate,
        )
        if not self._store.retake_submission(earlier, submission):
            raise _in_use()
        return submission

    def _send(self, call: Call, body: bytes, submission: Submission) -> Response:
        try:
            upstream = self._upstream.send(
                "POST",
                call.path,
                project=call.project,
                location=call.location,
                # A trimmed answer might not even name the job, so creates are always answered in full.
                query=requests.query(call.request, only=requests.SYSTEM_PARAMETERS),
                headers=requests.headers(call.request, has_body=True),
                body=body,
            )
        except UpstreamCredentialsError:
            self._forget(submission)
            raise
        except UpstreamUnavailableError as error:
            if not error.sent:
                self._forget(submission)
                raise
            log("WARNING", "create not answered", submission=submission.id, error=error)
            problem = "did not answer the create"
            return self._recovered(call, body, submission, problem, timed_out=error.timed_out)
        if upstream.status in _REFUSED:
            self._forget(submission)
        elif upstream.status >= _HTTP_ERROR:
            self._land(submission)
        else:
            seen = create_outcome.job_in(body, upstream)
            if seen is not None:
                return self._answer(call, upstream, seen, submission)
            log("ERROR", "create answered without a job", submission=submission.id, status=upstream.status)
            problem = f"answered the create with HTTP {upstream.status} and no job"
            return self._recovered(call, body, submission, problem)
        return responses.relayed(upstream)

    def _recovered(
        self, call: Call, body: bytes, submission: Submission, problem: str, *, timed_out: bool = False
    ) -> Response:
        """Answers a create that may have made a job, though the answer did not show it.

        Raises:
            ApiError: CREATE_FATE_UNKNOWN. The submission stays, and the sweep finds out.
        """
        submission = self._land(submission)
        found = self._find(call, body, submission) if submission.marker else None
        if found is None:
            raise create_outcome.unknown(submission, problem, timed_out=timed_out)
        return self._answer(call, *found, submission)

    def _replayed(self, call: Call, submission: Submission) -> Response:
        """The answer of an earlier create with this key; the job as it is now, if the answer was large."""
        headers = {"Idempotency-Replayed": "true"}
        if submission.answer:
            return responses.raw(submission.answer, headers)
        job = self._upstream.send(
            "GET", f"/{call.version}/{submission.job}", project=call.project, location=call.location
        )
        response = responses.relayed(job)
        response.headers.update(headers)
        return response

    def _find(self, call: Call, sent: bytes, submission: Submission) -> create_outcome.Answer | None:
        """The job that carries a submission's marker; None if there is none.

        Raises:
            ApiError: It cannot be known now.
        """
        try:
            return create_outcome.find_marked(self._upstream, call, sent, submission)
        except ApiError:
            self._land(submission)
            raise

    def _answer(
        self, call: Call, upstream: UpstreamResponse, seen: Observation, submission: Submission
    ) -> Response:
        """Records the job, then relays the answer."""
        number, location, job_id = parse_name(seen.name) or ("", "", "")
        key = JobKey(call.project, location, job_id)
        record = submission.record(JobRecord(key, seen, seen.create_time or submission.created))
        if submission.marker:
            kept = upstream.body if len(upstream.body) <= _MOST_ANSWER_BYTES else b""
            submission = msgspec.structs.replace(submission, answer=kept, job=key.path)
        try:
            self._store.add_job(record, submission)
        except (StoreUnavailableError, RecordError) as error:
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
        log("INFO", "job created", event="job.created", **log_events.of_job(record))
        return responses.relayed(upstream)

    def _land(self, submission: Submission) -> Submission:
        """Notes that a create is no longer under way, though nobody knows what became of it."""
        landed = msgspec.structs.replace(submission, created=self._now() - _SENDING + _SETTLING)
        if not submission.marker:
            return submission
        try:
            self._store.retake_submission(submission, landed)
        except StoreUnavailableError as error:
            # Then its Idempotency-Key can be used again a little later.
            log("WARNING", "submission not landed", submission=submission.id, error=error)
        return landed

    def _forget(self, submission: Submission) -> None:
        try:
            self._store.drop_submission(submission)
        except StoreUnavailableError as error:
            # Left behind, it does no harm: it names no job.
            log("WARNING", "submission not dropped", submission=submission.id, error=error)


def _labels(caller: Caller, submission: Submission, written: dict[str, Any]) -> dict[str, Any]:
    """The labels of a scoped key's job, or of one with an Idempotency-Key.

    Those that say whose a job is, and which submission it is of, are ours to set.
    """
    ours = {MARKER_LABEL} if caller.scope is None else {MARKER_LABEL, TEAM_LABEL, KEY_LABEL}
    labels = {name: value for name, value in written.items() if name not in ours}
    if caller.scope:
        labels[caller.scope[0]] = caller.scope[1]
    if submission.marker:
        labels[MARKER_LABEL] = submission.marker
    return labels


def _in_use() -> ApiError:
    return ApiError(
        "ABORTED",
        "IDEMPOTENCY_KEY_IN_USE",
        "A create with this Idempotency-Key is under way. Send the same again in a moment to get its answer.",
        retry_after=5,
    )


def _hash(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
