"""Webhooks on the wire: only to public addresses, to the very address that was checked, and in time."""

import contextlib
import http.client
import socket
import threading
import time

import pytest

from batch_gateway.adapters import webhooks
from batch_gateway.adapters.webhooks import HttpsReceivers
from batch_gateway.core.notify.webhook_security import ForbiddenUrlError
from batch_gateway.ports import Reply, UnreachableError
from functional.tls import Authority, Server, answering
from patience import PATIENCE

NAME = "hooks.example.com"
HEADERS = {"webhook-id": "evt_1", "webhook-timestamp": "1614265330", "webhook-signature": "v1,abc="}
BODY = '{"type":"batch.completed","data":{"größe":1}}'.encode()


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def trusted(authority, tmp_path, monkeypatch):
    """The tests' authority is trusted like the system's own."""
    file = tmp_path / "authority.pem"
    file.write_bytes(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))


@pytest.fixture
def names(monkeypatch):
    """Resolve names to one list after the other, and record which were asked for."""
    answers, asked, real = {}, [], socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host not in answers:
            assert host.replace(".", "").isdigit() or ":" in host, f"{host} would be asked of the real DNS"
            return real(host, port, *args, **kwargs)
        asked.append(host)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        if isinstance(found, Exception):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    answers["asked"] = asked
    return answers


@pytest.fixture
def serve(authority, tmp_path):
    servers = []

    def start(behave, *certified, host="127.0.0.1"):
        tls = authority.issue(tmp_path, *certified) if certified else None
        servers.append(Server(behave, tls, host))
        return servers[-1]

    yield start
    for each in servers:
        each.close()


def post(server, path="/in?token=t0p", *, host=NAME, seconds=PATIENCE, scheme="https"):
    receivers = HttpsReceivers(allow_private=True, seconds=seconds)
    return receivers.post(f"{scheme}://{host}:{server.port}{path}", HEADERS, BODY)


@pytest.mark.usefixtures("trusted")
def test_a_webhook_arrives_as_it_was_signed(serve, names):
    server = serve(answering(204, "Retry-After: 7"), NAME)
    names[NAME] = [["127.0.0.1"]]
    assert post(server) == Reply(204, "7")
    [(head, body)] = server.requests
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /in?token=t0p HTTP/1.1"
    assert body == BODY
    assert {
        f"Host: {NAME}:{server.port}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        "webhook-id: evt_1",
        "webhook-timestamp: 1614265330",
        "webhook-signature: v1,abc=",
    } < set(lines)
    assert server.names == [NAME]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("status", [200, 301, 307, 400, 410, 429, 500, 599])
def test_the_receivers_answer_is_told(serve, names, status):
    elsewhere = serve(answering(200), NAME)
    server = serve(answering(status, f"Location: https://{NAME}:{elsewhere.port}/"), NAME)
    names[NAME] = [["127.0.0.1"]]
    assert post(server) == Reply(status)
    assert elsewhere.accepted == 0  # redirects are answers like any other


@pytest.mark.usefixtures("trusted")
def test_an_interim_answer_is_none(serve, names):
    server = serve(
        lambda connection: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 x\r\n\r\n"), NAME
    )
    names[NAME] = [["127.0.0.1"]]
    assert post(server).status == 202


@pytest.mark.usefixtures("trusted")
def test_the_body_of_an_answer_is_left_alone(serve, names):
    sent = []

    def flood(connection):
        connection.sendall(b"HTTP/1.1 200 x\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                sent.append(connection.send(bytes(1 << 16)))

    server = serve(flood, NAME)
    names[NAME] = [["127.0.0.1"]]
    assert post(server).status == 200


@pytest.mark.usefixtures("trusted")
def test_an_answer_is_closed_before_its_connection(serve, names, monkeypatch):
    read = []

    class Kept(http.client.HTTPResponse):
        def begin(self):
            super().begin()
            read.append(self)

    monkeypatch.setattr(webhooks, "HTTPResponse", Kept)
    server = serve(answering(200), NAME)
    names[NAME] = [["127.0.0.1"]]
    post(server)

    assert [answer.closed for answer in read] == [True]


# The address that is checked is the one that is connected to.


@pytest.mark.usefixtures("trusted")
def test_a_name_is_resolved_once_and_the_connection_goes_there(serve, names):
    server = serve(answering(200), NAME, host="127.0.0.2")
    names[NAME] = [["127.0.0.2"], ["127.0.0.1"]]
    assert post(server).status == 200
    assert names["asked"] == [NAME]


@pytest.mark.usefixtures("trusted")
def test_the_next_address_is_tried_when_one_refuses(serve, names):
    server = serve(answering(200), NAME, host="127.0.0.3")
    names[NAME] = [["127.0.0.2", "127.0.0.3"]]
    assert post(server).status == 200


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        [*(["93.184.216.34"] * 9), "127.0.0.1"],
    ],
)
def test_a_name_that_is_not_public_is_not_called(serve, names, addresses, monkeypatch):
    server = serve(answering(200), NAME)
    names[NAME] = [addresses]
    called = []
    monkeypatch.setattr(socket, "create_connection", lambda *args, **_: called.append(args))
    with pytest.raises(ForbiddenUrlError, match=f"{NAME} has an address that is not"):
        HttpsReceivers().post(f"https://{NAME}:{server.port}/", HEADERS, BODY)
    assert called == []
    assert server.accepted == 0


