"""Counts of a row that do not fit together.

Batch prices of 2026-11-22 in USD per 1M tokens: gemini-2.5-flash 0.15 in (audio 0.50), 0.03 cached (audio
0.10), 1.25 out; gemini-2.5-flash-image 15 for image output; gemini-embedding-2 0.1 text, 0.225 image, 3.25
audio, 6 video; claude-haiku-4-5 0.5 in, 0.05 cached, 0.625 written to a cache, 2.5 out;
llama-3.3-70b-instruct-maas 0.36 in and out.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Rows, Tokens, Unpriced, Usage
from unit.rows.counted import TABLE, cost, details, quantities

FLASH, HAIKU = "gemini-2.5-flash", "claude-haiku-4-5"
LLAMA = "llama-3.3-70b-instruct-maas"


def gemini(usage: Any, model: str = FLASH, **response: Any) -> Usage:
    return tally({"usageMetadata": usage, **response}, model)


def tally(response: Any, model: str) -> Usage:
    counted = Tally(TABLE, model)
    counted.add(json.dumps({"status": "", "response": response}).encode())
    assert counted.usage.rows == Rows(succeeded=1)
    return counted.usage


def counts(prompt: int, answer: int, total: int | None, **more: Any) -> dict[str, Any]:
    names = {"thoughts": "thoughtsTokenCount", "tools": "toolUsePromptTokenCount"}
    names |= {"cached": "cachedContentTokenCount"}
    given = {"promptTokenCount": prompt, "candidatesTokenCount": answer, "totalTokenCount": total}
    return given | {names.get(name, name): count for name, count in more.items()}


def reasons(usage: Usage) -> list[str]:
    assert all(unpriced.rows == 1 for unpriced in usage.unpriced)
    assert cost(usage).unpriced_rows == len(usage.unpriced) <= 1
    return [unpriced.reason for unpriced in usage.unpriced]


SEARCHED = {"candidates": [{"groundingMetadata": {"webSearchQueries": ["a"]}}]}


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        (counts(1000, 600, None, thoughts=500), 150_000 + 1_375_000),
        (counts(1000, 600, 2100, thoughts=500), 150_000 + 1_375_000),
        (counts(10, 20, 67, thoughts=30, tools=7), 1_500 + 62_500 + 1_050),
        # 1000 x 0.15 + 600 x 1.25: the thoughts are among the 600
        (counts(1000, 600, 1600, thoughts=500), 900_000),
        (counts(1000, 500, 1500, thoughts=500), 775_000),
        (counts(1000, 600, 1700, thoughts=500, tools=100), 150_000 + 15_000 + 750_000),
        # The tools' tokens are among the prompt's.
        (counts(1000, 600, 1600, tools=400), 900_000),
        # 300 x 0.15 + 1000 x 0.03 + 10 x 1.25: the cached ones stand beside the prompt's
        (counts(300, 10, 1310, cached=1000), 45_000 + 30_000 + 12_500),
        (counts(300, 10, 310, cached=100), 30_000 + 3_000 + 12_500),
    ],
)
def test_parts_that_add_up_to_the_total_in_one_way_are_charged_once(
    usage: dict[str, Any], amount: int
) -> None:
    found = gemini(usage)
    assert (cost(found).amount_nano, reasons(found)) == (amount, [])
    assert sum(quantities(found).values()) == found.tokens.total


def test_tokens_are_reported_as_the_total_has_them() -> None:
    assert gemini(counts(1000, 600, 1600, thoughts=500)).tokens == Tokens(1000, 0, 600, 500)
    assert gemini(counts(1000, 600, 1600, tools=400)).tokens == Tokens(1000, 0, 600, 0)
    assert gemini(counts(300, 10, 1310, cached=1000)).tokens == Tokens(1300, 1000, 10, 0)


def test_thoughts_among_the_candidates_are_text() -> None:
    both = counts(10, 700, 710, thoughts=400, candidatesTokensDetails=details(IMAGE=200))
    assert quantities(gemini(both)) == {
        "input_text": 10,
        "output_image": 200,
        "output_text": 100,
        "output_thoughts": 400,
    }
    without = counts(10, 700, 710, thoughts=400, candidatesTokensDetails=details(TEXT=300))
    assert (cost(gemini(without)).amount_nano, reasons(gemini(without))) == (1_500 + 875_000, [])
    image = gemini(counts(10, 700, 710, thoughts=400, candidatesTokensDetails=details(IMAGE=700)))
    assert quantities(image) == {"input_text": 10, "output_image": 300, "output_thoughts": 400}
    assert reasons(image) == ["DETAILS_CONTRADICT"]


def test_a_prompt_is_as_long_as_its_cached_tokens_make_it() -> None:
    [*_, output] = gemini(counts(150_000, 1, 250_001, cached=100_000), "gemini-2.5-pro").quantities
    assert output.context_window == "200k-1M"


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({"promptTokenCount": 1, "candidatesTokenCount": 66, "totalTokenCount": 523}, 150 + 82_500),
        ({"promptTokenCount": 1000, "totalTokenCount": 1600}, 150_000),
        (counts(1000, 600, 2101, thoughts=500), 150_000 + 1_375_000),
        (counts(1000, 600, 2**40), 150_000 + 750_000),
    ],
)
def test_tokens_that_no_part_names_leave_the_row_unpriced(usage: dict[str, Any], amount: int) -> None:
    found = gemini(usage)
    assert (cost(found).amount_nano, reasons(found)) == (amount, ["TOKENS_UNACCOUNTED"])


@pytest.mark.parametrize(
    ("usage", "items"),
    [
        (counts(1000, 600, 1599), {"input_text": 1000}),
        (counts(1000, 600, 1000), {"input_text": 1000}),
        (counts(1000, 600, 999), {"output_text": 600}),
        (counts(1000, 600, 0), {}),
        (counts(1000, 600, -5), {}),
        # Either 300 could be among the others.
        (counts(1000, 600, 1900, thoughts=300, tools=300), {"input_text": 1000, "output_text": 600}),
        # More thoughts than candidates: they are not among them.
        (counts(10, 20, 30, thoughts=300), {"input_text": 10, "output_text": 20}),
        (counts(1000, 600, 900, cached=400), {"output_text": 600}),
    ],
)
def test_of_parts_that_are_more_than_the_total_no_more_is_charged_than_it_holds(
    usage: dict[str, Any], items: dict[str, int]
) -> None:
    found = gemini(usage)
    if usage["totalTokenCount"] == 1900:
        items = {**items, "output_thoughts": 300}
    assert (quantities(found), reasons(found)) == (items, ["TOTAL_CONTRADICTS"])


def test_it_is_not_guessed_which_tokens_of_a_prompt_a_search_used() -> None:
    found = gemini(counts(1000, 600, 1600, tools=400), **SEARCHED)
    assert quantities(found) == {"input_text": 1000, "output_text": 600}
    assert reasons(found) == ["TOTAL_CONTRADICTS"]
    assert reasons(gemini(counts(1000, 600, 2000, tools=400), **SEARCHED)) == []


def test_a_row_without_a_prompt_count_has_one_reason() -> None:
    counted = Tally(TABLE, FLASH)
    counted.add(b'{"response":{"usageMetadata":{"candidatesTokenCount":5,"totalTokenCount":15}}}')
    assert (counted.usage.rows, counted.usage.unpriced) == (Rows(succeeded=1, unmetered=1), ())


def test_reasons_are_counted_and_add_up() -> None:
    more, less = gemini(counts(1, 1, 9)), gemini(counts(1, 1, 1))
    both = more + less + more
    assert both.unpriced == (Unpriced("TOKENS_UNACCOUNTED", 2), Unpriced("TOTAL_CONTRADICTS", 1))
    assert both - less == more + more


# Details


def test_details_without_their_count_add_up_to_it() -> None:
    usage = gemini(
        {
            "promptTokensDetails": details(TEXT=600, AUDIO=400),
            "cacheTokensDetails": details(TEXT=500, AUDIO=100),
            "candidatesTokensDetails": details(TEXT=10),
            "toolUsePromptTokensDetails": details(TEXT=5),
            "totalTokenCount": 1015,
        }
    )
    assert quantities(usage) == {
        "input_text": 105,
        "input_audio": 300,
        "cached_input_text": 500,
        "cached_input_audio": 100,
        "output_text": 10,
    }
    assert (usage.tokens, reasons(usage)) == (Tokens(1005, 600, 10, 0), [])


def test_cached_tokens_may_be_told_by_details_only() -> None:
    # 400 x 0.15 + 600 x 0.03
    usage = gemini({"promptTokenCount": 1000, "cacheTokensDetails": details(TEXT=600)})
    assert (cost(usage).amount_nano, usage.tokens.cached_input) == (78_000, 600)


def test_details_of_embeddings_are_read_by_either_name() -> None:
    split = details(TEXT=132, IMAGE=258, AUDIO=250, VIDEO=660)
    # 132 x 0.1 + 258 x 0.225 + 250 x 3.25 + 660 x 6 = 13.2 + 58.05 + 812.5 + 3960 USD per 1M
    for name in ("promptTokenDetails", "promptTokensDetails"):
        usage = gemini({"promptTokenCount": 1300, name: split}, "gemini-embedding-2")
        assert (cost(usage).amount_nano, reasons(usage)) == (4_843_750, [])
    alone = gemini({"promptTokenDetails": split}, "gemini-embedding-2")
    assert cost(alone).amount_nano == 4_843_750
    both = {"promptTokenCount": 9, "promptTokensDetails": details(TEXT=9)}
    assert reasons(gemini({**both, "promptTokenDetails": details(TEXT=9)})) == []
    assert reasons(gemini({**both, "promptTokenDetails": details(AUDIO=9)})) == ["DETAILS_CONTRADICT"]


@pytest.mark.parametrize(
    ("usage", "items"),
    [
        ({"promptTokenCount": 10, "promptTokensDetails": details(TEXT=11)}, {"input_text": 10}),
        (
            {"promptTokenCount": 10, "promptTokensDetails": details(AUDIO=5, TEXT=6)},
            {"input_text": 6, "input_audio": 4},
        ),
        ({"promptTokenCount": 10, "promptTokensDetails": details(TEXT=-1, AUDIO=11)}, {"input_audio": 10}),
        (
            {"promptTokenCount": 10, "promptTokensDetails": details(TEXT=-1, AUDIO=4)},
            {"input_text": 6, "input_audio": 4},
        ),
        ({"promptTokenCount": 10, "promptTokensDetails": details(TEXT=2**70)}, {"input_text": 10}),
        (counts(1, 2, None, candidatesTokensDetails=details(TEXT=3)), {"input_text": 1, "output_text": 2}),
        (counts(1, 0, None, candidatesTokensDetails=details(IMAGE=3)), {"input_text": 1}),
        (
            counts(1, 0, None, tools=2, toolUsePromptTokensDetails=details(TEXT=3)),
            {"input_text": 3},
        ),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 11}, {"cached_input_text": 10}),
        ({"promptTokenCount": 10, "cacheTokensDetails": details(TEXT=-3)}, {"input_text": 10}),
        (
            {
                "promptTokenCount": 10,
                "cachedContentTokenCount": 5,
                "cacheTokensDetails": details(TEXT=6),
            },
            {"input_text": 5, "cached_input_text": 5},
        ),
        (
            {
                "promptTokenCount": 10,
                "promptTokensDetails": details(TEXT=8, AUDIO=2),
                "cachedContentTokenCount": 3,
                "cacheTokensDetails": details(AUDIO=3),
            },
            {"input_text": 7, "cached_input_text": 1, "cached_input_audio": 2},
        ),
    ],
)
def test_details_that_are_more_than_their_count_are_charged_as_far_as_it_goes(
    usage: dict[str, Any], items: dict[str, int]
) -> None:
    found = gemini(usage)
    assert (quantities(found), reasons(found)) == (items, ["DETAILS_CONTRADICT"])


def test_cached_tokens_that_details_leave_out_are_of_what_the_prompt_holds() -> None:
    usage = gemini(
        {
            "promptTokenCount": 10,
            "promptTokensDetails": details(AUDIO=10),
            "cachedContentTokenCount": 5,
            "cacheTokensDetails": details(AUDIO=3),
        }
    )
    assert (quantities(usage), reasons(usage)) == ({"input_audio": 5, "cached_input_audio": 5}, [])


# Claude and open models


def message(usage: dict[str, Any], model: str) -> Usage:
    return tally({"model": model, "usage": usage}, "tuned")


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}, 54_000),
        # The reasoning stands beside the completion.
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 220,
                "completion_tokens_details": {"reasoning_tokens": 70},
            },
            79_200,
        ),
    ],
)
def test_parts_of_open_models_that_add_up_are_charged_once(usage: dict[str, Any], amount: int) -> None:
    found = message(usage, LLAMA)
    assert (cost(found).amount_nano, reasons(found)) == (amount, [])


def test_cached_tokens_of_open_models_may_stand_beside_the_prompt() -> None:
    usage = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 90}, "completion_tokens": 5}
    assert quantities(message({**usage, "total_tokens": 105}, LLAMA)) == {
        "input_text": 10,
        "cached_input_text": 90,
        "output_text": 5,
    }


@pytest.mark.parametrize(
    ("usage", "amount", "reason"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 523}, 54_000, "TOKENS_UNACCOUNTED"),
        ({"prompt_tokens": 100, "total_tokens": 101}, 36_000, "TOKENS_UNACCOUNTED"),
        ({"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 120}, 36_000, "TOTAL_CONTRADICTS"),
        (
            {
                "prompt_tokens": 1,
                "completion_tokens": 50,
                "completion_tokens_details": {"reasoning_tokens": 70},
            },
            18_360,
            "DETAILS_CONTRADICT",
        ),
    ],
)
def test_parts_of_open_models_that_do_not_add_up_are_not_complete(
    usage: dict[str, Any], amount: int, reason: str
) -> None:
    found = message(usage, LLAMA)
    assert (cost(found).amount_nano, reasons(found)) == (amount, [reason])


@pytest.mark.parametrize(
    ("usage", "amount", "found"),
    [
        # 10 x 0.5 + 100 x 0.05 + 5 x 2.5
        ({"cache_read_input_tokens": 100, "total_tokens": 115}, 22_500, []),
        ({"cache_read_input_tokens": 100, "total_tokens": 15}, 22_500, []),
        ({"total_tokens": 99}, 17_500, ["TOKENS_UNACCOUNTED"]),
        ({"total_tokens": 12}, 5_000, ["TOTAL_CONTRADICTS"]),
        # No more than one token was written: the cheaper of those that are named.
        (
            {"cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_5m_input_tokens": 3}},
            17_500 + 1_250,
            ["DETAILS_CONTRADICT"],
        ),
    ],
)
def test_parts_of_claude_s_tokens_are_held_against_a_total_too(
    usage: dict[str, Any], amount: int, found: list[str]
) -> None:
    usage = message({"input_tokens": 10, "output_tokens": 5, **usage}, HAIKU)
    assert (cost(usage).amount_nano, reasons(usage)) == (amount, found)


def test_no_more_tokens_were_written_to_caches_than_were_written() -> None:
    by_lifetime = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    usage = message(
        {"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": by_lifetime}, HAIKU
    )
    assert [unpriced.reason for unpriced in usage.unpriced] == ["DETAILS_CONTRADICT"]
    assert sorted(quantities(usage).values()) == [1, 2, 3]


# Anything at all

_TOKENS = st.none() | st.integers(0, 40)
_MODALITIES = st.sampled_from(["TEXT", "AUDIO", "IMAGE"])
_DETAILS = st.none() | st.lists(
    st.fixed_dictionaries({"modality": _MODALITIES, "tokenCount": st.none() | st.integers(-3, 40)}),
    max_size=3,
)


@given(
    st.fixed_dictionaries(
        {"promptTokenCount": st.integers(1, 40)},
        optional={
            "candidatesTokenCount": _TOKENS,
            "thoughtsTokenCount": _TOKENS,
            "toolUsePromptTokenCount": _TOKENS,
            "cachedContentTokenCount": _TOKENS,
            "totalTokenCount": _TOKENS,
            "promptTokensDetails": _DETAILS,
            "candidatesTokensDetails": _DETAILS,
            "cacheTokensDetails": _DETAILS,
        },
    )
)
def test_a_complete_row_charges_exactly_its_total(usage: dict[str, Any]) -> None:
    found = gemini(usage)
    charged = sum(quantities(found).values())
    assert all(tokens > 0 for tokens in quantities(found).values())
    total = usage.get("totalTokenCount")
    if total is not None and not found.unpriced:
        assert charged == total
    if total is not None and reasons(found) == ["TOTAL_CONTRADICTS"]:
        assert charged <= total
    assert charged <= found.tokens.total or reasons(found)
