"""Errors of the gateway's own: their form, and that they are answered as their page says."""

import re

import pytest

from batch_gateway.core import errors
from batch_gateway.ports import (
    AnswerTooLargeError,
    RecordError,
    StoreUnavailableError,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from documents import DOCS, prose, table_rows
from functional.gateway.conftest import JOBS, KEY, PROJECT, job_body, reason
from google_codes import CODES

SECRET = "a-detail-that-is-nobodys-business"


class Breaking:
    """A port of which every method raises."""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, name):
        def fail(*_, **__):
            raise self._error

        return fail


CASES = {
    "API_KEY_MISSING": lambda w: w.get(JOBS, key=None),
    "API_KEY_INVALID": lambda w: w.get(JOBS, key="x"),
    "PATH_UNKNOWN": lambda w: w.get("/nothing"),
    "METHOD_NOT_ALLOWED": lambda w: w.call("PATCH", JOBS),
    "PATH_INVALID": lambda w: w.get(f"{JOBS}/%2e%2e%2f"),
    "PROJECT_INVALID": lambda w: w.get(JOBS.replace(PROJECT, "x")),
    "LOCATION_INVALID": lambda w: w.get(JOBS.replace("us-central1", "evil.com")),
    "ID_INVALID": lambda w: w.get(f"{JOBS}/a.b"),
    "PROJECT_NOT_ALLOWED": lambda w: w.get(JOBS.replace(PROJECT, "somebody-else")),
    "BODY_INVALID": lambda w: w.create(b"{"),
    "BODY_TOO_LARGE": lambda w: w.create(b" " * (10 * 1024 * 1024 + 1)),
    "BODY_TOO_COMPLEX": lambda w: w.create(b'{"a":' * 101 + b"1" + b"}" * 101),
    "FORMAT_NOT_SUPPORTED": lambda w: w.get(f"{JOBS}?alt=proto"),
    "JOB_NOT_ON_RECORD": lambda w: w.get(f"{JOBS}/1/cost"),
    "MODEL_NOT_SERVED_HERE": lambda w: w.create(
        job_body(model="gemini-2.5-flash"), path=JOBS.replace("us-central1", "europe-west4")
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_of_ours_has_the_form_of_aip_193(scripted, name):
    answer = CASES[name](scripted)

    assert reason(answer) == name
    assert answer.headers["Content-Type"].startswith("application/json")
    error = answer.json["error"]
    assert error.keys() == {"code", "message", "status", "details"}
    fits = CODES[error["status"]] == error["code"]
    assert fits or errors.status_of_http(error["code"]) == error["status"]
    assert re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", name)
    assert re.search(r"[.)]$", error["message"]), "a sentence"
    assert len(error["message"]) > 30, "says what to do"


def broken(scripted, error):
    return scripted.get(f"{JOBS}/4242", client=scripted.new_client(Breaking(error)))


UNEXPECTED = [
    ValueError(SECRET),
    KeyError(SECRET),
    RuntimeError(SECRET),
    OSError(SECRET),
    RecursionError(SECRET),
]


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_what_nobody_expected_is_internal_and_says_nothing_of_itself(scripted, capsys, error):
    answer = broken(scripted, error)

    assert (answer.status_code, answer.json["error"]["status"]) == (500, "INTERNAL")
    assert reason(answer) == "INTERNAL"
    assert SECRET not in answer.text
    assert type(error).__name__ not in answer.text
    assert SECRET in capsys.readouterr().out, "the administrator finds it in the log"


@pytest.mark.parametrize(
    ("error", "status", "expected"),
    [
        (StoreUnavailableError(SECRET), 503, "BOOKS_UNAVAILABLE"),
        (UpstreamCredentialsError(SECRET), 500, "UPSTREAM_CREDENTIALS"),
        (RecordError(SECRET), 500, "RECORD_UNREADABLE"),
    ],
)
def test_the_reason_of_an_outage_is_for_the_log_only(scripted, capsys, error, status, expected):
    answer = broken(scripted, error)

    assert (answer.status_code, reason(answer)) == (status, expected)
    assert SECRET not in answer.text
    assert SECRET in capsys.readouterr().out


def test_an_answer_that_is_too_large_says_how_to_ask_for_less(scripted):
    answer = broken(scripted, AnswerTooLargeError("is larger than 32 bytes"))

    assert (answer.status_code, reason(answer)) == (400, "UPSTREAM_ANSWER_TOO_LARGE")
    assert "is larger than 32 bytes. If it is a list, request smaller pages with pageSize" in answer.text


def test_vertex_out_of_reach_is_unavailable(scripted):
    answer = broken(scripted, UpstreamUnavailableError("no connection to Vertex AI", sent=False))

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert answer.headers["Retry-After"]


@pytest.mark.parametrize("path", ["/x\ny", f"{JOBS}/42\n"])
def test_even_a_path_with_a_line_feed_is_answered_in_our_form(scripted, path):
    answer = scripted.get(path.replace("\n", "%0A"))

    assert answer.headers["Content-Type"].startswith("application/json")
    assert reason(answer) in {"PATH_INVALID", "PATH_UNKNOWN"}


def test_a_client_that_hangs_up_is_no_error_of_ours(scripted, capsys):
    answer = scripted.create(b"{", environ_overrides={"CONTENT_LENGTH": "100"})

    assert answer.status_code < 500
    assert "ERROR" not in capsys.readouterr().out


def test_an_error_leaves_the_gateway_working(scripted):
    client = scripted.new_client(Breaking(ValueError(SECRET)))
    scripted.get(f"{JOBS}/4242", client=client)

    assert scripted.get("/health", client=client).status_code == 200


def test_the_page_names_status_and_code_as_they_are_answered(scripted):
    rows = {reason.strip("`"): status for status, reason, _, _ in table_rows(prose(DOCS / "errors.md"))}
    for name, call in CASES.items():
        error = call(scripted).json["error"]
        assert rows[name] == f"{error['code']} {error['status']}"


def test_the_key_in_litellm_s_header_works(scripted):
    assert scripted.get(JOBS, key=None, headers={"x-litellm-api-key": KEY}).status_code == 200
