"""The adapter to Vertex AI: hosts, Google tokens, connections and what its failures are called."""

import gzip
import itertools
import json
import socket
import threading
import time
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import google.auth
import google.auth.exceptions
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from batch_gateway.adapters import google_token
from batch_gateway.adapters import vertex as adapter
from batch_gateway.adapters.google_token import GoogleToken
from batch_gateway.adapters.vertex import Vertex, host_of
from batch_gateway.core.jobs.record import JobKey
from batch_gateway.ports import (
    Absent,
    AnswerTooLargeError,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from functional.gateway.loopback import Answer, Loopback, closed_port
from patience import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:The load_credentials_from_:DeprecationWarning")

PLACE = {"project": "acme-batch", "location": "us-central1"}
SERVED = {("acme-batch", "us-central1"): None}
KEY = JobKey("acme-batch", "us-central1", "4242")


@pytest.fixture
def loopback():
    with Loopback() as running:
        yield running


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    noted = []
    monkeypatch.setattr(adapter, "time", SimpleNamespace(sleep=noted.append))
    return noted


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("europe-west4", "europe-west4-aiplatform.googleapis.com"),
        ("asia-northeast1", "asia-northeast1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_each_kind_of_location_has_its_host(location, host):
    assert host_of(location) == host


def test_calls_one_after_another_share_a_connection(loopback):
    vertex = Vertex(SERVED, loopback.host)

    for _ in range(20):
        vertex.send("GET", "/v1/x", **PLACE)
        vertex.send("POST", "/v1/x", body=b"{}", **PLACE)

    assert (len(loopback.seen), loopback.connections) == (40, 1)


def test_calls_of_several_threads_do_not_wait_for_one_another(loopback):
    together = threading.Barrier(8, timeout=PATIENCE)

    def respond(_):
        together.wait()  # only when all eight are under way at once
        return Answer()

    loopback.respond = respond
    vertex = Vertex(SERVED, loopback.host)

    threads = [threading.Thread(target=vertex.send, args=("GET", "/x"), kwargs=PLACE) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert (len(loopback.seen), loopback.connections) == (8, 8)
    assert not together.broken


def test_an_answer_is_what_came(loopback):
    loopback.answers = [Answer(418, b' {"a" : 1.0} ', headers=(("X-Some", "Thing"),))]

    answer = Vertex(SERVED, loopback.host).send("GET", "/v1/x", query="a=b", **PLACE)

    assert (answer.status, answer.body, answer.headers["x-some"]) == (418, b' {"a" : 1.0} ', "Thing")
    assert loopback.seen[0].target == "/v1/x?a=b"


def test_the_emulator_gets_no_token(loopback):
    Vertex(SERVED, loopback.host).send("GET", "/v1/x", **PLACE)

    assert loopback.seen[0].header("Authorization") is None


@pytest.mark.parametrize(
    ("status", "found"), [(200, {"name": "x"}), (403, Absent.DENIED), (404, Absent.MISSING)]
)
def test_a_job_is_found_or_not(loopback, status, found):
    loopback.answers = [Answer(status, b'{"name": "x"}')]

    assert Vertex(SERVED, loopback.host).get_job(KEY) == found
    assert loopback.seen[0].target == f"/v1/{KEY.path}"


@pytest.mark.parametrize("status", [401, 429, 500, 502, 503])
def test_an_answer_that_does_not_say_whether_there_is_a_job_is_none(loopback, status):
    loopback.answers = [Answer(status)]

    with pytest.raises(UpstreamUnavailableError):
        Vertex(SERVED, loopback.host).get_job(KEY)


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b'"x"', b"[]", b"[" * 50_000])
def test_a_garbled_job_is_no_answer(loopback, body):
    loopback.answers = [Answer(200, body)]

    with pytest.raises(UpstreamUnavailableError):
        Vertex(SERVED, loopback.host).get_job(KEY)


def test_a_refused_connection_was_never_sent():
    vertex = Vertex(SERVED, f"127.0.0.1:{closed_port()}")

    with pytest.raises(UpstreamUnavailableError) as raised:
        vertex.send("POST", "/v1/x", body=b"{}", **PLACE)

    assert (raised.value.sent, raised.value.timed_out) == (False, False)


def test_a_host_that_does_not_resolve_was_never_sent():
    with pytest.raises(UpstreamUnavailableError) as raised:
        Vertex(SERVED, "no-such-host.invalid:80").send("POST", "/v1/x", body=b"{}", **PLACE)

    assert not raised.value.sent


def test_an_answer_that_does_not_come_was_perhaps_sent(loopback, monkeypatch):
    monkeypatch.setattr(adapter, "_READ_SECONDS", 0.05)
    done = threading.Event()
    loopback.respond = lambda _: done.wait(PATIENCE) and Answer()

    with pytest.raises(UpstreamUnavailableError) as raised:
        Vertex(SERVED, loopback.host).send("POST", "/v1/x", body=b"{}", **PLACE)
    done.set()

    assert (raised.value.sent, raised.value.timed_out) == (True, True)


def test_a_read_that_took_all_of_its_time_is_not_tried_again(loopback, monkeypatch, pauses):
    monkeypatch.setattr(adapter, "_READ_SECONDS", 0.05)
    done = threading.Event()
    loopback.respond = lambda _: done.wait(PATIENCE) and Answer()

    with pytest.raises(UpstreamUnavailableError):
        Vertex(SERVED, loopback.host).send("GET", "/v1/x", **PLACE)
    done.set()

    assert len(loopback.seen) == 1
    assert not pauses


def test_a_place_that_is_no_longer_configured_has_no_token():
    """A job on record may outlive the configuration that it was made under."""
    gone = JobKey("gone-project", "us-central1", "1")

    with pytest.raises(UpstreamCredentialsError):
        Vertex(SERVED).get_job(gone)


class Credentials:
    """Credentials as google-auth has them, refreshed by `script`: seconds that a token lasts, or an error."""

    def __init__(self, *script):
        self.token = self.expiry = None
        self.refreshed = 0
        self.script = list(script)
        self.at_once = self.most_at_once = 0

    def refresh(self, _):
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.refreshed += 1
        time.sleep(0.01)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.at_once -= 1
        if isinstance(step, Exception):
            raise step
        self.token = f"token-{self.refreshed}"
        lasts = None if step is None else datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=step)
        self.expiry = lasts


