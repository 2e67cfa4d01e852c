"""The worst of every kind of request at the largest input that is let in: CPU time and memory. See README.md.

Run by hand: ``python tests/bench/bench_hostile.py``. It takes some minutes.
"""

# ruff: noqa: T201 - it prints figures

import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import requests

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local"), str(ROOT / "tests")]

from batch_gateway.core.lines import MAX_LINE_BYTES  # noqa: E402 - found by the line above
from cloud_event import Event  # noqa: E402
from functional.gateway.loopback import Answer, Loopback  # noqa: E402
from functional.hostile import inputs  # noqa: E402
from functional.hostile.conftest import Storage, processes, used  # noqa: E402
from functional.security.conftest import JOBS, deployed  # noqa: E402
from functional.security.test_bodies import GOOD  # noqa: E402
from functions_process import function_process  # noqa: E402
from processes import HOST, free_ports  # noqa: E402

CREATED = "2026-11-22T10:00:00Z"
ESTIMATE = f"{JOBS}:estimateCost"
ROW = {
    "modelVersion": "gemini-2.5-flash",
    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1},
}


class Cost(NamedTuple):
    """Cost of one input."""

    name: str
    status: int
    cpu: float
    peak: float


def resident(pid, field):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


class Meter:
    """Measures a function's processes.

    Args:
        process: Running, and idle.
    """

    def __init__(self, process):
        self._pids = processes(process._process.pid)
        self.idle = sum(resident(pid, "VmRSS") for pid in self._pids)

    def measure(self, name, call):
        """Measure a call; the peak is above that of the idle function, whatever it did before."""
        for pid in self._pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
        before = sum(used(pid)[0] for pid in self._pids)
        status = call()
        cpu = sum(used(pid)[0] for pid in self._pids) - before
        peak = sum(resident(pid, "VmHWM") for pid in self._pids) - self.idle
        return Cost(name, status, cpu, peak)


def answered_with(outputs, texts):
    """A row as long as is let in, of an answer with such members."""
    row = {"status": "", "response": {**ROW, **outputs}, "request": texts}
    return json.dumps(row).encode()


