"""How many documents a sweep reads: constant and few while nothing happens."""

import dataclasses
import zlib
from datetime import timedelta

import msgspec
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.adapters.firestore import FirestoreKeys
from batch_gateway.core.access.callers import MASTER, Caller
from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.access.limits import Budget
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.usage import Usage
from batch_gateway.gateway.admin.audit import AuditTrail
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.keys import Keys
from batch_gateway.gateway.admin.teams import Teams
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.notify.endpoints import KeyEndpoints
from batch_gateway.ports import AuditEntry
from contract.conftest import firestore_at
from contract.reads import counted
from functional import test_settle as settling
from functional.test_reconcile import World
from functional.test_settle import CREATED, NOW, ended, key

MINUTE = timedelta(minutes=1)
READS = 13
WRITES = 3
PLACES = [("acme-batch", f"us-east{number:02}") for number in range(20)]


class FirestoreWorld(World):
    """World with its books in Firestore."""

    def __init__(self, store):
        super().__init__()
        self.store, self.keys = store, FirestoreKeys(store._client)
        self.deps = dataclasses.replace(
            self.deps,
            store=store,
            keys=self.keys,
            notify=lambda: NotifyDeps(
                outbox=store,
                endpoints=KeyEndpoints(self.keys),
                receivers=self.receivers,
                topic=None,
                clock=lambda: 0.0,
                now=lambda: NOW,
            ),
        )


@pytest.fixture
def world(firestore_host, request):
    return FirestoreWorld(firestore_at(firestore_host, f"reads-{zlib.crc32(request.node.name.encode())}"))


def fill(world, jobs, keys):
    """Closed jobs, each of a key with a budget of 30 days and one of a team."""
    for number in range(keys):
        budget = Budget(10**9, "30d")
        record = KeyRecord(
            f"t{number}", f"k{number}", "sk-", f"n{number}", CREATED, CREATED, "m", budget=budget
        )
        world.keys.add_key(record)
        team = TeamRecord(f"t{number}", CREATED, CREATED, budget=budget)
        world.keys.change_team(team.team_id, lambda _, team=team: team)
    for number in range(jobs):
        world.record(ended(number))
        closed = {
            "key_id": f"k{number % keys}",
            "team": f"t{number % keys}",
            "closed": True,
            "reserved_nano": 0,
        }
        world.store.amend_job(key(number), lambda job, closed=closed: msgspec.structs.replace(job, **closed))


@pytest.mark.parametrize(("jobs", "keys"), [(2, 1), (60, 40)])
def test_an_idle_sweep_reads_a_few_documents_however_much_is_on_record(world, jobs, keys):
    fill(world, jobs, keys)
    assert world.sweep(places=PLACES).complete
    for minutes in (5, 10):
        with counted() as found:
            assert world.sweep(now=NOW + minutes * MINUTE, places=PLACES).complete
        assert (found.reads, found.writes) == (READS, WRITES)


def test_a_turn_that_has_begun_costs_an_idle_sweep_one_read(world):
    """Behind whoever had the last turn there is nobody, nor before."""
    fill(world, 2, 1)
    for turn in ("jobs", "ended"):
        world.store.pass_turn(turn, key(1))
    world.store.pass_turn("parked", Output("gs://out/x", 1, 1, Usage(), NOW))
    world.sweep(places=PLACES)

    with counted() as found:
        world.sweep(now=NOW + 5 * MINUTE, places=PLACES)

    assert (found.reads, found.writes) == (READS + 3, WRITES)


@pytest.mark.parametrize("keys", [12, 60])
def test_a_page_of_keys_or_teams_reads_what_is_on_it(world, keys):
    """Of a window one year is read, with eight documents."""
    fill(world, 1, keys)
    budget_status = BudgetStatus(world.store, lambda: NOW)
    lists = {
        Keys(world.keys, budget_status, now=lambda: NOW).list_keys: 1,
        Teams(world.keys, budget_status, lambda: NOW).list_teams: 1,
    }
    for call, beside in lists.items():
        request = Request(EnvironBuilder(query_string="page=1&size=10").get_environ())
        with counted() as found:
            assert call(request, Caller(MASTER)).status_code == 200
        assert found.reads == beside + 10 + 10 * 8


def test_a_page_of_the_trail_reads_what_is_on_it(world):
    for seconds in range(40):
        entry = AuditEntry(NOW + timedelta(seconds=seconds), "k", "job.create", "x", "OK")
        world.keys.append(entry)
    request = Request(EnvironBuilder(query_string="limit=10").get_environ())

    with counted() as found:
        assert (
            len(AuditTrail(world.keys, lambda: NOW).list_entries(request, Caller(MASTER)).json["entries"])
            == 10
        )

    assert found.reads == 10


def test_open_jobs_cost_a_read_each(world):
    fill(world, 5, 5)
    for number in range(100, 130):
        running = settling.resource(number, state="JOB_STATE_RUNNING")
        world.record(running)
        world.outside(running)
    world.sweep()

    with counted() as found:
        assert world.sweep(now=NOW + 5 * MINUTE).jobs == 30

    assert found.reads <= READS + 30 + 1