def token_of(monkeypatch, credentials):
    monkeypatch.setattr(google_token, "_load", lambda _: credentials)
    return GoogleToken(None)


def expire_in(credentials, seconds):
    credentials.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=seconds)


def test_nothing_is_loaded_before_it_is_needed(monkeypatch):
    monkeypatch.setattr(google_token, "_load", lambda _: pytest.fail("too early"))

    GoogleToken(None)
    Vertex(SERVED)


def test_a_token_is_kept_while_it_is_good(monkeypatch):
    credentials = Credentials(3600)
    token = token_of(monkeypatch, credentials)

    assert [token.get() for _ in range(5)] == ["token-1"] * 5
    assert credentials.refreshed == 1


def test_a_token_that_never_expires_is_kept(monkeypatch):
    credentials = Credentials(None)
    token = token_of(monkeypatch, credentials)

    assert [token.get() for _ in range(3)] == ["token-1"] * 3


def test_a_token_is_refreshed_ahead_of_its_expiry(monkeypatch):
    credentials = Credentials(3600)
    token = token_of(monkeypatch, credentials)
    token.get()

    expire_in(credentials, 301)
    assert token.get() == "token-1"
    expire_in(credentials, 299)
    assert token.get() == "token-2"


def get_in_threads(token, count):
    start = threading.Barrier(count)
    got = []

    def get():
        start.wait()
        try:
            got.append(token.get())
        except UpstreamCredentialsError as error:
            got.append(error)

    threads = [threading.Thread(target=get) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return got


def test_twenty_threads_share_the_first_refresh(monkeypatch):
    credentials = Credentials(3600)

    assert get_in_threads(token_of(monkeypatch, credentials), 20) == ["token-1"] * 20
    assert credentials.refreshed == 1


def test_one_thread_refreshes_while_the_others_go_on(monkeypatch):
    credentials = Credentials(3600)
    token = token_of(monkeypatch, credentials)
    token.get()
    expire_in(credentials, 120)

    got = get_in_threads(token, 20)

    assert set(got) <= {"token-1", "token-2"}
    assert got.count("token-1") >= 10, "they do not wait"
    assert (credentials.refreshed, credentials.most_at_once) == (2, 1)


ERRORS = [
    google.auth.exceptions.RefreshError("no"),
    google.auth.exceptions.TransportError("no"),
    google.auth.exceptions.DefaultCredentialsError("no"),
    OSError("no"),
    ValueError("no"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_without_a_token_a_failed_refresh_is_an_error(monkeypatch, error):
    token = token_of(monkeypatch, Credentials(error, 3600))

    with pytest.raises(UpstreamCredentialsError):
        token.get()

    assert token.get() == "token-2", "and it is tried again"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_token_that_is_still_good_outlives_a_failed_refresh(monkeypatch, error):
    credentials = Credentials(3600, error, 3600)
    token = token_of(monkeypatch, credentials)
    token.get()
    expire_in(credentials, 120)

    assert token.get() == "token-1"
    assert token.get() == "token-3"


def test_a_token_that_is_about_to_end_does_not_outlive_a_failed_refresh(monkeypatch):
    credentials = Credentials(3600, google.auth.exceptions.RefreshError("no"))
    token = token_of(monkeypatch, credentials)
    token.get()
    expire_in(credentials, 10)

    with pytest.raises(UpstreamCredentialsError):
        token.get()


def test_a_refresh_that_hangs_does_not_hold_up_the_others(monkeypatch):
    credentials = Credentials(3600)
    token = token_of(monkeypatch, credentials)
    token.get()
    expire_in(credentials, 120)
    hanging, release = threading.Event(), threading.Event()
    monkeypatch.setattr(credentials, "refresh", lambda _: (hanging.set(), release.wait(PATIENCE)))
    first = threading.Thread(target=token.get)
    first.start()
    assert hanging.wait(PATIENCE)

    got = token.get()
    assert first.is_alive()
    release.set()
    first.join()

    assert got == "token-1"


@pytest.fixture(scope="module")
def private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def account(loopback, private_key):
    loopback.answers = [token_answer("ya29.from-the-endpoint")]
    return {
        "type": "service_account",
        "project_id": "acme-batch",
        "private_key_id": "1",
        "private_key": private_key,
        "client_email": "batch@acme-batch.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{loopback.url}/token",
    }


def token_answer(token, **changes):
    return Answer(
        body=json.dumps(
            {"access_token": token, "expires_in": 3600, "token_type": "Bearer", **changes}
        ).encode()
    )


def test_credentials_from_a_file(account, loopback, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(json.dumps(account))

    assert GoogleToken(str(path)).get() == "ya29.from-the-endpoint"
    assert b"jwt-bearer" in loopback.seen[0].body


def test_credentials_from_json(account):
    assert GoogleToken(json.dumps(account)).get() == "ya29.from-the-endpoint"


def test_credentials_from_json_with_space_before_it(account):
    assert GoogleToken(f"\n  {json.dumps(account)}").get() == "ya29.from-the-endpoint"


def test_the_token_reaches_google_as_a_bearer(account, loopback, monkeypatch):
    vertex = Vertex({("acme-batch", "us-central1"): json.dumps(account)})
    sent = []
    monkeypatch.setattr(
        vertex, "_send_once", lambda *given: sent.append(given) or adapter.UpstreamResponse(200, {}, b"")
    )

    vertex.send("GET", "/v1/x", **PLACE)

    ((_, url, headers, _),) = sent
    assert url == "https://us-central1-aiplatform.googleapis.com/v1/x"
    assert headers["Authorization"] == "Bearer ya29.from-the-endpoint"
    assert len(loopback.seen) == 1


IMPERSONATED = "reader@acme-batch.iam.gserviceaccount.com"


def impersonation(loopback, **changes):
    url = f"{loopback.url}/v1/projects/-/serviceAccounts/{IMPERSONATED}:generateAccessToken"
    return {"type": "impersonated_service_account", "service_account_impersonation_url": url, **changes}


def iam(loopback, monkeypatch):
    """Lets google-auth's impersonation talk to the loopback server."""
    loopback.respond = lambda seen: (
        token_answer("ya29.of-the-source")
        if seen.target == "/token"
        else Answer(body=b'{"accessToken": "ya29.impersonated", "expireTime": "2099-01-01T00:00:00Z"}')
    )
    endpoint = f"{loopback.url}/v1/projects/-/serviceAccounts/{{}}:generateAccessToken"
    monkeypatch.setattr("google.auth.iam._IAM_ENDPOINT", endpoint)


def test_impersonation_by_the_functions_own_identity(account, loopback, monkeypatch):
    iam(loopback, monkeypatch)
    source = google.auth.load_credentials_from_dict(account)[0]
    monkeypatch.setattr(
        google.auth, "default", lambda scopes=None: (source.with_scopes(scopes), "acme-batch")
    )

    token = GoogleToken(json.dumps(impersonation(loopback, delegates=["a@b.iam.gserviceaccount.com"]))).get()

    assert token == "ya29.impersonated"
    asked = loopback.seen[-1]
    assert IMPERSONATED in asked.target
    assert asked.header("Authorization") == "Bearer ya29.of-the-source"
    assert json.loads(asked.body)["scope"] == ["https://www.googleapis.com/auth/cloud-platform"]


def test_impersonation_by_named_credentials(account, loopback, monkeypatch):
    iam(loopback, monkeypatch)

    token = GoogleToken(json.dumps(impersonation(loopback, source_credentials=account))).get()

    assert token == "ya29.impersonated"


BROKEN = {
    "not there": "/nowhere/account.json",
    "an unknown type": '{"type": "nonsense"}',
    "no type": "{}",
    "no key": '{"type": "service_account", "client_email": "a", "token_uri": "b"}',
    "no good key": '{"type": "service_account", "client_email": "a", "token_uri": "b", "private_key": "c"}',
    "impersonation of nobody": '{"type": "impersonated_service_account"}',
    "no JSON": '{"type": ',
}


@pytest.mark.parametrize("name", BROKEN)
def test_credentials_that_cannot_be_used_are_an_error_of_ours(name):
    with pytest.raises(UpstreamCredentialsError):
        GoogleToken(BROKEN[name]).get()


@pytest.mark.parametrize(
    "answer", [Answer(400, b'{"error": "invalid_grant"}'), Answer(200, b"{}"), Answer(200, b"<html>")]
)
def test_a_token_endpoint_that_refuses_is_an_error_of_ours(account, loopback, answer):
    loopback.answers = [answer]

    with pytest.raises(UpstreamCredentialsError):
        GoogleToken(json.dumps(account)).get()


def test_an_error_about_credentials_does_not_show_them(account, loopback):
    loopback.answers = [Answer(400, b'{"error": "invalid_grant"}')]

    with pytest.raises(UpstreamCredentialsError) as raised:
        GoogleToken(json.dumps(account)).get()

    assert account["private_key"][40:80] not in str(raised.value)


def test_a_token_endpoint_that_does_not_answer_is_not_waited_for_long(account, monkeypatch):
    monkeypatch.setattr(google_token, "_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account["token_uri"] = f"http://127.0.0.1:{silent.getsockname()[1]}/token"
        with pytest.raises(UpstreamCredentialsError, match=r"timeout=0\.05"):
            GoogleToken(json.dumps(account)).get()


def test_places_with_the_same_credentials_share_a_token(account, loopback, monkeypatch):
    source = json.dumps(account)
    vertex = Vertex({("acme-batch", place): source for place in ("us-central1", "global")})
    monkeypatch.setattr(vertex, "_send_once", lambda *_: adapter.UpstreamResponse(200, {}, b""))

    for place in ("us-central1", "global"):
        vertex.send("GET", "/v1/x", project="acme-batch", location=place)

    assert len(loopback.seen) == 1


def refusal(status, reason="", message="No."):
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}] if reason else []
    error = {"code": status, "message": message, "status": "SOME_STATUS", "details": details}
    return Answer(status, json.dumps({"error": error}).encode())


def refusals(capsys):
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line.get("event") == "upstream.refused"]


JOBS = "/v1/projects/acme-batch/locations/us-central1/batchPredictionJobs"


@pytest.mark.parametrize(
    ("method", "path", "status", "noted"),
    [
        ("POST", JOBS, 401, ("create", "ERROR")),
        ("POST", JOBS, 403, ("create", "ERROR")),
        ("POST", JOBS, 404, ("create", "ERROR")),
        ("POST", JOBS, 429, ("create", "NOTICE")),
        ("GET", JOBS, 403, ("get", "ERROR")),
        ("GET", f"{JOBS}/1", 404, ("get", "INFO")),
        ("DELETE", f"{JOBS}/1", 404, ("delete", "INFO")),
        ("POST", f"{JOBS}/1:cancel", 403, ("cancel", "ERROR")),
    ],
)
def test_what_vertex_ai_refuses_is_noted(loopback, capsys, method, path, status, noted):  # noqa: PLR0917
    loopback.answers = [refusal(status, "SERVICE_DISABLED", "Enable it: " + "x" * 1000)]
    capsys.readouterr()

    Vertex(SERVED, loopback.host).send(method, path, **PLACE)

    (line,) = refusals(capsys)
    assert ((line["call"], line["severity"]), line["status"]) == (noted, status)
    assert (line["project"], line["location"]) == ("acme-batch", "us-central1")
    assert line["reason"] == "SERVICE_DISABLED"
    assert line["detail"].startswith("Enable it: ")
    assert len(line["detail"]) == 500


@pytest.mark.parametrize(
    "body", [b"<html>", b"", b"[]", b'{"error": "no"}', b'{"error": {"details": [1, {}]}}']
)
def test_a_refusal_in_any_form_is_noted(loopback, capsys, body):
    loopback.answers = [Answer(403, body)]
    capsys.readouterr()

    Vertex(SERVED, loopback.host).send("GET", "/v1/x", **PLACE)

    assert [(line["reason"], line["detail"]) for line in refusals(capsys)] == [("", "")]


def test_a_quota_that_is_used_up_is_noted_once_however_often_it_is_tried(loopback, capsys):
    loopback.answers = [refusal(429)]
    capsys.readouterr()

    Vertex(SERVED, loopback.host).send("GET", "/v1/x", **PLACE)

    assert [line["reason"] for line in refusals(capsys)] == ["SOME_STATUS"]
    assert len(loopback.seen) == 3


@pytest.mark.parametrize("status", [200, 400, 409, 500])
def test_what_is_no_refusal_is_not_noted(loopback, capsys, status):
    loopback.answers = [refusal(status)]
    capsys.readouterr()

    Vertex(SERVED, loopback.host).send("POST", JOBS, **PLACE)

    assert refusals(capsys) == []


def values(count):
    return b"[" + b",".join([b"1"] * count) + b"]"


def packed(content, times=1):
    for _ in range(times):
        content = gzip.compress(content)
    return Answer(body=content, headers=(("Content-Encoding", ", ".join(["gzip"] * times)),))


def bomb(times):
    """Return the gzip of as many of the largest answers; it has no end, which nobody should read."""
    packing = zlib.compressobj(wbits=31)
    header = packing.compress(b"") + packing.flush(zlib.Z_FULL_FLUSH)
    block = packing.compress(b" " * adapter.MAX_ANSWER_BYTES) + packing.flush(zlib.Z_FULL_FLUSH)
    return header + block * times


@pytest.fixture(scope="module")
def large():
    return {
        "plain": Answer(body=b" " * (adapter.MAX_ANSWER_BYTES + 1)),
        "gzip-bomb": Answer(body=bomb(40), headers=(("Content-Encoding", "gzip"),)),
        "gzip-bomb-in-a-gzip-bomb": Answer(
            body=gzip.compress(bomb(40)), headers=(("Content-Encoding", "gzip, gzip"),)
        ),
        "many-values": Answer(body=values(adapter.MAX_ANSWER_VALUES + 1)),
        "deep": Answer(body=b"[" * 100_000),
    }


@pytest.mark.parametrize("kind", ["plain", "gzip-bomb", "gzip-bomb-in-a-gzip-bomb", "many-values", "deep"])
def test_an_answer_that_would_fill_the_memory_is_not_read(loopback, large, kind):
    loopback.answers = [large[kind], Answer()]
    vertex = Vertex(SERVED, loopback.host)
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLargeError) as refused:
            vertex.send("GET", "/v1/x", **PLACE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.sent
    assert len(loopback.seen) == 1, "it would be as large again"
    assert peak < 2.2 * adapter.MAX_ANSWER_BYTES
    assert vertex.send("POST", "/v1/x", body=b"{}", **PLACE).body == b"{}", (
        "what was left is not taken for it"
    )


def test_an_error_that_is_too_large_is_known_by_its_status(loopback, large):
    for answer in large.values():
        loopback.answers = [answer._replace(status=400)]
        refused = Vertex(SERVED, loopback.host).send("POST", "/v1/x", body=b"{}", **PLACE)
        assert (refused.status, refused.body) == (400, b"")


def test_an_answer_of_the_largest_size_is_read(loopback):
    body = values(adapter.MAX_ANSWER_VALUES - 1)
    body += b" " * (adapter.MAX_ANSWER_BYTES - len(body))
    for loopback.answers in ([Answer(body=body)], [packed(body)], [packed(body, 2)]):
        assert Vertex(SERVED, loopback.host).send("GET", "/v1/x", **PLACE).body == body


def test_an_answer_that_never_ends_is_given_up(loopback, monkeypatch):
    seconds = itertools.count(0, 25)
    monkeypatch.setattr(adapter, "monotonic", lambda: next(seconds))
    loopback.answers = [Answer(body=b" " * 8 * adapter._PIECE_BYTES)]

    with pytest.raises(UpstreamUnavailableError, match="did not end within 60 s") as given_up:
        Vertex(SERVED, loopback.host).send("POST", "/v1/x", body=b"{}", **PLACE)

    assert (given_up.value.sent, given_up.value.timed_out) == (True, True)
