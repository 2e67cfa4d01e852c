"""The gateway as it is deployed: 40 requests at once on an instance, Vertex AI taking 300 ms. See README.md.

Run by hand: ``python tests/bench/bench_load.py``. It takes about a minute.
"""

# ruff: noqa: T201 - it prints figures

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud.storage import Client

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "infra" / "local"), str(HERE)]

from bench_gateway import JOB_PATH, MASTER_KEY, call, load, memory, quantile  # noqa: E402 - found by the line above
from instant_upstream import TEAM  # noqa: E402

from firestore_emulator import FirestoreEmulator  # noqa: E402
from functions_process import function_process  # noqa: E402
from processes import HOST, ManagedProcess, free_ports  # noqa: E402
from storage_emulator import StorageEmulator  # noqa: E402

UPSTREAM_SECONDS = 0.3
CONNECTIONS = 40
"""Requests that Terraform lets Cloud Run send an instance at once."""
REQUESTS = 400
CREATES = 100
THREADS = {"functions-framework's own": None, "as deployed": str(CONNECTIONS)}
ROW = (
    b'{"request": {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}], '
    b'"generationConfig": {"maxOutputTokens": 100}}}\n'
)
BODY = {
    "displayName": "bench",
    "model": "publishers/google/models/gemini-2.5-flash",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://batch-in/rows.jsonl"]}},
    "outputConfig": {
        "predictionsFormat": "jsonl",
        "gcsDestination": {"outputUriPrefix": "gs://batch-out/bench"},
    },
}
RAW = json.dumps(BODY).encode()
PARENT = JOB_PATH.rpartition("/")[0]


def health_beside(port, key):
    """The longest wait of /health while all connections wait for Vertex AI, seconds."""
    waits, done = [], threading.Event()

    def ask():
        while not done.is_set():
            began = time.perf_counter()
            call(port, "GET", "/health", key=key)
            waits.append(time.perf_counter() - began)

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        found = load(port, key, CONNECTIONS, REQUESTS)
        done.set()
        asking.result()
    return found, max(waits)


def create(port, key):
    """(outcome, seconds) of one create."""
    began = time.perf_counter()
    connection = HTTPConnection(HOST, port, timeout=90)
    try:
        connection.request("POST", PARENT, RAW, {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.perf_counter() - began
    finally:
        connection.close()


def creates(port, key):
    """Outcomes of creates that are sent at once, and how long all of them took."""
    start = threading.Barrier(CREATES)

    def one(_):
        start.wait()
        return create(port, key)

    began = time.perf_counter()
    with ThreadPoolExecutor(CREATES) as pool:
        answers = list(pool.map(one, range(CREATES)))
    took = time.perf_counter() - began
    return Counter(status for status, _ in answers), took, statistics.median(t for _, t in answers)


def main():
    """Prints the tables."""
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-gateway-bench-")))
        names = ("firestore", "storage", "upstream", "settle", *THREADS)
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        base = {**os.environ, "PYTHONPATH": str(ROOT / "infra" / "local"), "PYTHONUNBUFFERED": "1"}
        firestore = FirestoreEmulator(ports["firestore"], logs / "firestore.log", base)
        storage = StorageEmulator(ports["storage"], logs / "storage.log", base)
        command = [sys.executable, str(HERE / "instant_upstream.py"), str(ports["upstream"])]
        upstream = ManagedProcess(
            "the upstream",
            [*command, str(UPSTREAM_SECONDS)],
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
        }
        gateways = {
            name: function_process(
                "gateway",
                "http",
                ports[name],
                env=env | ({"THREADS": threads} if threads else {}),
                logs=logs / name.replace(" ", "-"),
                health="/health",
            )
            for name, threads in THREADS.items()
        }
        processes = [p for p in (firestore.process, storage.process, upstream, *gateways.values()) if p]
        for process in processes:
            process.log.parent.mkdir(exist_ok=True)
            process.start()
            stack.callback(process.stop)
        for process in processes:
            process.wait_ready()
        storage.create_buckets(("batch-in", "batch-out"))
        with AuthorizedSession(AnonymousCredentials()) as session:
            session.trust_env = False
            client = Client(
                "local-project", AnonymousCredentials(), session, client_options={"api_endpoint": storage.url}
            )
            client.bucket("batch-in").blob("rows.jsonl").upload_from_string(ROW * 10, "application/jsonl")

        port = ports["as deployed"]
        call(port, "POST", "/team/new", {"team_id": TEAM})
        key = call(port, "POST", "/key/generate", {"team_id": TEAM})["key"]
        # Of a key with a budget, whose high is the bound that a create reserves.
        limited = call(port, "POST", "/key/generate", {"max_budget": 1_000_000, "team_id": TEAM})["key"]
        estimate = call(port, "POST", f"{PARENT}:estimateCost", BODY, limited)
        print(f"| {CONNECTIONS} connections | p50 s | p99 s | requests/s | longest /health s | worker's MB |")
        print("|---|---|---|---|---|---|")
        for name, threads in THREADS.items():
            load(ports[name], key, CONNECTIONS, CONNECTIONS)
            (latencies, seconds), wait = health_beside(ports[name], key)
            p50, p99 = quantile(latencies, 0.5), quantile(latencies, 0.99)
            resident = memory(gateways[name])[1]
            print(
                f"| {name}: {threads or os.cpu_count() * 4} threads | {p50:.2f} | {p99:.2f} "
                f"| {REQUESTS / seconds:.0f} | {wait:.2f} | {resident:.0f} |"
            )
        print(
            f"\n| {CREATES} creates at once | accepted | refused | other | all s | p50 s |"
            "\n|---|---|---|---|---|---|"
        )
        high = float(estimate["high"])
        for name, budget in {
            "no budget": None,
            "room for all": round(high * CREATES * 10, 6),
            f"room for {CREATES // 2}": round(high * (CREATES / 2 + 1.5), 6),
        }.items():
            given = {} if budget is None else {"max_budget": budget, "budget_duration": "1mo"}
            key = call(port, "POST", "/key/generate", {"team_id": TEAM, **given})["key"]
            create(port, key)
            found, took, p50 = creates(port, key)
            other = CREATES - found[200] - found[429]
            print(f"| {name} | {found[200]} | {found[429]} | {other} | {took:.2f} | {p50:.2f} |")


if __name__ == "__main__":
    main()
