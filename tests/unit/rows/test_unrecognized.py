"""Rows that say something else than the documentation shows: what is an answer, what failed, what is neither.

Batch prices of 2026-11-22 in USD per 1M tokens: gemini-2.5-flash 0.15 in, 1.25 out; claude-haiku-4-5 0.5 in,
2.5 out; llama-3.3-70b-instruct-maas 0.36 in and out; gemini-embedding-001 0.12.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.lines import Block
from batch_gateway.core.rows import Tally, UnrecognizedRow, reader_for
from batch_gateway.core.rows.waste import is_error
from batch_gateway.core.usage import Rows, Usage
from unit.rows.counted import TABLE, cost

FLASH, HAIKU = "gemini-2.5-flash", "claude-haiku-4-5"
LLAMA, EMBEDDING = "llama-3.3-70b-instruct-maas", "gemini-embedding-001"
ONE_GOOD, ONE_FAILED, ONE_UNRECOGNIZED = Rows(succeeded=1), Rows(failed=1), Rows(unrecognized=1)
GEMINI = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 20}}
CLAUDE = {"model": HAIKU, "content": [], "usage": {"input_tokens": 30, "output_tokens": 10}}
CHAT = {"model": LLAMA, "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 25}}
VECTOR = {"values": [0.1, 0.2]}


def tally(*rows: Any, model: str = FLASH) -> Usage:
    counted = Tally(TABLE, model)
    counted.add_lines(json.dumps(row).encode() for row in rows)
    return counted.usage


# Statuses

FINE = [
    *(None, "", " ", "OK", "ok", "SUCCESS", "Succeeded", "completed", "200 OK", "0", "204", " 200 "),
    *(0, 200, 201, 200.0, {}, [], False, {"code": 0}, {"code": "0", "message": "all went well"}),
    *({"code": 200, "message": "OK"}, {"status": "OK"}, {"message": ""}, {"code": 0, "details": []}),
    *({"type": "succeeded"}, {"code": "OK", "error": None}),
]
ERRORS = [
    *("Bad Request: {}", "INVALID_ARGUMENT", "not ok", "Failed to parse JSON into proto", "404", "-1"),
    *(3, 404, 500, -1, 1.0, {"code": 3}, {"message": "overloaded"}, {"code": 0, "status": "INTERNAL"}),
    *({"error": {"code": 13}}, {"type": "overloaded_error"}, {"code": "", "message": "no"}),
]
UNCLEAR = [True, ["INTERNAL"], [{"code": 0}], {"reason": "x"}, {"code": True}]


@pytest.mark.parametrize("status", FINE)
def test_a_status_that_is_no_error_leaves_the_row_to_its_answer(status: Any) -> None:
    assert is_error(status) is False
    assert tally({"status": status, "response": GEMINI}) == tally({"response": GEMINI})
    assert tally({"status": status, "response": CLAUDE}).rows == ONE_GOOD
    assert tally({"status": status, "predictions": [{"embeddings": {}}]}).rows.succeeded == 1
    for nothing in ({}, {"response": {}}, {"response": None}, {"request": {"contents": []}}):
        assert tally({"status": status, **nothing}) == Usage(ONE_UNRECOGNIZED)


@pytest.mark.parametrize("status", ERRORS)
def test_a_status_that_is_an_error_fails_a_row_without_an_answer(status: Any) -> None:
    assert is_error(status) is True
    for nothing in ({}, {"response": {}}, {"response": None}, {"predictions": []}):
        usage = tally({"status": status, **nothing})
        assert (usage.rows, usage.quantities) == (ONE_FAILED, ())


ANSWERS = [
    *({"response": answer} for answer in (GEMINI, CLAUDE, CHAT, {"body": CHAT}, {"tokenCount": "2"})),
    *({"response": {"candidates": [{}]}}, {"response": {"promptFeedback": {"blockReason": "SAFETY"}}}),
    {"instance": {"content": "a"}, "predictions": [{"embeddings": {}}]},
    *({"result": {"type": "succeeded", "message": CLAUDE}}, GEMINI, CLAUDE, {"body": CHAT}),
    {"response": {"nobody": {"knows": 5}}},
]


@pytest.mark.parametrize("row", ANSWERS)
@pytest.mark.parametrize("status", [ERRORS[0], ERRORS[-3], *UNCLEAR[:2]])
def test_an_error_beside_an_answer_is_neither_free_nor_priced(status: Any, row: dict[str, Any]) -> None:
    assert tally({"status": status, **row}) == Usage(ONE_UNRECOGNIZED)


@pytest.mark.parametrize("status", UNCLEAR)
def test_a_status_that_says_neither_is_not_guessed_at(status: Any) -> None:
    assert is_error(status) is None
    assert tally({"status": status}, {"status": status, "response": GEMINI}).rows == Rows(unrecognized=2)


@pytest.mark.parametrize(
    "response",
    [
        {"error": {"code": 13}, **GEMINI},
        {"error": "no", **CLAUDE},
        {"error": {"code": 3}, "body": CHAT},
        {"error": {"code": 3}, "promptFeedback": {"blockReason": "SAFETY"}},
        {"type": "error", "usage": {"input_tokens": 5}},
        {"type": "error", "content": [{"text": "x"}]},
        {"status_code": 500, "body": CHAT},
        {"status_code": 200, "body": {"error": {"code": 3}, **CHAT}},
        {"type": "errored", "message": CLAUDE},
    ],
)
def test_a_response_that_is_an_answer_and_an_error_is_neither(response: dict[str, Any]) -> None:
    assert tally({"response": response}) == Usage(ONE_UNRECOGNIZED)


def test_an_answer_with_usage_stays_one_beside_a_member_of_the_caller_s_own() -> None:
    for answer in (GEMINI, CLAUDE):
        echoed = {"error": {"trace": "x"}, "body": {"messages": []}, "usage": "high", "result": "x"}
        assert tally({"response": answer, **echoed}) == tally({"response": answer})
    # Without usage it cannot be told whose the error is.
    assert tally({"response": {"candidates": [{}]}, "error": {"code": 3}}) == Usage(ONE_UNRECOGNIZED)


@pytest.mark.parametrize("error", [None, "", {}, {"code": 0}, "OK", False])
def test_an_error_that_is_none_is_none(error: Any) -> None:
    for answer in (GEMINI, CLAUDE, CHAT):
        assert tally({"response": {**answer, "error": error}}).rows == ONE_GOOD
    assert tally({"error": error, "response": {}}) == Usage(ONE_UNRECOGNIZED)
    assert tally({"error": error, "response": {"error": error}}) == Usage(ONE_UNRECOGNIZED)


# Other places


@pytest.mark.parametrize(
    ("row", "model", "amount"),
    [
        # 30 x 0.5 + 10 x 2.5 USD per 1M
        ({"custom_id": "r1", "result": {"type": "succeeded", "message": CLAUDE}}, HAIKU, 40_000),
        ({"custom_id": "r1", "response": {"type": "succeeded", "message": CLAUDE}}, HAIKU, 40_000),
        ({"custom_id": "r1", **CLAUDE, "status": "OK"}, HAIKU, 40_000),
        ({"custom_id": "r1", "body": {"messages": []}, **CLAUDE}, HAIKU, 40_000),
        # (50 + 25) x 0.36
        ({"custom_id": "r1", "body": CHAT}, LLAMA, 27_000),
        ({"custom_id": "r1", "status_code": 200, "body": CHAT, "error": None}, LLAMA, 27_000),
        ({"custom_id": "r1", "response": {"status_code": 200, "body": CHAT}}, LLAMA, 27_000),
        ({"custom_id": "r1", **CHAT}, LLAMA, 27_000),
        # 20 x 0.15
        ({"key": "r1", **GEMINI, "modelVersion": FLASH}, "tuned", 3_000),
        ({"key": "r1", "response": {}, **GEMINI}, FLASH, 3_000),
        # 20 x 0.12
        ({"key": "r1", "embedding": VECTOR, "tokenCount": "20"}, EMBEDDING, 2_400),
        ({"key": "r1", "embedding": VECTOR, "usageMetadata": GEMINI["usageMetadata"]}, EMBEDDING, 2_400),
    ],
)
def test_an_answer_in_another_place_is_read_where_its_meaning_is_beyond_doubt(
    row: dict[str, Any], model: str, amount: int
) -> None:
    usage = tally(row, model=model)
    assert usage.rows == ONE_GOOD
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (amount, 0)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"custom_id": "r1"},
        {"request": {"contents": []}, "output": "text"},
        {"response": {"text": "hello", "tokens": 5}},
        {"response": {"model": HAIKU}},
        {"response": {"status_code": 200, "body": {}}},
        {"response": {"status_code": 200, "body": "text"}},
        {"response": {"usage": {"input_tokens": 1}, "body": CHAT}},
        {"result": {"type": "succeeded"}},
        {"result": {"type": "succeeded", "message": {"model": HAIKU, "content": [{}]}}},
        {"result": {"type": "nothing new"}},
        {"result": {"type": "succeeded", "message": CLAUDE}, **GEMINI},
        {"candidates": [{"finishReason": "STOP"}]},
        {"embedding": VECTOR},
        {"embeddings": [VECTOR], "tokenCount": 2},
        {"tokenCount": "2"},
        {"usageMetadata": {}},
        {"usageMetadata": {"promptTokenCount": -5}},
        {"usageMetadata": "text"},
        {"usage": {"input_tokens": 5}},
        {"choices": [], "usage": {"total_tokens": 5}},
        {"body": {"messages": [], "model": LLAMA}},
        {"error": {"code": 3}, **CLAUDE},
        {"error": {"code": 3}, **GEMINI},
        {"error": {"code": 3}, "result": {"type": "succeeded", "message": CLAUDE}},
        {"status_code": 500, "body": CHAT},
        {"instance": {"content": "abc"}, "predictions": []},
        {"instance": {"content": "abc"}, "predictions": None},
    ],
)
@pytest.mark.parametrize("model", [FLASH, HAIKU, "text-embedding-005"])
def test_what_no_documentation_shows_is_unrecognized_and_not_free(row: dict[str, Any], model: str) -> None:
    assert tally(row, model=model) == Usage(ONE_UNRECOGNIZED)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["", "OK", "INTERNAL"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["code", "status", "error", "message", "x"]), inner, max_size=3)
        ),
    )
)
def test_any_status_is_one_of_three_and_what_is_falsy_says_nothing(status: Any) -> None:
    assert is_error(status) in {True, False, None}
    if not status:
        assert is_error(status) is False
    alone, beside = tally({"status": status}), tally({"status": status, "response": GEMINI})
    failed = is_error(status)
    assert alone.rows == (ONE_FAILED if failed else ONE_UNRECOGNIZED)
    assert beside.rows == (ONE_GOOD if failed is False else ONE_UNRECOGNIZED)


# Which ones they are


def test_the_first_of_them_are_named_by_their_number_and_members() -> None:
    plain = json.dumps({"response": {**GEMINI, "usageMetadata": {"promptTokenCount": 1}}}).encode()
    answer = {"candidatesTokenCount": 2, "promptTokenCount": 1}
    fast = json.dumps({"response": {**GEMINI, "usageMetadata": answer}}).encode()
    odd = b'{"request":{"secret":1},"secret":"secret"}'
    lines = [fast, fast, odd, b"", plain, b"nonsense", b'{"status":"no"}', fast, odd, *[b"{}"] * 9]
    reader = reader_for("p/predictions.jsonl", TABLE, FLASH)
    for at in range(0, len(lines), 4):
        reader.add_block(Block(lines[at : at + 4], 0, 0))
    assert [row.row for row in reader.unrecognized] == [3, 8, 9, 10, 11]
    assert reader.unrecognized[1] == UnrecognizedRow(8, ("request", "secret"))
    assert reader.usage.rows.unrecognized == 11


def test_names_of_members_are_few_and_short() -> None:
    counted = Tally(TABLE, FLASH)
    counted.add(json.dumps({str(n) * 200: n for n in range(10, 60)}).encode())
    counted.add(json.dumps({"x": "x" * 2**20}).encode())
    counted.add(b'{"\xff":1}')
    first, long, odd = counted.unrecognized
    assert (len(first.members), max(map(len, first.members))) == (20, 64)
    assert (long.members, odd.members) == ((), ())


def test_files_of_errors_and_csv_name_none() -> None:
    for name in ("p/prediction.errors_stats-00000-of-00001", "p/predictions_0001.csv"):
        reader = reader_for(name, TABLE, FLASH)
        reader.add_block(Block([b"{}\n", b'{"x":1}\n'], 0, 0))
        assert list(reader.unrecognized) == []
