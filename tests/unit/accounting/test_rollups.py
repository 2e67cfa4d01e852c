"""Totals of days and months without labels, cut to the hours that a time zone has of them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch_gateway.core.accounting.rollups import (
    cut_to_span,
    daily_rollup,
    days_of,
    edge_adjustment,
    group_key,
    month_edges,
    monthly_rollup,
)
from batch_gateway.core.accounting.settlement import TotalKey
from batch_gateway.core.jobs.labels import KEY_LABEL
from batch_gateway.core.spend.time_buckets import Span

OF = ("gemini-3.5-flash", "nightly", "search", "acme", "global")
BERLIN, DENVER = (timezone(timedelta(hours=hours)) for hours in (1, -7))


def total(quarters, day="2026-11-22", unpriced=0):
    return daily_rollup(day, group_key(TotalKey(day, *OF, {})), quarters, unpriced)


@pytest.mark.parametrize("label", [{}, {KEY_LABEL: "k1"}])
def test_a_roll_up_keeps_the_label_of_the_key_alone(label):
    key = group_key(TotalKey("2026-11-22", *OF, {"environment": "production", **label}))
    found = daily_rollup("2026-11-22", key, {"3": 5}, 2)
    assert (found.model, found.api_key, found.team, found.project, found.location) == OF
    assert (found.day, found.labels, found.quarters, found.unpriced_rows) == (
        "2026-11-22",
        label,
        {"3": 5},
        2,
    )


def test_a_month_stands_on_a_day_that_is_in_it_everywhere():
    found = monthly_rollup("2026-11", group_key(TotalKey("2026-11-22", *OF, {})), 7, 1)
    assert (found.day, found.quarters, found.unpriced_rows) == ("2026-11-15", {"0": 7}, 1)


def test_utc_s_months_have_no_edges():
    assert list(month_edges(Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)))) == []


@pytest.mark.parametrize(("zone", "first", "last"), [(BERLIN, 1, -1), (DENVER, -1, 1)])
def test_the_edges_turn_utc_s_month_into_a_zone_s(zone, first, last):
    month = Span(datetime(2026, 11, 1, tzinfo=zone), datetime(2026, 12, 1, tzinfo=zone))
    edges = list(month_edges(month))
    assert [edge.sign for edge in edges] == [first, last]
    utc = timedelta(days=30) + sum(
        (edge.sign * (edge.span.end - edge.span.start) for edge in edges), timedelta()
    )
    assert utc == month.end - month.start
    for edge, bound in zip(edges, month, strict=True):
        assert {bound, bound.replace(tzinfo=UTC)} == set(edge.span)
        assert edge.span.start < edge.span.end


def test_a_total_is_cut_to_the_quarters_within_a_span():
    quarters = {"0": 1, "4": 2, "5": 4, "95": 8}
    one, six = (datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (1, 6))
    (kept,) = cut_to_span([total(quarters), total(quarters, "2026-11-23")], Span(one, six))
    assert kept == total({"4": 2, "5": 4})
    (kept,) = cut_to_span([total(quarters)], Span(one.astimezone(DENVER), six.astimezone(DENVER)))
    assert kept == total({"4": 2, "5": 4})


def test_an_edge_adds_its_amount_to_a_month_or_takes_it_away():
    edge = total({"92": 3, "95": 4}, "2026-10-31", unpriced=2)
    assert edge_adjustment(edge, "2026-11", 1) == total({"0": 7}, "2026-11-15", unpriced=2)
    # Whether the unpriced rows were among those that are taken away is unknown.
    assert edge_adjustment(edge, "2026-11", -1) == total({"0": -7}, "2026-11-15", unpriced=0)


def test_the_end_of_a_span_is_not_of_it():
    assert days_of(Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))) == (
        "2026-11-01",
        "2026-11-30",
    )
    assert days_of(Span(datetime(2026, 11, 1, tzinfo=BERLIN), datetime(2026, 11, 2, tzinfo=BERLIN))) == (
        "2026-10-31",
        "2026-11-01",
    )
