"""How fast the gateway is, beside its upstream alone and beside the plainest relay. See README.md.

Run by hand: ``python tests/bench/bench_gateway.py``. It takes less than three minutes.
"""

# ruff: noqa: T201 - it prints figures

import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "infra" / "local"), str(HERE)]

from instant_upstream import DIRECTORY, JOB, LENGTH, TEAM  # noqa: E402

from cloud_event import Event, notified_resource  # noqa: E402 - found by the line above
from firestore_emulator import FirestoreEmulator  # noqa: E402
from functions_process import function_process  # noqa: E402
from processes import HOST, ManagedProcess, free_ports  # noqa: E402
from storage_emulator import StorageEmulator  # noqa: E402

ROUNDS = 7
REQUESTS = {1: 300, 16: 1500}
"""Requests of one round, by number of connections."""
WARM_UP = 300
MEMORY_REQUESTS = 10_000
COLD_STARTS = 5
MASTER_KEY = "sk-the-bench"
JOB_PATH = f"/v1/{JOB}"
ROW = {"status": "", "response": {"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 10}}}


# --- Load


class _Connection(asyncio.Protocol):
    """Sends one request after another and notes how long each took."""

    def __init__(self, request, budget, latencies, done):
        self._request, self._budget, self._latencies, self._done = request, budget, latencies, done
        self._read = b""

    def connection_made(self, transport):
        self._transport = transport
        self._send()

    def _send(self):
        if not self._budget:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._budget.pop()
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data):
        self._read += data
        end = self._read.find(b"\r\n\r\n") + 4
        if end < 4 or len(self._read) < end + int(LENGTH.search(self._read, 0, end)[1]):
            return
        self._latencies.append(time.perf_counter() - self._sent)
        if not self._read.startswith(b"HTTP/1.1 200 "):
            self._done.set_exception(RuntimeError(self._read.decode()))
            return
        self._read = b""
        self._send()

    def connection_lost(self, _error):
        if not self._done.done():
            self._done.set_exception(ConnectionError("the connection was closed"))


async def _load(port, request, connections, requests):
    loop = asyncio.get_running_loop()
    budget, latencies = [None] * requests, []
    done = [loop.create_future() for _ in range(connections)]
    began = time.perf_counter()
    for each in done:
        await loop.create_connection(
            lambda each=each: _Connection(request, budget, latencies, each), HOST, port
        )
    await asyncio.gather(*done)
    return latencies, time.perf_counter() - began


def load(port, key, connections, requests):
    """Latencies in seconds of so many GETs of the job, and how long all of them took."""
    head = f"GET {JOB_PATH} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
    return asyncio.run(_load(port, head.encode(), connections, requests))


def quantile(latencies, share):
    return sorted(latencies)[min(len(latencies) - 1, int(len(latencies) * share))]


def compare(ports, key):
    """Measures all servers in turn, round after round, so that what the machine does hits all alike."""
    for port in ports.values():
        load(port, key, 4, WARM_UP)
    found = {(name, n): ([], []) for name in ports for n in REQUESTS}
    for number in range(ROUNDS):
        for n, requests in REQUESTS.items():
            names = list(ports)[:: 1 if number % 2 else -1]
            for name in names:
                latencies, seconds = load(ports[name], key, n, requests)
                found[name, n][0].extend(latencies)
                found[name, n][1].append(requests / seconds)
    return found


def show(found):
    print("| connections | server | p50 ms | p99 ms | requests/s | added p50 ms | added p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for n in REQUESTS:
        base = [quantile(found["upstream alone", n][0], share) * 1e3 for share in (0.5, 0.99)]
        for name in ("upstream alone", "plain relay", "gateway"):
            latencies, rates = found[name, n]
            p50, p99 = (quantile(latencies, share) * 1e3 for share in (0.5, 0.99))
            added = f"{p50 - base[0]:.2f} | {p99 - base[1]:.2f}" if name != "upstream alone" else "|"
            print(f"| {n} | {name} | {p50:.2f} | {p99:.2f} | {statistics.median(rates):.0f} | {added} |")
    print()
    for n in REQUESTS:
        gateway, relay = found["gateway", n], found["plain relay", n]
        p50, p99 = (quantile(gateway[0], share) / quantile(relay[0], share) for share in (0.5, 0.99))
        rate = statistics.median(relay[1]) / statistics.median(gateway[1])
        print(
            f"gateway / plain relay, {n} connections: p50 {p50:.2f}, p99 {p99:.2f}, time a request {rate:.2f}"
        )


# --- Start


def first_answer(process, port, path, headers, body=None):
    """Seconds from the start of a process to its first good answer: to a POST if there is a body."""
    began = time.perf_counter()
    process.start()
    try:
        while True:
            connection = HTTPConnection(HOST, port, timeout=30)
            try:
                connection.connect()
            except ConnectionRefusedError:
                if process.exit_code() is not None or time.perf_counter() - began > 30:
                    raise
                time.sleep(0.002)
                continue
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            took = time.perf_counter() - began
            connection.close()
            if answer.status >= 300:
                raise RuntimeError(f"{path}: {answer.status} {text.decode()}")
            return took
    finally:
        process.stop()


def import_times(code):
    """Milliseconds that modules take to import, by package, the slowest first; and all together."""
    run = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-X", "importtime", "-c", code],
        cwd=ROOT / "functions",
        env={**os.environ, "GATEWAY_MASTER_KEY": MASTER_KEY, "GOOGLE_CLOUD_PROJECT": "local-project"},
        capture_output=True,
        text=True,
        check=True,
    )
    by_package = Counter()
    for own, name in re.findall(r"import time: +(\d+) \| +\d+ \| +(\S+)", run.stderr):
        parts = name.split(".")
        depth = {"google": 3, "batch_gateway": 2}.get(parts[0], 1)
        by_package[".".join(parts[:depth])] += int(own) / 1000
    return by_package.most_common(15), by_package.total()


# --- Memory


def memory(process):
    """MB of a server's processes: (what is theirs, shared pages split up; the largest one's resident set)."""
    group = os.getpgid(process._process.pid)
    proportional, resident = 0, []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(entry.name)) != group:
                continue
            rollup = (entry / "smaps_rollup").read_text()
        except OSError:
            continue
        proportional += int(re.search(r"^Pss: +(\d+)", rollup, re.MULTILINE)[1])
        resident.append(int(re.search(r"^Rss: +(\d+)", rollup, re.MULTILINE)[1]))
    return proportional / 1024, max(resident) / 1024


