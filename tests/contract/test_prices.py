"""The PriceStore port: the one in memory and the one in Firestore keep the same promises."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from batch_gateway.adapters.firestore import connect
from batch_gateway.adapters.firestore.prices import FirestorePrices
from batch_gateway.core.pricing.overrides import Override, Overrides
from batch_gateway.ports import PriceStore, RecordError, StoreUnavailableError
from contract.conftest import new_project
from fakes import MemoryPrices

NOW = datetime(2026, 11, 28, 10, 11, 12, 123456, tzinfo=UTC)


def firestore_at(host):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", host)
        return FirestorePrices(connect(new_project(), "(default)"))


@pytest.fixture(params=["memory", "firestore"])
def store(request) -> PriceStore:
    """The PriceStore port, twice."""
    if request.param == "memory":
        return MemoryPrices()
    return firestore_at(request.getfixturevalue("firestore_host"))


def override(name, terms='{"discount":"0.07"}'):
    return Override(name, "", terms, "master", NOW)


def add(store, new):
    return store.change_overrides(lambda overrides: overrides.replace(None, new))


def test_there_are_none_at_first(store):
    assert store.read_overrides() == Overrides()


def test_what_was_changed_is_read(store):
    first = add(store, override("publishers/google"))
    second = add(store, override("gemini-9", '{"source":"ä \\ud83d\\ude00"}' + " " * 5_000))

    assert (first.revision, second.revision) == (1, 2)
    assert store.read_overrides() == second
    assert [each.name for each in second.entries] == ["gemini-9", "publishers/google"]
    taken = store.change_overrides(lambda overrides: overrides.replace(overrides.entries[0], None))
    assert store.read_overrides() == taken
    assert [each.name for each in taken.entries] == ["publishers/google"]


def test_no_change_is_none(store):
    add(store, override("publishers/google"))

    assert store.change_overrides(lambda _: None) is None
    assert store.read_overrides().revision == 1


def test_a_change_that_raises_changes_nothing(store):
    def refuse(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.change_overrides(refuse)
    assert store.read_overrides() == Overrides()


def test_changes_at_the_same_time_are_all_kept(firestore_host):
    store = firestore_at(firestore_host)
    names = [f"model-{number}" for number in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: add(store, override(name)), names))

    found = store.read_overrides()

    assert [each.name for each in found.entries] == names
    assert found.revision == len(names)


def test_as_many_as_there_may_be_are_one_document(firestore_host):
    store = firestore_at(firestore_host)
    entries = tuple(override(f"m{number:03}", "x" * 800) for number in range(500))

    assert store.change_overrides(lambda _: Overrides(1, entries)).entries == entries
    assert store.read_overrides().entries == entries


def test_a_record_that_cannot_be_read_is_an_error(firestore_host):
    store = firestore_at(firestore_host)
    store._document().set({"revision": "many"})

    with pytest.raises(RecordError):
        store.read_overrides()


def test_an_outage_is_an_error(refusing_host):
    store = firestore_at(refusing_host)

    with pytest.raises(StoreUnavailableError):
        store.read_overrides()
    with pytest.raises(StoreUnavailableError):
        add(store, override("publishers/google"))


def test_an_outage_of_the_one_in_memory_is_an_error():
    store = MemoryPrices()
    store.down = True

    with pytest.raises(StoreUnavailableError):
        store.read_overrides()
    with pytest.raises(StoreUnavailableError):
        add(store, override("publishers/google"))
