"""Sums of the usage of rows, and their price, against arithmetic on exact fractions."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, cost_of, unit_price
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Quantity, Rows, Tokens, Unpriced, Usage

TABLE = prices.load()
AT = datetime(2026, 11, 22, tzinfo=UTC)
FLASH, PRO, LITE, UNKNOWN = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-flash-lite", "gemini-99"
MODALITIES = ("TEXT", "DOCUMENT", "IMAGE", "VIDEO", "AUDIO")

# USD per 1M tokens, in batch, at the global location: (input, audio input, cached, cached audio, output).
RATES = {
    (FLASH, False): ("0.15", "0.5", "0.03", "0.1", "1.25"),
    (FLASH, True): ("0.15", "0.5", "0.03", "0.1", "1.25"),
    (PRO, False): ("0.625", "0.625", "0.125", "0.125", "5"),
    (PRO, True): ("1.25", "1.25", "0.25", "0.25", "7.5"),
    # A single cached token is 12.5 nano-USD: odd counts end on a half.
    (LITE, False): ("0.125", "0.25", "0.0125", "0.025", "0.75"),
    (LITE, True): ("0.125", "0.25", "0.0125", "0.025", "0.75"),
}


class Row(NamedTuple):
    """Usage of a generated row, by modality."""

    model: str
    prompt: dict[str, int]
    cached: dict[str, int]
    output: int
    thoughts: int
    tool_use: int
    searched: bool


@st.composite
def rows(draw: st.DrawFn, models: tuple[str, ...] = (FLASH, PRO, LITE)) -> Row:
    kinds = draw(st.sets(st.sampled_from(MODALITIES), min_size=1))
    sizes = st.integers(0, 9) | st.integers(0, 60_000) | st.just(100_000)
    prompt = {kind: draw(sizes) for kind in sorted(kinds)}
    assume(any(prompt.values()))  # without any the row says nothing of its use
    cached = (
        {kind: draw(st.integers(0, count)) for kind, count in prompt.items()} if draw(st.booleans()) else {}
    )
    counts = st.integers(0, 20_000)
    return Row(
        draw(st.sampled_from(models)),
        prompt,
        cached,
        draw(counts),
        draw(counts),
        draw(counts),
        draw(st.booleans()),
    )


def line_of(row: Row) -> bytes:
    def details(split: dict[str, int]) -> list[dict[str, Any]]:
        return [{"modality": modality, "tokenCount": count} for modality, count in split.items()]

    usage = {
        "promptTokenCount": sum(row.prompt.values()),
        "promptTokensDetails": details(row.prompt),
        "cachedContentTokenCount": sum(row.cached.values()),
        "cacheTokensDetails": details(row.cached),
        "candidatesTokenCount": row.output,
        "thoughtsTokenCount": row.thoughts,
        "toolUsePromptTokenCount": row.tool_use,
    }
    grounding = {"webSearchQueries": ["a"]} if row.searched else {}
    response = {
        "modelVersion": row.model,
        "candidates": [{"groundingMetadata": grounding}],
        "usageMetadata": usage,
    }
    return json.dumps({"status": "", "response": response}).encode()


def exact_usd(row: Row) -> Fraction:
    """The price of a row, worked out apart from the code under test."""
    long = sum(row.prompt.values()) > 200_000
    fresh, audio, cached, cached_audio, output = (Fraction(rate) for rate in RATES[row.model, long])
    usd = Fraction(0)
    for modality, count in row.prompt.items():
        of_cache = row.cached.get(modality, 0)
        usd += (count - of_cache) * (audio if modality == "AUDIO" else fresh)
        usd += of_cache * (cached_audio if modality == "AUDIO" else cached)
    usd += (row.output + row.thoughts) * output
    if not row.searched:
        usd += row.tool_use * fresh
    return usd / 10**6


def tally(lines: Iterable[bytes]) -> Usage:
    counted = Tally(TABLE, "projects/1/locations/global/models/2")
    for line in lines:
        counted.add(line)
    return counted.usage


def cost(usage: Usage, location: str = "global", at: datetime = AT) -> Cost:
    return cost_of(usage, TABLE, location=location, at=at)


def pico(usage: Usage) -> Fraction:
    """The exact price of quantities that all have one."""
    total = 0
    for quantity in usage.quantities:
        price = unit_price(quantity, TABLE, "global", AT)
        assert price is not None
        total += quantity.quantity * price
    return Fraction(total, 10**12)


OTHERS = st.sampled_from(
    [
        b"",
        b"nonsense",
        b'{"status":"Bad Request","response":{}}',
        b'{"response":{"x":1}}',
        b'{"response":{"candidates":[{}]}}',
        b'{"response":{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":3,"totalTokenCount":9}}}',
        b'{"response":{"modelVersion":"gemini-2.5-pro","usageMetadata":{"promptTokenCount":9,"totalTokenCount":3}}}',
    ]
)
LINES = st.lists(rows().map(line_of) | OTHERS, max_size=8)
USAGES = LINES.map(tally)


def used(model: str, item: str, quantity: int, rows: int = 1, window: str = "0-200k") -> Quantity:
    return Quantity(model, window, item, quantity, rows)


# Sums


@given(LINES, st.randoms(use_true_random=False), st.integers(0, 8))
def test_any_order_and_any_split_of_the_lines_sums_to_the_same(
    lines: list[bytes], random: Any, at: int
) -> None:
    whole = tally(lines)
    shuffled = lines.copy()
    random.shuffle(shuffled)
    assert tally(shuffled) == whole
    assert tally(shuffled[:at]) + tally(shuffled[at:]) == whole
    assert tally(shuffled[at:]) + tally(shuffled[:at]) == whole


@given(USAGES, USAGES, USAGES)
def test_sums_do_not_depend_on_how_they_are_grouped(one: Usage, two: Usage, three: Usage) -> None:
    assert (one + two) + three == one + (two + three)


@given(USAGES, USAGES)
def test_what_is_added_can_be_taken_away(one: Usage, two: Usage) -> None:
    assert one + two - two == one
    assert two - two == Usage()
    assert one + (Usage() - two) == one - two


@given(USAGES)
def test_quantities_are_sorted_and_unique_and_not_nil(usage: Usage) -> None:
    keys = [q.key for q in usage.quantities]
    assert keys == sorted(set(keys))
    assert all(q.quantity > 0 and q.rows > 0 for q in usage.quantities)


@given(st.lists(rows(), max_size=8))
def test_every_reported_token_is_in_exactly_one_quantity(generated: list[Row]) -> None:
    usage = tally(map(line_of, generated))
    items: Counter[str] = Counter()
    for quantity in usage.quantities:
        items[quantity.item.split("_")[0]] += quantity.quantity
    cached = sum(sum(row.cached.values()) for row in generated)
    assert usage.tokens == Tokens(
        input=sum(sum(row.prompt.values()) + row.tool_use for row in generated),
        cached_input=cached,
        output=sum(row.output + row.thoughts for row in generated),
        thoughts=sum(row.thoughts for row in generated),
    )
    assert items["input"] + items["cached"] == usage.tokens.input
    assert items["cached"] == cached
    assert items["output"] == usage.tokens.output
    assert usage.tokens.total == usage.tokens.input + usage.tokens.output


def test_the_size_of_usage_does_not_grow_with_the_rows() -> None:
    line = b'{"response":{"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3}}}'
    assert len(tally([line] * 500).quantities) == len(tally([line]).quantities) == 2


# Prices of sums


@given(USAGES, USAGES)
def test_the_price_of_a_sum_is_the_sum_of_the_prices(one: Usage, two: Usage) -> None:
    assert pico(one + two) == pico(one) + pico(two)


@given(st.lists(rows(), max_size=8))
def test_the_amount_is_the_exact_sum_rounded_half_to_even_once(generated: list[Row]) -> None:
    usd = sum(map(exact_usd, generated), Fraction(0))
    priced = cost(tally(map(line_of, generated)))
    assert priced.amount_nano == round(usd * 10**9)
    assert priced.unpriced_rows == 0


@pytest.mark.parametrize(("cached", "amount"), [(1, 12), (2, 25), (3, 38), (5, 62), (7, 88)])
def test_halves_of_a_nano_dollar_go_to_the_even_neighbour(cached: int, amount: int) -> None:
    # 12.5, 25, 37.5, 62.5 and 87.5 nano-USD
    assert cost(Usage(quantities=(used(LITE, "cached_input_text", cached),))).amount_nano == amount


@given(USAGES)
def test_line_items_follow_the_quantities_and_add_up(usage: Usage) -> None:
    priced = cost(usage)
    assert [(i.model, i.context_window, i.item, i.quantity, i.rows) for i in priced.line_items] == [
        msgspec.structs.astuple(q) for q in usage.quantities
    ]
    assert sum(i.amount_nano or 0 for i in priced.line_items) == priced.amount_nano
    for item in priced.line_items:
        assert item.unit_price_pico is not None
        assert item.amount_nano is not None
        assert abs(1000 * item.amount_nano - item.quantity * item.unit_price_pico) < 1000


def test_the_cost_names_its_price_table() -> None:
    assert cost(Usage()) == Cost(price_table=TABLE.version)


def test_jobs_outside_the_global_location_pay_their_surcharge() -> None:
    usage = Usage(quantities=(used(LITE, "input_text", 1000), used(LITE, "output_text", 10)))
    # 1000 x 0.125/1M + 10 x 0.75/1M = 0.0001325 USD, and a tenth more
    assert cost(usage, "global").amount_nano == 132_500
    assert cost(usage, "us-central1").amount_nano == cost(usage, "eu").amount_nano == 145_750


def test_the_time_decides_the_price() -> None:
    usage = Usage(quantities=(used("gemini-3.6-flash", "input_text", 10**6),))
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    before = cost(usage, at=new_year - timedelta(microseconds=1)).amount_nano
    assert cost(usage, at=new_year).amount_nano == 2 * before > 0
    same_moment = new_year.astimezone(timezone(timedelta(hours=-8)))
    assert cost(usage, at=same_moment) == cost(usage, at=new_year)


# What has no price


def test_an_item_without_a_price_leaves_the_others_theirs() -> None:
    usage = Usage(
        rows=Rows(succeeded=3),
        quantities=(used(FLASH, "input_hologram", 9, 2), used(FLASH, "input_text", 10, 3)),
    )
    priced = cost(usage)
    assert (priced.amount_nano, priced.unpriced_rows) == (1_500, 2)  # 10 x 0.15/1M
    assert [(i.unit_price_pico, i.amount_nano) for i in priced.line_items] == [(None, None), (150_000, 1_500)]


def test_a_row_with_several_unpriced_items_is_one_unpriced_row() -> None:
    usage = Usage(
        rows=Rows(succeeded=5),
        quantities=(
            used(UNKNOWN, "input_text", 10, 5),
            used(UNKNOWN, "output_text", 10, 4),
            used(UNKNOWN, "output_thoughts", 10, 3),
        ),
    )
    assert cost(usage).unpriced_rows == 5


def test_unpriced_rows_of_different_models_and_windows_add_up() -> None:
    usage = Usage(
        rows=Rows(succeeded=7),
        quantities=(
            used(UNKNOWN, "input_text", 10, 1),
            used(UNKNOWN, "input_text", 10, 2, window="200k-1M"),
            used("tuned", "input_text", 10, 4),
        ),
    )
    assert cost(usage).unpriced_rows == 7


def test_rows_without_usage_are_unpriced() -> None:
    assert cost(Usage(rows=Rows(succeeded=9, unmetered=4))).unpriced_rows == 4


def test_rows_whose_counts_do_not_fit_together_are_unpriced() -> None:
    usage = Usage(
        Rows(succeeded=9, unmetered=1),
        quantities=(used(UNKNOWN, "input_text", 3, 2),),
        unpriced=(Unpriced("DETAILS_CONTRADICT", 2), Unpriced("TOKENS_UNACCOUNTED", 1)),
    )
    assert cost(usage).unpriced_rows == 6
    assert cost(msgspec.structs.replace(usage, rows=Rows(succeeded=4))).unpriced_rows == 4


def test_a_row_without_usage_and_without_a_price_is_one_unpriced_row() -> None:
    usage = tally([b'{"response":{"usageMetadata":{"candidatesTokenCount":5}}}'])
    assert usage.rows == Rows(succeeded=1, unmetered=1)
    assert cost(usage).unpriced_rows == 1


@given(st.lists(rows(models=(FLASH, PRO, LITE, UNKNOWN, "gemini-98")).map(line_of) | OTHERS, max_size=8))
def test_unpriced_rows_are_some_of_the_succeeded_ones(lines: list[bytes]) -> None:
    usage = tally(lines)
    priced = cost(usage)
    assert usage.rows.unmetered <= priced.unpriced_rows <= usage.rows.succeeded
    if any(item.unit_price_pico is None for item in priced.line_items):
        assert priced.unpriced_rows > 0


@given(st.lists(rows(models=(UNKNOWN,)), max_size=5))
def test_without_a_price_nothing_is_amounted_to(generated: list[Row]) -> None:
    priced = cost(tally(map(line_of, generated)))
    assert priced.amount_nano == 0
    assert {i.amount_nano for i in priced.line_items} <= {None, 0}


# Exactness all the way


def floats_in(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [found for member in (*value, *value.values()) for found in floats_in(member)]
    if isinstance(value, list | tuple):
        return [found for member in value for found in floats_in(member)]
    return [value] if isinstance(value, float) else []


def test_the_search_for_floats_finds_them() -> None:
    assert floats_in({"a": [1, {"b": (2, 0.5)}]}) == [0.5]


@given(
    st.lists(rows(models=(FLASH, LITE, UNKNOWN)).map(line_of) | OTHERS, max_size=8),
    st.sampled_from(["global", "eu"]),
)
def test_there_is_no_float_in_usage_cost_or_report(lines: list[bytes], location: str) -> None:
    usage = tally(lines)
    priced = cost(usage, location)
    job = JobRecord(
        JobKey("p", location, "1"), Observation("n", "s"), AT, usage=usage, cost=priced, settled_outputs=1
    )
    report = cost_report(job, [Output("gs://b/o/predictions.jsonl", 1, 5, usage, AT)])
    assert (
        floats_in([msgspec.to_builtins(usage), msgspec.to_builtins(priced), msgspec.to_builtins(report)])
        == []
    )


@given(USAGES)
def test_usage_and_cost_survive_being_stored(usage: Usage) -> None:
    assert msgspec.convert(json.loads(msgspec.json.encode(usage)), Usage) == usage
    priced = cost(usage)
    assert msgspec.convert(json.loads(msgspec.json.encode(priced)), Cost) == priced
