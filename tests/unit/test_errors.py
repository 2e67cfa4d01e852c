"""Errors in the form of AIP-193."""

import json

import pytest

from batch_gateway.core.errors import DOMAIN, HTTP_STATUS, ApiError, error_body, status_of_http

# google/rpc/code.proto
CODES = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


def test_statuses_have_the_http_codes_of_google() -> None:
    assert HTTP_STATUS == CODES
    assert len(HTTP_STATUS) == 17


@pytest.mark.parametrize(("status", "code"), CODES.items())
def test_an_error_has_the_code_of_its_status(status: str, code: int) -> None:
    error = ApiError(status, "REASON", "text")
    assert (error.code, error.body()["error"]["code"]) == (code, code)


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
    assert error_body(403, "PERMISSION_DENIED", "No. Ask.", "MODEL_NOT_ALLOWED", {"model": "m"}) == {
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
    [info] = error_body(400, "INVALID_ARGUMENT", "text", "REASON", metadata)["error"]["details"]
    assert info.keys() == {"@type", "reason", "domain"}
    assert info["domain"] == DOMAIN


def test_an_error_carries_all_that_the_answer_needs() -> None:
    error = ApiError("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", "Try again.", metadata={"a": "b"}, retry_after=5)
    assert str(error) == error.message == "Try again."
    assert (error.code, error.retry_after, error.metadata) == (503, 5, {"a": "b"})
    assert error.body() == error_body(503, "UNAVAILABLE", "Try again.", "UPSTREAM_UNAVAILABLE", {"a": "b"})
    assert json.loads(json.dumps(error.body())) == error.body()


def test_without_more_there_is_no_retry_and_no_metadata() -> None:
    error = ApiError("NOT_FOUND", "REASON", "text")
    assert (error.retry_after, error.metadata) == (None, {})


def test_another_http_code_can_be_given() -> None:
    assert ApiError("INVALID_ARGUMENT", "TOO_LARGE", "text", code=413).body()["error"]["code"] == 413


def test_a_status_that_google_does_not_have_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        ApiError("TEAPOT", "REASON", "text")
