"""The cost of failed, blocked and truncated rows, and of searches at most.

Batch prices of 2026-11-22 in USD per 1M tokens: gemini-2.5-flash 0.15 in, 1.25 out; claude-haiku-4-5 0.5 in,
2.5 out. Grounding with Google Search: 35 USD per 1,000 prompts for Gemini 2.x, 14 USD per 1,000 queries
for 3.x.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.cost import QueryCost, WastedCost
from batch_gateway.core.rows import Tally
from batch_gateway.core.rows.waste import answer_waste, failure
from batch_gateway.core.usage import Quantity, Rows, Usage, Waste
from unit.rows.counted import TABLE, cost

FLASH, FLASH_3 = "gemini-2.5-flash", "gemini-3-flash-preview"


def tally(*lines: bytes, model: str = FLASH) -> Usage:
    counted = Tally(TABLE, model)
    counted.add_lines(lines)
    return counted.usage


def row(
    *reasons: Any, prompt: Any = 100, output: int = 10, version: str | None = None, **response: Any
) -> bytes:
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": output}
    candidates = [{"finishReason": reason} for reason in reasons]
    body = {"candidates": candidates, "usageMetadata": usage, "modelVersion": version, **response}
    return json.dumps({"status": "", "response": body}).encode()


def message(stop: Any = None, choices: list[Any] | None = None) -> bytes:
    response = {"stop_reason": stop, "usage": {"input_tokens": 10, "output_tokens": 2}}
    if choices is not None:
        response["choices"] = [{"finish_reason": reason} for reason in choices]
    return json.dumps({"response": response}).encode()


def reasons_of(usage: Usage) -> list[tuple[str, str, int]]:
    return [(w.kind, w.reason, w.rows) for w in usage.waste]


# Answers of no use


@pytest.mark.parametrize(
    ("line", "waste"),
    [
        (row("MAX_TOKENS"), ("truncated", "MAX_TOKENS")),
        (row("SAFETY"), ("blocked", "SAFETY")),
        (row("RECITATION"), ("blocked", "RECITATION")),
        (row("PROHIBITED_CONTENT"), ("blocked", "PROHIBITED_CONTENT")),
        (row("SPII"), ("blocked", "SPII")),
        (row("BLOCKLIST"), ("blocked", "BLOCKLIST")),
        (row("LANGUAGE"), ("blocked", "LANGUAGE")),
        (row("IMAGE_SAFETY"), ("blocked", "IMAGE_SAFETY")),
        (row("MALFORMED_FUNCTION_CALL"), ("blocked", "MALFORMED_FUNCTION_CALL")),
        (row("OTHER"), ("blocked", "OTHER")),
        (row("no such reason"), ("blocked", "OTHER")),
        (row(7), ("blocked", "OTHER")),
        (row({"a": ["b"]}), ("blocked", "OTHER")),
        (row("SAFETY", "MAX_TOKENS"), ("blocked", "SAFETY")),
        (row("MAX_TOKENS", "MAX_TOKENS"), ("truncated", "MAX_TOKENS")),
        (row(promptFeedback={"blockReason": "JAILBREAK"}), ("blocked", "JAILBREAK")),
        (row(promptFeedback={"blockReason": "x" * 999}), ("blocked", "OTHER")),
        (message("max_tokens"), ("truncated", "max_tokens")),
        (message("model_context_window_exceeded"), ("truncated", "model_context_window_exceeded")),
        (message("refusal"), ("blocked", "refusal")),
        (message(choices=["length"]), ("truncated", "length")),
        (message(choices=["content_filter", "length"]), ("blocked", "content_filter")),
    ],
)
def test_an_answer_that_nobody_can_use_is_waste(line: bytes, waste: tuple[str, str]) -> None:
    usage = tally(line)
    assert usage.rows == Rows(succeeded=1)
    assert reasons_of(usage) == [(*waste, 1)]
    assert usage.waste[0].quantities == usage.quantities
    assert cost(usage).waste == (WastedCost(*waste, 1, cost(usage).amount_nano),)


@pytest.mark.parametrize(
    "line",
    [
        row("STOP"),
        row("FINISH_REASON_UNSPECIFIED"),
        row(None),
        row(""),
        row(),
        row("MAX_TOKENS", "STOP"),
        row("SAFETY", None),
        row("STOP", promptFeedback={}),
        row("STOP", promptFeedback={"blockReason": None}),
        *map(message, ["end_turn", "stop_sequence", "tool_use", "pause_turn", None]),
        *(message(choices=[reason]) for reason in ["stop", "tool_calls", "function_call", None]),
        message(choices=["stop", "length"]),
    ],
)
def test_an_answer_that_can_be_used_is_none(line: bytes) -> None:
    assert tally(line).waste == ()


def test_waste_is_told_by_reason_and_adds_up_to_what_was_paid_in_vain() -> None:
    lines = [row("MAX_TOKENS")] * 3 + [row("SAFETY", output=0)] * 2 + [row("STOP")] * 5
    priced = cost(tally(*lines))
    # 2 x 100 x 0.15/1M; 3 x (100 x 0.15 + 10 x 1.25)/1M
    assert priced.waste == (
        WastedCost("blocked", "SAFETY", 2, 30_000),
        WastedCost("truncated", "MAX_TOKENS", 3, 82_500),
    )


def test_waste_without_a_price_has_no_amount_rather_than_nought() -> None:
    [unknown] = cost(tally(row("MAX_TOKENS"), model="gemini-99")).waste
    [unmetered] = cost(tally(row("SAFETY", prompt=None, output=0))).waste
    assert (unknown.amount_nano, unmetered.amount_nano) == (None, None)


# Failed rows


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            'Bad Request: {"error": {"code": 400, "message": "x", "status": "FAILED_PRECONDITION"}}',
            "FAILED_PRECONDITION",
        ),
        ('x {\\"error\\": {\\"status\\": \\"UNAVAILABLE\\"}}', "UNAVAILABLE"),
        ('{"message": "was UNAVAILABLE", "status": "INTERNAL"}', "INTERNAL"),
        ('Bad Request: {"error": {"code": 429}}', "RESOURCE_EXHAUSTED"),
        ('Bad Request: {"error": {"code": 418}}', "UNKNOWN"),
        ("INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        ("Error DEADLINE_EXCEEDED while waiting", "DEADLINE_EXCEEDED"),
        ("PREFIX_INTERNAL", "UNKNOWN"),
        ("Failed to parse JSON into proto", "UNKNOWN"),
        ({"code": 3, "message": "x"}, "INVALID_ARGUMENT"),
        ({"code": 503}, "UNAVAILABLE"),
        ({"status": "ABORTED", "code": 3}, "ABORTED"),
        ({"error": {"code": 7}}, "PERMISSION_DENIED"),
        ({"message": "overloaded"}, "UNKNOWN"),
        ({"code": -1}, "UNKNOWN"),
        (16, "UNAUTHENTICATED"),
        (17, "UNKNOWN"),
        ("404", "NOT_FOUND"),
        ("Not processed: the job ended before.", "CANCELLED"),
        ("The request was canceled", "CANCELLED"),
        ("The row has not been run: INTERNAL", "INTERNAL"),
        ('Code 13: request cancelled by {"code": 13}', "INTERNAL"),
        ("cannot process a nonrunning thing", "UNKNOWN"),
        (" " * 10_000 + "INTERNAL", "UNKNOWN"),
    ],
)
def test_failed_rows_are_counted_by_the_name_of_their_status(status: Any, reason: str) -> None:
    usage = tally(json.dumps({"status": status, "response": {}}).encode())
    assert usage == Usage(rows=Rows(failed=1), waste=(Waste("failed", reason, 1),))
    assert cost(usage).waste == (WastedCost("failed", reason, 1, 0),)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["INTERNAL", "SAFETY"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "code", "error", "message", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.lists(_JSON, max_size=3))
def test_any_cause_has_a_reason_of_the_vocabulary(causes: list[Any]) -> None:
    kind, reason = failure(*causes)
    assert (kind, reason.isupper(), len(reason) < 20) == ("failed", True, True)
    waste = answer_waste(causes)
    assert waste is None or (waste[0] in {"blocked", "truncated"} and len(waste[1]) < 40)


def test_whatever_rows_say_the_record_does_not_grow_without_bound() -> None:
    lines = [row(f"R{n}", version=f"gemini-{n}-x", prompt=5) for n in range(500)]
    lines += [json.dumps({"status": f"S{n}"}).encode() for n in range(500)]
    usage = tally(*lines, model="tuned")
    models = {q.model for q in usage.quantities}
    assert (len(models), "other" in models, len(usage.waste)) == (33, True, 2)
    assert usage.rows == Rows(succeeded=500, failed=500)
    assert sum(q.quantity for q in usage.quantities if q.item == "input_text") == 2_500
    assert cost(usage).unpriced_rows == 500


@pytest.mark.parametrize("version", ["x" * 129, "a\nb"])
def test_what_is_no_name_of_a_model_is_not_kept(version: str) -> None:
    assert {q.model for q in tally(row("STOP", version=version), model="tuned").quantities} == {"other"}


@pytest.mark.parametrize("modality", ["HOLOGRAM", "x" * 10_000, "\n"])
def test_modalities_that_nobody_knows_are_one(modality: str) -> None:
    line = json.loads(row("STOP"))
    line["response"]["usageMetadata"]["promptTokensDetails"] = [{"modality": modality, "tokenCount": 100}]
    assert [q.item for q in tally(json.dumps(line).encode()).quantities] == ["input_other", "output_text"]


# Sums

_WASTED = st.lists(
    st.builds(
        row,
        st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "x"]),
        prompt=st.integers(0, 300_000),
        output=st.integers(0, 9),
        version=st.sampled_from([None, "gemini-2.5-pro", "gemini-99"]),
    )
    | st.sampled_from([b'{"status":"INTERNAL"}', b'{"status":"x"}', b"nonsense"]),
    max_size=6,
)


@given(_WASTED, _WASTED)
def test_waste_is_added_and_taken_away_like_all_usage(one: list[bytes], two: list[bytes]) -> None:
    assert tally(*one) + tally(*two) == tally(*one, *two)
    assert tally(*one, *two) - tally(*two) == tally(*one)


@given(_WASTED)
def test_waste_is_a_part_of_the_amount(lines: list[bytes]) -> None:
    priced = cost(tally(*lines))
    assert sum(w.amount_nano or 0 for w in priced.waste) <= priced.amount_nano


# Searches


def searched(*queries: list[str] | None, model: str = FLASH) -> bytes:
    candidates = [{"groundingMetadata": {"webSearchQueries": given}} for given in queries]
    response = {"modelVersion": model, "candidates": candidates, "usageMetadata": {"promptTokenCount": 1}}
    request = {"tools": [{"googleSearch": {}}]}
    return json.dumps({"request": request, "response": response}).encode()


def test_gemini_2_searches_cost_by_the_prompt() -> None:
    usage = tally(searched(["a", "b"]), searched(["c"]), searched([]), searched(None))
    assert usage.searches == (Quantity(FLASH, "", "web_search", 3, 2),)
    # 2 x 35 / 1000 USD, and in no line item
    assert cost(usage).query_fees == (QueryCost(FLASH, "grounded_prompt", 2, 35_000_000_000, 70_000_000),)
    assert cost(usage).amount_nano == 600
    assert {item.item for item in cost(usage).line_items} == {"input_text"}


def test_gemini_3_searches_cost_by_the_query() -> None:
    usage = tally(searched(["a", "b"], model=FLASH_3), searched(["c"], ["d"], model=FLASH_3))
    # 4 x 14 / 1000 USD
    assert cost(usage).query_fees == (QueryCost(FLASH_3, "search_query", 4, 14_000_000_000, 56_000_000),)


def test_searches_of_a_model_without_a_known_fee_are_unpriced() -> None:
    assert cost(tally(searched(["a"], model="gemini-99"), model="tuned")).query_fees == (
        QueryCost("gemini-99", "search_query", 1, None, None),
    )


def test_searches_are_added_and_taken_away_like_all_usage() -> None:
    one, two = tally(searched(["a", "b"])), tally(searched(["c"]), searched(["d"], model=FLASH_3))
    assert one + two - one == two
    assert (one + two).searches[0] == Quantity(FLASH, "", "web_search", 3, 2)
