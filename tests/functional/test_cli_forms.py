"""How the command line reads and writes money, times and cells."""

import csv
import io
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.money import format_nano
from gateway_cli import money, times
from gateway_cli.cells import Column, Kind, bar, clean, csv_cell
from gateway_cli.errors import CliError, UsageError
from gateway_cli.wording import in_commands

NOW = datetime(2026, 11, 24, 15, 30, 10, tzinfo=UTC)
NANO = st.integers(-(10**30), 10**30)


def shown(values, kind=Kind.MONEY):
    return Column("x", lambda value: value, kind).cells(values, UTC, ascii_only=False)


@given(st.lists(NANO, min_size=1))
def test_amounts_in_a_column_are_exact_and_line_up(nanos):
    cells = shown([format_nano(nano) for nano in nanos])
    assert [Fraction(cell.replace(",", "")) for cell in cells] == [Fraction(nano, 10**9) for nano in nanos]
    assert len({len(cell.partition(".")[2]) for cell in cells}) == 1
    assert all(len(cell.partition(".")[2]) >= 2 for cell in cells)


@given(st.lists(NANO))
def test_sums_are_exact(nanos):
    total = money.total(money.amount(format_nano(nano)) for nano in nanos)
    assert Fraction(total) == Fraction(sum(nanos), 10**9)


@given(NANO, NANO)
def test_differences_are_exact(before, after):
    found = money.change(money.amount(format_nano(before)), money.amount(format_nano(after)))
    assert found == money.amount(format_nano(after - before))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0.00"),
        ("12", "12.00"),
        ("1234.5", "1,234.50"),
        ("0.000000001", "0.000000001"),
        ("-1234567.891", "-1,234,567.891"),
        ("0.50", "0.50"),
        ("1E+3", "1,000.00"),
        (None, "-"),
    ],
)
def test_an_amount_for_people(value, text):
    assert shown([value]) == [text]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "", "1,5", "x"])
def test_an_amount_that_is_none(value):
    with pytest.raises(CliError):
        money.amount(value)


@given(st.integers(0, 10**18))
def test_a_budget_is_passed_on_exactly(nano):
    assert Decimal(money.budget(format_nano(nano))) == money.amount(format_nano(nano))


@given(st.text() | st.decimals().map(str))
def test_what_is_no_budget_is_refused_in_words(text):
    try:
        sent = money.budget(text)
    except UsageError:
        return
    assert 0 <= Decimal(sent) <= 10**9
    assert "E" not in sent.upper()


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        ("now", NOW),
        ("30m", NOW - timedelta(minutes=30)),
        ("24h", NOW - timedelta(hours=24)),
        ("today", datetime(2026, 11, 24, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 23, tzinfo=UTC)),
        ("1d", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 10, tzinfo=UTC)),
        ("1mo", datetime(2026, 10, 24, tzinfo=UTC)),
        ("9mo", datetime(2026, 2, 24, tzinfo=UTC)),
        ("11mo", datetime(2025, 12, 24, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00+02:00", datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        ("2026-11-01T08:30:00Z", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_times_as_people_write_them(given_, found):
    assert times.parse(given_, NOW, UTC) == found


def test_a_month_ends_no_later_than_it_does():
    march = datetime(2026, 3, 31, 12, tzinfo=UTC)
    assert times.parse("1mo", march, UTC) == datetime(2026, 2, 28, tzinfo=UTC)


def test_days_begin_in_the_zone():
    zone = timezone(timedelta(hours=10))
    assert times.parse("today", NOW, zone) == datetime(2026, 11, 25, tzinfo=zone)
    assert times.parse("2026-11-01", NOW, zone) == datetime(2026, 11, 1, tzinfo=zone)


def test_days_begin_at_midnight_also_before_the_clocks_changed(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert times.parse("60d", NOW, None) == datetime(2026, 9, 24, 22, tzinfo=UTC)
        assert times.parse("2026-11-01", NOW, None) == datetime(2026, 10, 31, 23, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.text() | st.from_regex(r"[0-9]{0,7}(m|h|d|w|mo)|[0-9T:+-]{0,20}", fullmatch=True))
def test_what_is_no_time_is_refused_in_words(text):
    try:
        found = times.parse(text, NOW, UTC)
    except UsageError:
        return
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("hours", "text"), [(0, "+00:00"), (5.5, "+05:30"), (-3.5, "-03:30"), (14, "+14:00")]
)
def test_offsets(hours, text):
    assert times.offset(timezone(timedelta(hours=hours))) == text


def test_times_for_people():
    assert times.text("2026-11-22T16:00:00.123456Z", UTC) == "2026-11-22 16:00:00"
    assert times.text("soon", UTC) == "soon"


@given(st.text())
def test_no_text_steers_the_terminal(text):
    assert all(char.isprintable() or char == "\u00a0" for char in clean(text))


@given(st.text(st.characters(blacklist_characters="\x00", blacklist_categories=("Cs",))))
def test_no_cell_is_a_formula_and_none_breaks_the_file(text):
    cell = csv_cell(text)
    assert not cell.startswith(("=", "@", "\t", "\r", "\n")) or cell == ""
    assert cell.removeprefix("'") == text.removeprefix("'")
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(buffer.getvalue(), newline=""))) == [cell, "next"]


def test_numbers_are_no_formulas():
    assert [
        csv_cell(each) for each in ("-0.12", "-1", Decimal("-1E-9"), 5, True, None, ["a", "b"], {"a": "b"})
    ] == [*("-0.12", "-1", "-0.000000001", "5", "true", "", "a, b", "a=b")]
    assert csv_cell("-1+1") == "'-1+1"
    assert [csv_cell(each) for each in ("=1", "@1", ["=1"])] == ["'=1", "'@1", "'=1"]


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_bar_is_full_only_at_the_end_and_empty_only_at_the_beginning(part, whole):
    drawn = bar(Decimal(part), Decimal(whole), ascii_only=True)
    assert len(drawn) == 10
    if whole:
        assert ("." not in drawn) == (part >= whole)
        assert ("#" not in drawn) == (part == 0)


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [
        (0, 10, "0.0 %"),
        (1, 10, "10.0 %"),
        ("0.0001", 10, "<0.1 %"),
        ("9.9999", 10, "99.9 %"),
        (10, 10, "100.0 %"),
        (118, 50, "236.0 %"),
    ],
)
def test_a_share_has_a_number(part, whole, told):
    (cell,) = shown([(part, whole)], Kind.SHARE)
    assert cell.split(" ", 1)[1] == told


def test_progress():
    assert shown([(5, 10), (5, None), (None, None), (0, 0)], Kind.PROGRESS) == [
        *("█████░░░░░ 5/10", "5/?", "-", "░░░░░░░░░░ 0/0")
    ]


def test_calls_in_messages_become_commands():
    assert in_commands("GET /key/list lists all keys.") == "`vbatch keys list` lists all keys."
    other = "GET /key/listing and GET /key/list/x are other calls."
    assert in_commands(other) == other
