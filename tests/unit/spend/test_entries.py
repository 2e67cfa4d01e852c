"""Cells of the totals in one piece."""

import msgspec

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.spend.entries import Entry, entries_of_totals

CELL = DailyTotal(
    day="2026-11-22",
    model="gemini-2.5-flash",
    api_key="nightly",
    team="search",
    project="acme-batch",
    location="us-central1",
    labels={"env": "prod"},
    quarters={"40": 1500, "41": 7},
    items={"input_text": ItemTotal(10, 1500), "output_text": ItemTotal(1, 7)},
)


def part(quarters, items, **changes):
    return msgspec.structs.replace(CELL, quarters=quarters, items=items, **changes)


def test_parts_add_up():
    parts = [
        CELL,
        part({"41": 3, "95": 20}, {"input_text": ItemTotal(1, 20), "output_audio": ItemTotal(2, 3)}),
        part({"40": -500}, {"input_text": ItemTotal(-4, -500)}),
    ]
    whole = part(
        {"40": 1000, "41": 10, "95": 20},
        {
            "input_text": ItemTotal(7, 1020),
            "output_text": ItemTotal(1, 7),
            "output_audio": ItemTotal(2, 3),
        },
    )
    assert list(entries_of_totals(parts)) == [Entry(whole)]


def test_cells_that_differ_in_anything_stay_apart():
    others = [
        msgspec.structs.replace(CELL, **{name: "other"})
        for name in ("day", "model", "api_key", "team", "project", "location")
    ]
    cells = [CELL, *others, msgspec.structs.replace(CELL, labels={}), CELL]
    assert list(entries_of_totals(cells)) == [Entry(cell) for cell in cells]


def test_of_nothing_there_is_nothing():
    assert list(entries_of_totals([])) == []
