"""Bodies that are too large, that lie about their size, or that blow up."""

import contextlib
import json
import os
from pathlib import Path

import pytest

from functional.security.conftest import JOBS

MOST = 10 * 1024 * 1024
JOB = {
    "model": "publishers/google/models/gemini-2.5-flash",
    "inputConfig": {"gcsSource": {"uris": ["gs://granted/x"]}},
}
GOOD = json.dumps(JOB).encode()


def head(gateway, *headers, key=None, path=JOBS):
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"x-litellm-api-key: {key or gateway.master}",
    ]
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def peak_megabytes(group):
    """The most memory that a process of a group has ever had in use."""
    peaks = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if os.getpgid(int(folder.name)) == group:
                status = (folder / "status").read_text()
                peaks += [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    return max(peaks) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("key", ["nobody's", "scoped"])
def test_no_caller_fills_the_memory_with_what_is_refused(gateway, key):
    """functions-framework reads the rest of a request once it is answered, also when nobody was let in."""
    group = gateway.process._process.pid
    before = peak_megabytes(group)
    chunk = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    sent = head(gateway, "Transfer-Encoding: chunked", key=gateway.scoped if key == "scoped" else "sk-wrong")

    gateway.raw(sent + chunk * 150 + b"0\r\n\r\n", timeout=10)

    assert peak_megabytes(group) - before < 40


def test_a_body_that_is_too_large_is_refused(gateway, targets):
    reply = gateway.request("POST", JOBS, body=b" " * (MOST + 1))

    assert reply.status == 413
    assert "BODY_TOO_LARGE" in reply.text
    assert targets() == []


@pytest.mark.parametrize("who", ["master", "scoped"])
@pytest.mark.parametrize("path", [JOBS, f"{JOBS}/1:cancel", "/key/generate"])
def test_a_chunked_body_that_is_too_large_is_refused(gateway, targets, path, who):
    gateway.upstream.respond = None
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    sent = head(gateway, "Transfer-Encoding: chunked", path=path, key=getattr(gateway, who)) + chunk * 161

    reply = gateway.raw(sent + b"0\r\n\r\n", timeout=20)

    assert reply.status in {0, 403, 413}, "0: closed while we still sent"
    assert not [target for target in targets() if target.startswith("POST")]


def test_a_body_of_the_largest_size_is_relayed(gateway):
    body = GOOD[:-1] + b',"x":"' + b"y" * (MOST - len(GOOD) - 7) + b'"}'
    assert len(body) == MOST

    assert gateway.request("POST", JOBS, body=body).status == 200
    assert gateway.upstream.seen[-1].body == body


@pytest.mark.parametrize("said", [len(GOOD), len(GOOD) + 100_000])
def test_a_body_that_ends_before_it_should_submits_nothing(gateway, targets, said):
    reply = gateway.raw(head(gateway, f"Content-Length: {said}") + GOOD[:-1], end=True)

    assert reply.status in {0, 400}
    assert targets() == []


def test_a_chunked_body_that_breaks_off_submits_nothing_and_is_no_failure_of_ours(gateway, targets):
    before = gateway.log().count("unexpected error")
    sent = head(gateway, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(GOOD), GOOD)

    reply = gateway.raw(sent, end=True)

    assert targets() == []
    assert reply.status in {0, 400}
    assert gateway.log().count("unexpected error") == before


def test_a_body_that_goes_on_after_its_length_is_cut_there(gateway, targets):
    reply = gateway.raw(head(gateway, f"Content-Length: {len(GOOD) - 1}") + GOOD, end=True)

    assert reply.status == 400
    assert targets() == []


def many(count, value="1", tail=""):
    return ("{" + ",".join(f'"k{number}":{value}' for number in range(count)) + tail + "}").encode()


BOMBS = {
    "arrays": b'{"model":' + b"[" * 3_000_000,
    "closed-arrays": b'{"model":' + b"[" * 500_000 + b"]" * 500_000 + b"}",
    "objects": b'{"a":' * 600_000 + b"1" + b"}" * 600_000,
    "labels": b'{"labels":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    "number": b'{"a":' + b"9" * 3_000_000 + b"}",
    "exponent": b'{"a":1e' + b"9" * 1_000_000 + b"}",
    "fraction": b'{"a":0.' + b"1" * 3_000_000 + b"}",
    "string": b'{"a":"' + b"\\u0061" * 500_000 + b'"}',
    "escapes": b'{"a":"' + b"\\\\" * 1_500_000 + b'"}',
    "open-string": b'{"a":"' + b"x" * 3_000_000,
    "many-keys": many(300_000),
    "many-uris": b'{"uris":[' + b'"gs://granted/x",' * 150_000 + b'"gs://granted/y"]}',
    "same-key": b"{" + b'"a":1,' * 400_000 + b'"a":1}',
    "spaces": b"{" + b" " * 3_000_000 + b"}",
    "commas": b'{"a":[' + b"," * 3_000_000,
    "model": b'{"model":"' + b"*?[" * 300_000 + b'"}',
    "slashes": b'{"uris":"gs://' + b"/a" * 1_000_000 + b'"}',
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("who", ["master", "scoped"])
def test_a_bomb_is_answered(gateway, bomb, who):
    reply = gateway.request("POST", JOBS, body=BOMBS[bomb], key=getattr(gateway, who))

    assert reply.status in {200, 400, 403, 413}, reply.text[:500]
    assert gateway.request("GET", "/health").status == 200


def test_many_names_of_which_the_last_is_there_twice_are_refused(gateway):
    """One body must not keep the gateway busy for hours: an answer that does not come has no status."""
    reply = gateway.request("POST", JOBS, body=many(900, tail=',"z":1,"z":2'), key=gateway.scoped)

    assert (reply.status, "occurs twice" in reply.text) == (400, True)


@pytest.mark.parametrize("path", ["/key/generate", "/team/new", "/key/delete"])
@pytest.mark.parametrize("bomb", ["arrays", "objects", "number", "many-keys", "exponent", "open-string"])
def test_bombs_for_the_administrators_calls_are_refused(gateway, path, bomb):
    reply = gateway.request("POST", path, body=BOMBS[bomb])

    assert reply.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b'{"metadata":' + b'{"a":' * 400 + b"1" + b"}" * 401,
        b'{"metadata":{"a":[[1]]}}',
        b'{"metadata":{"a":18446744073709551615}}',
        b'{"metadata":{"":1}}',
        b'{"max_budget":"NaN"}',
        b'{"duration":"96000mo"}',
        b'{"team_id":"a/b"}',
        b'{"team_id":""}',
        b'{"rpm_limit":9223372036854775808}',
    ],
    ids=lambda body: body[:40].decode(),
)
def test_no_value_makes_the_gateway_fail(gateway, body):
    reply = gateway.request("POST", "/key/generate", body=body)

    assert reply.status in {200, 400, 404}, reply.text[-300:]
