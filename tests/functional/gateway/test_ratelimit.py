"""Requests a minute, held by several instances together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from functional.gateway.conftest import JOBS, reason
from functional.gateway.scoped import audit, clocked, new_key, new_team


@pytest.fixture
def clock(scripted):
    return clocked(scripted)


def statuses(world, secret, count, clients=None):
    clients = clients or [world.client]
    return [
        world.get(JOBS, key=secret, client=clients[number % len(clients)]).status_code
        for number in range(count)
    ]


@pytest.mark.parametrize("limit", [1, 3, 19, 20, 45])
def test_one_instance_lets_exactly_the_limit_through(scripted, clock, limit):
    assert clock
    secret = new_key(scripted, rpm_limit=limit)
    assert statuses(scripted, secret, limit + 5) == [200] * limit + [429] * 5


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("limit", [1, 3, 19])
def test_three_instances_let_exactly_a_small_limit_through(scripted, limit):
    clients = [scripted.new_client() for _ in range(3)]
    secret = new_key(scripted, rpm_limit=limit)
    assert statuses(scripted, secret, 3 * limit + 9, clients).count(200) == limit


@pytest.mark.parametrize("limit", [20, 50, 101])
def test_three_instances_never_let_more_than_the_limit_through_and_lose_two_tenths_at_most(
    scripted, clock, limit
):
    clients = [scripted.new_client() for _ in range(3)]
    secret = new_key(scripted, rpm_limit=limit)

    assert statuses(scripted, secret, limit * 3, clients).count(200) == limit
    clock.advance(60)
    first_refusal = statuses(scripted, secret, limit * 3, clients).index(429)
    assert first_refusal >= limit - 2 * (limit // 10)


@pytest.mark.usefixtures("clock")
def test_threads_of_three_instances_let_exactly_the_limit_through(scripted):
    clients = [scripted.new_client() for _ in range(3)]
    secret = new_key(scripted, rpm_limit=40)
    barrier = threading.Barrier(12)

    def attempt(number):
        barrier.wait()
        return statuses(scripted, secret, 6, [clients[number % 3]])

    with ThreadPoolExecutor(12) as pool:
        found = [status for part in pool.map(attempt, range(12)) for status in part]

    assert (len(found), found.count(200)) == (72, 40)


def test_a_refusal_says_when_to_come_back(scripted, loopback, clock):
    secret = new_key(scripted, rpm_limit=1)
    scripted.get(JOBS, key=secret)
    clock.advance(12)

    refused = scripted.get(JOBS, key=secret)

    assert (refused.status_code, reason(refused)) == (429, "RATE_LIMIT_EXCEEDED")
    assert refused.json["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert refused.headers["Retry-After"] == "48"
    assert len(loopback.seen) == 1
    clock.advance(48)
    assert scripted.get(JOBS, key=secret).status_code == 200


def test_each_minute_has_the_whole_limit(scripted, clock):
    secret = new_key(scripted, rpm_limit=25)
    for _ in range(3):
        assert statuses(scripted, secret, 26).count(200) == 25
        clock.advance(60)


def test_a_team_has_one_limit_for_all_of_its_keys(scripted, clock):
    assert clock
    new_team(scripted, "search", rpm_limit=4)
    keys = [new_key(scripted, team_id="search") for _ in range(3)]

    found = [statuses(scripted, keys[number % 3], 1)[0] for number in range(8)]

    assert found == [200] * 4 + [429] * 4
    assert statuses(scripted, new_key(scripted), 5) == [200] * 5


def test_of_key_and_team_the_lower_limit_holds(scripted, clock):
    assert clock
    new_team(scripted, "search", rpm_limit=10)
    low, high = (new_key(scripted, team_id="search", rpm_limit=limit) for limit in (2, 100))

    assert statuses(scripted, low, 4) == [200, 200, 429, 429]
    assert statuses(scripted, high, 10).count(200) == 8, "the team's limit counts what was let through"


def test_a_rotation_gives_no_second_allowance(scripted, clock):
    assert clock
    old = new_key(scripted, rpm_limit=3)
    made = scripted.call("POST", "/key/regenerate", json={"key": old, "grace_period": "1h"})
    new = made.json["key"]

    assert (statuses(scripted, old, 2) + statuses(scripted, new, 2)) == [200, 200, 200, 429]


def test_the_administrator_has_no_limit(scripted):
    assert {scripted.get(JOBS).status_code for _ in range(50)} == {200}


def test_whatever_a_key_calls_counts(scripted, clock):
    assert clock
    secret = new_key(scripted, rpm_limit=2)
    scripted.get("/key/info", key=secret)
    scripted.create(key=secret)
    assert scripted.call("DELETE", f"{JOBS}/1", key=secret).status_code == 429
    assert "job.delete" not in {entry["action"] for entry in audit(scripted)}


def test_a_limit_that_cannot_be_counted_stops_nobody(scripted, clock):
    assert clock
    secret = new_key(scripted, rpm_limit=2)
    assert statuses(scripted, secret, 1) == [200]
    scripted.keys.down = True
    assert statuses(scripted, secret, 5) == [200] * 5
    scripted.keys.down = False
    assert statuses(scripted, secret, 3) == [200, 429, 429]


def test_a_key_that_used_up_its_limit_does_not_keep_firestore_busy(scripted, clock):
    """Else whoever is refused costs more than whoever is served."""
    assert clock
    secret = new_key(scripted, rpm_limit=1)
    statuses(scripted, secret, 2)
    taken, take = [], scripted.keys.take
    scripted.keys.take = lambda *given: taken.append(given) or take(*given)

    assert statuses(scripted, secret, 50) == [429] * 50
    assert len(taken) <= 1
