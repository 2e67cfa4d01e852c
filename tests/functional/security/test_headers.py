"""Headers and parameters that carry credentials, or would make another request of a request."""

import pytest

from functional.security.conftest import JOBS

OTHER = f"{JOBS}/999"
FORWARDED = {
    *("user-agent", "x-goog-api-client", "x-goog-request-params", "content-type", "content-length"),
    *("accept-encoding", "host", "connection", "accept"),
}

CREDENTIALS = [
    *(
        "Authorization: Bearer {}",
        "Authorization: Basic {}",
        "Cookie: session={}",
        "Proxy-Authorization: Basic {}",
    ),
    *("x-goog-api-key: {}", "X-Goog-User-Project: {}", "X-Goog-IAM-Authorization-Token: {}", "X-Api-Key: {}"),
    *(
        "X-Goog-IAM-Authority-Selector: {}",
        "X-Forwarded-Access-Token: {}",
        "X-Serverless-Authorization: Bearer {}",
    ),
    *("X-Goog-Authenticated-User-Email: {}", "X-Goog-IAP-JWT-Assertion: {}", "Forwarded: for={}", "Via: {}"),
    *(
        "X-Amz-Security-Token: {}",
        "Referer: https://x/?key={}",
        "Idempotency-Key: {}",
        "Trailer: {}",
        "Range: {}",
    ),
    *(
        "x_goog_api_key: {}",
        "If-None-Match: {}",
        "Origin: {}",
        "X-Goog-FieldMask: {}",
        "X-Goog-Encode-Response: {}",
    ),
]


@pytest.mark.parametrize("line", CREDENTIALS)
@pytest.mark.parametrize(
    "call", [("GET", f"{JOBS}/1"), ("POST", f"{JOBS}/1:cancel"), ("GET", f"{JOBS}/1?key={{}}")]
)
def test_no_credential_goes_upstream(gateway, line, call):
    secret = gateway.secret()

    gateway.request(call[0], call[1].format(secret), line.format(secret))

    assert gateway.upstream.seen
    for seen in gateway.upstream.seen:
        assert secret not in f"{seen.target}{seen.headers}"
        assert {name.lower() for name, _ in seen.headers} <= FORWARDED


PARAMETERS = [
    *(
        "key",
        "access_token",
        "oauth_token",
        "bearer_token",
        "$key",
        "$access_token",
        "%6bey",
        "k%65y",
        "%24key",
    ),
    *(
        "access%5Ftoken",
        "a%63cess_token",
        "userProject",
        "$userProject",
        "$httpHeaders",
    ),
]


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    "target", ["{0}/1?{1}={2}", "{0}?a=b&{1}={2}&c=d", "{0}?{1}=x&{1}={2}", "{0}?&&{1}={2}&"]
)
def test_no_credential_parameter_goes_upstream(gateway, target, name):
    secret = gateway.secret()

    assert gateway.request("GET", target.format(JOBS, name, secret)).status == 200

    assert not [seen for seen in gateway.upstream.seen if secret in seen.target]


TRICKS = [
    f"SCRIPT_NAME: {JOBS}",
    "SCRIPT_NAME: /v1",
    f"PATH_INFO: {OTHER}",
    f"RAW_URI: {OTHER}",
    f"REQUEST_URI: {OTHER}",
    f"X-Original-URL: {OTHER}",
    f"X-Rewrite-URL: {OTHER}",
    "X-Forwarded-Prefix: /999",
    "X-Forwarded-Host: evil.example",
    "X-HTTP-Method-Override: DELETE",
    "X-HTTP-Method: DELETE",
    "X-Method-Override: DELETE",
    "REQUEST_METHOD: DELETE",
    "Expect: 100-continue",
    "Connection: x-litellm-api-key",
    "Upgrade: h2c",
    "Content-Encoding: gzip",
    "wsgi.url_scheme: x",
    "ce-type: google.cloud.storage.object.v1.finalized",
    "X-Cloud-Trace-Context: 105445aa7843bc8bf206b12000100000/1;o=1",
]


@pytest.mark.parametrize("line", TRICKS)
def test_no_header_makes_another_request_of_it(gateway, targets, line):
    reply = gateway.request("GET", f"{JOBS}/1", line)

    assert targets() in ([], [f"GET {JOBS}/1"])
    assert reply.status in {100, 200, 400, 404} or line.startswith("SCRIPT_NAME")


