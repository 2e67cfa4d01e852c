"""The totals as the Store port lists them: in memory and in Firestore alike."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.adapters.firestore import totals as firestore_totals
from batch_gateway.core.accounting.settlement import ItemTotal, Output
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.overrides import Override, OwnPrices
from batch_gateway.core.spend.entries import Entry, entries_of_job, entries_of_totals
from batch_gateway.ports import StoreUnavailableError
from builders import job_record, settle, usage
from contract.conftest import firestore_at
from fakes import MemoryStore

CREATED = datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)
DAY = "2026-11-22"
FLASH = "gemini-2.5-flash"
ODD_LABELS = [
    "größe",
    "日本",
    "a.b",
    "a/b",
    "with space",
    "tick`tick",
    "back\\slash",
    "*[x]~",
    "_x",
    "0digit",
]


def spend(store, number=1, created=CREATED, tokens=10, model=FLASH, **changes):
    """Puts a job with one settled output into the books."""
    seen = {"labels": changes.pop("labels", {})}
    record = job_record(created, number, seen=seen, **{"project": "acme-batch", **changes})
    store.add_job(record)
    settle(
        store, record.key, Output(f"gs://out/{number}", 1, 1, usage(tokens, model), CREATED), prices.load()
    )


def listed(store, first=DAY, last=DAY, **equal):
    return list(store.list_totals(first, last, equal))


def tokens_of(cells):
    return sum(cell.items["input_text"].quantity for cell in cells)


def test_without_totals_there_are_none(store):
    assert listed(store, "1970-01-01", "9998-12-31") == []


def test_both_ends_are_included_and_days_come_in_order(store):
    days = [CREATED.replace(hour=0, minute=0, second=0) + timedelta(days=n) for n in range(-2, 3)]
    for number, day in enumerate([days[3], days[0], days[2], days[4], days[1]]):
        spend(store, number, day)
    found = listed(store, "2026-11-21", "2026-11-23")
    assert [cell.day for cell in found] == ["2026-11-21", "2026-11-22", "2026-11-23"]


def test_years_and_months_are_in_order_too(store):
    for number, day in enumerate(["2025-12-31", "2026-01-01", "2026-09-30", "2026-10-01"]):
        spend(store, number, datetime.fromisoformat(day).replace(tzinfo=UTC))
    assert [cell.day for cell in listed(store, "2025-12-31", "2026-09-30")] == [
        "2025-12-31",
        "2026-01-01",
        "2026-09-30",
    ]


def test_parts_of_a_cell_follow_each_other(store):
    for number in range(60):
        spend(store, number, tokens=10 ** (number % 3), team=f"team-{number % 3}")
    merged = [entry.total for entry in entries_of_totals(listed(store))]
    assert sorted((cell.team, cell.items["input_text"].quantity) for cell in merged) == [
        ("team-0", 20),
        ("team-1", 200),
        ("team-2", 2000),
    ]


def test_a_job_by_itself_is_what_it_moved_the_totals_by(store):
    spend(store, 1, labels={"env": "prod"})
    (cell,) = listed(store)
    (job,) = store.jobs_created(CREATED, CREATED + timedelta(1), None, 2)
    assert [Entry(cell, job)] == entries_of_job(job)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_pages_of_the_store_leave_nothing_out(store, monkeypatch, page):
    monkeypatch.setattr(firestore_totals, "_PAGE", page)
    for number in range(6):
        spend(store, number, CREATED + timedelta(days=number % 2), tokens=10**number, team=f"t-{number}")
    assert tokens_of(listed(store, DAY, "2026-11-23")) == 111_111
    assert tokens_of(listed(store, DAY, DAY)) == 10_101
    assert tokens_of(listed(store, DAY, "2026-11-23", team="t-3")) == 1000


@pytest.mark.parametrize(
    ("equal", "tokens"),
    [
        ({"team": "search"}, 11_011),
        ({"team": "ads"}, 100),
        ({"team": "none"}, 0),
        ({"api_key": "adhoc"}, 10),
        ({"project": "acme-lab"}, 1000),
        ({"location": "global"}, 1),
        ({"model": "gemini-2.5-pro"}, 10_000),
        ({"label:env": "prod"}, 110),
        ({"label:env": "prod", "team": "ads", "api_key": "nightly", "model": FLASH}, 100),
        ({"label:env": "prod", "team": "search"}, 10),
        ({"label:none": "x"}, 0),
    ],
)
def test_fields_with_a_certain_value_are_found(store, equal, tokens):
    spend(store, 1, tokens=1, location="global")
    spend(store, 2, tokens=10, api_key="adhoc", labels={"env": "prod"})
    spend(store, 3, tokens=100, team="ads", labels={"env": "prod", "x": "y"})
    spend(store, 4, tokens=1000, project="acme-lab", labels={"env": "dev"})
    spend(store, 5, tokens=10_000, model="gemini-2.5-pro")
    assert tokens_of(listed(store, **equal)) == tokens
    assert tokens_of(listed(store, "2026-11-23", "2026-11-30", **equal)) == 0


@pytest.mark.parametrize("label", ODD_LABELS)
def test_labels_with_odd_characters_are_found(store, label):
    spend(store, 1, tokens=1, labels={label: "x"})
    spend(store, 2, tokens=10, labels={"other": "x"})
    assert tokens_of(listed(store, **{f"label:{label}": "x"})) == 1


def test_what_the_owners_prices_save_adds_up_beside_the_amount(store, monkeypatch):
    table = prices.load()
    terms = '{"discount":"0.07"}'
    discount = [Override("publishers/google", "", terms, "master", CREATED)]
    own = table.with_own(OwnPrices(discount, {}, table.non_global_from))
    spend(store, 1)
    monkeypatch.setattr(prices, "load", lambda: own)
    spend(store, 2)
    spend(store, 3)
    ((cell, _),) = entries_of_totals(listed(store))
    # 10 tokens are 1500 nano-USD at list.
    assert cell.items == {"input_text": ItemTotal(30, 1500 + 2 * 1395, 2 * 105)}
    assert sum(cell.quarters.values()) == 1500 + 2 * 1395


def test_cells_come_whole(store):
    spend(store, 1, labels={"env": "prod"})
    (cell,) = listed(store)
    assert msgspec.to_builtins(cell) == {
        "day": DAY,
        "model": FLASH,
        "apiKey": "nightly",
        "team": "search",
        "project": "acme-batch",
        "location": "us-central1",
        "labels": {"env": "prod"},
        "quarters": {"40": 1500},
        "items": {"input_text": {"quantity": 10, "amountNano": 1500, "discountNano": 0}},
        "unpricedRows": 0,
    }


# Roll-ups


def shape(cells):
    """Cells without their order."""
    return sorted(msgspec.json.encode(cell, order="deterministic") for cell in cells)


def test_roll_ups_sum_what_differs_by_labels_only(store):
    for number in range(40):
        spend(store, number, tokens=10, labels={"run": str(number), "api_key": "k1"})
    spend(store, 40, CREATED.replace(hour=23, minute=59), labels={"api_key": "k1"})
    (day,) = store.daily_rollups(DAY, DAY)
    assert day.quarters == {"40": 60_000, "95": 1500}
    assert (day.team, day.api_key, day.model, day.labels) == ("search", "nightly", FLASH, {"api_key": "k1"})
    (month,) = store.monthly_rollups("2026-11")
    assert (sum(month.quarters.values()), month.labels) == (61_500, {"api_key": "k1"})


@pytest.mark.parametrize("field", ["model", "api_key", "team", "project", "location", "the key's id", "day"])
def test_roll_ups_keep_apart_what_else_differs(store, field):
    other = {
        "model": {"model": "gemini-2.5-pro"},
        "the key's id": {"labels": {"api_key": "k2"}},
        "day": {"created": CREATED + timedelta(days=1)},
        "api_key": {"api_key": "an/other.`name`"},
        "team": {"team": "t.`x`"},
    }.get(field, {field: "other"})
    spend(store, 1)
    spend(store, 2, **other)
    assert len(list(store.daily_rollups(DAY, "2026-11-23"))) == 2
    assert len(list(store.monthly_rollups("2026-11"))) == (1 if field == "day" else 2)


def test_roll_ups_are_the_totals_without_labels(store):
    memory = MemoryStore()
    for each in (store, memory):
        for number in range(30):
            labels = {"run": str(number)} if number % 2 else {}
            created = CREATED + timedelta(days=number % 3 * 9, minutes=17 * number)
            spend(each, number, created, tokens=10**number % 977, team=f"t{number % 4}", labels=labels)
    for read in ("2026-11-22", "2026-12-31"), ("2026-12-01", "2026-12-09"):
        assert shape(store.daily_rollups(*read)) == shape(memory.daily_rollups(*read))
    for month in ("2026-10", "2026-11", "2026-12"):
        assert shape(store.monthly_rollups(month)) == shape(memory.monthly_rollups(month))


def test_usage_without_a_price_is_counted_in_totals_and_roll_ups(store):
    spend(store, 1, tokens=5, model="gemini-9-unheard-of")
    spend(store, 2, tokens=5)
    for cells in (listed(store), store.daily_rollups(DAY, DAY), store.monthly_rollups("2026-11")):
        assert {cell.model: cell.unpriced_rows for cell in cells} == {"gemini-9-unheard-of": 1, FLASH: 0}


@pytest.mark.parametrize("page", [1, 2, 3])
def test_pages_of_roll_ups_leave_nothing_out(store, monkeypatch, page):
    monkeypatch.setattr(firestore_totals, "_PAGE", page)
    for number in range(20):
        spend(store, number, CREATED + timedelta(days=number % 2), tokens=1)
    days = list(store.daily_rollups(DAY, "2026-11-23"))
    assert [(cell.day, sum(cell.quarters.values())) for cell in days] == [(DAY, 1500), ("2026-11-23", 1500)]


def test_a_store_that_is_down_says_so(refusing_host):
    memory = MemoryStore()
    memory.down = True
    for down in (memory, firestore_at(refusing_host)):
        with pytest.raises(StoreUnavailableError):
            listed(down)
        with pytest.raises(StoreUnavailableError):
            list(down.daily_rollups(DAY, DAY))
        with pytest.raises(StoreUnavailableError):
            list(down.monthly_rollups("2026-11"))
