"""The prices in force of one instance: read once a minute, and never older than that."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier, Event

import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.overrides import Override, Overrides
from batch_gateway.current_prices import SECONDS, CurrentPrices
from batch_gateway.ports import RecordError, StoreUnavailableError
from fakes import MemoryPrices

NOW = datetime(2026, 11, 28, tzinfo=UTC)


class Instance:
    """An instance with a clock of its own."""

    def __init__(self, store):
        self.seconds = 0.0
        self.current = CurrentPrices(prices.load, {}, lambda: store, lambda: self.seconds)

    def set(self, discount):
        new = Override("publishers/google", "", f'{{"discount":"{discount}"}}', "master", NOW)
        return self.current.change(lambda found: found.replace(found.find(new.name, ""), new))

    @property
    def version(self):
        return self.current().version


@pytest.fixture
def store():
    return MemoryPrices()


def test_a_change_holds_here_at_once_and_elsewhere_within_a_minute(store):
    one, other = Instance(store), Instance(store)
    before = other.version

    changed = one.set("0.07").table.version

    assert one.version == changed != before
    other.seconds = SECONDS - 0.01
    assert other.version == before
    other.seconds = SECONDS
    assert other.version == changed
    assert store.reads == 2


def test_while_nothing_changes_the_table_stays_the_same_object(store):
    one = Instance(store)
    one.set("0.07")
    table = one.current()
    one.seconds = SECONDS

    assert one.current() is table
    assert store.reads == 1


def test_old_overrides_price_nothing(store):
    one = Instance(store)
    before = one.version
    store.down = True

    assert one.version == before
    one.seconds = SECONDS
    with pytest.raises(StoreUnavailableError):
        one.current()
    store.down = False
    assert one.version == before


def test_threads_wait_for_one_read(store):
    one, barrier = Instance(store), Barrier(8)

    def ask(_):
        barrier.wait()
        return one.version

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert store.reads == 1


def test_a_read_that_a_change_overtook_is_not_kept(store):
    one, reading, go_on = Instance(store), Event(), Event()
    read = store.read_overrides

    def slowly():
        found = read()
        reading.set()
        assert go_on.wait(60)
        return found

    store.read_overrides = slowly
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(one.current)
        assert reading.wait(60)
        changed = one.set("0.07").table.version
        go_on.set()
        assert answer.result().version == changed
    assert one.version == changed


def test_a_record_that_is_no_price_is_an_error(store):
    bad = Override("gemini-3.5-flash", "", '{"discount":"7"}', "master", NOW)
    store.change_overrides(lambda _: Overrides(1, (bad,)))

    with pytest.raises(RecordError, match=r"prices/overrides: gemini-3\.5-flash: discount"):
        Instance(store).current()
