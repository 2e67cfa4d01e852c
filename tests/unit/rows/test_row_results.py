"""Single rows: they add up to the cost of their job, to the last digit, for every kind of output."""

import json
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.lines import whole_lines
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, cost_of
from batch_gateway.core.pricing.money import format_nano, format_pico, round_pico
from batch_gateway.core.rows import reader_for
from batch_gateway.core.rows.object_readers import SingleRow
from batch_gateway.core.rows.row_results import STATES, Rates, RowResult, describe
from batch_gateway.core.usage import Usage

TABLE = prices.load()
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
RESUMED_AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
FOLDER = "run/prediction-model-x"
MODELS = [
    *(
        "gemini-2.5-flash",
        "gemini-2.5-pro",
        "gemini-3.1-flash-lite",
        "text-embedding-005",
        "gemini-embedding-001",
    ),
    *("claude-opus-4-1", "no-model-that-anybody-knows"),
]
NAMES = ["predictions.jsonl", "predictions_0001.csv", "errors_0001.jsonl", "errors_0001.csv"]
FIXTURES = sorted(Path(__file__).parents[2].joinpath("fixtures/rows").glob("*.jsonl"))
CAPTURED = [line for path in FIXTURES for line in path.read_bytes().splitlines() if line.strip()]


def gemini(prompt: int, said: int = 1, reason: str = "STOP", key: object = None, **more: object) -> bytes:
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": said, **more}
    answer = {
        "candidates": [{"finishReason": reason}],
        "modelVersion": "gemini-2.5-pro",
        "usageMetadata": usage,
    }
    return json.dumps({"key": key, "status": "", "response": answer}).encode()


SEARCHED = json.dumps(
    {
        "request": {"tools": [{"googleSearch": {}}]},
        "response": {
            "candidates": [{"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": ["a", "b"]}}],
            "usageMetadata": {
                "promptTokenCount": 9,
                "candidatesTokenCount": 8,
                "toolUsePromptTokenCount": 7,
                "totalTokenCount": 24,
            },
        },
    }
).encode()
CARRIED = gemini(50)[:-1] + b',"processed_time":"2026-11-22T08:00:00+00:00"}'
ODD = [
    gemini(200_000),
    gemini(200_001, 3, thoughtsTokenCount=5),
    gemini(1_000, cachedContentTokenCount=999),
    gemini(10, 0, "SAFETY"),
    gemini(10, 5, "MAX_TOKENS"),
    gemini(10, 5, totalTokenCount=99),
    gemini(10, 5, totalTokenCount=9),
    gemini(10, 5, "MAX_TOKENS", totalTokenCount=99),
    gemini(10, 5, promptTokensDetails=[{"modality": "AUDIO", "tokenCount": 11}]),
    gemini(10, 5, candidatesTokensDetails=[{"modality": "VIDEO", "tokenCount": 5}]),
    gemini(2**31),
    SEARCHED,
    CARRIED,
    b'{"response":{"candidates":[{"finishReason":"SAFETY"}]}}',
    b'{"status":"INTERNAL","response":{}}',
    b'{"error":{"code":3,"message":"no"},"instance":{}}',
    b'{"instance":1,"prediction":[0.5]}',
    b'{"unheard":"of"}',
    b'a,"b',
    b'c"',
    b"nonsense",
    b"\xef\xbb\xbf{}",
    b"",
    b" \r",
]
LINES = st.lists(st.sampled_from([*CAPTURED, *ODD]), max_size=12)


def priced(name: str, content: bytes, model: str, chunk: int = 1 << 20) -> tuple[Usage, Cost]:
    """Return an object's usage and cost as settlement has them."""
    reader = reader_for(f"{FOLDER}/{name}", TABLE, model, RESUMED_AT)
    for block in whole_lines(content[i : i + chunk] for i in range(0, len(content), chunk)):
        reader.add_block(block)
    return reader.usage, cost_of(reader.usage, TABLE, location="us-central1", at=NOW)


def rows_of(name: str, content: bytes, model: str, chunk: int = 1 << 20) -> list[SingleRow]:
    reader = reader_for(f"{FOLDER}/{name}", TABLE, model, RESUMED_AT)
    return list(reader.read_rows(whole_lines(content[i : i + chunk] for i in range(0, len(content), chunk))))


