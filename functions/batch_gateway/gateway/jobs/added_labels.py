"""Check the labels in a create's body, and find those that it gets from its header, its key and its team."""

from collections.abc import Set as AbstractSet

from batch_gateway.core.access import label_policy
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import reserved
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.job_body import JobBody

HEADER = "X-Batch-Labels"
"""Header with labels, for clients that cannot send any in the body. It is never forwarded."""


def header_labels(call: Call) -> dict[str, str]:
    """Return the labels of the header.

    Raises:
        ApiError: LABELS_INVALID.
    """
    # WSGI hands bytes on as Latin-1 (PEP 3333); clients that send other letters encode them as UTF-8.
    sent = call.request.headers.get(HEADER, "").encode("latin-1", "replace")
    try:
        return label_policy.read_labels(sent.decode())
    except UnicodeDecodeError as error:
        raise _invalid(f"{HEADER}: it is not UTF-8") from error
    except ValueError as error:
        raise _invalid(f"{HEADER}: {error}") from error


def check_labels(call: Call, body: JobBody) -> None:
    """Check the labels that a caller wrote into a job; those that the gateway replaces are not looked at.

    Raises:
        ApiError: LABELS_INVALID: Vertex AI would refuse one.
    """
    replaced = reserved(scoped=call.caller.scope is not None)
    for name, value in body.labels.items():
        if name not in replaced:
            try:
                label_policy.check_label_of_job(name, value)
            except ValueError as error:
                raise _invalid(f"labels: {error}") from error


def added_labels(call: Call, body: JobBody) -> dict[str, str]:
    """Return the labels to add to those of the body, which none of them repeats.

    A label of the header goes before a default of the key, and that before one of the team.

    Raises:
        ApiError: LABELS_INVALID: the header is invalid or contradicts the body, or there would be too many
            labels. LABELS_REQUIRED: Key or team require labels that are neither in the body nor added.
    """
    given, policies = header_labels(call), call.caller.label_policies
    if not given and not policies:
        return {}
    written = body.labels
    for name, value in given.items():
        if name in written and written[name] != value:
            raise _invalid(
                f"{HEADER}: {name}={value} contradicts the job's own label, which is "
                f"{str(written[name])[:80]!r}. Leave one of them out"
            )
    wanted = {**label_policy.default_labels(policies), **given}
    missing = label_policy.missing_labels(policies, {**wanted, **written})
    if missing:
        example = ",".join(f"{name}=VALUE" for name in missing)
        raise ApiError(
            "INVALID_ARGUMENT",
            "LABELS_REQUIRED",
            f"Jobs of this API key must have labels that this one lacks: {', '.join(missing)}. Add them to "
            f"labels in the body, or send the header {HEADER}: {example}",
            metadata={"labels": ",".join(missing)},
        )
    added = {name: value for name, value in wanted.items() if name not in written}
    if added:
        _check_number(call, written.keys() | added.keys(), len(added))
    return added


def _check_number(call: Call, names: AbstractSet[str], added: int) -> None:
    """Check that a job does not get more labels than Vertex AI takes, those of the gateway included."""
    scoped = call.caller.scope is not None
    ours = scoped + bool(call.request.headers.get("Idempotency-Key"))
    number = len(names - reserved(scoped=scoped)) + ours
    if number > label_policy.MOST_LABELS:
        raise _invalid(
            f"the job would have {number} labels; Vertex AI takes {label_policy.MOST_LABELS}: {added} are "
            f"from {HEADER} and the defaults of key and team, {ours} from the gateway"
        )


def _invalid(problem: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", "LABELS_INVALID", f"{problem[0].upper()}{problem[1:]}.")