# --- All of it


def call(port, method, path, body=None, key=MASTER_KEY):
    connection = HTTPConnection(HOST, port, timeout=30)
    connection.request(
        method,
        path,
        json.dumps(body).encode() if body is not None else None,
        {"Authorization": f"Bearer {key}"},
    )
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
    return json.loads(text)


def first_event(settle, port, storage_url):
    """Writes the job's output, and seconds from the start of settle until it has settled that."""
    bucket, _, folder = DIRECTORY.removeprefix("gs://").partition("/")
    with AuthorizedSession(AnonymousCredentials()) as session:
        session.trust_env = False
        options = {"api_endpoint": storage_url}
        blob = Client("local-project", AnonymousCredentials(), session, client_options=options)
        blob = blob.bucket(bucket).blob(f"{folder}/predictions.jsonl")
        blob.upload_from_string(f"{json.dumps(ROW)}\n", "application/jsonl")
    event = Event(f"bench-{time.monotonic_ns()}", notified_resource(blob._properties))
    return first_answer(settle, port, "/", event.headers(), json.dumps(event.resource))


def main():
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.platform()}, Python", end=" ")
    print(f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-gateway-bench-")))
        ports = dict(
            zip(
                ("firestore", "storage", "upstream", "relay", "gateway", "settle"), free_ports(6), strict=True
            )
        )
        base = {**os.environ, "PYTHONPATH": str(ROOT / "infra" / "local"), "PYTHONUNBUFFERED": "1"}
        firestore = FirestoreEmulator(ports["firestore"], logs / "firestore.log", base)
        storage = StorageEmulator(ports["storage"], logs / "storage.log", base)
        upstream = ManagedProcess(
            "the upstream",
            [sys.executable, str(HERE / "instant_upstream.py"), str(ports["upstream"])],
            is_ready=lambda process: "listening" in process.output(),
            log=logs / "upstream.log",
            env=base,
        )
        env = base | {
            "GOOGLE_CLOUD_PROJECT": "local-project",
            "FIRESTORE_EMULATOR_HOST": firestore.host,
            "STORAGE_EMULATOR_HOST": storage.url,
            "VERTEX_EMULATOR_HOST": f"{HOST}:{ports['upstream']}",
            "GATEWAY_MASTER_KEY": MASTER_KEY,
            "GATEWAY_CONFIG": str(ROOT / "infra" / "local" / "config.yaml"),
            "RELAY_UPSTREAM": f"http://{HOST}:{ports['upstream']}",
        }
        gateway = function_process("gateway", "http", ports["gateway"], env=env, logs=logs, health="/health")
        settle = function_process("settle", "cloudevent", ports["settle"], env=env, logs=logs)
        relay = function_process(
            "relay", "http", ports["relay"], env=env, logs=logs, source=HERE / "plain_relay.py"
        )
        emulators = [each for each in (firestore.process, storage.process, upstream) if each]
        for process in emulators:
            process.start()
            stack.callback(process.stop)
        for process in emulators:
            process.wait_ready()
        storage.create_buckets(("batch-out",))
        for process in (gateway, relay):
            process.start()
            stack.callback(process.stop)
            process.wait_ready()

        call(ports["gateway"], "POST", "/team/new", {"team_id": TEAM})
        key = call(ports["gateway"], "POST", "/key/generate", {"team_id": TEAM})["key"]
        call(
            ports["gateway"],
            "POST",
            JOB_PATH.rpartition("/")[0],
            {"model": "publishers/google/models/gemini-2.5-flash"},
            key=key,
        )
        call(ports["gateway"], "GET", JOB_PATH, key=key)
        after_start = memory(gateway)

        servers = {"upstream alone": "upstream", "plain relay": "relay", "gateway": "gateway"}
        found = compare({name: ports[port] for name, port in servers.items()}, key)
        show(found)

        sent = WARM_UP + ROUNDS * sum(REQUESTS.values())
        load(ports["gateway"], key, 16, max(0, MEMORY_REQUESTS - sent))
        after_load = memory(gateway)
        print("\n| memory, MB | all processes | the worker's resident set |\n|---|---|---|")
        print(f"| after the first GET of a job | {after_start[0]:.0f} | {after_start[1]:.0f} |")
        count = max(sent, MEMORY_REQUESTS)
        print(f"| after {count:,} requests | {after_load[0]:.0f} | {after_load[1]:.0f} |")

        for process in (gateway, relay):
            process.stop()
        bearer = {"Authorization": f"Bearer {key}"}
        print("\n| process start to first good answer, s | median | slowest |\n|---|---|---|")
        starts = {
            "plain relay: GET of a job": lambda: first_answer(relay, ports["relay"], JOB_PATH, {}),
            "gateway: GET /health": lambda: first_answer(gateway, ports["gateway"], "/health", {}),
            "gateway: GET of a job": lambda: first_answer(gateway, ports["gateway"], JOB_PATH, bearer),
            "settle: first event": lambda: first_event(settle, ports["settle"], storage.url),
        }
        times = {name: [] for name in starts}
        for _ in range(COLD_STARTS):
            for name, start in starts.items():
                times[name].append(start())
        for name, taken in times.items():
            print(f"| {name} | {statistics.median(taken):.2f} | {max(taken):.2f} |")

    for title, code in {
        "import main": "import main",
        "import main, then what the first GET of a job needs": (
            "import main; from batch_gateway import wiring; "
            "import batch_gateway.adapters.vertex, "
            "batch_gateway.adapters.firestore, batch_gateway.gateway.app"
        ),
        "import main, then what the first event needs": (
            "import main; from batch_gateway import wiring; import batch_gateway.adapters.vertex, "
            "batch_gateway.adapters.firestore, batch_gateway.adapters.storage"
        ),
    }.items():
        packages, total = import_times(code)
        print(f"\n{title}: {total:.0f} ms, of which")
        print(", ".join(f"{name} {took:.0f}" for name, took in packages))


if __name__ == "__main__":
    main()
