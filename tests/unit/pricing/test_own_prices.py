"""The operator's prices over the table's, against arithmetic that knows neither layers nor periods."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.config_rates import FIELDS, ConfigRates, read_rate
from batch_gateway.core.pricing.cost import LineItem, cost_of
from batch_gateway.core.pricing.money import discounted, format_pico, times
from batch_gateway.core.pricing.overrides import PUBLISHERS, Override, Overrides, OwnPrices, publisher_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.usage import Quantity, Usage

TABLE = prices.load()
NOW = datetime(2026, 11, 28, tzinfo=UTC)
DAYS = [date(2026, 1, 1) + timedelta(days=90 * n) for n in range(6)]
PLACES = ["", "global", "us-central1"]


def override(name, terms, location=""):
    return Override(name, location, json.dumps(terms), "master", NOW)


def owned(*overrides, config=None, table=TABLE):
    return table.with_own(OwnPrices(overrides, config or {}, table.non_global_from))


def rates(start, usd, unit="token", **more):
    price = {"from": start and str(start), "source": "ours", "batch": {"input": usd, "output": usd, **more}}
    return {"unit": unit, "non_global_multiplier": "1", "prices": [price]}


def price(table, model="gemini-3.5-flash", item="input_text", **given):
    asked = {"context_window": "0-200k", "location": "us-central1", "at": NOW}
    return table.unit_price(model, item, **asked | given)


def midnight(day):
    return datetime.combine(day, time(), UTC)


NAMES = ["gemini-3.5-flash", "publishers/google", "publishers/-"]
STARTS = st.none() | st.sampled_from(DAYS)
USD = st.decimals("0", "50", places=6).map(lambda usd: f"{usd:f}")
DISCOUNTS = st.integers(0, 999_999).map(lambda n: f"0.{n:06}")


@st.composite
def some_overrides(draw):
    """Overrides of one model, by name and location: a list of (start, discount or rate)."""
    found = {}
    for name in NAMES:
        for place in PLACES:
            if draw(st.booleans()):
                steps = draw(st.lists(STARTS, min_size=1, max_size=3, unique=True))
                steps = sorted(steps, key=lambda day: day or date.min)
                by_rate = name == NAMES[0] and draw(st.booleans())
                found[name, place] = [(day, by_rate, draw(USD if by_rate else DISCOUNTS)) for day in steps]
    return found


def terms_of(steps):
    if steps[0][1]:
        entry = rates(None, "1")
        entry["prices"] = [rates(day, usd)["prices"][0] for day, _, usd in steps]
        return entry
    return {"discounts": [{"from": day and str(day), "discount": part} for day, _, part in steps]}


def naive(found, location, at):
    """The price of a unit in pico-USD: the first that says something of those that may."""
    listed = Fraction(price(TABLE, location=location, at=at))
    for name in NAMES:
        for place in (location, ""):
            started = [
                step for step in found.get((name, place), []) if step[0] is None or midnight(step[0]) <= at
            ]
            if started:
                _, by_rate, value = started[-1]
                return Fraction(value) * 10**6 if by_rate else listed * (1 - Fraction(value))
    return listed


@given(
    some_overrides(),
    st.sampled_from(["global", "us-central1", "europe-west4"]),
    st.integers(-30, 600).map(lambda days: midnight(DAYS[0] + timedelta(days=days))),
    st.integers(0, 2**45),
)
def test_a_price_is_what_the_most_specific_override_says(found, location, at, quantity):
    table = owned(*(override(name, terms_of(steps), place) for (name, place), steps in found.items()))
    exact = naive(found, location, at)

    assert Fraction(price(table, location=location, at=at)) == exact
    assert price(table.public, location=location, at=at) == price(TABLE, location=location, at=at)
    usage = Usage(quantities=(Quantity("gemini-3.5-flash", "0-200k", "input_text", quantity, 1),))
    cost = cost_of(usage, table, location=location, at=at)
    assert cost.amount_nano == round(exact * quantity / 1000)
    listed = round(Fraction(price(TABLE, location=location, at=at)) * quantity / 1000)
    assert cost.amount_nano + cost.line_items[0].discount_nano == listed


@given(some_overrides(), st.integers(0, 500), st.integers(0, 200))
def test_the_highest_price_of_a_span_is_found(found, begin, length):
    table = owned(*(override(name, terms_of(steps), place) for (name, place), steps in found.items()))
    first = midnight(DAYS[0]) + timedelta(days=begin)
    every = [naive(found, "global", first + timedelta(days=day)) for day in range(length + 1)]

    highest = price(table, location="global", at=first, until=first + timedelta(days=length))

    assert Fraction(highest) == max(every)


@given(st.integers(0, 10**12), DISCOUNTS)
def test_a_discount_is_exact_and_so_is_its_text(pico, part):
    left = discounted(pico, 1 - Decimal(part))

    assert Fraction(left) == pico * (1 - Fraction(part))
    assert Fraction(format_pico(left)) == Fraction(left) / 10**12
    assert times(3, left) == 3 * Fraction(left)


def test_a_fraction_of_a_pico_dollar_survives_the_record():
    table = owned(override("gemini-3.1-flash-lite", {"discount": "0.000001"}))
    usage = Usage(quantities=(Quantity("gemini-3.1-flash-lite", "0-200k", "cached_input_text", 3, 1),))
    (line,) = cost_of(usage, table, location="global", at=NOW).line_items

    assert line.unit_price_pico == Decimal("12499.9875")
    assert msgspec.convert(msgspec.to_builtins(line), LineItem) == line


def test_the_version_names_what_is_in_force():
    discount = override("publishers/google", {"discount": "0.07"})
    table = owned(discount)

    assert table.version.startswith(f"{TABLE.version}+")
    assert len(table.version) == len(TABLE.version) + 7
    assert owned().version == TABLE.version
    later = Override("publishers/google", "", discount.terms, "another", NOW + timedelta(days=1))
    assert owned(later).version == table.version, "the same prices have the same name"
    assert owned(override("publishers/google", {"discount": "0.08"})).version != table.version
    assert owned(override("publishers/google", {"discount": "0.07"}, "global")).version != table.version


def test_a_new_model_is_known_by_all_its_names():
    table = owned(override("gemini-9", rates(None, "2")))

    assert TABLE.resolve("gemini-9") is None
    for name in ("gemini-9", "gemini-9-001", "publishers/google/models/gemini-9@default", "GEMINI-9-preview"):
        assert table.resolve(name) == "gemini-9"
    assert table.resolve("projects/p/locations/l/models/gemini-9") is None
    assert price(table, "gemini-9") == 2_000_000
    # Usage from before it had a price has the name that rows gave it.
    assert price(table, "gemini-9-001") == 2_000_000
    assert price(table, "gemini-9", "cached_input_text") is None


def test_before_its_first_day_a_new_model_has_no_price():
    table = owned(override("gemini-9", rates(date(2026, 12, 1), "2")))

    assert price(table, "gemini-9") is None
    assert price(table, "gemini-9", at=midnight(date(2026, 12, 1))) == 2_000_000
    assert price(table, "gemini-9", until=midnight(date(2026, 12, 2))) is None


def test_an_own_surcharge_begins_with_the_tables():
    entry = {**rates(date(2026, 8, 1), "2"), "non_global_multiplier": "1.1"}
    table = owned(override("gemini-9", entry))

    assert price(table, "gemini-9", location="global") == 2_000_000
    assert price(table, "gemini-9") == 2_200_000


def test_every_model_of_the_table_has_a_publisher():
    assert {publisher_of(model) for model in TABLE.models} == set(PUBLISHERS.values())


def test_overrides_replace_each_other_and_count_their_changes():
    one, other = (
        override("publishers/google", {"discount": "0.1"}),
        override("publishers/google", {"discount": "0.2"}),
    )

    first = Overrides().replace(None, one)
    second = first.replace(one, other)

    assert (first.revision, first.entries) == (1, (one,))
    assert (second.revision, second.entries) == (2, (other,))
    assert second.replace(other, None).entries == ()
    assert second.find("publishers/google", "") == other
    assert second.find("publishers/google", "global") is None


def config(location="us-central1", model="gemini-3.5-flash", **fields):
    given = {FIELDS[name]: read_rate(usd) for name, usd in fields.items()}
    return {(model, location): ConfigRates(given, "config.yaml, line 7")}


def test_rates_of_the_configuration_hold_in_their_location_only():
    table = owned(config=config(input_cost_per_token_batches="1e-06"))

    assert price(table) == 1_000_000
    assert price(table, location="global") == price(TABLE, location="global")
    assert price(table, item="output_text") == price(TABLE, item="output_text")
    assert price(table, context_window="200k-1M") == 1_000_000, "the table has one price for all lengths"


def test_where_only_the_standard_rate_is_given_batch_is_half():
    table = owned(config=config(input_cost_per_token="1e-06", output_cost_per_token="0.000004"))

    assert (price(table), price(table, mode="standard")) == (500_000, 1_000_000)
    assert (price(table, item="output_text"), price(table, item="output_thoughts")) == (2_000_000, 2_000_000)


def test_cached_tokens_follow_the_models_own_rule():
    flat = owned(config=config(model="gemini-2.5-flash", cache_read_input_token_cost="2e-08"))
    halved = owned(config=config(cache_read_input_token_cost="2e-08"))

    assert price(flat, "gemini-2.5-flash", "cached_input_text") == 20_000, "discounts do not stack"
    assert price(flat, "gemini-2.5-flash", "cached_input_audio") == price(
        TABLE, "gemini-2.5-flash", "cached_input_audio"
    )
    assert price(halved, item="cached_input_text") == 10_000


def test_a_modality_with_a_price_of_its_own_keeps_it():
    table = owned(config=config(model="gemini-2.5-flash", input_cost_per_token_batches="1e-07"))

    assert price(table, "gemini-2.5-flash", "input_image") == 100_000
    assert price(table, "gemini-2.5-flash", "input_audio") == price(TABLE, "gemini-2.5-flash", "input_audio")


def test_long_prompts_keep_their_price_unless_it_is_given():
    short = owned(config=config(model="gemini-2.5-pro", input_cost_per_token_batches="5e-07"))
    both = owned(
        config=config(
            model="gemini-2.5-pro",
            input_cost_per_token_batches="5e-07",
            input_cost_per_token_above_200k_tokens_batches="9e-07",
        )
    )

    assert price(short, "gemini-2.5-pro", context_window="200k-1M") == price(
        TABLE, "gemini-2.5-pro", context_window="200k-1M"
    )
    assert price(both, "gemini-2.5-pro", context_window="200k-1M") == 900_000
    assert price(both, "gemini-2.5-pro") == 500_000


def test_a_model_that_the_table_lacks_has_the_rates_of_the_configuration():
    table = owned(
        config=config(model="gemini-9", input_cost_per_token="1e-06", output_cost_per_token="2e-06")
    )

    assert table.resolve("gemini-9-001") == "gemini-9"
    assert price(table, "gemini-9", context_window="200k-1M") == 500_000
    assert price(table, "gemini-9", location="global") is None


def test_an_override_counts_before_the_configuration():
    given = config(input_cost_per_token_batches="1e-06")

    assert price(owned(override("gemini-3.5-flash", rates(None, "3")), config=given)) == 3_000_000
    assert Fraction(price(owned(override("publishers/-", {"discount": "0.5"}), config=given))) == Fraction(
        price(TABLE)
    ) * Fraction(1, 2)
    later = owned(override("gemini-3.5-flash", rates(date(2027, 1, 1), "3")), config=given)
    assert (price(later), price(later, at=midnight(date(2027, 1, 1)))) == (1_000_000, 3_000_000)


@pytest.mark.parametrize("text", ["1.5e-07", "0.00000015", ".00000015", "1.5E-7", "150e-09"])
def test_a_rate_is_read_exactly(text):
    assert read_rate(text) == 150_000


@pytest.mark.parametrize(
    "text", ["-1e-07", "nan", "inf", "1e-12", "1.5e-12", "1", "", "free", "1e-99", "0x1", "\u0661"]
)
def test_a_rate_that_cannot_be_exact_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        read_rate(text)


def test_a_table_that_counts_otherwise_than_an_override_prices_nothing_wrongly():
    # A later release of the table may learn of a model that has an override.
    entry = {**rates(None, "2"), "context_threshold": 128_000}
    table = owned(override("gemini-3.5-flash", entry))

    assert table.context_window("gemini-3.5-flash", 1) == "0-200k"
    assert price(table) is None
    assert isinstance(table, PriceTable)
