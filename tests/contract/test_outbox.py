"""The Outbox port: the one in memory and the one in Firestore keep the same promises."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.adapters.firestore import connect
from batch_gateway.adapters.firestore.outbox import FirestoreOutbox
from batch_gateway.core.notify.events import LEASE, Event
from batch_gateway.core.notify.retries import Delivery, finish
from batch_gateway.ports import Outbox, StoreUnavailableError
from contract.conftest import new_project
from fakes import MemoryOutbox

NOW = datetime(2026, 11, 22, 10, 11, 12, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Firestore(FirestoreOutbox):
    def __init__(self, client):
        self._client = client


def firestore_at(host, project=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", host)
        return Firestore(connect(project or new_project(), "(default)"))


@pytest.fixture(params=["memory", "firestore"])
def outbox(request) -> Outbox:
    """The Outbox port, twice."""
    if request.param == "memory":
        return MemoryOutbox()
    return firestore_at(request.getfixturevalue("firestore_host"))


def event(number=1, due=NOW, **changes):
    given = {
        "id": f"evt_{number}",
        "type": "batch.completed",
        "time": NOW,
        "body": b'{"data":{"\xc3\xa4":[[1]]}}',
        "key_id": "k1",
        "team": "search",
        "model": "gemini-2.5-flash",
        "next_attempt": due,
        "webhook": Delivery(NOW),
        "topic": Delivery(None, "delivered", 1),
        "expires": NOW + timedelta(days=30),
    }
    return Event(**{**given, **changes})


def get(outbox, event_id):
    found = []
    outbox.amend_event(event_id, found.append)
    return found[0] if found else None


@pytest.mark.parametrize(
    "noted",
    [
        event(),
        event(key_id=None, team=None, expires=None, next_attempt=None, model="", body=bytes(range(256))),
    ],
)
def test_an_event_comes_back_as_it_went_in(outbox, noted):
    assert outbox.add_event(noted)
    assert get(outbox, noted.id) == noted


def test_an_event_is_noted_once(outbox):
    assert outbox.add_event(event())
    assert not outbox.add_event(event(body=b"other"))
    assert get(outbox, "evt_1") == event()


def test_two_that_note_an_event_at_once_note_one(outbox):
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda number: outbox.add_event(event(body=b"%d" % number)), range(8))) == 1


def test_what_is_due_comes_oldest_first(outbox):
    for number, due in ((1, NOW - SECOND), (2, NOW + SECOND), (3, NOW), (4, NOW - 5 * SECOND), (5, None)):
        outbox.add_event(event(number, due))
    assert [each.id for each in outbox.claim_events(NOW, 2)] == ["evt_4", "evt_1"]
    assert [each.id for each in outbox.claim_events(NOW, 2)] == ["evt_3"]
    assert outbox.claim_events(NOW, 2) == []


def test_what_was_taken_on_is_due_again_when_the_lease_ends(outbox):
    outbox.add_event(event())
    assert outbox.claim_events(NOW, 9) == [event(due=NOW + LEASE)]
    assert get(outbox, "evt_1") == event(due=NOW + LEASE)
    assert outbox.claim_events(NOW + LEASE - SECOND, 9) == []
    assert len(outbox.claim_events(NOW + LEASE, 9)) == 1


def test_two_that_take_events_on_at_once_get_different_ones(outbox):
    for number in range(20):
        outbox.add_event(event(number))
    with ThreadPoolExecutor(4) as pool:
        claimed = [
            each.id for part in pool.map(lambda _: outbox.claim_events(NOW, 5), range(4)) for each in part
        ]
    assert len(claimed) == len(set(claimed)) == 20


def test_an_event_is_amended(outbox):
    outbox.add_event(event())
    done = msgspec.structs.replace(event(), webhook=finish(Delivery(NOW), "delivered"), next_attempt=None)
    assert outbox.amend_event("evt_1", lambda _: done) == done
    assert get(outbox, "evt_1") == done
    assert outbox.claim_events(NOW + timedelta(days=9), 9) == []
    assert outbox.amend_event("evt_1", lambda _: None) is None
    assert outbox.amend_event("evt_9", lambda record: record) is None


def test_the_latest_of_a_type_come_first(outbox):
    for number, kind in enumerate(["price.missing", "batch.completed", "price.missing", "price.missing"]):
        outbox.add_event(event(number, None, type=kind, time=NOW + number * SECOND))
    assert [each.id for each in outbox.latest_events("price.missing", 9)] == ["evt_3", "evt_2", "evt_0"]
    assert outbox.latest_events("price.missing", 1) == [
        event(3, None, type="price.missing", time=NOW + 3 * SECOND)
    ]
    assert outbox.latest_events("batch.failed", 9) == []


def test_of_amendments_at_the_same_moment_none_is_lost(outbox):
    outbox.add_event(event())

    def add(_):
        outbox.amend_event("evt_1", lambda old: msgspec.structs.replace(old, model=f"{old.model}+"))

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(add, range(5)))
    assert get(outbox, "evt_1").model == "gemini-2.5-flash+++++"


CALLS = [
    lambda outbox: outbox.add_event(event()),
    lambda outbox: outbox.claim_events(NOW, 1),
    lambda outbox: outbox.latest_events("price.missing", 1),
    lambda outbox: outbox.amend_event("evt_1", lambda _: None),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_is_down_says_so(call, refusing_host):
    memory = MemoryOutbox()
    memory.down = True
    with pytest.raises(StoreUnavailableError):
        call(memory)
    with pytest.raises(StoreUnavailableError):
        call(firestore_at(refusing_host, "contract-down"))
