"""Make the submission of a create, and the labels of its job."""

import hashlib
import uuid
from datetime import datetime, timedelta
from typing import Any

import msgspec

from batch_gateway.core.access import callers
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.row_grants import uri_grants
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.labels import MARKER_LABEL, reserved
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.added_labels import header_labels
from batch_gateway.gateway.jobs.drafts import Draft
from batch_gateway.ports import Submission

KEY_LIFETIME = timedelta(hours=24)
"""Lifetime of an Idempotency-Key."""


def new_submission(call: Call, draft: Draft, model: str, now: datetime, bounds: Bounds | None) -> Submission:
    """Make the submission of a create; with an Idempotency-Key, its id is derived from caller and key.

    Args:
        call: The create.
        draft: The create.
        model: Full name of the model.
        now: Current time.
        bounds: What it may cost, to be reserved in the budgets; None without a budget.
    """
    scope = call.caller.scope
    sent = draft.body.sent(model, dict([scope]) if scope else None)
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
        resumes=draft.resumed and draft.resumed.resumption,
        uri_grants=uri_grants(call.caller.grants),
        estimate=bounds,
        reserved_nano=(bounds and bounds.high_nano) or 0,
        reserved_at=now if bounds else None,
    )
    repeatable = repeatable_id(call, draft.identity)
    if repeatable is None:
        return submission
    return msgspec.structs.replace(
        submission,
        id=repeatable[0],
        body_hash=repeatable[1],
        # Random, so that nobody can plant a job that would be found in place of ours.
        marker=uuid.uuid4().hex,
        expires=now + KEY_LIFETIME,
    )


def repeatable_id(call: Call, identity: bytes) -> tuple[str, str] | None:
    """Return the id of a create with an Idempotency-Key, and the hash of what it stands for; else None.

    Args:
        call: The create.
        identity: As in Draft.
    """
    idempotency_key = call.request.headers.get("Idempotency-Key", "")
    if not idempotency_key:
        return None
    owner = call.caller.scope or (callers.MASTER, "")
    return _hash(*owner, idempotency_key)[:32], _hash(
        call.project,
        call.location,
        identity.decode("latin-1"),
        *(f"{name}={value}" for name, value in sorted(header_labels(call).items())),
    )


def labels_of(caller: Caller, submission: Submission, written: dict[str, Any]) -> dict[str, Any]:
    """Return the labels to send with a create.

    The labels for the job's owner and its submission are set by the gateway only: the caller's are dropped.
    """
    ours = reserved(scoped=caller.scope is not None)
    labels = {name: value for name, value in written.items() if name not in ours}
    if caller.scope:
        labels[caller.scope[0]] = caller.scope[1]
    if submission.marker:
        labels[MARKER_LABEL] = submission.marker
    return labels


def _hash(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