def described(rows: list[SingleRow], cost: Cost, states: frozenset[str] = frozenset()) -> list[RowResult]:
    rates = Rates(cost.line_items, TABLE, location="us-central1", at=NOW)
    numbered = enumerate((row for row in rows if not row.is_header), 1)
    found = [describe(number, row, rates, states) for number, row in numbered]
    return [row for row in found if row is not None]


def exact(usage: Usage) -> Decimal:
    """A usage's cost before rounding, USD."""
    rates = Rates((), TABLE, location="us-central1", at=NOW)
    return Decimal(sum(q.quantity * (rates[q.key] or 0) for q in usage.quantities)) / 10**12


@pytest.mark.parametrize("name", NAMES)
@given(
    content=st.builds(
        lambda lines, line_break, ended: line_break.join(lines) + line_break * ended,
        LINES,
        st.sampled_from([b"\n", b"\r\n"]),
        st.booleans(),
    ),
    model=st.sampled_from(MODELS),
    chunk=st.integers(1, 5_000),
)
def test_rows_add_up_to_what_is_settled_whatever_they_are(
    name: str, content: bytes, model: str, chunk: int
) -> None:
    usage, cost = priced(name, content, model)
    rows = rows_of(name, content, model, chunk)
    results = described(rows, cost)

    total = sum((Decimal(row.amount) for row in results if row.amount is not None), Decimal(0))
    assert total == exact(usage)
    assert round_pico(int(total * 10**12)) == cost.amount_nano
    assert sum((row.sums.usage for row in rows), Usage()) == usage
    assert len(results) == usage.rows.total


@given(lines=LINES, model=st.sampled_from(MODELS))
def test_the_numbers_of_rows_agree_with_the_report(lines: list[bytes], model: str) -> None:
    content = b"\n".join(lines)
    usage, cost = priced(NAMES[0], content, model)
    rows = rows_of(NAMES[0], content, model)
    counted = Counter(row.state for row in described(rows, cost))

    assert counted.keys() <= set(STATES)
    assert counted["failed"] == usage.rows.failed
    assert counted["malformed"] == usage.rows.malformed
    assert counted["unrecognized"] == usage.rows.unrecognized
    assert counted["carriedOver"] == usage.rows.carried_over
    answered = ("succeeded", "blocked", "truncated", "unpriced")
    assert sum(counted[state] for state in answered) == usage.rows.succeeded
    wasted = Counter(
        (row.state, row.reason)
        for row in described(rows, cost)
        if row.state in {"blocked", "truncated", "failed"}
    )
    assert wasted == {(waste.kind, waste.reason): waste.rows for waste in usage.waste}
    unpriced = described(rows, cost, frozenset({"unpriced"}))
    known = usage.rows.unmetered + sum(each.rows for each in usage.unpriced)
    assert known <= len(unpriced) <= usage.rows.succeeded
    kept = described(rows, cost, frozenset({"failed", "carriedOver"}))
    assert len(kept) == usage.rows.failed + usage.rows.carried_over


def single(line: bytes, model: str = MODELS[0]) -> RowResult:
    (row,) = rows_of(NAMES[0], line, model)
    (result,) = described([row], Cost())
    return result


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (gemini(10), ("succeeded", None, "0.00001125")),
        (gemini(200_001, 0), ("succeeded", None, "0.25000125")),
        (gemini(10, 5, "MAX_TOKENS"), ("truncated", "MAX_TOKENS", "0.00003125")),
        (gemini(10, 0, "SAFETY"), ("blocked", "SAFETY", "0.00000625")),
        (gemini(10, 5, totalTokenCount=99), ("unpriced", "TOKENS_UNACCOUNTED", "0.00003125")),
        (gemini(10, 5, "MAX_TOKENS", totalTokenCount=99), ("truncated", "MAX_TOKENS", "0.00003125")),
        (
            gemini(10, 5, candidatesTokensDetails=[{"modality": "SMELL", "tokenCount": 5}]),
            ("unpriced", "NO_PRICE", "0.00000625"),
        ),
        (b'{"response":{"candidates":[{"finishReason":"STOP"}]}}', ("unpriced", "NO_USAGE", None)),
        (b'{"status":"INTERNAL","response":{}}', ("failed", "INTERNAL", "0")),
        (CARRIED, ("carriedOver", None, "0")),
        (b'{"unheard":"of"}', ("unrecognized", None, None)),
        (b"nonsense", ("malformed", None, None)),
    ],
)
def test_a_row_says_how_it_went_and_what_it_cost(
    line: bytes, expected: tuple[str, str | None, str | None]
) -> None:
    row = single(line)
    assert (row.state, row.reason, row.amount) == expected


