"""Run the whole system on this machine: emulators, the two functions, and the relay between them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import requests
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.firestore import Client as FirestoreClient
from google.cloud.storage import Client as StorageClient  # type: ignore[import-untyped]

from firestore_emulator import FirestoreEmulator
from functions_process import SOURCE, function_process
from processes import HOST, LocalStackError, ManagedProcess, free_ports, port_or_free, wait_until
from relay import Backoff, Relay
from storage_emulator import StorageEmulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

HERE = Path(__file__).resolve().parent
PROJECT = "local-project"
LOCATION = "global"
PARENT = f"/v1/projects/{PROJECT}/locations/{LOCATION}"
GATEWAY_CONCURRENCY = 40
"""As deployed: the default of `gateway.concurrency` in Terraform; functions-framework reads THREADS."""
INPUT_BUCKET = "batch-in"
OUTPUT_BUCKET = "batch-out"
# Variables that would change the children's behaviour: credentials that they must not use here, and
# functions-framework's options.
_NOT_INHERITED = ("GOOGLE_APPLICATION_CREDENTIALS", "FIRESTORE_DATABASE", "DEBUG", "FUNCTION_USE_ASGI")


class Stack:
    """The local stack as a context manager; leaving it ends each process that it started.

    Args:
        config: The gateway's configuration file.
        source: The functions' main.py.
        gateway_port: A port that the gateway prefers; without one, or if it is taken, any free one.
        vertex_options: More arguments for the Vertex emulator, such as its speed.
        poll_interval: Seconds between two looks for new objects.
        backoff: How the relay redelivers.
        env: More environment for the two functions.
    """

    def __init__(
        self,
        *,
        config: Path = HERE / "config.yaml",
        source: Path = SOURCE,
        gateway_port: int | None = None,
        vertex_options: Sequence[str] = (),
        poll_interval: float = 0.2,
        backoff: Backoff | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.master_key = f"sk-{secrets.token_urlsafe(24)}"
        self.logs = Path(tempfile.mkdtemp(prefix="batch-gateway-"))
        self._started: list[ManagedProcess] = []
        firestore_port, storage_port, vertex_port, gateway, settle_port = free_ports(5)
        if gateway_port is not None:
            gateway = port_or_free(gateway_port)
        base = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        # The loopback interface needs no proxy.
        base |= dict.fromkeys(("NO_PROXY", "no_proxy"), f"{HOST},localhost")
        base |= {"PYTHONPATH": str(HERE), "PYTHONUNBUFFERED": "1"}
        try:
            self.firestore = FirestoreEmulator(firestore_port, self.logs / "firestore.log", base)
        except BaseException:
            shutil.rmtree(self.logs)
            raise
        self.storage = StorageEmulator(storage_port, self.logs / "storage.log", base)
        self.vertex = ManagedProcess(
            "the Vertex emulator",
            [
                *(sys.executable, "-m", "vertex_emulator", "--port", str(vertex_port)),
                *("--storage-emulator-host", self.storage.url, *vertex_options),
            ],
            is_ready=lambda process: "listening on" in process.output(),
            log=self.logs / "vertex.log",
            env=base,
        )
        self.firestore_host = self.firestore.host
        self.storage_url = self.storage.url
        self.vertex_url = f"http://{HOST}:{vertex_port}"
        self.gateway_url = f"http://{HOST}:{gateway}"
        self.settle_url = f"http://{HOST}:{settle_port}"
        functions_env = base | {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIRESTORE_EMULATOR_HOST": self.firestore_host,
            "STORAGE_EMULATOR_HOST": self.storage_url,
            "VERTEX_EMULATOR_HOST": f"{HOST}:{vertex_port}",
            "GATEWAY_MASTER_KEY": self.master_key,
            "GATEWAY_CONFIG": str(config),
            **(env or {}),
        }
        self.gateway = function_process(
            "gateway",
            "http",
            gateway,
            env=functions_env | {"THREADS": str(GATEWAY_CONCURRENCY)},
            logs=self.logs,
            source=source,
            health="/health/readiness",
        )
        # As deployed: the settle function does not get the administrator's key.
        settle_env = {name: value for name, value in functions_env.items() if name != "GATEWAY_MASTER_KEY"}
        self.settle = function_process(
            "settle", "cloudevent", settle_port, env=settle_env, logs=self.logs, source=source
        )
        self.relay = Relay(
            self.storage_url,
            self.settle_url,
            (INPUT_BUCKET, OUTPUT_BUCKET),
            poll_interval=poll_interval,
            backoff=backoff,
        )
        self._http = requests.Session()
        self._http.trust_env = False

    def __enter__(self) -> Self:
        try:
            # All addresses are known in advance, so no process waits for another one to start.
            processes = [self.firestore.process, self.vertex, self.gateway, self.settle]
            for process in (self.storage.process, *processes):
                if process is not None:
                    self._started.append(process)
                    process.start()
            self.storage.process.wait_ready()
            self.storage.create_buckets((INPUT_BUCKET, OUTPUT_BUCKET))
            for process in self._started:
                process.wait_ready()
            self.relay.start()
        except BaseException as error:
            self.close(keep_logs=isinstance(error, LocalStackError))
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_logs=isinstance(error, Exception))

    def close(self, *, keep_logs: bool = False) -> None:
        """End everything that this stack started, and nothing else."""
        with _uninterrupted():
            self.relay.stop()
            for process in self._started:
                process.interrupt()
            for process in self._started:
                process.stop()
            self._started.clear()
            self._http.close()
            if keep_logs:
                print(f"The logs are in {self.logs}", file=sys.stderr)
            else:
                shutil.rmtree(self.logs, ignore_errors=True)

    def check_alive(self) -> None:
        """Raise an error, with the end of the log, if one of the processes has ended."""
        for process in self._started:
            if process.exit_code() is not None:
                raise LocalStackError(f"{process.name} has ended. The end of its log:\n{process.tail()}")

    def request(self, method: str, path: str, *, key: str | None = None, **options: Any) -> requests.Response:
        """Send a request to the gateway, by default with the master key; "" sends no key."""
        key = self.master_key if key is None else key
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **options.pop("headers", {})}
        options = {"timeout": 300, **options}
        return self._http.request(method, f"{self.gateway_url}{path}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        """Return the answer to a GET, which has to succeed."""
        answer = self.request("GET", path, **options)
        if not answer.ok:
            raise LocalStackError(f"GET {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def wait_for_cost(self, name: str, timeout: float = 300.0) -> dict[str, Any]:
        """Wait until a job's cost is FINAL and return it."""

        def final() -> dict[str, Any] | None:
            cost: dict[str, Any] = self.get(f"/v1/{name}/cost")
            return cost if cost["status"] == "FINAL" else None

        return wait_until(final, timeout, f"the cost of {name} to be FINAL", interval=0.1)

    def storage_client(self) -> StorageClient:
        """Return a client of the storage emulator."""
        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        http = AuthorizedSession(anonymous)  # type: ignore[no-untyped-call]
        http.trust_env = False
        options = {"api_endpoint": self.storage_url}
        return StorageClient(PROJECT, anonymous, http, client_options=options)

    def firestore_client(self) -> FirestoreClient:
        """Return a client of the Firestore emulator."""
        # The client reads the emulator's address from the environment only, when it is created.
        with patch.dict(os.environ, {"FIRESTORE_EMULATOR_HOST": self.firestore_host}):
            return FirestoreClient(PROJECT)

    def clear_firestore(self) -> None:
        """Delete all documents, for tests that need an empty database."""
        url = f"http://{self.firestore_host}/emulator/v1/projects/{PROJECT}/databases/(default)/documents"
        self._http.delete(url, timeout=300).raise_for_status()

    def upload(self, name: str, content: bytes, bucket: str = INPUT_BUCKET) -> str:
        """Write an object and return its gs:// URI."""
        self.storage_client().bucket(bucket).blob(name).upload_from_string(content, "application/jsonl")
        return f"gs://{bucket}/{name}"

    def upload_rows(self, name: str, rows: Iterable[Mapping[str, Any]], bucket: str = INPUT_BUCKET) -> str:
        """Write rows as a JSON lines object and return its gs:// URI."""
        return self.upload(name, "".join(f"{json.dumps(row)}\n" for row in rows).encode(), bucket)

    def read_under(self, uri: str) -> dict[str, bytes]:
        """Return the objects under a gs:// prefix, by name."""
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        blobs = self.storage_client().list_blobs(bucket, prefix=prefix)
        return {blob.name: blob.download_as_bytes() for blob in blobs}


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C for a while: a second one must not leave processes behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
