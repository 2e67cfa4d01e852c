"""Jobs of one team that settle at once: what is lost (nothing), how fast it goes, and what shards are for.

Every job adds to the same cell of the totals and to the same entries of the ledger: same key, team, model,
labels and day. The store is the one that is deployed, on Google's Firestore emulator.
"""

# ruff: noqa: E402, T201 - the path comes first, and it talks to a terminal

import argparse
import contextlib
import io
import os
import platform
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local")]

from batch_gateway.adapters.firestore import FirestoreStore, budgets, connect, jobs
from batch_gateway.core.accounting.settlement import Output, settle_output
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.core.usage import Quantity, Rows, Tokens, Usage
from batch_gateway.ports import StoreUnavailableError
from firestore_emulator import FirestoreEmulator
from processes import free_ports

CREATED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MODEL = "gemini-2.5-flash"
JOB_NANO = 100 * 150 + 10 * 1250
"""100 tokens in, 10 out, in batch."""
USAGE = Usage(
    rows=Rows(succeeded=1),
    tokens=Tokens(input=100, output=10),
    quantities=(
        Quantity(MODEL, "0-200k", "input_text", 100, 1),
        Quantity(MODEL, "0-200k", "output_text", 10, 1),
    ),
)
PRICES = prices.load()


class Counting:
    """`optimistically`, with a count of the attempts that had to be repeated."""

    def __init__(self):
        self.retries, self._lock, self._real = 0, threading.Lock(), jobs.optimistically

    def __call__(self, attempt):
        calls = 0

        def counted():
            nonlocal calls
            calls += 1
            return attempt()

        try:
            return self._real(counted)
        finally:
            with self._lock:
                self.retries += calls - 1


def job(project, number, *, alone):
    """A job of the one team and key; of a team, key and label of its own if it is to be alone in its cell."""
    key = JobKey(project, "us-central1", str(number))
    own = f"-{number}" if alone else ""
    name = f"projects/1/locations/us-central1/batchPredictionJobs/{number}"
    seen = Observation(name, "JOB_STATE_SUCCEEDED")
    return JobRecord(key, seen, CREATED, api_key=f"nightly{own}", team=f"search{own}", key_id=f"k{own}")


def measure(project, jobs, threads, shards, *, alone=False):
    """Settles so many jobs at once, and holds totals and ledger against what they have to be."""
    store = FirestoreStore(connect(project, "(default)"))
    records = [job(project, number, alone=alone) for number in range(jobs)]
    redelivered, took, lock = [], [], threading.Lock()

    def settle(record):
        uri = f"gs://out/{record.key.job_id}/prediction-model-1/predictions.jsonl"
        output = Output(uri, 1, 1000, USAGE, CREATED)
        begun = time.perf_counter()
        while True:
            try:
                store.settle(
                    record.key,
                    output,
                    lambda now, old, increments: settle_output(now, old, increments, output, PRICES),
                )
            except StoreUnavailableError as error:
                with lock:  # as the event would be delivered again
                    redelivered.append(str(error))
                continue
            break
        with lock:
            took.append(time.perf_counter() - begun)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(store.add_job, records))
    counting = Counting()
    with (
        patch.object(budgets, "SHARDS", shards),
        patch.object(jobs, "SHARDS", shards),
        patch.object(jobs, "optimistically", counting),
        ThreadPoolExecutor(threads) as pool,
    ):
        begun = time.perf_counter()
        list(pool.map(settle, records))
        seconds = time.perf_counter() - begun
        cells = list(store.list_totals(*[f"{CREATED:%Y-%m-%d}"] * 2, {}))
        owners = {f"team:{each.team}" for each in records} | {f"key:{each.key_id}" for each in records}
        ledgers = store.budget_balances((owner, ("2026-11",)) for owner in owners)
    wanted = jobs * JOB_NANO
    assert sum(sum(cell.quarters.values()) for cell in cells) == wanted
    assert sum(item.amount_nano for cell in cells for item in cell.items.values()) == wanted
    assert sum(item.quantity for cell in cells for item in cell.items.values()) == jobs * 110
    assert sum(ledger.spent_nano for ledger in ledgers.values()) == 2 * wanted
    assert len({cell.team for cell in cells}) == (jobs if alone else 1)
    took.sort()
    cell_writes = "one each" if alone else f"{shards}"
    print(
        f"| {jobs:,} | {threads} | {cell_writes} | {seconds:.1f} | {jobs / seconds:.0f} "
        f"| {counting.retries} | {len(redelivered)} "
        f"| {statistics.median(took):.2f} | {took[int(len(took) * 0.99)]:.2f} |",
        flush=True,
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, default=1000)
    arguments.add_argument("--threads", type=int, default=100)
    given = arguments.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {platform.platform()}, Python", end=" ")
    print(f"{platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    env = {name: value for name, value in os.environ.items() if name != "FIRESTORE_EMULATOR_HOST"}
    with tempfile.TemporaryDirectory(prefix="batch-gateway-bench-") as logs:
        (port,) = free_ports(1)
        firestore = FirestoreEmulator(port, Path(logs) / "firestore.log", env)
        firestore.process.start()
        try:
            firestore.process.wait_ready()
            os.environ["FIRESTORE_EMULATOR_HOST"] = firestore.host
            with contextlib.redirect_stdout(io.StringIO()):
                measure("bench-warm-up", 200, 16, 8)
            print("| jobs | at once | documents of the cell | s | settlements/s | tries repeated", end=" ")
            print("| events again | median s | p99 s |\n|---|---|---|---|---|---|---|---|---|")
            for number, shards in enumerate((8, 1, 8, 1)):
                measure(f"bench-{number}", given.jobs, given.threads, shards)
            measure("bench-alone", given.jobs, given.threads, 8, alone=True)
            measure("bench-one-at-a-time", given.jobs // 4, 1, 8)
        finally:
            firestore.process.stop()


if __name__ == "__main__":
    main()