def largest_rows():
    """Rows of output, each as long as a line may be."""
    size = MAX_LINE_BYTES - 1000
    parts = size // len('{"text": ""}, ')
    return {
        "one long answer": lambda: answered_with({"candidates": [{"content": "x" * size}]}, {}),
        "many short parts": lambda: answered_with({"candidates": [{"content": [{"text": ""}] * parts}]}, {}),
        "many candidates": lambda: answered_with({"candidates": [{}] * (size // 4)}, {}),
        "many details": lambda: answered_with(
            {
                "usageMetadata": {
                    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 1}] * (size // 40)
                }
            },
            {},
        ),
        "many searches": lambda: answered_with(
            {"candidates": [{"groundingMetadata": {"webSearchQueries": ["q"] * (size // 6)}}]}, {}
        ),
        "a long request": lambda: answered_with({}, {"contents": ["x" * 20] * (size // 24)}),
        "deep": lambda: b'{"a":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}",
        "no JSON": lambda: b"[" * size,
        "no end": lambda: b"x" * (4 * MAX_LINE_BYTES),
    }


def of_requests(gateway):
    """Kinds of requests: for each the calls by name of their input."""

    def post(path, body, key):
        return lambda: gateway.request("POST", path, body=body(), key=key).status

    def get(path):
        return lambda: gateway.request("GET", path, key=gateway.scoped).status

    def of_input(make):
        def call():
            gateway.storage.objects = {"x.jsonl": make()}
            body = inputs.create("gs://granted/x.jsonl")
            return gateway.request("POST", ESTIMATE, body=body, key=gateway.scoped).status

        return call

    def of_pattern(pattern):
        def call():
            gateway.storage.objects = dict.fromkeys(inputs.NAMES, b"{}\n")
            return gateway.request("POST", ESTIMATE, body=inputs.create(pattern), key=gateway.scoped).status

        return call

    def of_answer(ask, make):
        def call():
            answer = make()
            gateway.upstream.respond = lambda _: answer
            method, path = inputs.ASKS[ask]
            status = gateway.request(method, path, body=GOOD if ask == "create" else b"").status
            gateway.upstream.reset()
            return status

        return call

    bodies, queries = inputs.BODIES.items(), inputs.QUERIES.items()
    return {
        "create, body": {name: post(JOBS, each.make, gateway.scoped) for name, each in bodies},
        "estimate, body": {name: post(ESTIMATE, each.make, gateway.scoped) for name, each in bodies},
        "estimate, input": {name: of_input(each.make) for name, each in inputs.ROWS.items()},
        "estimate, pattern": {name: of_pattern(each) for name, each in inputs.PATTERNS.items()},
        "filter": {
            name: get(f"{JOBS}?filter={quote(each, safe='(')}") for name, each in inputs.FILTERS.items()
        },
        "export": {name: get(each) for name, each in queries if ":export" in each},
        "costs, jobs and others": {name: get(each) for name, each in queries if ":export" not in each},
        "list, answer": {name: of_answer("list", each.make) for name, each in inputs.ANSWERS.items()},
        "get, answer": {name: of_answer("get", each.make) for name, each in inputs.ANSWERS.items()},
        "create, answer": {name: of_answer("create", each.make) for name, each in inputs.ANSWERS.items()},
    }


def of_outputs(gateway, settling):
    """Settlements of an output of one row, each of a job of its own."""
    jobs = {}

    def vertex(seen):
        name = next(reversed(jobs)) if seen.method == "POST" else seen.target.rpartition("/")[2]
        return Answer(200 if name in jobs else 404, json.dumps(jobs.get(name, {})).encode())

    def of_row(number, make):
        def call():
            directory = f"run/prediction-model-2026-11-22T10:00:00.{number:06}Z"
            jobs[str(number)] = {
                **json.loads(GOOD),
                "name": f"projects/1234/locations/us-central1/batchPredictionJobs/{number}",
                "state": "JOB_STATE_SUCCEEDED",
                **dict.fromkeys(("createTime", "startTime", "updateTime", "endTime"), CREATED),
                "outputInfo": {"gcsOutputDirectory": f"gs://granted/{directory}"},
            }
            gateway.upstream.respond = vertex
            gateway.request("POST", JOBS, body=GOOD)
            name = f"{directory}/predictions.jsonl"
            gateway.storage.objects = {name: make()}
            written = {"bucket": "granted", "name": name, "updated": CREATED, "timeCreated": CREATED}
            event = Event(str(number), written)
            with requests.Session() as session:
                session.trust_env = False
                return session.post(
                    settling.url, json=written, headers=event.headers(), timeout=300
                ).status_code

        return call

    return {name: of_row(number, make) for number, (name, make) in enumerate(largest_rows().items(), 1)}


def show(kind, costs):
    slowest, largest = max(costs, key=lambda each: each.cpu), max(costs, key=lambda each: each.peak)
    print(
        f"| {kind} | {len(costs)} | {slowest.name} ({slowest.status}) | {slowest.cpu:.2f} "
        f"| {largest.name} ({largest.status}) | {largest.peak:.0f} |",
        flush=True,
    )


def main():
    logs = Path(tempfile.mkdtemp())
    with (
        Loopback() as storage,
        deployed(logs, STORAGE_EMULATOR_HOST=storage.url, BIGQUERY_EMULATOR_HOST=storage.url) as gateway,
    ):
        gateway.storage = Storage(storage)
        (port,) = free_ports(1)
        settling = function_process("settle", "cloudevent", port, env=gateway.environment, logs=logs)
        settling.start()
        settling.wait_ready()
        settling.url = f"http://{HOST}:{port}/"
        try:
            gateway.request("GET", f"{JOBS}/1", key=gateway.scoped)
            meter = Meter(gateway.process)
            print("| kind | inputs | most CPU | CPU s | most memory | peak MB above idle |")
            print("|---|---|---|---|---|---|")
            for kind, calls in of_requests(gateway).items():
                show(kind, [meter.measure(*each) for each in calls.items()])
            rows = of_outputs(gateway, settling)
            meter = Meter(settling)
            show("settlement, one row", [meter.measure(*each) for each in rows.items()])
        finally:
            settling.stop()


if __name__ == "__main__":
    main()
