"""A path cannot be bent, on the wire."""

import pytest

from functional.security.conftest import JOBS, PROJECT


def jobs(project=PROJECT, location="us-central1"):
    return f"/v1/projects/{project}/locations/{location}/batchPredictionJobs"


BENT = [
    *(
        f"{JOBS}/..%2f..%2fsecret",
        f"{JOBS}/%2e%2e/secret",
        f"{JOBS}/../../secret",
        f"{JOBS}/./1",
        f"{JOBS}/..",
    ),
    *(
        f"{JOBS}/1%2f2",
        f"{JOBS}/1%5c2",
        f"{JOBS}/1\\2",
        f"{JOBS}//1",
        f"//{JOBS[1:]}/1",
        f"/{JOBS}",
        f"{JOBS}/1/",
    ),
    *(f"{JOBS};a=b", f"{JOBS}/1;x", f"{JOBS};/../1", f"/v1;x{JOBS[3:]}/1", f"{JOBS}/1%3bx", f"{JOBS}/1%00"),
    *(
        f"{JOBS}/1%0d%0aX-Y:z",
        f"{JOBS}/1%20",
        f"{JOBS}/1%09",
        f"{JOBS}/1%23",
        f"{JOBS}/1%3fa=b",
        f"{JOBS}/1%252f2",
    ),
    *(f"{JOBS}/１", f"{JOBS}/1‥/2", f"{JOBS}/1∕2", f"{JOBS}/%ef%bc%8f", f"{JOBS}/%c0%ae%c0%ae/1"),  # noqa: RUF001
    *(f"/{'../' * 20}etc/passwd", f"/static/../..{JOBS}/1", f"/health/..{JOBS}/1", f"{JOBS}/1:delete"),
    *(
        f"{JOBS}/1:cancel/../2",
        f"{JOBS}/1%3Acancel",
        f"{JOBS}/1%3acancel%3acancel",
        f"{JOBS}/1#x",
        f"{JOBS}/*",
    ),
    jobs(location="evil.example"),
    jobs(location="us-central1.evil.example"),
    jobs(location="us-central1@evil.example"),
    jobs(location="us-central1%23"),
    jobs(location="us-central1%2f..%2f.."),
    jobs(location="evil.example:443"),
    jobs(location="127.0.0.1"),
    jobs(location="[::1]"),
    jobs(location="*"),
    jobs(location="-"),
    jobs(location="US-CENTRAL1"),
    jobs(location=""),
    jobs(location="us-east1"),
    jobs(project="local-project%2flocations%2fus-east1"),
    jobs(project="local-project/locations/us-east1/x"),
    jobs(project="../local-project"),
    jobs(project="local-project%00"),
    jobs(project="local-project."),
    jobs(project="evil.example:local-project"),
    jobs(project="LOCAL-PROJECT"),
    jobs(project="other-project"),
    jobs(project=""),
    jobs(project="-"),
]


@pytest.mark.parametrize("target", BENT, ids=ascii)
@pytest.mark.parametrize("who", ["master", "scoped"])
def test_a_bent_path_reaches_nobody(gateway, targets, who, target):
    reply = gateway.request("GET", target, key=getattr(gateway, who))

    assert 400 <= reply.status < 500, reply.text
    assert targets() == []


ABSOLUTE = [
    "http://evil.example",
    "https://aiplatform.googleapis.com",
    "http://user:pw@evil.example:99",
    "gopher://x",
]


@pytest.mark.parametrize("host", ABSOLUTE)
def test_a_host_in_the_request_line_changes_nothing(gateway, targets, host):
    reply = gateway.request("GET", f"{host}{JOBS}/1")

    assert targets() in ([], [f"GET {JOBS}/1"])
    assert reply.status in {200, 400, 404}


@pytest.mark.parametrize("target", ["*", "gateway.example:443", "", "x", "?", "?a=b", "/?/../"])
@pytest.mark.parametrize(
    "method", ["GET", "OPTIONS", "CONNECT", "TRACE", "get", "G\x00T", "PROPFIND", "POST"]
)
def test_odd_request_lines_reach_nobody(gateway, targets, method, target):
    reply = gateway.request(method, target)

    assert reply.status in {0, 308} or 400 <= reply.status < 500 or reply.status == 501
    assert targets() == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_methods_that_no_call_has_are_refused(gateway, targets, method):
    assert gateway.request(method, f"{JOBS}/1").status in {400, 405, 501}
    assert targets() == []


def test_a_plain_path_goes_through(gateway, targets):
    assert gateway.request("GET", f"{JOBS}/1").status == 200
    assert targets() == [f"GET {JOBS}/1"]


def test_a_very_long_path_is_refused(gateway, targets):
    reply = gateway.request("GET", f"{JOBS}/{'1' * 300_000}")

    assert reply.status == 0 or 400 <= reply.status < 500
    assert targets() == []
