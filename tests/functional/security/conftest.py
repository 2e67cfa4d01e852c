"""The gateway as it is deployed: its own process under functions-framework, spoken to in raw bytes."""

import os
import secrets
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from firestore_emulator import FirestoreEmulator
from functional.gateway.loopback import Loopback
from functions_process import function_process
from patience import PATIENCE
from patient_firestore import FUNCTIONS
from processes import HOST, free_ports

PROJECT = "local-project"
MODEL = "{{model_name: gemini-2.5-flash, litellm_params: {{model: vertex_ai/gemini-2.5-flash, {place}}}}}"
CONFIG = "model_list:\n" + "".join(
    f"  - {MODEL.format(place=f'vertex_project: {PROJECT}, vertex_location: {location}')}\n"
    for location in ("us-central1", "europe-west4")
)
JOBS = f"/v1/projects/{PROJECT}/locations/us-central1/batchPredictionJobs"
_NOT_INHERITED = ("GOOGLE_APPLICATION_CREDENTIALS", "FIRESTORE_DATABASE", "DEBUG", "FUNCTION_USE_ASGI")


class Reply(NamedTuple):
    status: int
    text: str


class Deployed:
    """A running gateway.

    Attributes:
        environment: Of its process.
        upstream: What it takes for Vertex AI.
        secrets: Everything that was used as a credential; none may be in the log.
        master: The administrator's key.
        scoped: Key of the team search, limited to gs://granted.
    """

    def __init__(self, port, process, upstream, environment):
        self.port, self.process, self.upstream, self.environment = port, process, upstream, environment
        master = self.master = environment["GATEWAY_MASTER_KEY"]
        self.secrets = {master}
        self.post("/team/new", {"team_id": "search"})
        given = {"team_id": "search", "key_alias": "nightly", "allowed_uri_prefixes": ["gs://granted"]}
        self.scoped = self.post("/key/generate", given)["key"]
        self.secrets.add(self.scoped)

    def post(self, path, body):
        """Return the answer to an administrator's call."""
        with requests.Session() as session:
            session.trust_env = False
            bearer = {"Authorization": f"Bearer {self.master}"}
            answer = session.post(
                f"http://{HOST}:{self.port}{path}", json=body, headers=bearer, timeout=PATIENCE
            )
        answer.raise_for_status()
        return answer.json()

    def secret(self):
        """A new made-up credential, to be looked for in the log."""
        made = f"s3cret{secrets.token_hex(12)}"
        self.secrets.add(made)
        return made

    def raw(self, sent, *, end=False, timeout=PATIENCE):
        """Sends bytes as they are; the first answer to them (status 0: the connection was closed)."""
        with socket.create_connection((HOST, self.port), timeout=timeout) as connection:
            received = b""
            try:
                connection.sendall(sent)
                if end:
                    connection.shutdown(socket.SHUT_WR)
                while chunk := connection.recv(65536):
                    received += chunk
            except (ConnectionError, TimeoutError):
                pass
        status = int(received.split(b" ", 2)[1]) if received.startswith(b"HTTP/1.1 ") else 0
        return Reply(status, received.decode("latin-1"))

    def request(self, method, target, *headers, body=b"", key=None):
        """A request whose target and headers are sent to the letter."""
        target = target if isinstance(target, bytes) else target.encode()
        lines = [
            b"%s %s HTTP/1.1" % (method.encode(), target),
            b"Host: gateway.example",
            b"Connection: close",
        ]
        lines.append(b"x-litellm-api-key: " + (key or self.master).encode())
        lines += [line if isinstance(line, bytes) else line.encode("latin-1") for line in headers]
        if body:
            lines.append(b"Content-Length: %d" % len(body))
        return self.raw(b"\r\n".join([*lines, b"", body]), timeout=PATIENCE)

    def log(self):
        return Path(self.process.log).read_text(errors="replace")


@contextmanager
def deployed(logs, **further):
    """A gateway with a Firestore and an upstream of its own, which end with it.

    Args:
        logs: Folder for its configuration and log.
        further: More of its environment.
    """
    (logs / "config.yaml").write_text(CONFIG)
    firestore_port, port = free_ports(2)
    firestore = FirestoreEmulator(firestore_port, logs / "firestore.log")
    env = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED} | {
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "FIRESTORE_EMULATOR_HOST": firestore.host,
        "GATEWAY_MASTER_KEY": f"sk-{secrets.token_urlsafe(24)}",
        "GATEWAY_CONFIG": str(logs / "config.yaml"),
        "NO_PROXY": HOST,
        "PYTHONUNBUFFERED": "1",
        "THREADS": "8",
        **further,
    }
    with Loopback() as upstream, tempfile.TemporaryDirectory() as runtime:
        env["VERTEX_EMULATOR_HOST"] = upstream.host
        process = function_process(
            "gateway", "http", port, env=env, logs=Path(runtime), source=FUNCTIONS, health="/health"
        )
        started = [each for each in (firestore.process, process) if each]
        try:
            for each in started:
                each.start()
            for each in started:
                each.wait_ready()
            yield Deployed(port, process, upstream, env)
        finally:
            for each in reversed(started):
                each.stop()


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("security")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running):
    """The gateway, its upstream's memory of earlier tests gone."""
    running.upstream.reset()
    return running


@pytest.fixture
def targets(gateway):
    """Reads what has gone upstream."""
    return lambda: [f"{seen.method} {seen.target}" for seen in gateway.upstream.seen]
