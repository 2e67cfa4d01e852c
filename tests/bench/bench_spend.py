"""Measure an answer on a year of spend, from totals and from jobs. See README.md.

Run by hand: ``python tests/bench/bench_spend.py [documents [rolled up]]``, on Firestore's emulator and in
memory; each figure is of a process of its own. Every job differs from all others by a label, so that it has
a cell of its own; roll-ups are of a million such jobs unless told otherwise.
"""

# ruff: noqa: T201 - it prints figures

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local")]

from werkzeug.test import EnvironBuilder  # noqa: E402 - found by the line above
from werkzeug.wrappers import Request  # noqa: E402 - same

from batch_gateway.adapters.firestore import FirestoreStore, connect  # noqa: E402 - same
from batch_gateway.adapters.firestore.documents import to_document  # noqa: E402 - same
from batch_gateway.adapters.firestore.totals import DAY_SHARDS, MONTH_SHARDS  # noqa: E402 - same
from batch_gateway.core.access.callers import Caller  # noqa: E402 - same
from batch_gateway.core.accounting.rollups import group_key  # noqa: E402 - same
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation  # noqa: E402 - same
from batch_gateway.core.pricing import prices  # noqa: E402 - same
from batch_gateway.core.pricing.cost import cost_of  # noqa: E402 - same
from batch_gateway.core.spend.entries import entries_of_job  # noqa: E402 - same
from batch_gateway.core.usage import Rows, Tokens, Usage, quantities_of  # noqa: E402 - same
from batch_gateway.gateway.costs.report import Spend  # noqa: E402 - same
from fakes import MemoryStore  # noqa: E402 - same
from firestore_emulator import FirestoreEmulator  # noqa: E402 - same
from processes import free_ports  # noqa: E402 - same

PROJECT = "bench-spend"
START = datetime(2025, 11, 1, tzinfo=UTC)
YEAR = "start_time=2025-11-01T00:00:00Z&end_time=2026-11-01T00:00:00Z"
YEAR_IN_INDIA = "start_time=2025-10-31T18:30:00Z&end_time=2026-10-31T18:30:00Z"
MONTH = "start_time=2026-10-01T00:00:00Z&end_time=2026-11-01T00:00:00Z"
MODELS = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3-flash-preview", "gemini-2.5-flash-lite")
ITEMS = ("input_text", "output_text", "output_thoughts", "input_image")
TEAMS = 40
BATCH = 30
ADMIN = Caller(api_key="master")
TEAM = Caller(api_key="key-1", team="team-1", key_id="k1")
CASES = {
    "month by day and team": ("report", f"{MONTH}&limit=31&group_by=team", ADMIN),
    "month by day and model, for one team of 40": ("report", f"{MONTH}&limit=31&group_by=model", TEAM),
    "month by hour and model, at +05:30": (
        "report",
        f"{MONTH}&bucket_width=1h&limit=744&group_by=model&time_zone=%2B05:30",
        ADMIN,
    ),
    "year by month and model": ("report", f"{YEAR}&bucket_width=1mo&group_by=model", ADMIN),
    "year by month and model, by a label (reads every cell)": (
        "report",
        f"{YEAR}&bucket_width=1mo&group_by=model,label:environment",
        ADMIN,
    ),
    "year by month and model, at +05:30": (
        "report",
        f"{YEAR_IN_INDIA}&bucket_width=1mo&group_by=model&time_zone=%2B05:30",
        ADMIN,
    ),
    "year by day, team and model": ("report", f"{YEAR}&limit=366&group_by=team,model", ADMIN),
    "year as CSV": ("export", YEAR, ADMIN),
    "year as FOCUS": ("export", f"{YEAR}&format=focus", ADMIN),
    "year as CSV, a row for each job (scans the jobs)": ("export", f"{YEAR}&group_by=job", ADMIN),
}


def job(number, documents):
    """One of a year's jobs, each of which is in a cell of its own."""
    created = START + timedelta(days=365) * number / documents
    model = MODELS[number % len(MODELS)]
    used = [
        (model, "0-200k", item) for item in ("input_text", "output_text", "output_thoughts", "input_image")
    ]
    usage = Usage(
        Rows(succeeded=100), Tokens(input=1000), quantities_of([(key, (1000 + number, 100)) for key in used])
    )
    team = f"team-{number % TEAMS}"
    labels = {"team": team, "environment": "production", "run": f"r{number}"}
    key = JobKey("acme-batch", "us-central1", str(number))
    seen = Observation(key.path, "JOB_STATE_SUCCEEDED", model, f"job {number}", labels)
    cost = cost_of(usage, prices.load(), location="us-central1", at=created)
    return JobRecord(key, seen, created, api_key=f"key-{number % 97}", team=team, usage=usage, cost=cost)


