"""``vbatch reconcile`` against a gateway in memory."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from functional.gateway.test_reconcile import bill, book, configure
from functional.test_cli import cli, emulator, world  # noqa: F401 - fixtures

DAY = f"{datetime.now(UTC) - timedelta(days=9):%Y-%m-%d}"
BEFORE = f"{datetime.now(UTC) - timedelta(days=12):%Y-%m-%d}"


@pytest.fixture
def billed(world):  # noqa: F811
    configure(world)
    book(world, 99_500_000_000, day=DAY)
    bill(world, "100", day=DAY)
    book(world, 10**9, day=BEFORE)
    bill(world, "0.5", day=BEFORE)
    return world


def test_lines_that_differ_are_shown_with_what_they_mean(billed, cli):  # noqa: ARG001, F811
    done = cli("reconcile", "--since", "30d")
    assert BEFORE in done.out
    assert DAY not in done.out
    assert "OTHER_DAY: The sums" in done.err
    assert "agree within 0 %" in done.err
    assert "The query read 1,234 bytes of " in done.err


def test_all_lines_as_csv_and_everything_as_json(billed, cli):  # noqa: ARG001, F811
    rows = {row["day"]: row for row in cli("reconcile", "--all", "-o", "csv").csv}
    assert (rows[DAY]["ours"], rows[DAY]["google"], rows[DAY]["reasons"]) == ("99.5", "100", "")
    assert "Batch Predictions" in rows[DAY]["skus"]
    assert len(json.loads(cli("reconcile", "-o", "json").out)["lines"]) == 2


def test_days_are_asked_for_in_utc(billed, cli):  # noqa: F811
    cli("reconcile", "--since", "2026-11-01", "--until", "2026-11-08")
    span, _ = billed.billing.asked[-1]
    assert [time.isoformat() for time in span] == ["2026-11-01T00:00:00+00:00", "2026-11-08T00:00:00+00:00"]


def test_the_help_says_that_today_is_left_out(cli):  # noqa: F811
    helped = " ".join(cli("reconcile", "--help").out.split())
    assert "end of the time span (default: the last midnight UTC, so that today is left out)" in helped
    assert "default: now" not in helped


def test_without_an_export_it_says_what_to_set(cli):  # noqa: F811
    assert "general_settings.billing_export" in cli("reconcile", status=1).err
