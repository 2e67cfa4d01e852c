"""Measure pages of keys, teams and the audit trail. See README.md.

Run by hand: ``python tests/bench/bench_lists.py [--keys N] [--entries N]``, on Firestore's emulator. Each key
and each team has a budget of 30 days, and a ledger with all of its shards and days.
"""

# ruff: noqa: E402, T201 - the path comes first, and it talks to a terminal

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / part) for part in ("functions", "infra/local", "tests", "tests/bench")]

from bench_sweep import EMULATOR_SECONDS, write
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.adapters.firestore import FirestoreKeys, FirestoreStore, connect
from batch_gateway.adapters.firestore.budgets import SHARDS
from batch_gateway.adapters.firestore.documents import CALL, to_document
from batch_gateway.adapters.firestore.keys import _to_document
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.access.limits import Budget
from batch_gateway.core.accounting.budgets import window_of
from batch_gateway.gateway.admin.audit import AuditTrail
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.keys import Keys
from batch_gateway.gateway.admin.teams import Teams
from batch_gateway.ports import AuditEntry
from contract.reads import counted
from firestore_emulator import FirestoreEmulator
from processes import free_ports

ADMIN = Caller(api_key="master")
ROUNDS = 15
TEAMS = 40


def fill(client, keys, entries, now):
    """Keys, as many teams, their ledgers, and the trail."""
    budget, documents = Budget(10**12, "30d"), []
    periods = window_of("30d", now).periods
    for number in range(keys):
        key_id, team_id = f"k{number}", f"team-{number:05}"
        of = f"team-{number % TEAMS:05}"
        key = KeyRecord(f"{number:064}", key_id, "sk-", f"key-{number:05}", now, now, "m", of, budget=budget)
        documents.append((client.collection("keys").document(key.token), _to_document(key)))
        team = TeamRecord(team_id, now, now, budget=budget)
        documents.append((client.collection("teams").document(team_id), _to_document(team)))
        for owner in (f"key:{key_id}", f"team:{team_id}"):
            for year in {period[:4] for period in periods}:
                days = {period: 7 for period in periods if period.startswith(year)}
                ledger = {"owner": owner, "spentNano": days, "reservedNano": days}
                names = [f"{owner}:{year}:{shard}" for shard in range(SHARDS)]
                documents += [(client.collection("ledgers").document(name), ledger) for name in names]
    for number in range(entries):
        entry = AuditEntry(now - timedelta(seconds=number), "key-1", "job.create", f"job {number}", "OK")
        documents.append((client.collection("audit").document(), to_document(entry)))
    write(client, documents)


def measure(name, call, query):
    """Asks for a page time after time, and prints a line of the table."""
    took, worked = [], []
    for _ in range(ROUNDS):
        request = Request(EnvironBuilder(query_string=query).get_environ())
        with counted() as found:
            begun, busy = time.perf_counter(), time.process_time()
            answer = call(request, ADMIN)
            took.append(time.perf_counter() - begun)
            worked.append(time.process_time() - busy)
        assert answer.status_code == 200
    figures = (statistics.median(took), max(took), statistics.median(worked))
    print(f"| {name} | {' | '.join(f'{each * 1000:.0f}' for each in figures)} | {found.reads} |", flush=True)


def main(keys, entries):
    """Prints the table."""
    with tempfile.TemporaryDirectory() as directory:
        emulator = FirestoreEmulator(free_ports(1)[0], Path(directory) / "log")
        if emulator.process is None:
            sys.exit("FIRESTORE_EMULATOR_HOST is set: the bench fills an emulator of its own")
        emulator.process.start()
        try:
            emulator.process.wait_ready()
            os.environ["FIRESTORE_EMULATOR_HOST"] = emulator.host
            CALL["timeout"] = EMULATOR_SECONDS
            now = datetime.now(UTC)
            client = connect("bench-lists", "(default)")
            fill(client, keys, entries, now)
            store, records = FirestoreStore(client), FirestoreKeys(client)
            budget_status = BudgetStatus(store, lambda: datetime.now(UTC))
            print(f"{keys:,} keys, as many teams, {entries:,} entries\n")
            print("| page | p50 ms | slowest ms | CPU of it, ms | documents read |\n|---|---|---|---|---|")
            of_keys, of_teams = (
                Keys(records, budget_status, now=lambda: datetime.now(UTC)).list_keys,
                Teams(records, budget_status, lambda: datetime.now(UTC)).list_teams,
            )
            measure("/key/list: the first 50", of_keys, "")
            measure("/key/list: the first 100", of_keys, "size=100")
            measure("/key/list: the last 50", of_keys, f"page={keys // 50}")
            measure("/key/list: a team's", of_keys, "team_id=team-00001")
            measure("/team/list: the first 50", of_teams, "page=1&size=50")
            measure("/team/list: the last 50", of_teams, f"page={keys // 50}&size=50")
            trail = AuditTrail(records, lambda: datetime.now(UTC)).list_entries
            measure("/audit: the last 100", trail, "")
            measure("/audit: the last 1,000", trail, "limit=1000")
            middle = now - timedelta(seconds=entries // 2)
            measure("/audit: 100 from the middle", trail, f"end_time={middle:%Y-%m-%dT%H:%M:%SZ}")
        finally:
            emulator.process.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name, size in {"keys": 1000, "entries": 10_000}.items():
        parser.add_argument(f"--{name}", type=int, default=size)
    given = parser.parse_args()
    main(given.keys, given.entries)
