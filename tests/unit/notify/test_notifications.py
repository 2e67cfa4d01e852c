"""Events: their JSON, and when they are tried again."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, window_of
from batch_gateway.core.jobs.record import Completion, JobKey
from batch_gateway.core.notify.notifications import (
    GIVEN_UP_AFTER,
    LEASE,
    Delivery,
    after_attempt,
    budget_event,
    finish,
    job_event,
    read_retry_after,
    retry_or_abandon,
)
from batch_gateway.core.pricing.cost import Cost
from batch_gateway.core.usage import Rows, Tokens, Usage
from builders import job_record

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
LATE = timedelta(days=1)
JOB = job_record(
    NOW - timedelta(hours=3),
    seen={
        "labels": {"environment": "production"},
        "create_time": NOW - timedelta(hours=3),
        "start_time": NOW - timedelta(hours=2),
        "end_time": NOW - timedelta(hours=1),
        "completion": Completion(successful=4, failed=1),
    },
    key_id="k1",
    usage=Usage(Rows(succeeded=4, failed=1), Tokens(input=120, cached_input=10, output=64, thoughts=12)),
    cost=Cost(amount_nano=98_000, price_table="2026-11-22"),
    settled_outputs=1,
    closed=True,
)
# Standard Webhooks 1.0.0, "Deliverability and reliability".
SCHEDULE = [5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))]


def job(state, **changes):
    return msgspec.structs.replace(JOB, seen=msgspec.structs.replace(JOB.seen, state=state), **changes)


def test_the_event_of_a_job_says_what_it_cost():
    event = job_event(JOB, NOW)
    assert msgspec.json.decode(event.body) == {
        "type": "batch.completed",
        "timestamp": "2026-11-22T10:00:00Z",
        "data": {
            "name": "projects/1234/locations/us-central1/batchPredictionJobs/5678",
            "state": "JOB_STATE_SUCCEEDED",
            "model": "gemini-2.5-flash",
            "team": "search",
            "apiKey": "nightly",
            "labels": {"environment": "production"},
            "cost": {"amount": "0.000098", "currency": "USD", "complete": True},
            "rows": {
                "succeeded": 4,
                "failed": 1,
                "malformed": 0,
                "unrecognized": 0,
                "unpriced": 0,
                "carriedOver": 0,
            },
            "usage": {
                "inputTokens": 120,
                "cachedInputTokens": 10,
                "outputTokens": 64,
                "thoughtsTokens": 12,
                "totalTokens": 184,
            },
            "createTime": "2026-11-22T07:00:00Z",
            "startTime": "2026-11-22T08:00:00Z",
            "endTime": "2026-11-22T09:00:00Z",
            "error": None,
        },
    }
    assert (event.type, event.key_id, event.team, event.model) == (
        "batch.completed",
        "k1",
        "search",
        "gemini-2.5-flash",
    )


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("JOB_STATE_SUCCEEDED", "batch.completed"),
        ("JOB_STATE_PARTIALLY_SUCCEEDED", "batch.completed"),
        ("JOB_STATE_FAILED", "batch.failed"),
        ("JOB_STATE_CANCELLED", "batch.cancelled"),
        ("JOB_STATE_EXPIRED", "batch.expired"),
    ],
)
def test_every_end_has_its_event(state, kind):
    assert job_event(job(state), NOW).type == kind


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"announced": True, "closed": False}, "batch.cancelled"),
        ({"announced": True}, "batch.cost_updated"),
        ({"reopened": 1}, "batch.cost_updated"),
        ({}, "batch.cancelled"),
    ],
)
def test_a_job_ends_once_and_what_follows_is_about_its_cost(changes, kind):
    assert job_event(job("JOB_STATE_CANCELLED", **changes), NOW).type == kind


def test_each_update_of_a_cost_is_an_event_of_its_own():
    first, again, second = (
        job_event(job("JOB_STATE_SUCCEEDED", reopened=number), NOW) for number in (1, 1, 2)
    )
    assert first.id == again.id != second.id


def test_a_job_that_was_never_seen_to_end_has_none():
    assert job_event(job("JOB_STATE_RUNNING", deleted=True), NOW) is None


def test_an_incomplete_amount_is_said_to_be():
    lost = job("JOB_STATE_SUCCEEDED", unreadable_outputs=1)
    assert msgspec.json.decode(job_event(lost, NOW).body)["data"]["cost"]["complete"] is False


def test_what_went_wrong_is_said_however_deep_it_is():
    error = {"code": 13, "message": "größer", "details": [[["nested"]], {"__a__": None, "n": 2**70}]}
    failing = msgspec.structs.replace(JOB, seen=msgspec.structs.replace(JOB.seen, error=error))
    assert msgspec.json.decode(job_event(failing, NOW).body)["data"]["error"] == {**error, "details": [
        [["nested"]], {"__a__": None, "n": pytest.approx(2**70)}
    ]}  # fmt: skip


def test_one_end_is_one_event_whoever_notes_it_when():
    first, second = job_event(JOB, NOW), job_event(JOB, NOW + LATE)
    other = msgspec.structs.replace(JOB, key=JobKey("my-project", "us-central1", "5679"))
    assert first.id == second.id
    assert len({first.id, job_event(other, NOW).id, job_event(job("JOB_STATE_FAILED"), NOW).id}) == 3
    assert "." not in first.id


def test_whoever_notes_an_event_has_it_to_himself_at_first():
    event = job_event(JOB, NOW)
    assert event.next_attempt == NOW + LEASE
    assert event.webhook.is_due(NOW)
    assert event.topic.is_due(NOW)
    assert event.expires > NOW + GIVEN_UP_AFTER


def test_times_are_in_utc():
    here = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert msgspec.json.decode(job_event(JOB, here).body)["timestamp"] == "2026-11-22T10:00:00Z"


def test_the_event_of_a_budget_has_its_figures():
    limit = OwnedBudget("team:search", "the team 'search'", 10_000_000_000, 8_000_000_000, "1mo")
    window = window_of("1mo", NOW)
    event = budget_event(
        "budget.warning",
        limit,
        BudgetBalance(7_900_000_001, 500_000_000),
        window,
        NOW,
        key_id="k1",
        team="search",
    )
    assert msgspec.json.decode(event.body) == {
        "type": "budget.warning",
        "timestamp": "2026-11-22T10:00:00Z",
        "data": {
            "owner": "team:search",
            "currency": "USD",
            "maxBudget": "10",
            "softBudget": "8",
            "budgetDuration": "1mo",
            "spent": "7.900000001",
            "reserved": "0.5",
            "windowStart": "2026-11-01T00:00:00Z",
            "windowReset": "2026-12-01T00:00:00Z",
        },
    }
    assert (event.key_id, event.team) == ("k1", "search")


def test_a_budget_is_passed_once_a_window():
    def event(now, kind="budget.exceeded", owner="key:k1", duration="1mo"):
        limit = OwnedBudget(owner, "the key 'nightly'", 1, None, duration)
        return budget_event(
            kind, limit, BudgetBalance(2, 0), window_of(duration, now), now, key_id="k1", team=None
        )

    first = event(NOW)
    assert event(NOW + LATE).id == first.id
    others = {event(NOW + 30 * LATE).id, event(NOW, "budget.warning").id, event(NOW, owner="key:k2").id}
    assert len(others | {first.id}) == 4
    # A window that outlives the usual time of events: said again within it, it would be said twice.
    assert event(NOW, duration="6mo").expires >= window_of("6mo", NOW).reset
    assert event(NOW, duration=None).expires is None


def test_it_is_tried_again_as_standard_webhooks_has_it():
    event, delivery = job_event(JOB, NOW), Delivery(NOW)
    waits = []
    while delivery.state == "due":
        before = delivery
        delivery = retry_or_abandon(event, delivery, NOW)
        if delivery.next_attempt:
            waits.append((delivery.next_attempt - NOW).total_seconds())
    assert len(waits) == len(SCHEDULE)
    assert all(least <= wait <= 1.1 * least for least, wait in zip(SCHEDULE, waits, strict=True))
    assert (delivery.state, delivery.attempts, before.attempts) == ("abandoned", 10, 9)


def test_events_that_failed_together_come_again_apart():
    keys = [JobKey("my-project", "us-central1", str(number)) for number in range(40)]
    events = [job_event(msgspec.structs.replace(JOB, key=key), NOW) for key in keys]
    times = {retry_or_abandon(event, Delivery(NOW, attempts=3), NOW).next_attempt for event in events}
    assert len(times) > 5


def test_a_receiver_gets_the_time_that_it_asks_for():
    event = job_event(JOB, NOW)
    assert retry_or_abandon(event, Delivery(NOW), NOW, timedelta(hours=1)).next_attempt == NOW + timedelta(
        hours=1
    )
    assert retry_or_abandon(event, Delivery(NOW), NOW, timedelta(days=9)).next_attempt == NOW + timedelta(
        days=1
    )
    soon = retry_or_abandon(event, Delivery(NOW, attempts=4), NOW, timedelta(seconds=1)).next_attempt
    assert soon >= NOW + timedelta(hours=5)


def test_after_four_days_an_event_is_given_up():
    event = job_event(JOB, NOW)
    assert retry_or_abandon(event, Delivery(NOW, attempts=2), NOW + timedelta(days=4)).state == "due"
    given_up = retry_or_abandon(event, Delivery(NOW, attempts=2), NOW + timedelta(days=4, seconds=1))
    assert (given_up.state, given_up.attempts, given_up.next_attempt) == ("abandoned", 3, None)


def test_the_next_look_is_when_the_first_way_is_due():
    event = job_event(JOB, NOW)
    soon, later = Delivery(NOW + timedelta(seconds=5)), Delivery(NOW + timedelta(hours=2))
    done = finish(Delivery(NOW), "delivered")
    assert after_attempt(event, NOW, later, soon).next_attempt == soon.next_attempt
    assert after_attempt(event, NOW, done, later).next_attempt == later.next_attempt
    assert after_attempt(event, NOW, done, done).next_attempt is None
    # Due already, and not tried this time: not before the lease ends.
    assert after_attempt(event, NOW, Delivery(NOW), done).next_attempt == NOW + LEASE


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("99999999999999999999", 86_400),
        ("Sun, 22 Nov 2026 10:05:00 GMT", 300),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
        ("Sun, 22 Nov 2126 09:00:00 GMT", 86_400),
        ("Sunday, 22-Nov-26 10:05:00 GMT", 300),
        ("Sun Nov 22 10:05:00 2026", 300),
        ("-5", 0),
        ("1.5", 0),
        ("٣", 0),
        ("soon", 0),
        ("", 0),
        (None, 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert read_retry_after(value, NOW).total_seconds() == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d{1,9} \w{3} \d{1,9} \d{1,3}:\d{1,3}:\d{1,3} [+-]?\w{1,9}"))
def test_retry_after_takes_anything(value):
    assert timedelta(0) <= read_retry_after(value, NOW) <= timedelta(days=1)


@given(st.integers(0, 12), st.timedeltas(timedelta(0), timedelta(days=6)), st.timedeltas(timedelta(0)))
def test_a_failed_delivery_is_due_later_or_over(attempts, age, wait):
    now = NOW + age
    delivery = retry_or_abandon(job_event(JOB, NOW), Delivery(now, attempts=attempts), now, wait)
    assert delivery.attempts == attempts + 1
    assert (delivery.next_attempt is None) == (delivery.state == "abandoned")
    assert delivery.next_attempt is None or now < delivery.next_attempt <= now + timedelta(hours=26.5)
