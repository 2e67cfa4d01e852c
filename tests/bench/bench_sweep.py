"""Measure a turn of all open jobs, and the cost of an idle sweep. See README.md.

Run by hand: ``python tests/bench/bench_sweep.py [--open N] [--closed N] [--keys N] [--places N]``, on
Firestore's emulator. Vertex AI answers after 300 ms and Cloud Storage after 50; nothing else is made slower.
The emulator goes through a whole collection where Firestore has an index: so most closed jobs are in Vertex
AI's lists only. A sweep that is not an instance's first reads none of them.
"""

# ruff: noqa: E402, T201 - the path comes first, and it talks to a terminal

import argparse
import contextlib
import io
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local"), str(ROOT / "tests")]

import msgspec

from batch_gateway.adapters.firestore import FirestoreKeys, FirestoreStore, connect
from batch_gateway.adapters.firestore.documents import CALL, job_id, to_document
from batch_gateway.adapters.firestore.keys import _to_document
from batch_gateway.core.access.keys import KeyRecord
from batch_gateway.core.access.limits import Budget
from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS
from batch_gateway.core.jobs.record import JobKey, JobRecord, observe
from batch_gateway.core.pricing import prices
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.notify.endpoints import KeyEndpoints
from batch_gateway.ports import BudgetNotes, PlaceNotes, SweepNotes
from batch_gateway.settlement import sweep_jobs
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep import reconcile
from batch_gateway.tracking import Tracker
from contract.reads import counted
from fakes import MemoryObjects
from firestore_emulator import FirestoreEmulator
from processes import free_ports

UPSTREAM_SECONDS, STORAGE_SECONDS = 0.3, 0.05
PROJECT = "acme-batch"
OPEN_DAYS, CLOSED_DAYS = 4, 30
MOST_SWEEPS = 60
RECORDED = 2_000
EMULATOR_SECONDS = 30.0
"""How long the emulator may take for a page of open jobs, which it looks for one by one."""


class Vertex:
    """The Upstream port: lists by filter, the newest first, each answer after 300 ms."""

    def __init__(self, jobs):
        self.calls = Counter()
        self._jobs = dict(jobs)
        self._lists = defaultdict(list)
        for key, job in sorted(jobs, key=lambda each: each[1]["createTime"], reverse=True):
            self._lists[key.location].append(job)

    def get(self, _, *, location, query="", **__):
        time.sleep(UPSTREAM_SECONDS)
        self.calls["lists"] += 1
        given = parse_qs(query)
        bounds = [part.split('"')[1] for part in given["filter"][0].split(" AND ")]
        since, until = bounds[0], bounds[1] if len(bounds) > 1 else "9"
        found = [job for job in self._lists[location] if since <= job["createTime"] <= until]
        start, size = int(given.get("pageToken", ["0"])[0]), int(given["pageSize"][0])
        page = {"batchPredictionJobs": found[start : start + size]}
        return page | ({"nextPageToken": str(start + size)} if found[start + size :] else {})

    def get_job(self, key):
        time.sleep(UPSTREAM_SECONDS)
        self.calls["gets"] += 1
        return self._jobs[key]


class Storage(MemoryObjects):
    """Empty directories, each listed within 50 ms."""

    def list(self, bucket, prefix):
        time.sleep(STORAGE_SECONDS)
        return super().list(bucket, prefix)


def job(number, place, created, state):
    """A job resource; every other one that runs has named its directory."""
    when = f"{created:%Y-%m-%dT%H:%M:%SZ}"
    directory = f"gs://out/{number}/prediction-model-{when}"
    named = state != "JOB_STATE_PENDING"
    return {
        "name": f"projects/123456789012/locations/{place}/batchPredictionJobs/{number}",
        "displayName": f"job {number}",
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": [f"gs://in/{number}.jsonl"]}},
        "outputConfig": {"gcsDestination": {"outputUriPrefix": f"gs://out/{number}"}},
        "labels": {"team": f"team-{number % 40}", "environment": "production"},
        "state": state,
        "createTime": when,
        "updateTime": when,
        **({"startTime": when, "outputInfo": {"gcsOutputDirectory": directory}} if named else {}),
    }


def jobs(sizes, now, places):
    """All jobs, with their keys and whether they are closed, in no order."""
    chance = random.Random(1)  # noqa: S311 - made-up times
    for number in range(sizes.open + sizes.closed):
        closed = number >= sizes.open
        age = timedelta(days=(CLOSED_DAYS if closed else OPEN_DAYS) * chance.random(), hours=1)
        running = "JOB_STATE_RUNNING" if number % 2 else "JOB_STATE_PENDING"
        place = chance.choice(places)
        key = JobKey(PROJECT, place, str(10**15 + chance.randrange(10**15)))
        state = "JOB_STATE_SUCCEEDED" if closed else running
        yield key, job(int(key.job_id), place, now - age, state), closed


def write(client, documents):
    """Writes documents in batches, four at a time."""

    def commit(some):
        batch = client.batch()
        for reference, content in some:
            batch.set(reference, content)
        batch.commit()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(commit, (documents[start : start + 200] for start in range(0, len(documents), 200))))


