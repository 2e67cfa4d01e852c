"""Rows of Claude and of open models, in the shapes that the documentation of their APIs gives.

Batch prices of 2026-11-22 in USD per 1M tokens: claude-haiku-4-5 0.5 in, 0.05 cached, 0.625 written to a
cache, 2.5 out; claude-sonnet-4-5 1.5 in and 7.5 out, above 200k 3 and 11.25;
llama-3.3-70b-instruct-maas 0.36 in and out, no cached price.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Rows, Tokens, Usage
from unit.rows.counted import TABLE, cost, quantities, sample

HAIKU = "publishers/anthropic/models/claude-haiku-4-5"
LLAMA = "publishers/meta/models/llama-3.3-70b-instruct-maas"
E5 = "publishers/intfloat/models/multilingual-e5-large-instruct-maas"
CREATED = datetime(2026, 7, 1, tzinfo=UTC)


def tally(*lines: bytes, model: str = HAIKU, resumed_at: datetime | None = None) -> Usage:
    counted = Tally(TABLE, model, resumed_at)
    counted.add_lines(lines)
    return counted.usage


def claude(usage: Any, *, nested: bool = False, **message: Any) -> bytes:
    message = {"model": "claude-haiku-4-5", "stop_reason": "end_turn", "usage": usage, **message}
    response = {"status_code": 200, "body": message} if nested else message
    return json.dumps({"custom_id": "1", "response": response, "status": ""}).encode()


def chat(usage: Any, *, nested: bool = False, reason: Any = "stop", **members: Any) -> bytes:
    message = {"id": "chatcmpl-1", "choices": [{"index": 0, "finish_reason": reason}], "usage": usage}
    response = {"status_code": 200, "body": message} if nested else message
    return json.dumps({"custom_id": "1", "id": "r", "error": None, "response": response, **members}).encode()


# Claude


def test_documented_claude_rows_cost_what_their_tokens_cost() -> None:
    usage = tally(*sample("claude_documented_shape_unconfirmed.jsonl"))
    assert usage.rows == Rows(succeeded=2, failed=2)
    # 2 x 0.5 + 1 x 2.5 = 3.5; 10 x 0.5 + 100 x 0.05 + 40 x 0.625 + 20 x 2.5 = 85 USD per 1M
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (88_500, 0)
    assert [(w.reason, w.rows) for w in usage.waste] == [("RESOURCE_EXHAUSTED", 1), ("UNKNOWN", 1)]


@pytest.mark.parametrize("nested", [False, True])
def test_cached_tokens_of_claude_are_beside_its_input_and_not_in_it(nested: bool) -> None:  # noqa: FBT001 - a table
    counts = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100}
    usage = tally(claude(counts, nested=nested))
    assert quantities(usage) == {"input_text": 10, "cached_input_text": 100, "output_text": 5}
    assert usage.tokens == Tokens(input=110, cached_input=100, output=5)
    assert cost(usage).amount_nano == 5_000 + 5_000 + 12_500


def test_tokens_written_to_the_one_hour_cache_have_a_price_of_their_own() -> None:
    counts = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 70,
        "cache_creation": {"ephemeral_5m_input_tokens": 40, "ephemeral_1h_input_tokens": 30},
    }
    usage = tally(claude(counts))
    assert quantities(usage) == {
        "input_text": 1,
        "cache_creation_input_text": 40,
        "cache_creation_1h_input_text": 30,
    }
    # 1 x 0.5 + 40 x 0.625 + 30 x 1 USD per 1M
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (500 + 25_000 + 30_000, 0)


def test_tokens_written_to_caches_may_be_told_by_lifetime_only() -> None:
    usage = tally(claude({"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 40}}))
    assert quantities(usage) == {"input_text": 1, "cache_creation_input_text": 40}


def test_cached_tokens_count_towards_a_long_prompt_of_claude() -> None:
    counts = {"input_tokens": 1, "cache_read_input_tokens": 200_000, "output_tokens": 1}
    [window] = {q.context_window for q in tally(claude(counts, model="claude-sonnet-4-5")).quantities}
    assert window == "200k-1M"


@pytest.mark.parametrize(
    ("model", "job_model"),
    [
        ("claude-haiku-4-5", "tuned"),
        ("claude-haiku-4-5-20251001", "tuned"),
        ("claude-haiku-4-5@20251001", "tuned"),
        (None, "claude-haiku-4-5@20251001"),
        (None, "projects/p/locations/us-east5/publishers/anthropic/models/claude-haiku-4-5@20251001"),
        ("claude-unheard-of", HAIKU),
    ],
)
def test_any_name_of_a_claude_model_finds_its_price(model: str | None, job_model: str) -> None:
    usage = tally(claude({"input_tokens": 2}, model=model), model=job_model)
    assert {q.model for q in usage.quantities} == {"claude-haiku-4-5"}
    assert cost(usage).amount_nano == 1_000


def test_web_searches_of_claude_cost_by_the_search() -> None:
    usage = tally(claude({"input_tokens": 2, "server_tool_use": {"web_search_requests": 3}}))
    [fee] = cost(usage).query_fees
    # 3 x 10 / 1000 USD
    assert (fee.model, fee.grounding, fee.quantity) == ("claude-haiku-4-5", "web_search", 3)
    assert fee.amount_nano == 30_000_000


# Open models


def test_documented_rows_of_open_models_cost_what_their_tokens_cost() -> None:
    usage = tally(*sample("open_models_documented_shape_unconfirmed.jsonl"), model=LLAMA)
    assert usage.rows == Rows(succeeded=2, failed=2)
    # (20 + 10) x 0.36 + (7 + 3) x 0.36 USD per 1M
    assert cost(usage).amount_nano == 14_400


@pytest.mark.parametrize("nested", [False, True])
def test_prompts_hold_cached_tokens_and_completions_hold_reasoning(nested: bool) -> None:  # noqa: FBT001 - a table
    counts = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    usage = tally(chat(counts, nested=nested), model=LLAMA)
    assert quantities(usage) == {
        "input_text": 40,
        "cached_input_text": 60,
        "output_text": 30,
        "output_thoughts": 20,
    }
    assert usage.tokens == Tokens(input=100, cached_input=60, output=50, thoughts=20)
    # (40 + 30 + 20) x 0.36/1M; no price for cached tokens is published
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (32_400, 1)


def test_embeddings_of_open_models_have_a_prompt_only() -> None:
    line = b'{"response":{"object":"list","model":"e5","usage":{"prompt_tokens":8,"total_tokens":8}}}'
    usage = tally(line, model=E5)
    assert (usage.rows, quantities(usage)) == (Rows(succeeded=1), {"input_text": 8})
    assert cost(usage).unpriced_rows == 1


@pytest.mark.parametrize(
    ("model", "key"),
    [
        (LLAMA, "llama-3.3-70b-instruct-maas"),
        ("publishers/openai/models/gpt-oss-120b-maas", "gpt-oss-120b-maas"),
        ("publishers/deepseek-ai/models/deepseek-v3.1-maas", "deepseek-v3.1-maas"),
    ],
)
def test_names_of_open_models_find_their_prices(model: str, key: str) -> None:
    by_job = tally(chat({"prompt_tokens": 1}), model=model)
    by_row = tally(
        json.dumps(
            {"response": {"model": model.split("/")[1] + "/" + key, "usage": {"prompt_tokens": 1}}}
        ).encode(),
        model="tuned",
    )
    assert {q.model for q in (*by_job.quantities, *by_row.quantities)} == {key}


# What fails a row


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (b'{"response":null,"error":{"code":429,"message":"x"}}', "RESOURCE_EXHAUSTED"),
        (
            b'{"response":{"status_code":400,"body":{"error":{"message":"x"}}},"error":null}',
            "INVALID_ARGUMENT",
        ),
        (b'{"response":{"status_code":429,"body":{}}}', "RESOURCE_EXHAUSTED"),
        (b'{"response":{"status_code":502,"body":"Bad Gateway"}}', "UNKNOWN"),
        (b'{"response":{"error":{"code":14},"message":"try again"}}', "UNAVAILABLE"),
        (b'{"custom_id":"1","status_code":503,"body":null}', "UNAVAILABLE"),
        (b'{"custom_id":"1","status_code":429,"body":{"error":{"message":"x"}}}', "RESOURCE_EXHAUSTED"),
        (b'{"custom_id":"1","type":"error","error":{"code":7}}', "PERMISSION_DENIED"),
        (b'{"custom_id":"1","body":{"messages":[]},"error":{"code":3}}', "INVALID_ARGUMENT"),
        (b'{"custom_id":"1","result":{"type":"errored","error":{"code":13}}}', "INTERNAL"),
        (b'{"custom_id":"1","result":{"type":"canceled"}}', "CANCELLED"),
        (b'{"custom_id":"1","result":{"type":"expired"}}', "DEADLINE_EXCEEDED"),
        (b'{"custom_id":"1","response":{"type":"expired"}}', "DEADLINE_EXCEEDED"),
        (
            b'{"response":{"status_code":400,"body":{}},"error":{"code":"INVALID_ARGUMENT"}}',
            "INVALID_ARGUMENT",
        ),
        (b'{"response":{"error":{"code":8}}}', "RESOURCE_EXHAUSTED"),
        (b'{"response":{"type":"error","error":{"type":"overloaded_error"}}}', "UNKNOWN"),
        (b'{"response":{},"status":{"code":14,"message":"overloaded"}}', "UNAVAILABLE"),
    ],
)
def test_an_error_fails_a_row_and_is_free(failed: bytes, reason: str) -> None:
    usage = tally(failed)
    assert usage.rows == Rows(failed=1)
    assert (usage.quantities, [w.reason for w in usage.waste]) == ((), [reason])


def test_an_error_that_the_input_line_brought_along_does_not_make_an_answer_free() -> None:
    gemini = b'{"error":"x","status":"","response":{"usageMetadata":{"promptTokenCount":5}}}'
    assert tally(gemini, chat({"prompt_tokens": 5}, error={"mine": 1})).rows == Rows(succeeded=2)


@pytest.mark.parametrize("nothing", [{}, None, {"output_tokens": 5}, {"completion_tokens": 5}])
def test_a_message_without_a_count_of_its_prompt_is_unmetered(nothing: Any) -> None:
    assert tally(claude(nothing)).rows == Rows(succeeded=1, unmetered=1)


@pytest.mark.parametrize(
    "counts",
    [
        {"input_tokens": -1},
        {"input_tokens": 2**31},
        {"input_tokens": "many"},
        {"input_tokens": 1, "cache_read_input_tokens": -1},
        {"prompt_tokens": [1]},
        "text",
        [],
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_counts_that_cannot_be_make_a_message_malformed(counts: Any, nested: bool) -> None:  # noqa: FBT001 - a table
    assert tally(claude(counts, nested=nested)) == Usage(rows=Rows(malformed=1))


def test_messages_of_an_earlier_job_are_carried_over() -> None:
    def processed(time: str) -> bytes:
        usage = {"usage": {"input_tokens": 10}}
        return json.dumps({"processed_time": time, "response": usage}).encode()

    usage = tally(processed("2026-06-30T00:00:00Z"), processed("2026-07-02T00:00:00Z"), resumed_at=CREATED)
    assert usage.rows == Rows(succeeded=1, carried_over=1)


_COUNT = st.none() | st.integers(-2, 300_000) | st.sampled_from(["7", 2**31, 1.5, "x"])


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("input_tokens", "output_tokens", "cache_read_input_tokens"),
                *("cache_creation_input_tokens", "prompt_tokens", "completion_tokens"),
            ]
        ),
        _COUNT,
    ),
    st.booleans(),
    st.sampled_from(["end_turn", "refusal", "max_tokens", 5, None, []]),
)
def test_any_message_is_one_row_and_its_tokens_are_in_its_quantities(
    counts: dict[str, Any],
    nested: bool,  # noqa: FBT001 - generated
    reason: Any,
) -> None:
    usage = tally(claude(counts, nested=nested, stop_reason=reason))
    assert usage.rows.total == 1
    items = quantities(usage)
    assert sum(n for item, n in items.items() if "input" in item) == usage.tokens.input
    assert sum(n for item, n in items.items() if "output" in item) == usage.tokens.output
