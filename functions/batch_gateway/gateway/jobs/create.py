"""Create jobs (``POST batchPredictionJobs``): check, note, send once, record, answer.

Timeline::

    check ─▶ note submission ─▶ send ─▶ record job, settle submission ─▶ answer
              │ Firestore down:   │ no answer, or one without a job: fate unknown
              │ nothing is sent   │ Idempotency-Key: look for the job by its marker

Submissions and records are cut to what a Firestore document holds (core/excerpts.py), so that every job that
Vertex AI accepts can be recorded.

With an ``Idempotency-Key`` the submission is found again by its id, the hash of caller and key. It has one of
three states: answered (the answer is returned again), being sent (the create is rejected for a moment), or
left without an answer: then the job is looked up by its marker label, and sent only if there is none.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from werkzeug.wrappers import Response

from batch_gateway import log_events
from batch_gateway.core.access.row_grants import uri_grants
from batch_gateway.core.accounting.budgets import BudgetExceededError, OwnedBudget
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, parse_name
from batch_gateway.gateway.http import forwarding, params, requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.gateway.jobs import budget_errors, create_outcome
from batch_gateway.gateway.jobs.added_labels import added_labels
from batch_gateway.gateway.jobs.create_policy import CreatePolicy
from batch_gateway.gateway.jobs.drafts import Draft
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.gateway.jobs.submissions import labels_of, new_submission, repeatable_id
from batch_gateway.logs import log
from batch_gateway.ports import (
    JobResumedError,
    RecordError,
    StoreUnavailableError,
    Submission,
    SubmissionStore,
    Upstream,
    UpstreamCredentialsError,
    UpstreamResponse,
    UpstreamUnavailableError,
)

_SENDING = timedelta(seconds=120)
"""Time for which an unanswered submission may still be in flight: it may wait for a token of Google's, and
then has 65 s to connect and be answered."""
_SETTLING = timedelta(seconds=create_outcome.SETTLING_SECONDS)
_HTTP_ERROR = 400
_REFUSED = frozenset(range(400, 500)) - {408, 499}
"""Statuses that mean that no job was created. A request that timed out or was cancelled may have made one."""
_MOST_ANSWER_BYTES = 500_000
"""Largest answer kept with an Idempotency-Key: a document holds 1 MiB, and the answer is in base64."""


class Creates:
    """Handler of creates. A job is on record before its answer is returned."""

    def __init__(
        self,
        store: SubmissionStore,
        upstream: Upstream,
        places: Places,
        policy: CreatePolicy,
        estimates: Estimates,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._upstream = upstream
        self._places = places
        self._policy = policy
        self._estimates = estimates
        self._now = now

    def create(self, call: Call) -> AuditedResponse:
        """Create a job; the target is the job's name, empty if there is none."""
        raw = requests.body(call.request)
        response = self.submit(call, Draft(JobBody(raw), raw))
        return AuditedResponse(responses.resource_name(response), response)

    def submit(self, call: Call, draft: Draft) -> Response:
        """Check a create, send it, and record its job.

        Args:
            call: The call; its path is that of a create.
            draft: The create.

        Raises:
            ApiError: It is rejected, or its job is unknown or not on record.
        """
        resumed = draft.resumed
        model = self._policy.authorize(call, draft.body, resumed)
        limits = [limit for limit in call.caller.budgets if limit.max_nano is not None]
        is_limited = bool(limits or uri_grants(call.caller.grants))
        # Only then is the input read.
        if is_limited and (again := self.answer_again(call, draft.identity)) is not None:
            return again
        body = self._estimates.rows.with_exact_input(call, draft.body)
        draft = draft._replace(body=body)
        # An alias is replaced by the model's full name.
        changed: dict[str, Any] = {"model": model} if model != body.model else {}
        if params.validate_only(call.request):
            self._policy.check_known(call, model)
            return self._estimates.answer(call, body, model, resumed)
        bounds = None
        if limits:
            bounds = self._bounds(call, draft, model)
        elif is_limited:
            self._estimates.rows.check(call, body.json)
        # Not before the input was read: from here on it takes no longer than _SENDING.
        submission = new_submission(call, draft, model, self._now(), bounds)
        earlier = self._begin(submission, limits)
        if earlier is not None:
            submission = self._continue(earlier, submission)
            if submission.answer is not None:
                return self._replay(call, submission)
            found = self._find_marked(call, body.raw, submission)
            if found is not None:
                return self._record_and_relay(call, *found, submission)
            # The search may have taken as long as a create.
            submission = self._retake(submission, created=self._now())
        # The job of an earlier try may be in no list yet, so its submission stays until the sweep drops it.
        give_up = self._forget if earlier is None else self._mark_unresolved
        try:
            added = added_labels(call, body)
            if call.caller.scope or submission.marker or added:
                changed["labels"] = labels_of(call.caller, submission, body.labels | added)
            sent = body.with_members(changed)
        except ApiError:
            give_up(submission)
            raise
        return self._send(call, sent, submission, give_up)

    def answer_again(self, call: Call, identity: bytes) -> Response | None:
        """Return the answer of an earlier create that this one repeats; None if there is none.

        Nothing else is needed for that: input and output that it names may be gone by now.

        Args:
            call: The create.
            identity: As in Draft.

        Raises:
            StoreUnavailableError: Firestore does not answer.
        """
        repeatable = repeatable_id(call, identity)
        if repeatable is None or params.validate_only(call.request):
            return None
        found = self._store.get_submission(repeatable[0])
        if found is None or found.answer is None or found.is_over(self._now()):
            return None
        return self._replay(call, found) if found.body_hash == repeatable[1] else None

    def _bounds(self, call: Call, draft: Draft, model: str) -> Bounds:
        """Return the bounds of what a create may cost, to be reserved in the budgets.

        Raises:
            ApiError: ESTIMATE_UNKNOWN, or the input cannot be read in time.
        """
        estimate = self._estimates.estimate_for_caller(call, draft.body.json, model, draft.resumed)
        if estimate.high_nano is None:
            raise budget_errors.unknown(estimate)
        return Bounds(estimate.low_nano, estimate.expected_nano, estimate.high_nano, estimate.weighed)

    def _begin(self, submission: Submission, limits: list[OwnedBudget]) -> Submission | None:
        try:
            return self._store.begin_submission(submission, limits)
        except BudgetExceededError as error:
            raise budget_errors.exceeded(error) from error
        except JobResumedError as error:
            raise create_outcome.resumed_before(error.by) from error
        except StoreUnavailableError as error:
            log("ERROR", "create rejected: Firestore is unavailable", error=error)
            raise create_outcome.not_submitted() from error

    def _continue(self, earlier: Submission, submission: Submission) -> Submission:
        """Decide how to continue a create whose Idempotency-Key was seen before.

        Returns:
            The earlier submission if it was answered; else the same, as one that may be sent now.

        Raises:
            ApiError: The key was used for another body, or the earlier create is still in progress.
        """
        if earlier.body_hash != submission.body_hash:
            raise create_outcome.key_reused()
        if earlier.answer is not None:
            return earlier
        if submission.created - earlier.created < _SENDING:
            raise create_outcome.in_use()
        # Another key of the team may send it: what is reserved stays that of the key that sent it first.
        return self._retake(earlier, created=submission.created, expires=submission.expires)

    def _retake(self, submission: Submission, **changed: datetime | None) -> Submission:
        """Change a submission that is about to be sent, and return it.

        Raises:
            ApiError: Another create has taken it meanwhile.
        """
        retaken = msgspec.structs.replace(submission, **changed)
        if not self._store.retake_submission(submission, retaken):
            raise create_outcome.in_use()
        return retaken

    def _send(
        self, call: Call, body: bytes, submission: Submission, give_up: Callable[[Submission], object]
    ) -> Response:
        try:
            upstream = self._upstream.send(
                "POST",
                call.path,
                project=call.project,
                location=call.location,
                # A trimmed answer might not even name the job, so the full answer is always requested.
                query=forwarding.query(call.request, only=forwarding.SYSTEM_PARAMETERS),
                headers=forwarding.headers(call.request, has_body=True),
                body=body,
            )
        except UpstreamCredentialsError:
            give_up(submission)
            raise
        except UpstreamUnavailableError as error:
            if not error.sent:
                give_up(submission)
                raise
            log("WARNING", "create not answered", submission=submission.id, error=error)
            problem = "did not answer the create"
            return self._recover(call, body, submission, problem, timed_out=error.timed_out)
        if upstream.status in _REFUSED:
            give_up(submission)
        elif upstream.status >= _HTTP_ERROR:
            self._mark_unresolved(submission)
        else:
            seen = create_outcome.job_in(body, upstream)
            if seen is not None:
                return self._record_and_relay(call, upstream, seen, submission)
            log("ERROR", "create answered without a job", submission=submission.id, status=upstream.status)
            problem = f"answered the create with HTTP {upstream.status} and no job"
            return self._recover(call, body, submission, problem)
        return responses.relay(upstream)

    def _recover(
        self, call: Call, body: bytes, submission: Submission, problem: str, *, timed_out: bool = False
    ) -> Response:
        """Answer a create that may have made a job although the answer does not show one.

        Raises:
            ApiError: CREATE_FATE_UNKNOWN. The submission is kept for the sweep to resolve.
        """
        submission = self._mark_unresolved(submission)
        found = self._find_marked(call, body, submission) if submission.marker else None
        if found is None:
            raise create_outcome.unknown(submission, problem, timed_out=timed_out)
        return self._record_and_relay(call, *found, submission)

    def _replay(self, call: Call, submission: Submission) -> Response:
        """Return the answer of the earlier create with this key.

        If that was too large to keep, it is the job as it is now.
        """
        headers = {"Idempotency-Replayed": "true"}
        if submission.answer:
            return responses.replay(submission.answer, headers)
        job = self._upstream.send(
            "GET", f"/{call.version}/{submission.job}", project=call.project, location=call.location
        )
        response = responses.relay(job)
        response.headers.update(headers)
        return response

    def _find_marked(self, call: Call, sent: bytes, submission: Submission) -> create_outcome.Answer | None:
        """Find the job that carries a submission's marker; None if there is none.

        Raises:
            ApiError: CREATE_FATE_UNKNOWN: Vertex AI cannot be asked now.
            UpstreamCredentialsError: There is no token to ask it with.
        """
        try:
            return create_outcome.find_marked(self._upstream, call, sent, submission)
        except (ApiError, UpstreamCredentialsError):
            self._mark_unresolved(submission)
            raise

    def _record_and_relay(
        self, call: Call, upstream: UpstreamResponse, seen: Observation, submission: Submission
    ) -> Response:
        """Record the job, then relay the answer.

        Raises:
            ApiError: JOB_NOT_RECORDED.
        """
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
            raise create_outcome.not_recorded(seen.name, submission) from error
        self._places.learn(number, call.project)
        log("INFO", "job created", event="job.created", **log_events.job_fields(record))
        return responses.relay(upstream)

    def _mark_unresolved(self, submission: Submission) -> Submission:
        """Mark a create as no longer in progress, although it is unknown whether it made a job."""
        unresolved = msgspec.structs.replace(submission, created=self._now() - _SENDING + _SETTLING)
        if not submission.marker:
            return submission
        try:
            self._store.retake_submission(submission, unresolved)
        except StoreUnavailableError as error:
            # Then the Idempotency-Key can be used again only a little later.
            log("WARNING", "submission not marked as unresolved", submission=submission.id, error=error)
        return unresolved

    def _forget(self, submission: Submission) -> None:
        try:
            self._store.drop_submission(submission)
        except StoreUnavailableError as error:
            # A submission that is left behind does no harm: it names no job.
            log("WARNING", "submission not dropped", submission=submission.id, error=error)
