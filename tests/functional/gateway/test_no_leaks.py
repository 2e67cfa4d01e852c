"""Secrets stay where they belong: out of logs, out of what goes upstream, out of answers."""

import json

import pytest
import urllib3

from batch_gateway.adapters import vertex as vertex_adapter
from batch_gateway.adapters.vertex import Vertex
from functional.gateway.conftest import JOBS, KEY, PROJECT, World, job_body, job_resource, json_answer
from functional.gateway.loopback import Answer, closed_port

SECRETS = {
    "authorization": "s3cret-authorization",
    "x-goog-api-key": "s3cret-goog",
    "x-litellm-api-key": KEY,
    "cookie": "s3cret-cookie",
    "proxy-authorization": "s3cret-proxy",
    "key": "s3cret-key-parameter",
    "access_token": "s3cret-access-token",
    "oauth_token": "s3cret-oauth-token",
}
GOOGLE_TOKEN = "ya29.s3cret-token-of-the-gateway"
HEADERS = {
    "Authorization": f"Bearer {SECRETS['authorization']}",
    "x-goog-api-key": SECRETS["x-goog-api-key"],
    "x-litellm-api-key": KEY,
    "Cookie": f"session={SECRETS['cookie']}",
    "Proxy-Authorization": f"Basic {SECRETS['proxy-authorization']}",
    "Referer": f"https://console.example/?key={SECRETS['key']}",
}
QUERY = "&".join(f"{name}={SECRETS[name]}" for name in ("key", "access_token", "oauth_token"))
CALLS = [
    ("POST", ""),
    ("GET", ""),
    ("GET", "/4242"),
    ("POST", "/4242:cancel"),
    ("DELETE", "/4242"),
    ("GET", "/4242/cost"),
    ("GET", "/4242/nothing"),
    ("PATCH", ""),
]


class ToLoopback(urllib3.PoolManager):
    """Sends what is meant for Google's hosts to a loopback server, and notes the hosts."""

    def __init__(self, host):
        super().__init__(retries=False)
        self.loopback = host
        self.hosts = []

    def request(self, method, url, **given):
        self.hosts.append(url.split("/")[2])
        url = url.replace(f"https://{self.hosts[-1]}", f"http://{self.loopback}", 1)
        return super().request(method, url, **given)


class StaticToken:
    def get(self):
        return GOOGLE_TOKEN


@pytest.fixture
def google(loopback, monkeypatch):
    """A gateway whose adapter believes that it talks to Google, with a token."""
    monkeypatch.setattr(vertex_adapter, "GoogleToken", lambda _: StaticToken())
    world = World(loopback.host)
    world.upstream = Vertex(world.settings.served)
    world.wire = ToLoopback(loopback.host)
    world.upstream._http = world.wire
    world.client = world.new_client()
    return world


def attempt(world, method, rest, **given):
    data = json.dumps(job_body()).encode() if (method, rest) == ("POST", "") else None
    return world.call(method, f"{JOBS}{rest}?{QUERY}", key=None, headers=HEADERS, data=data, **given)


def leaked(text, allowed=()):
    return [
        secret for secret in (*SECRETS.values(), GOOGLE_TOKEN) if secret in text and secret not in allowed
    ]


ANSWERS = {
    "job": json_answer(job_resource()),
    "error": json_answer({"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}}, 403),
    "html": Answer(404, b"<html>", "text/html"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("call", CALLS, ids="".join)
def test_no_secret_gets_anywhere(google, loopback, capsys, call, answer):
    loopback.answers = [ANSWERS[answer]]
    capsys.readouterr()

    got = attempt(google, *call)

    upstream = str([(seen.method, seen.target, seen.headers, seen.body) for seen in loopback.seen])
    assert leaked(upstream, allowed=[GOOGLE_TOKEN]) == []
    assert leaked(f"{got.headers}{got.text}") == []
    captured = capsys.readouterr()
    assert leaked(captured.out + captured.err) == []


def books_down(google):
    google.store.down = True


def vertex_down(google):
    google.wire.loopback = f"127.0.0.1:{closed_port()}"


def something_unexpected(google):
    google.upstream._send_once = lambda *_: 1 / 0
    google.store.get_job = lambda *_: 1 / 0


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("happens", [books_down, vertex_down, something_unexpected])
@pytest.mark.parametrize("call", CALLS, ids="".join)
def test_no_secret_gets_out_when_things_break(google, capsys, happens, call):
    happens(google)
    capsys.readouterr()

    got = attempt(google, *call)

    captured = capsys.readouterr()
    assert got.status_code >= 400 or happens is books_down
    assert leaked(f"{got.headers}{got.text}{captured.out}{captured.err}") == []


def test_upstream_gets_googles_token_at_googles_host(google, loopback):
    attempt(google, "GET", "/4242")

    assert google.wire.hosts == ["us-central1-aiplatform.googleapis.com"]
    authorizations = [value for name, value in loopback.seen[0].headers if name.lower() == "authorization"]
    assert authorizations == [f"Bearer {GOOGLE_TOKEN}"]


def test_headers_of_vertex_that_are_not_for_the_caller_stay_here(google, loopback):
    shown = (("Set-Cookie", "a=b"), ("X-Echo", GOOGLE_TOKEN), ("Server", "ESF"), ("Retry-After", "7"))
    loopback.answers = [Answer(200, b"{}", headers=shown)]

    got = attempt(google, "GET", "/4242")

    assert got.headers["Retry-After"] == "7"
    assert not {"Set-Cookie", "X-Echo"} & set(got.headers.keys())


def test_cookies_that_google_sets_do_not_go_back_with_other_peoples_calls(scripted, loopback):
    loopback.answers = [Answer(200, b"{}", headers=(("Set-Cookie", "session=of-the-first-caller; Path=/"),))]

    attempt(scripted, "GET", "/4242")
    attempt(scripted, "GET", "/4242")

    assert [seen.header("Cookie") for seen in loopback.seen] == [None, None]


def test_the_books_hold_no_key(google, loopback):
    loopback.answers = [json_answer(job_resource())]

    attempt(google, "POST", "")

    assert google.record(job_resource()) is not None
    assert leaked(str(vars(google.store))) == []


def test_no_netrc_or_proxy_of_the_machine_interferes(google, loopback, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine us-central1-aiplatform.googleapis.com login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    attempt(google, "GET", "/4242")

    assert loopback.seen[0].header("Authorization") == f"Bearer {GOOGLE_TOKEN}"


def test_each_project_is_called_with_its_own_token(loopback, monkeypatch):
    class Named:
        def __init__(self, source):
            self._source = source

        def get(self):
            return f"token-of-{self._source}"

    monkeypatch.setattr(vertex_adapter, "GoogleToken", Named)
    served = {(PROJECT, "us-central1"): "one.json", ("other-project", "*"): "two.json"}
    world = World(loopback.host, served=served)
    world.upstream = Vertex(served)
    world.upstream._http = ToLoopback(loopback.host)
    world.client = world.new_client()

    world.get(JOBS)
    world.get(JOBS.replace(PROJECT, "other-project").replace("us-central1", "europe-west4"))

    assert [seen.header("Authorization") for seen in loopback.seen] == [
        "Bearer token-of-one.json",
        "Bearer token-of-two.json",
    ]