def test_a_row_that_was_cut_off_and_is_unpriced_is_found_by_either() -> None:
    rows = rows_of(NAMES[0], gemini(10, 5, "MAX_TOKENS", totalTokenCount=99), MODELS[0])
    for state in ("truncated", "unpriced"):
        assert len(described(rows, Cost(), frozenset({state}))) == 1
    assert described(rows, Cost(), frozenset({"succeeded", "blocked", "failed"})) == []


def test_searches_are_in_no_amount_as_they_are_in_no_cost() -> None:
    usage, cost = priced(NAMES[0], SEARCHED, MODELS[0])
    assert cost.query_fees
    assert single(SEARCHED).amount == format_nano(cost.amount_nano)
    assert usage.searches


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ('"key":"a-17"', '"a-17"'),
        ('"custom_id":"c"', '"c"'),
        ('"key":"k","custom_id":"c"', '"k"'),
        ('"key":null,"custom_id":"c"', '"c"'),
        ('"key":17', "17"),
        ('"key":-12345678901234567890.5e3', "-12345678901234567890.5e3"),
        ('"key":"\\u00fc\\"\\n"', '"ü\\"\\n"'),
        ('"key":{"a":1}', "null"),
        ('"key":[1]', "null"),
        ('"key":true', "null"),
        ('"x":1', "null"),
    ],
)
def test_the_callers_own_key_comes_back(members: str, key: str) -> None:
    row = single(f'{{{members},"status":"INTERNAL"}}'.encode())
    assert msgspec.json.encode(row.key).decode() == key
    (error,) = rows_of(NAMES[2], f'{{{members},"error":"x"}}'.encode(), MODELS[0])
    assert msgspec.json.encode(error.key).decode() == key


def test_a_key_that_is_not_text_is_none() -> None:
    assert single(b'{"key":"\xff","status":"INTERNAL"}').key is None


def test_prices_on_record_are_kept() -> None:
    _, cost = priced(NAMES[0], gemini(10), MODELS[0])
    items = tuple(msgspec.structs.replace(item, unit_price_pico=1) for item in cost.line_items)
    (result,) = described(
        rows_of(NAMES[0], gemini(10), MODELS[0]), msgspec.structs.replace(cost, line_items=items)
    )
    assert result.amount == format_pico(11)


# The bytes of rows


@given(
    st.lists(st.sampled_from(ODD[:-2]), max_size=8), st.sampled_from([b"\n", b"\r\n"]), st.integers(1, 300)
)
def test_each_row_has_its_bytes(lines: list[bytes], line_break: bytes, chunk: int) -> None:
    content = line_break.join(lines)
    rows = rows_of(NAMES[0], content, MODELS[0], chunk)
    assert b"".join(row.text or b"" for row in rows) == content


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b'a,b\n1,"x\n\ny"\n\n2,z', [b"a,b\n", b'1,"x\n\ny"\n', b"2,z"]),
        (b'a\n"open\n1', [b"a\n", b'"open\n1']),
        (b"", []),
        (b"\n", []),
    ],
)
def test_each_record_of_csv_has_its_bytes(content: bytes, texts: list[bytes]) -> None:
    for chunk in (1, 2, 5, 100):
        rows = rows_of(NAMES[1], content, MODELS[0], chunk)
        assert [row.text for row in rows] == texts
        assert [row.is_header for row in rows] == [True, *[False] * (len(texts) - 1)][: len(texts)]


@given(st.lists(st.sampled_from([b"{}", b"x" * 20, b'"a', b'b"', b""]), max_size=8), st.integers(1, 40))
@pytest.mark.parametrize("name", [NAMES[0], NAMES[1]])
def test_a_row_that_is_too_long_says_where_it_is(name: str, lines: list[bytes], chunk: int) -> None:
    content = b"\n".join(lines)
    with patch("batch_gateway.core.rows.object_readers.MAX_LINE_BYTES", 10):
        reader = reader_for(f"{FOLDER}/{name}", TABLE, MODELS[0])
        pieces = (content[i : i + chunk] for i in range(0, len(content), chunk))
        for row in reader.read_rows(whole_lines(pieces, 10)):
            text = content[slice(*row.span)] if row.text is None else row.text
            assert text
            assert row.text is not None or len(text) > 10