@pytest.mark.parametrize("parameter", ["$httpMethod=DELETE", "httpMethod=DELETE", "%24httpMethod=DELETE", "$%68ttpMethod=DELETE"])  # fmt: skip  # noqa: E501 - a list
def test_nor_does_a_parameter(gateway, targets, parameter):
    gateway.request("GET", f"{JOBS}/1?{parameter}")

    assert targets() == [f"GET {JOBS}/1"]


SMUGGLED = f"DELETE {OTHER} HTTP/1.1\r\nHost: x\r\nx-litellm-api-key: KEY\r\n\r\n"
CHUNKED = f"0\r\n\r\n{SMUGGLED}"
FRAMINGS = {
    "both": (f"Content-Length: {len(CHUNKED)}\r\nTransfer-Encoding: chunked", CHUNKED),
    "both-reversed": (f"Transfer-Encoding: chunked\r\nContent-Length: {len(CHUNKED)}", CHUNKED),
    "space": (f"Content-Length: {len(CHUNKED)}\r\nTransfer-Encoding : chunked", CHUNKED),
    "odd": (f"Content-Length: {len(CHUNKED)}\r\nTransfer-Encoding: xchunked", CHUNKED),
    "tab": (f"Content-Length: {len(CHUNKED)}\r\nTransfer-Encoding:\tchunked", CHUNKED),
    "identity": (f"Content-Length: {len(CHUNKED)}\r\nTransfer-Encoding: chunked, identity", CHUNKED),
    "underscore": (f"Content-Length: {len(CHUNKED)}\r\nTransfer_Encoding: chunked", CHUNKED),
    "two-lengths": (f"Content-Length: 2\r\nContent-Length: {len(SMUGGLED) + 2}", "{}" + SMUGGLED),
    "length-list": (f"Content-Length: 2, {len(SMUGGLED) + 2}", "{}" + SMUGGLED),
    "plus": (f"Content-Length: +{len(SMUGGLED) + 2}", "{}" + SMUGGLED),
    "negative": ("Content-Length: -1", "{}" + SMUGGLED),
    "hex": ("Content-Length: 0x2", "{}" + SMUGGLED),
    "folded": (f"X: y\r\n Content-Length: 2\r\nContent-Length: {len(SMUGGLED) + 2}", "{}" + SMUGGLED),
    "bare-lf": (f"Content-Length: {len(SMUGGLED) + 2}\nX: y", "{}" + SMUGGLED),
    "chunk-extension": ("Transfer-Encoding: chunked", f"2;x=\n{SMUGGLED}\r\n{{}}\r\n0\r\n\r\n"),
    "bad-chunk": ("Transfer-Encoding: chunked", f"-2\r\n{{}}\r\n{SMUGGLED}"),
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_request_in_a_body_is_not_taken_for_one_where_a_front_end_sees_one_body(gateway, targets, framing):
    """The framings that are wrong are refused and end the connection."""
    headers, body = FRAMINGS[framing]
    request = f"POST {JOBS}/1:cancel HTTP/1.1\r\nHost: x\r\nx-litellm-api-key: KEY\r\n{headers}\r\n\r\n{body}"

    gateway.raw(request.replace("KEY", gateway.master).encode(), end=True, timeout=3)

    assert f"DELETE {OTHER}" not in targets()


@pytest.mark.parametrize("line", ["x-litellm-api-key: {} x\r\n", "X: {}\x00", "X: a\rb{}", "X : {}", "X\x7f: {}", ": {}", "X({}): a"])  # fmt: skip  # noqa: E501 - a list
def test_malformed_headers_are_no_way_in(gateway, targets, line):
    reply = gateway.raw(
        f"GET {JOBS}/1 HTTP/1.1\r\nHost: x\r\n{line.format(gateway.secret())}\r\n\r\n".encode("latin-1"),
        end=True,
    )

    assert reply.status == 0 or 400 <= reply.status < 500
    assert targets() == []


def test_a_key_that_is_sent_twice_is_none(gateway, targets):
    reply = gateway.request("GET", f"{JOBS}/1", f"x-litellm-api-key: {gateway.scoped}")

    assert reply.status == 403
    assert targets() == []


@pytest.mark.parametrize("key", ["\xff\xfe", "sk-" + "x" * 7000, "Bearer", "Bearer ", "null", "undefined", "*", "' OR 1=1"])  # fmt: skip  # noqa: E501 - a list
def test_an_odd_key_is_only_wrong(gateway, targets, key):
    line = f"GET {JOBS}/1 HTTP/1.1\r\nHost: x\r\nx-goog-api-key: {key}\r\nConnection: close\r\n\r\n"

    assert gateway.raw(line.encode("latin-1")).status in {401, 403}
    assert targets() == []
