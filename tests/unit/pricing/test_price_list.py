"""The list of prices says what is charged, who says so, since when and until when."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.overrides import Override, OwnPrices
from batch_gateway.core.pricing.price_list import ELSEWHERE, OverrideName, override_view, prices_of

TABLE = prices.load()
NOW = datetime(2026, 11, 28, tzinfo=UTC)
MODEL = "gemini-3.5-flash"


def override(terms, name=MODEL, location=""):
    return Override(name, location, json.dumps(terms), "nightly", NOW)


def owned(*overrides):
    return TABLE.with_own(OwnPrices(overrides, {}, TABLE.non_global_from))


def listed(table, location="us-central1", at=NOW, model=MODEL):
    return prices_of(table, model, location, at)


@pytest.mark.parametrize("model", sorted(TABLE.models))
@pytest.mark.parametrize("location", ["global", "us-central1"])
def test_each_rate_is_what_is_charged(model, location):
    entry = listed(TABLE, location, model=model)
    assert entry.rates
    for rate in entry.rates:
        charged = TABLE.unit_price(
            model, rate.item, context_window=rate.context_window or "", location=location, at=NOW
        )
        assert Decimal(rate.unit_price) == Decimal(charged) / 10**12


def test_a_price_of_the_table_names_its_source_and_no_override():
    entry = listed(TABLE)
    assert (entry.source, entry.override, entry.discount, entry.model, entry.unit) == (
        "table", None, None, MODEL, "token"
    )  # fmt: skip
    assert entry.page


def test_a_discount_is_on_the_table_s_rates_and_both_sources_are_named():
    entry = listed(owned(override({"discount": "0.07", "source": "our agreement"}, "publishers/google")))
    plain = listed(TABLE)
    assert (entry.source, entry.discount) == ("override", "0.07")
    assert entry.override == OverrideName("publishers/google", None)
    assert entry.page == f"our agreement; list prices: {plain.page}"
    assert [Decimal(rate.unit_price) for rate in entry.rates] == [
        Decimal(rate.unit_price) * Decimal("0.93") for rate in plain.rates
    ]


def test_a_change_to_come_is_listed_with_its_day_and_then_in_force():
    table = owned(
        override({"discounts": [{"from": "2026-12-24", "discount": "0.5"}]}, location="us-central1")
    )
    entry = listed(table)
    assert (entry.source, entry.since) == ("table", listed(TABLE).since)
    change = entry.next_change
    assert (change.start, change.source, change.discount) == (date(2026, 12, 24), "override", "0.5")
    assert change.override == OverrideName(MODEL, "us-central1")
    then = listed(table, at=datetime(2026, 12, 24, tzinfo=UTC))
    assert (then.since, then.rates) == (change.start, change.rates)
    before = listed(table, at=datetime(2026, 12, 24, tzinfo=UTC) - timedelta.resolution)
    assert before.rates == entry.rates
    for elsewhere in ("global", ELSEWHERE):
        assert listed(table, elsewhere) == listed(TABLE, elsewhere)


def test_a_discount_of_nothing_is_no_change():
    assert (
        listed(owned(override({"discounts": [{"from": "2026-12-24", "discount": "0"}]}))).next_change is None
    )


def test_a_model_without_a_price_then_has_no_entry():
    assert listed(TABLE, model="gemini-99") is None
    late = {"unit": "token", "non_global_multiplier": "1", "prices": [
        {"from": "2026-12-24", "source": "ours", "batch": {"input": "1", "output": "2"}}
    ]}  # fmt: skip
    table = owned(override(late, "gemini-99"))
    assert listed(table, model="gemini-99") is None
    assert listed(table, model="gemini-99", at=datetime(2026, 12, 24, tzinfo=UTC)).since == date(2026, 12, 24)


def test_an_override_is_shown_as_it_was_set():
    view = override_view(override({"discount": "0.07"}, location="global"))
    assert (view.name, view.location, view.terms) == (MODEL, "global", {"discount": "0.07"})
    assert (view.set_by, view.set_at) == ("nightly", NOW)
    assert override_view(override({"discount": "0.07"})).location is None
