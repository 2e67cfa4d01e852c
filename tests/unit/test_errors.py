"""Errors in the form of AIP-193."""

import msgspec
import pytest

from batch_gateway.core.errors import DOMAIN, ApiError, error_body, status_of_http
from batch_gateway.core.reasons import REASONS
from google_codes import CODES

# google/rpc/code.proto


PAIRS = [(name, status, code) for name, reason in REASONS.items() for status, code in reason.statuses.items()]


@pytest.mark.parametrize(("reason", "status", "code"), PAIRS)
def test_an_error_has_the_code_of_its_reason_and_status(reason: str, status: str, code: int) -> None:
    error = ApiError(status, reason, "text")
    assert (error.code, error.body().error.code) == (code, code)
    own = {"METHOD_NOT_ALLOWED": 405, "BODY_TOO_LARGE": 413}
    assert code == own.get(reason, CODES[status])


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (405, "UNIMPLEMENTED"),
        (409, "ABORTED"),
        (413, "INVALID_ARGUMENT"),
        (418, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (499, "CANCELLED"),
        (500, "INTERNAL"),
        (501, "UNIMPLEMENTED"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (599, "INTERNAL"),
    ],
)
def test_an_http_code_without_a_status_gets_one_that_fits(code: int, status: str) -> None:
    assert status_of_http(code) == status


def test_a_body_reads_so_to_the_letter() -> None:
    body = error_body(403, "PERMISSION_DENIED", "No. Ask.", "MODEL_NOT_ALLOWED", {"model": "m"})
    assert msgspec.json.decode(msgspec.json.encode(body)) == {
        "error": {
            "code": 403,
            "message": "No. Ask.",
            "status": "PERMISSION_DENIED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "MODEL_NOT_ALLOWED",
                    "domain": "batch-gateway",
                    "metadata": {"model": "m"},
                }
            ],
        }
    }


@pytest.mark.parametrize("metadata", [None, {}])
def test_no_metadata_is_no_member(metadata: dict[str, str] | None) -> None:
    [info] = error_body(400, "INVALID_ARGUMENT", "text", "REASON", metadata).error.details
    assert msgspec.to_builtins(info).keys() == {"@type", "reason", "domain"}
    assert info.domain == DOMAIN


def test_an_error_carries_all_that_the_answer_needs() -> None:
    error = ApiError("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "Try again.", metadata={"a": "b"}, retry_after=5)
    assert str(error) == error.message == "Try again."
    assert (error.code, error.retry_after, error.metadata) == (503, 5, {"a": "b"})
    assert error.body() == error_body(503, "UNAVAILABLE", "Try again.", "UPSTREAM_UNAVAILABLE", {"a": "b"})


def test_without_more_there_is_no_retry_and_no_metadata() -> None:
    error = ApiError("NOT_FOUND", "KEY_UNKNOWN", "text")
    assert (error.retry_after, error.metadata) == (None, {})


@pytest.mark.parametrize(
    ("status", "reason"), [("NOT_FOUND", "REASON"), ("TEAPOT", "KEY_UNKNOWN"), ("INTERNAL", "KEY_UNKNOWN")]
)
def test_a_reason_that_is_not_in_the_table_or_has_another_status_is_a_mistake(
    status: str, reason: str
) -> None:
    with pytest.raises(KeyError):
        ApiError(status, reason, "text")
