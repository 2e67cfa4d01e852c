"""Events: their JSON, and when each is next due."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, window_of
from batch_gateway.core.jobs.record import Completion, JobKey
from batch_gateway.core.notify.events import LEASE, after_attempt, budget_event, job_event
from batch_gateway.core.notify.retries import (
    GIVEN_UP_AFTER,
    Delivery,
    finish,
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


def test_the_next_look_is_when_the_first_way_is_due():
    event = job_event(JOB, NOW)
    soon, later = Delivery(NOW + timedelta(seconds=5)), Delivery(NOW + timedelta(hours=2))
    done = finish(Delivery(NOW), "delivered")
    assert after_attempt(event, NOW, later, soon).next_attempt == soon.next_attempt
    assert after_attempt(event, NOW, done, later).next_attempt == later.next_attempt
    assert after_attempt(event, NOW, done, done).next_attempt is None
    # Due already, and not tried this time: not before the lease ends.
    assert after_attempt(event, NOW, Delivery(NOW), done).next_attempt == NOW + LEASE