def test_a_public_address_is_called(names, monkeypatch):
    names[NAME] = [["93.184.216.34"]]
    called = []

    def create_connection(address, **_):
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with pytest.raises(UnreachableError, match="ConnectionRefusedError"):
        HttpsReceivers().post(f"https://{NAME}/", HEADERS, BODY)
    assert called == [("93.184.216.34", 443)]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"),
        *("localhost", "localhost.", "u:p@localhost", f"{NAME}@127.0.0.1", "①②⑦.0.0.1"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_not_called_whatever_it_is_called(serve, host, scheme):
    server = serve(answering(200), *(["localhost", "127.0.0.1"] if scheme == "https" else []))
    with pytest.raises(ForbiddenUrlError):
        HttpsReceivers().post(f"{scheme}://{host}:{server.port}/", HEADERS, BODY)
    assert server.accepted == 0


def test_plain_http_reaches_this_machine_where_that_is_switched_on(serve, names):
    server = serve(answering(200))
    assert post(server, host="127.0.0.1", scheme="http") == Reply(200)
    names["localhost"] = [["10.0.0.1"]]
    with pytest.raises(ForbiddenUrlError, match="is not this machine"):
        post(server, host="localhost", scheme="http")
    assert server.requests[0][0].startswith(b"POST /in?token=t0p HTTP/1.1\r\nHost: 127.0.0.1:")


# TLS goes by the name.


def test_a_certificate_that_nobody_vouches_for_is_refused(serve, names):
    server = serve(answering(200), NAME)
    names[NAME] = [["127.0.0.1"]]
    with pytest.raises(UnreachableError, match=f"no TLS with {NAME}: .*(issuer|self-signed)"):
        post(server)
    assert server.requests == []


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("certified", ["other.example.com", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(serve, names, certified):
    server = serve(answering(200), certified)
    names[NAME] = [["127.0.0.1"]]
    with pytest.raises(UnreachableError, match=f"no TLS with {NAME}"):
        post(server)
    assert server.requests == []


def test_what_speaks_no_tls_is_refused(serve, names):
    server = serve(answering(200))
    names[NAME] = [["127.0.0.1"]]
    with pytest.raises(UnreachableError, match=NAME):
        post(server, seconds=1)


# Whatever a receiver does, it costs no more than the time limit, and the error tells no secret.


def _drip(connection):
    with contextlib.suppress(OSError):
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def _interim_for_ever(connection):
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)


def _silent(_):
    time.sleep(PATIENCE)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("behave", [_drip, _interim_for_ever, _silent])
def test_a_slow_receiver_is_left_in_time(serve, names, behave):
    server = serve(behave, NAME)
    names[NAME] = [["127.0.0.1"]]
    with pytest.raises(UnreachableError, match=r"did not answer within 0\.6 s") as left:
        post(server, seconds=0.6)
    assert "t0p" not in str(left.value)


def test_a_slow_handshake_is_left_in_time(names):
    names[NAME] = [["127.0.0.1"]]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://{NAME}:{silent.getsockname()[1]}/"
        with pytest.raises(UnreachableError, match="did not answer within"):
            HttpsReceivers(allow_private=True, seconds=0.5).post(url, HEADERS, BODY)


def test_a_slow_resolver_is_left_in_time(monkeypatch):
    released = threading.Event()

    def getaddrinfo(*_, **__):
        released.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(UnreachableError, match="did not answer within"):
        HttpsReceivers(seconds=0.3).post(f"https://{NAME}/", HEADERS, BODY)
    released.set()


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    "said",
    [
        *(b"", b"\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 OK\r\n\r\n"),
        b"HTTP/1.1 200 x\r\n" + b"A: b\r\n" * 200,
        b"HTTP/1.1 200 " + b"x" * 100_000,
        b"HTTP/1.1 200 x\r\n" + b"A" * 100_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_none(serve, names, said):
    server = serve(lambda connection: connection.sendall(said), NAME)
    names[NAME] = [["127.0.0.1"]]
    with pytest.raises(UnreachableError, match=f"{NAME} (gave no|did not) answer"):
        post(server, seconds=2)


def test_a_name_without_an_address_is_unreachable(names):
    names[NAME] = [socket.gaierror(-2, "unknown")]
    with pytest.raises(UnreachableError, match=f"{NAME} gave no answer: gaierror"):
        HttpsReceivers().post(f"https://{NAME}/", HEADERS, BODY)


@pytest.mark.usefixtures("trusted")
def test_environment_proxies_are_not_asked(serve, names, monkeypatch):
    proxy = serve(answering(200))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    server = serve(answering(200), NAME)
    names[NAME] = [["127.0.0.1"]]
    assert post(server).status == 200
    assert (proxy.accepted, server.accepted) == (0, 1)
