"""Attempts to deliver an event: when the next one is due, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.notify.retries import GIVEN_UP_AFTER, Delivery, read_retry_after, retry_or_abandon

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
# Standard Webhooks 1.0.0, "Deliverability and reliability".
SCHEDULE = [5, 5 * 60, 30 * 60, *(hours * 3600 for hours in (2, 5, 10, 14, 20, 24))]


def after(attempts, age=timedelta(0), wait=timedelta(0), event="an-event"):
    """Return a delivery after a further attempt that failed, of an event of that age."""
    now = NOW + age
    return retry_or_abandon(event, NOW, Delivery(now, attempts=attempts), now, wait)


def test_it_is_tried_again_as_standard_webhooks_has_it():
    found = [after(attempts) for attempts in range(len(SCHEDULE))]
    waits = [(delivery.next_attempt - NOW).total_seconds() for delivery in found]
    assert all(least <= wait <= 1.1 * least for least, wait in zip(SCHEDULE, waits, strict=True))
    assert [(each.state, each.attempts) for each in found] == [("due", number) for number in range(1, 10)]
    assert after(len(SCHEDULE)) == Delivery(None, "abandoned", 10)


def test_events_that_failed_together_come_again_apart():
    assert len({after(3, event=f"event-{number}").next_attempt for number in range(40)}) > 5


def test_a_receiver_gets_the_time_that_it_asks_for():
    assert after(0, wait=timedelta(hours=1)).next_attempt == NOW + timedelta(hours=1)
    assert after(0, wait=timedelta(days=9)).next_attempt == NOW + timedelta(days=1)
    assert after(4, wait=timedelta(seconds=1)).next_attempt >= NOW + timedelta(hours=5)


def test_after_four_days_an_event_is_given_up():
    assert after(2, GIVEN_UP_AFTER).state == "due"
    assert after(2, GIVEN_UP_AFTER + timedelta(seconds=1)) == Delivery(None, "abandoned", 3)


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
    delivery = retry_or_abandon("an-event", NOW, Delivery(now, attempts=attempts), now, wait)
    assert delivery.attempts == attempts + 1
    assert (delivery.next_attempt is None) == (delivery.state == "abandoned")
    assert delivery.next_attempt is None or now < delivery.next_attempt <= now + timedelta(hours=26.5)
