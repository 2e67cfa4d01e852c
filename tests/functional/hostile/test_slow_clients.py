"""Forty clients that are slow, or never send what they announced, beside an honest one."""

import contextlib
import socket
import threading
import time

import pytest

from functional.security.conftest import JOBS
from functional.security.test_bodies import GOOD
from patience import PATIENCE
from processes import HOST, wait_until
from thorough import taking_turns

SLOW = 40


@contextlib.contextmanager
def connections(gateway, sent, count=SLOW):
    """Connections that stay open and have sent this."""
    with contextlib.ExitStack() as stack:
        opened = [
            stack.enter_context(socket.create_connection((HOST, gateway.port), timeout=PATIENCE))
            for _ in range(count)
        ]
        for connection in opened:
            connection.sendall(sent)
        yield opened


def head(path, *headers, key=None):
    lines = [f"POST {path} HTTP/1.1", "Host: x", *headers]
    return "\r\n".join([*lines, *([f"x-litellm-api-key: {key}"] if key else []), "", ""]).encode()


def answer_to(connection):
    received = b""
    while b"\r\n\r\n" not in received and (piece := connection.recv(65536)):
        received += piece
    return received


def honest(gateway):
    for key in (gateway.scoped, gateway.master):
        assert gateway.request("GET", f"{JOBS}?pageSize=1", key=key).status == 200
        assert gateway.request("POST", JOBS, body=GOOD, key=key).status == 200


ANNOUNCED = ["Content-Length: 1000000", "Transfer-Encoding: chunked"]


@pytest.mark.parametrize("announced", ANNOUNCED)
@pytest.mark.parametrize(("key", "status"), [(None, b"401"), ("sk-wrong", b"403")])
def test_a_refusal_does_not_wait_for_the_body(gateway, announced, key, status):
    with connections(gateway, head(JOBS, announced, key=key)) as slow:
        honest(gateway)
        for connection in slow:
            assert answer_to(connection).startswith(b"HTTP/1.1 " + status)


PATHS = [
    *("/health", "/nothing", "/v1/costs", "/internal/reconcile", "/robots.txt", "/favicon.ico", "/"),
    *("//x", "/v1//x", "/%2e%2e", "/" + "x" * 40_000),
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path[:20])
def test_no_path_waits_for_a_body_that_it_does_not_read(gateway, path):
    with connections(gateway, head(path, ANNOUNCED[0], key="sk-wrong")) as slow:
        honest(gateway)
        for connection in slow:
            assert answer_to(connection).startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize(
    ("path", "announced"), taking_turns([JOBS, f"{JOBS}:estimateCost", f"{JOBS}/1:cancel"], ANNOUNCED)
)
def test_one_callers_slow_bodies_do_not_keep_the_others_waiting(gateway, announced, path):
    with connections(gateway, head(path, announced, key=gateway.scoped)) as slow:
        honest(gateway)
        waiting = list(slow)

        def half_are_refused():
            waiting[:] = [each for each in waiting if not _is_refused(each)]
            return len(waiting) <= SLOW // 2

        wait_until(half_are_refused, PATIENCE, "half of the slow ones to be refused")


def _is_refused(connection):
    connection.settimeout(0)
    try:
        return b"BODY_TOO_SLOW" in connection.recv(65536)
    except BlockingIOError:
        return False


def test_a_body_that_dribbles_is_cut_off(gateway):
    with connections(gateway, head(JOBS, ANNOUNCED[0], key=gateway.scoped)) as slow:
        ends = time.monotonic() + PATIENCE
        while slow[-1] is not None and time.monotonic() < ends:
            for at, connection in enumerate(slow):
                if connection is not None and not _goes_on(connection):
                    slow[at] = None
            if slow.count(None) >= SLOW // 2:
                break
            time.sleep(0.05)
        assert slow.count(None) >= SLOW // 2
        honest(gateway)


def _goes_on(connection):
    """Sends one more byte; False if the answer has come."""
    connection.settimeout(0)
    try:
        connection.send(b" ")
        return b"BODY_TOO_SLOW" not in connection.recv(65536)
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.parametrize("announced", ["Content-Length: 5000", *ANNOUNCED])
@pytest.mark.parametrize("path", [JOBS, "/robots.txt"])
def test_a_refused_body_that_dribbles_is_not_waited_for(gateway, path, announced):
    with connections(gateway, head(path, announced, key="sk-wrong") + b"1\r\n") as slow:
        done = threading.Event()
        dribbling = threading.Thread(target=_dribble, args=(slow, done))
        dribbling.start()
        try:
            honest(gateway)
        finally:
            done.set()
            dribbling.join()


def _dribble(slow, done):
    while not done.wait(0.02):
        for connection in slow:
            with contextlib.suppress(OSError):
                connection.send(b"x")


def test_a_refused_body_that_is_large_and_on_its_way_does_not_lose_the_answer(gateway):
    body = b" " * 12_000_000
    sent = head(JOBS, f"Content-Length: {len(body)}", key="sk-wrong") + body

    assert gateway.raw(sent, timeout=PATIENCE).status == 403


def test_a_connection_is_kept_where_the_refused_body_was_there(gateway):
    sent = head(JOBS, f"Content-Length: {len(GOOD)}", key="sk-wrong") + GOOD
    with connections(gateway, sent, 1) as (connection,):
        for _ in range(3):
            assert b"HTTP/1.1 403" in answer_to(connection)
            connection.sendall(sent)


def test_a_slow_body_that_comes_in_time_is_taken(gateway):
    sent = head(JOBS, f"Content-Length: {len(GOOD)}", key=gateway.scoped)
    with connections(gateway, sent, 1) as (connection,):
        for at in range(0, len(GOOD), len(GOOD) // 4):
            time.sleep(0.3)
            connection.sendall(GOOD[at : at + len(GOOD) // 4])
        assert answer_to(connection).startswith(b"HTTP/1.1 200")