def fill(store, documents, rolled_up):
    """Writes jobs and cells as settling would, less the reading, and the roll-ups of more jobs than that."""
    client = store._client
    writes = chain(_records(client, documents), _rollups(client, rolled_up))
    while some := list(islice(writes, BATCH)):
        batch = client.batch()
        for document, content in some:
            batch.set(document, content)
        batch.commit()


def _records(client, documents):
    for number in range(documents):
        record = job(number, documents)
        (entry,) = entries_of_job(record)
        yield client.collection("jobs").document(f"acme-batch:us-central1:{number}"), to_document(record)
        yield client.collection("totals").document(f"{entry.cell.id}:{number % 8}"), to_document(entry.cell)


def _rollups(client, jobs):
    """The sums of as many jobs, each of which differs from all others by a label."""
    days, months = defaultdict(lambda: defaultdict(Counter)), defaultdict(Counter)
    for number in range(jobs):
        (entry,) = entries_of_job(job(number, jobs))
        key, cell = group_key(entry.total), entry.total
        shard = zlib.crc32(key.encode()) + number % 4
        days[f"{cell.day}:{shard % DAY_SHARDS}"][key].update(cell.quarters)
        months[f"{cell.day[:7]}:{shard % MONTH_SHARDS}"][key] += sum(cell.quarters.values())
    for name, quarters in days.items():
        yield client.collection("days").document(name), {"quarters": quarters}
    for name, amounts in months.items():
        yield client.collection("months").document(name), {"amounts": amounts}


def filled_memory(documents):
    """Likewise, in this process."""
    store = MemoryStore()
    for number in range(documents):
        record = job(number, documents)
        (entry,) = entries_of_job(record)
        store._jobs[record.key] = record
        store._cells[f"{entry.total.id}"] = entry.total
    return store


def peak():
    """The most memory that this process had, MB. (getrusage would count that of the process it began as.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def run(store, case):
    """Answers one call and says what that took."""
    call, query, caller = CASES[case]
    request = Request(EnvironBuilder(query_string=query).get_environ())
    before, start, worked = peak(), time.perf_counter(), time.process_time()
    answer = getattr(Spend(store, prices.load, lambda: datetime.now(UTC)), call)(request, caller)
    size = sum(len(chunk) for chunk in answer.response)
    seconds, cpu = time.perf_counter() - start, time.process_time() - worked
    return {"seconds": seconds, "cpu": cpu, "mb": size / 1e6, "peak": peak(), "more": peak() - before}


def child(case, documents):
    """One figure: in memory if no emulator is named."""
    if os.environ.get("FIRESTORE_EMULATOR_HOST"):
        store = FirestoreStore(connect(PROJECT, "(default)"))
        store.get_job(JobKey("acme-batch", "us-central1", "0"))  # connects
    else:
        store = filled_memory(documents)
    print(json.dumps(run(store, case)))


def measure(case, documents, host):
    """A figure, from a process of its own."""
    environment = {**os.environ, "FIRESTORE_EMULATOR_HOST": host}
    command = [sys.executable, __file__, case, str(documents)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - itself
    return json.loads(done.stdout)


def main(documents, rolled_up):
    """Prints the table."""
    with tempfile.TemporaryDirectory() as directory:
        emulator = FirestoreEmulator(free_ports(1)[0], Path(directory) / "log")
        if emulator.process is None:
            sys.exit("FIRESTORE_EMULATOR_HOST is set: the bench fills an emulator of its own")
        emulator.process.start()
        try:
            emulator.process.wait_ready()
            os.environ["FIRESTORE_EMULATOR_HOST"] = emulator.host
            start = time.perf_counter()
            fill(FirestoreStore(connect(PROJECT, "(default)")), documents, rolled_up)
            print(
                f"{documents} cells and {documents} jobs, and roll-ups of {rolled_up} jobs, written in "
                f"{time.perf_counter() - start:.0f} s\n"
            )
            print("| answer | store | s | CPU s | MB | peak RSS, MB | of it for the answer |")
            print("|---|---|---|---|---|---|---|")
            for case in CASES:
                for store, host in (("Firestore's emulator", emulator.host), ("memory", "")):
                    found = measure(case, documents, host)
                    print(
                        f"| {case} | {store} | {found['seconds']:.1f} | {found['cpu']:.1f} "
                        f"| {found['mb']:.2f} | {found['peak']} | {found['more']} |",
                        flush=True,
                    )
        finally:
            emulator.process.stop()


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in CASES:
        child(sys.argv[1], int(sys.argv[2]))
    else:
        main(*(int(text) for text in (*sys.argv[1:], "10000", "1000000")[:2]))