def fill(client, found, keys, now):
    """Records of jobs, keys with budgets of 30 days, and a ledger of each."""
    documents = []
    for key, resource, closed in found:
        seen = observe(resource)
        record = JobRecord(key, seen, seen.create_time, "nightly", closed=closed, estimate=UNKNOWN_BOUNDS)
        documents.append((client.collection("jobs").document(job_id(key)), to_document(record)))
    for number in range(keys):
        alias, budget = f"key-{number:05}", Budget(10**12, "30d")
        key = KeyRecord(f"{number:064}", f"k{number}", "sk-", alias, now, now, "master", budget=budget)
        documents.append((client.collection("keys").document(key.token), _to_document(key)))
        for period in (f"{now:%Y-%m-%d}", "all"):
            owner = f"key:k{number}"
            content = {"owner": owner, "spentNano": {period: 7}, "reservedNano": {period: 0}, "changed": now}
            documents.append((client.collection("ledgers").document(f"{owner}:{period[:4]}:0"), content))
    write(client, documents)


class Bench:
    """A world of jobs, and its sweeps."""

    def __init__(self, name, sizes):
        """Fills the books as a sweep of five minutes ago has left them."""
        self.now = datetime.now(UTC)
        self.places = [f"us-east{number:02}" for number in range(sizes.places)]
        found = list(jobs(sizes, self.now, self.places))
        client = connect(f"bench-{name}", "(default)")
        begun = time.perf_counter()
        recorded = [each for each in found if not each[2]] + [each for each in found if each[2]][:RECORDED]
        fill(client, recorded, sizes.keys, self.now - timedelta(days=1))
        print(
            f"{name}: {len(found):,} jobs, {len(recorded):,} records of them, and {sizes.keys:,} keys, "
            f"written in {time.perf_counter() - begun:.0f} s"
        )
        self.open = {key for key, _, closed in found if not closed}
        self.upstream = Vertex([(key, resource) for key, resource, _ in found])
        store, keys = FirestoreStore(client), FirestoreKeys(client)
        notify = NotifyDeps(
            outbox=store,
            endpoints=KeyEndpoints(keys),
            receivers=None,
            topic=None,
            clock=time.monotonic,
            now=lambda: self.now,
        )
        self.deps = SettlementDeps(
            store=store,
            objects=Storage(),
            upstream=self.upstream,
            prices=prices.load,
            tables=lambda: None,
            keys=keys,
            notify=lambda: notify,
            budget_action="nothing",
            clock=time.monotonic,
            now=lambda: self.now,
        )
        looked = PlaceNotes(self.now - timedelta(minutes=5))
        places = {f"{PROJECT}/{place}": looked for place in self.places}
        # The idle one is the first ever as far as budgets go: all of them are checked once.
        checked = BudgetNotes(self.now.isoformat(), self.now) if sizes.open else BudgetNotes()
        store.put_sweep_notes(SweepNotes("", places, checked))
        store.open_jobs(1)  # connects, and warms the emulator up
        self.tracker = Tracker(store)
        self.looked_at = set()

    def sweep(self, number):
        """Sweeps as five minutes later than the last time; (row of the table, what it did)."""
        self.upstream.calls.clear()
        original = sweep_jobs.JobSweeper.sweep_open

        def noting(looking, record):
            self.looked_at.add(record.key)
            original(looking, record)

        sweep_jobs.JobSweeper.sweep_open = noting
        places = [(PROJECT, place) for place in self.places]
        begun = time.perf_counter()
        try:
            with contextlib.redirect_stdout(io.StringIO()), counted() as reads:
                done = reconcile(
                    places,
                    self.tracker,
                    self.deps,
                    self.now + number * timedelta(minutes=5),
                    weigh=lambda _: None,
                )
        finally:
            sweep_jobs.JobSweeper.sweep_open = original
        took = time.perf_counter() - begun
        calls = self.upstream.calls
        print(
            f"| {number + 1} | {took:.1f} | {done.jobs} | {len(self.looked_at & self.open)} "
            f"| {calls['lists']} "
            f"| {calls['gets']} | {reads.reads} | {reads.writes} | {len(done.problems)} |",
            flush=True,
        )
        for problem in done.problems[:3]:
            print(problem)
        return done


HEAD = (
    "| sweep | s | jobs looked at | all so far | pages of lists | gets | reads | writes | problems |"
    "\n|---|---|---|---|---|---|---|---|---|"
)


def main(sizes):
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as directory:
        emulator = FirestoreEmulator(free_ports(1)[0], Path(directory) / "log")
        if emulator.process is None:
            sys.exit("FIRESTORE_EMULATOR_HOST is set: the bench fills an emulator of its own")
        emulator.process.start()
        try:
            emulator.process.wait_ready()
            os.environ["FIRESTORE_EMULATOR_HOST"] = emulator.host
            CALL["timeout"] = EMULATOR_SECONDS
            bench = Bench("busy", sizes)
            print(HEAD)
            for number in range(MOST_SWEEPS):
                bench.sweep(number)
                if bench.looked_at >= bench.open:
                    break
            idle = msgspec.structs.replace(sizes, open=0, closed=RECORDED)
            bench = Bench("idle", idle)
            print(HEAD)
            for number in range(4):
                bench.sweep(number)
        finally:
            emulator.process.stop()


class Sizes(msgspec.Struct):
    """How much of everything there is."""

    open: int
    closed: int
    keys: int
    places: int


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name, size in {"open": 1000, "closed": 5000, "keys": 200, "places": 20}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    main(Sizes(**vars(parser.parse_args())))
