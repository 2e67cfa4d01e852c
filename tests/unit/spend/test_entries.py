"""Cells of the totals in one piece, filtered, and summed by time and group."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.settlement import DailyTotal, ItemTotal
from batch_gateway.core.jobs.labels import KEY_LABEL
from batch_gateway.core.spend import entries
from batch_gateway.core.spend.entries import (
    Entry,
    Result,
    TooManyGroupsError,
    entries_of_totals,
    equalities,
    filter_entries,
    is_field,
    needs_labels,
    sum_by_bucket,
)
from batch_gateway.core.spend.time_buckets import QUARTER, Calendar, Span
from builders import job_record

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


# Filters

JOB = job_record(datetime(2026, 11, 22, tzinfo=UTC), project="acme-batch")
OF_JOB = Entry(CELL, JOB)


@pytest.mark.parametrize(
    ("field", "values", "kept"),
    [
        ("team", {"search", "ads"}, True),
        ("team", {"ads"}, False),
        ("label:env", {"prod"}, True),
        ("label:other", {"prod"}, False),
        ("label:other", {""}, True),
        ("job", {"5678"}, True),
        ("job", {JOB.seen.name}, True),
        ("job", {"projects/acme-batch/locations/us-central1/batchPredictionJobs/5678"}, True),
        ("job", {"567"}, False),
    ],
)
def test_an_entry_passes_if_it_has_one_of_the_values(field, values, kept):
    only = (field, frozenset(values))
    assert list(filter_entries([OF_JOB], [only])) == ([OF_JOB] if kept else [])
    assert list(filter_entries([OF_JOB], [only, ("model", frozenset({"another"}))])) == []


def test_a_total_is_of_no_one_job():
    assert list(filter_entries([Entry(CELL)], [("job", frozenset({"5678"}))])) == []


def test_a_store_is_asked_for_what_has_one_certain_value():
    several, none = frozenset({"a", "b"}), frozenset({""})
    one = frozenset({"a"})
    asked = [("team", one), ("model", several), ("project", none), ("job", one), ("label:__x__", one)]
    assert equalities([*asked, ("label:env", one)]) == {"team": "a", "label:env": "a"}


def test_fields_are_those_of_totals_jobs_and_labels_that_have_a_name():
    assert [name for name in ("model", "job", "label:x", "label:", "day", "x") if is_field(name)] == [
        "model",
        "job",
        "label:x",
    ]
    assert not needs_labels(["model", f"label:{KEY_LABEL}"])
    assert needs_labels(["label:env"])


# Sums

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
CELLS = st.builds(
    lambda day, team, quarters, unpriced: msgspec.structs.replace(
        CELL,
        day=f"{BEGIN + timedelta(days=day):%Y-%m-%d}",
        team=team,
        quarters=quarters,
        unpriced_rows=unpriced,
    ),
    st.integers(0, 4),
    st.sampled_from(["", "search", "ads"]),
    st.dictionaries(st.integers(0, 95).map(str), st.integers(-50, 1000), max_size=4),
    st.integers(0, 1),
)
ZONES = st.sampled_from([0, 330, -720, 840]).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.integers(0, 4 * 96).map(lambda quarter: BEGIN + quarter * QUARTER)


@given(
    st.lists(CELLS, max_size=6).map(lambda cells: sorted(cells, key=lambda cell: cell.day)),
    st.sampled_from(["1h", "1d", "1mo"]),
    ZONES,
    st.tuples(TIMES, TIMES).map(sorted),
)
def test_each_quarter_within_a_span_is_in_one_bucket(cells, width, zone, ends):
    span = Span(*ends)
    found = list(sum_by_bucket(map(Entry, cells), span, Calendar(width, zone), ["team"]))
    lengths = [bucket.span.end - bucket.span.start for bucket in found]
    assert sum(lengths, timedelta()) == span.end - span.start
    for bucket in found:
        amounts = Counter()
        for cell in cells:
            for quarter, amount in cell.quarters.items():
                time = datetime.fromisoformat(cell.day).replace(tzinfo=UTC) + int(quarter) * QUARTER
                if bucket.span.start <= time < bucket.span.end:
                    amounts[cell.team or None] += amount
        told = {result.group[0]: result.amount_nano for result in bucket.results if result.amount_nano}
        assert told == {team: amount for team, amount in amounts.items() if amount}


def test_the_dearest_group_is_first_and_one_without_a_price_is_told():
    cells = [
        CELL,
        msgspec.structs.replace(CELL, team="", quarters={"0": 1_000_000}),
        msgspec.structs.replace(CELL, team="ads", quarters={"0": 0}, unpriced_rows=1),
        msgspec.structs.replace(CELL, team="idle", quarters={"0": 0}),
    ]
    day = Span(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    (bucket,) = sum_by_bucket(map(Entry, cells), day, Calendar("1d", UTC), ["team"])
    assert bucket.results == [
        Result((None,), 1_000_000, unpriced=False),
        Result(("search",), 1507, unpriced=False),
        Result(("ads",), 0, unpriced=True),
    ]


def test_groups_that_are_held_at_once_are_limited(monkeypatch):
    monkeypatch.setattr(entries, "MOST_GROUPS", 2)
    day = Span(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    teams = [Entry(msgspec.structs.replace(CELL, team=f"team-{number}")) for number in range(3)]
    (bucket,) = sum_by_bucket(teams[:2], day, Calendar("1d", UTC), ["team"])
    assert len(bucket.results) == 2
    with pytest.raises(TooManyGroupsError):
        list(sum_by_bucket(teams, day, Calendar("1d", UTC), ["team"]))
