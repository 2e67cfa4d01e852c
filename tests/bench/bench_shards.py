"""How often a job with many shards asks Firestore, and how long that takes twenty at once. See README.md.

Run by hand: ``python tests/bench/bench_shards.py [shards ...]``. Objects are in memory, the books in
Firestore's emulator; each of the twenty has a client of its own, as twenty instances of the function have.
"""

# ruff: noqa: T201 - it prints figures

import contextlib
import dataclasses
import io
import queue
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local"), str(ROOT / "tests")]

from contract.conftest import firestore_at  # noqa: E402 - found by the line above
from contract.counting import CountedFirestore  # noqa: E402 - same
from firestore_emulator import FirestoreEmulator  # noqa: E402 - same
from processes import free_ports  # noqa: E402 - same

with contextlib.redirect_stdout(io.StringIO()):  # it settles as it is imported
    from functional import test_settle as settling

INSTANCES = 20
SHARDS = (1, 100, 500)


def measure(host, number):
    """Settle a job's shards, twenty at once; print what it took."""
    project = f"shards-{number}"
    idle = queue.SimpleQueue()
    for _ in range(INSTANCES):
        store = firestore_at(host, project)
        idle.put((store, CountedFirestore(store._client)))
    books = settling.Books()
    books.store = firestore_at(host, project)
    books.record(settling.ended())
    names = [f"{settling.FOLDER}/predictions.jsonl-{shard:05}-of-{number:05}" for shard in range(number)]
    for name in names:
        books.put(settling.lines(settling.row()), name)
    failed = []

    def deliver(name):
        store, counted = idle.get()
        try:
            deps = dataclasses.replace(books.deps, store=store, notify=settling.sending_nothing(store))
            books.settle(name, deps=deps)
        except Exception as error:  # noqa: BLE001 - it is counted
            failed.append(error)
        finally:
            idle.put((store, counted))

    begun = time.monotonic()
    with ThreadPoolExecutor(INSTANCES) as pool, contextlib.redirect_stdout(io.StringIO()):
        list(pool.map(deliver, names))
    seconds = time.monotonic() - begun
    asked = [idle.get()[1] for _ in range(INSTANCES)]
    trips = sum(each.calls.total() for each in asked)
    read = sum(each.documents["batch_get_documents"] + each.documents["run_query"] for each in asked)
    job = books.job()
    print(
        f"{number:6} shards: {seconds:6.1f} s, {number / seconds:5.1f} a second, {len(failed)} failed, "
        f"{trips / number:5.1f} round trips and {read / number:5.1f} documents read for each, "
        f"{job.usage.rows.succeeded} rows, {'closed' if job.closed else 'OPEN'}",
        flush=True,
    )


def main():
    """Measure each number of shards."""
    with tempfile.TemporaryDirectory() as folder:
        emulator = FirestoreEmulator(free_ports(1)[0], Path(folder) / "log")
        if emulator.process:
            emulator.process.start()
            emulator.process.wait_ready()
        try:
            for number in map(int, sys.argv[1:] or SHARDS):
                measure(emulator.host, number)
        finally:
            if emulator.process:
                emulator.process.stop()


if __name__ == "__main__":
    main()
