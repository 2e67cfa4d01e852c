"""Lines of output -> usage, and what it costs.

Amounts are worked out by hand beside each case, from the batch prices of 2026-11-22 in USD per 1M:
gemini-2.5-flash 0.15 in (audio 0.50), 0.03 cached (audio 0.10), 1.25 out; gemini-2.5-pro 0.625 in and
5 out, above 200k 1.25 and 7.5; gemini-2.5-flash-lite 0.05 in, 0.20 out; gemini-2.0-flash 0.075 in,
0.30 out; gemini-2.5-flash-image 15 for image output; text-embedding-005 0.02 a character;
gemini-embedding-001 0.12. One token at 1 USD per 1M is 1,000 nano-USD.
"""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.cost import Cost
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Rows, Tokens, Usage
from thorough import examples
from unit.rows.counted import FIXTURES, TABLE, details, quantities, sample
from unit.rows.counted import cost as cost_in

FLASH = "gemini-2.5-flash"
PRO = "gemini-2.5-pro"
TUNED = "projects/123/locations/us-central1/models/4567"
INT32_MAX = 2**31 - 1
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def tally(*lines: bytes, model: str = FLASH, resumed_at: datetime | None = None) -> Usage:
    counted = Tally(TABLE, model, resumed_at)
    for line in lines:
        counted.add(line)
    return counted.usage


def cost(usage: Usage) -> Cost:
    return cost_in(usage, "us-central1")


def nano(*lines: bytes, model: str = FLASH) -> int:
    """The amount of lines that must all have a price."""
    priced = cost(tally(*lines, model=model))
    assert priced.unpriced_rows == 0
    return priced.amount_nano


def line(response: Any = None, **members: Any) -> bytes:
    if response is not None:
        members["response"] = response
    return json.dumps({"status": "", **members}).encode()


def row(version: str | None = None, response: dict[str, Any] | None = None, **usage: Any) -> bytes:
    """A row of Gemini's; ``usage`` are members of its usageMetadata."""
    whole: dict[str, Any] = {
        "candidates": [{"finishReason": "STOP"}],
        "usageMetadata": usage,
        **(response or {}),
    }
    if version is not None:
        whole["modelVersion"] = version
    return line(whole)


GOOD = row(promptTokenCount=1)
ONE_GOOD = Rows(succeeded=1)
ONE_FAILED = Rows(failed=1)
ONE_MALFORMED = Rows(malformed=1)
ONE_UNMETERED = Rows(succeeded=1, unmetered=1)


# Lines that public sources print


def test_live_gemini_rows_cost_what_their_tokens_cost() -> None:
    usage = tally(*sample("gemini_live_litellm_docs_2025-09-19.predictions.jsonl"), model=TUNED)
    assert usage.rows == Rows(succeeded=2)
    assert usage.tokens == Tokens(input=18, output=19)
    # (9 + 9) x 0.05/1M + (10 + 9) x 0.20/1M = 0.0000009 + 0.0000038 = 0.0000047 USD
    assert cost(usage).amount_nano == 4_700
    assert {q.model for q in usage.quantities} == {"gemini-2.5-flash-lite"}


def test_documented_gemini_rows_charge_the_good_one_and_not_the_failed_one() -> None:
    usage = tally(*sample("gemini_google_docs_success_and_failed.predictions.jsonl"), model=TUNED)
    assert usage.rows == Rows(succeeded=1, failed=1)
    assert usage.tokens == Tokens(input=29180, output=36)
    # 29180 x 0.075/1M + 36 x 0.30/1M = 0.0021885 + 0.0000108 = 0.0021993 USD
    assert cost(usage).amount_nano == 2_199_300
    assert cost(usage).unpriced_rows == 0


def test_documented_text_embeddings_are_charged_by_the_character() -> None:
    usage = tally(*sample("embeddings_google_docs_legacy.jsonl"), model="text-embedding-005")
    assert usage.rows == Rows(succeeded=2)
    assert usage.tokens == Tokens(input=11)  # 8 + 3, reported but not billed
    # ("Give..." + "Best...": 14 characters) x 0.02/1M = 0.00000028 USD
    assert cost(usage).amount_nano == 280
    assert [item.unit for item in cost(usage).line_items] == ["character"]


def test_both_shapes_of_gemini_embedding_rows_are_charged_by_the_token() -> None:
    usage = tally(
        *sample("gemini_embedding_docs_and_litellm_shape.jsonl"),
        model="publishers/google/models/gemini-embedding-001",
    )
    assert usage.rows == Rows(succeeded=3)
    # ("2" + "3" + 2 tokens) x 0.12/1M = 0.00000084 USD
    assert cost(usage).amount_nano == 840


def test_tool_use_tokens_are_input_unless_the_row_searched_the_web() -> None:
    blocks = json.loads((FIXTURES / "usageMetadata_tooluse_litellm_tests.json").read_bytes())
    searched = {"candidates": [{"groundingMetadata": {"webSearchQueries": ["weather"]}}]}
    # 19 x 0.15/1M + (59 + 406) x 1.25/1M = 0.00000285 + 0.00058125 = 0.0005841 USD
    assert nano(row(None, searched, **blocks["grounded_google_search"])) == 584_100
    # (20 + 73) x 0.15/1M + (48 + 195) x 1.25/1M = 0.00001395 + 0.00030375 = 0.0003177 USD
    assert nano(row(**blocks["ungrounded"])) == 317_700


def test_four_good_rows_and_a_bad_one_cost_what_a_bill_of_openrouter_says() -> None:
    good = row("gemini-2.5-flash-lite", promptTokenCount=6, candidatesTokenCount=1)
    # 24 x 0.05/1M + 4 x 0.20/1M = 0.000002 USD
    assert nano(*[good] * 4, line({}, status="Bad Request: {}")) == 2_000


# Which tokens cost what


def test_thoughts_are_charged_as_output_and_counted_apart() -> None:
    usage = tally(row(promptTokenCount=10, candidatesTokenCount=20, thoughtsTokenCount=30))
    assert usage.tokens == Tokens(input=10, output=50, thoughts=30)
    assert quantities(usage) == {"input_text": 10, "output_text": 20, "output_thoughts": 30}
    # 10 x 0.15/1M + (20 + 30) x 1.25/1M = 0.0000015 + 0.0000625 USD
    assert cost(usage).amount_nano == 64_000


def test_cached_tokens_are_charged_once_and_at_their_own_rate() -> None:
    usage = tally(row(promptTokenCount=1000, cachedContentTokenCount=600))
    assert usage.tokens == Tokens(input=1000, cached_input=600)
    # 400 x 0.15/1M + 600 x 0.03/1M = 0.00006 + 0.000018 USD
    assert cost(usage).amount_nano == 78_000


def test_cached_tokens_take_the_rate_of_the_modality_that_their_details_name() -> None:
    usage = tally(
        row(
            promptTokenCount=1000,
            promptTokensDetails=details(TEXT=300, AUDIO=700),
            cachedContentTokenCount=600,
            cacheTokensDetails=details(AUDIO=500, TEXT=100),
        )
    )
    assert quantities(usage) == {
        "input_text": 200,
        "input_audio": 200,
        "cached_input_text": 100,
        "cached_input_audio": 500,
    }
    # 200 x 0.15 + 200 x 0.50 + 100 x 0.03 + 500 x 0.10 = 30 + 100 + 3 + 50 USD per 1M
    assert cost(usage).amount_nano == 183_000


def test_cached_tokens_without_details_are_text_first_and_audio_last() -> None:
    usage = tally(
        row(
            promptTokenCount=1000,
            promptTokensDetails=details(AUDIO=400, VIDEO=50, IMAGE=50, DOCUMENT=100, TEXT=400),
            cachedContentTokenCount=580,
        )
    )
    assert {item: n for item, n in quantities(usage).items() if item.startswith("cached")} == {
        "cached_input_text": 400,
        "cached_input_document": 100,
        "cached_input_image": 50,
        "cached_input_video": 30,
    }


def test_a_cache_may_name_a_modality_that_nothing_came_of() -> None:
    usage = tally(
        row(promptTokenCount=10, cachedContentTokenCount=4, cacheTokensDetails=details(TEXT=4, AUDIO=0))
    )
    assert (usage.rows, quantities(usage)) == (ONE_GOOD, {"input_text": 6, "cached_input_text": 4})


def test_cached_tokens_of_a_modality_nobody_knows_stay_counted() -> None:
    usage = tally(
        row(promptTokenCount=10, promptTokensDetails=details(HOLOGRAM=10), cachedContentTokenCount=4)
    )
    assert usage.rows == ONE_GOOD
    assert quantities(usage) == {"input_other": 6, "cached_input_other": 4}


@pytest.mark.parametrize(
    ("modality", "item"),
    [
        ("TEXT", "text"),
        ("IMAGE", "image"),
        ("VIDEO", "video"),
        ("AUDIO", "audio"),
        ("DOCUMENT", "document"),
        ("MODALITY_UNSPECIFIED", "text"),
        ("", "text"),
        (None, "text"),
        ("text", "text"),
    ],
)
def test_every_modality_has_its_own_item(modality: str | None, item: str) -> None:
    counts = [{"modality": modality, "tokenCount": 5}]
    usage = tally(row(promptTokenCount=5, promptTokensDetails=counts))
    assert quantities(usage) == {f"input_{item}": 5}
    # 5 x 0.15/1M, or for audio 5 x 0.50/1M
    assert cost(usage).amount_nano == (2_500 if item == "audio" else 750)


def test_a_modality_nobody_knows_is_unpriced_and_the_rest_of_the_row_is_not() -> None:
    usage = tally(row(promptTokenCount=10, promptTokensDetails=details(AUDIO=9, HOLOGRAM=1)))
    assert quantities(usage) == {"input_audio": 9, "input_other": 1}
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (4_500, 1)  # 9 x 0.50/1M


def test_image_output_has_its_own_rate() -> None:
    counts = details(IMAGE=1290)
    image = row(
        "gemini-2.5-flash-image",
        promptTokenCount=10,
        candidatesTokenCount=1304,
        candidatesTokensDetails=counts,
    )
    # 10 x 0.15/1M + 1290 x 15/1M + 14 x 1.25/1M = 0.0000015 + 0.01935 + 0.0000175 USD
    assert nano(image) == 19_369_000


def test_tokens_that_details_leave_out_are_text() -> None:
    usage = tally(row(promptTokenCount=10, promptTokensDetails=details(AUDIO=4)))
    assert quantities(usage) == {"input_audio": 4, "input_text": 6}


def test_a_modality_named_twice_is_summed() -> None:
    twice = details(AUDIO=4) + details(AUDIO=3)
    assert quantities(tally(row(promptTokenCount=7, promptTokensDetails=twice))) == {"input_audio": 7}


def test_tool_use_tokens_take_the_rate_of_their_modality() -> None:
    usage = tally(
        row(
            promptTokenCount=10,
            toolUsePromptTokenCount=7,
            toolUsePromptTokensDetails=details(AUDIO=2, TEXT=5),
        )
    )
    assert usage.tokens.input == 17
    assert quantities(usage) == {"input_text": 15, "input_audio": 2}


def test_tool_use_tokens_of_a_searched_row_are_counted_and_free() -> None:
    searched = {"candidates": [{}, {"groundingMetadata": {"webSearchQueries": ["a"]}}]}
    usage = tally(row(None, searched, promptTokenCount=10, toolUsePromptTokenCount=7))
    assert usage.tokens.input == 17
    assert quantities(usage) == {"input_grounding": 7, "input_text": 10}
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (1_500, 0)  # 10 x 0.15/1M


@pytest.mark.parametrize(
    "grounding", [None, {}, {"webSearchQueries": None}, {"webSearchQueries": []}, {"retrievalQueries": ["a"]}]
)
def test_tool_use_tokens_are_charged_where_no_web_search_was_made(grounding: Any) -> None:
    other = {"candidates": [{"groundingMetadata": grounding}]}
    # (10 + 7) x 0.15/1M
    assert nano(row(None, other, promptTokenCount=10, toolUsePromptTokenCount=7)) == 2_550


def test_tool_use_tokens_do_not_make_a_prompt_long() -> None:
    usage = tally(row(promptTokenCount=200_000, toolUsePromptTokenCount=5), model=PRO)
    assert {q.context_window for q in usage.quantities} == {"0-200k"}


@pytest.mark.parametrize(
    ("prompt", "amount"),
    [
        # 200000 x 0.625/1M + 10 x 5/1M = 0.125 + 0.00005 USD
        (200_000, 125_050_000),
        # 200001 x 1.25/1M + 10 x 7.5/1M = 0.25000125 + 0.000075 USD: the whole row at the long rate
        (200_001, 250_076_250),
    ],
)
def test_a_prompt_above_200k_prices_the_whole_row_at_the_long_rate(prompt: int, amount: int) -> None:
    assert nano(row(promptTokenCount=prompt, candidatesTokenCount=10), model=PRO) == amount


def test_cached_tokens_count_towards_a_long_prompt() -> None:
    # 1 x 1.25/1M + 200000 x 0.25/1M = 0.00000125 + 0.05 USD
    assert nano(row(promptTokenCount=200_001, cachedContentTokenCount=200_000), model=PRO) == 50_001_250


def test_each_row_has_its_own_context_window() -> None:
    usage = tally(row(promptTokenCount=150_000), row(promptTokenCount=150_000), model=PRO)
    assert [(q.context_window, q.quantity, q.rows) for q in usage.quantities] == [("0-200k", 300_000, 2)]


# Rows that say less


@pytest.mark.parametrize(
    ("usage", "tokens", "amount"),
    [
        ({}, Tokens(), 0),
        ({"totalTokenCount": 15}, Tokens(), 0),
        # 5 x 1.25/1M; the prompt must have cost something, so the row is not complete
        ({"candidatesTokenCount": 5, "totalTokenCount": 15}, Tokens(output=5), 6_250),
        ({"promptTokenCount": None, "candidatesTokenCount": 5}, Tokens(output=5), 6_250),
    ],
)
def test_a_row_without_a_prompt_count_is_reported_as_not_wholly_priced(
    usage: dict[str, Any], tokens: Tokens, amount: int
) -> None:
    counted = tally(row(**usage))
    assert (counted.rows, counted.tokens) == (ONE_UNMETERED, tokens)
    assert (cost(counted).amount_nano, cost(counted).unpriced_rows) == (amount, 1)


@pytest.mark.parametrize(
    "response",
    [
        {"candidates": [{}]},
        {"candidates": []},
        {"modelVersion": FLASH},
        {"usageMetadata": None, "modelVersion": FLASH},
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"embedding": {"values": [0.1]}},
    ],
)
def test_an_answer_without_usage_is_unmetered_and_neither_failed_nor_free(response: dict[str, Any]) -> None:
    usage = tally(line(response))
    assert usage.rows == ONE_UNMETERED
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (0, 1)


def test_a_blocked_prompt_is_charged_for_its_prompt() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 7}}
    assert tally(line(blocked)).rows == ONE_GOOD
    assert nano(line(blocked)) == 1_050  # 7 x 0.15/1M


@pytest.mark.parametrize("missing", ["totalTokenCount", "trafficType", "promptTokensDetails"])
def test_members_that_older_rows_lack_are_not_required(missing: str) -> None:
    whole = {
        "promptTokenCount": 9,
        "candidatesTokenCount": 10,
        "totalTokenCount": 19,
        "trafficType": "ON_DEMAND",
        "promptTokensDetails": details(TEXT=9),
    }
    del whole[missing]
    assert nano(row(**whole)) == 13_850  # 9 x 0.15/1M + 10 x 1.25/1M


def test_token_count_stands_in_for_usage_metadata_without_a_prompt_count() -> None:
    assert nano(line({"tokenCount": "2", "usageMetadata": {}}), model="gemini-embedding-001") == 240


def test_usage_metadata_goes_before_token_count() -> None:
    both = line({"tokenCount": "9", "usageMetadata": {"promptTokenCount": 2}})
    assert nano(both, model="gemini-embedding-001") == 240  # 2 x 0.12/1M


# Failed rows


@pytest.mark.parametrize(
    "failed",
    [
        b'{"status":"Bad Request: {\\"error\\": {\\"code\\": 400}}","response":{}}',
        b'{"status":"Internal","response":null}',
        b'{"status":"Failed to parse JSON into proto"}',
        b'{"status":{"message":"overloaded"},"response":{}}',
        b'{"instance":{"content":"a"},"error":{"code":3,"message":"x"}}',
        b'{"instance":{"content":"a"},"predictions":null,"status":"INVALID_ARGUMENT"}',
        b'{"instance":{"content":"a"},"predictions":[],"status":"INVALID_ARGUMENT"}',
        b'{"key":"a","status":"INVALID_ARGUMENT","request":{}}',
        b'{"status":3,"response":{}}',
        b'{"status":"404"}',
        b'{"status":{"code":0,"status":"INTERNAL"},"response":null}',
        b'{"status":"Internal","response":{"error":{"code":13}}}',
        b'{"status":"","response":{"error":{"code":13,"message":"x"}}}',
        # What the caller's own line brought along is no answer.
        b'{"status":"Bad Request","response":{},"body":{"messages":[]},"usage":"high","result":7}',
    ],
)
def test_failed_rows_are_counted_and_free(failed: bytes) -> None:
    usage = tally(failed)
    assert (usage.rows, usage.tokens, usage.quantities) == (ONE_FAILED, Tokens(), ())
    assert [(w.kind, w.rows) for w in usage.waste] == [("failed", 1)]
    assert (cost(usage).amount_nano, cost(usage).unpriced_rows) == (0, 0)


@pytest.mark.parametrize("status", ["", None])
def test_a_status_of_nothing_is_success(status: str | None) -> None:
    assert tally(line({"usageMetadata": {"promptTokenCount": 1}}, status=status)).rows == ONE_GOOD


# Which model prices a row


@pytest.mark.parametrize(
    "version",
    [
        "gemini-2.0-flash-001@default",
        "gemini-2.0-flash-001",
        "gemini-2.0-flash@001",
        "GEMINI-2.0-flash",
        "publishers/google/models/gemini-2.0-flash-001",
    ],
)
def test_the_version_that_a_row_names_prices_it(version: str) -> None:
    usage = tally(row(version, promptTokenCount=1000))
    assert {q.model for q in usage.quantities} == {"gemini-2.0-flash"}
    assert cost(usage).amount_nano == 75_000  # 1000 x 0.075/1M


@pytest.mark.parametrize("version", [None, "", "gemini-99-unheard-of", "gemini-99-unheard-of@default"])
def test_the_job_prices_rows_whose_version_has_no_price(version: str | None) -> None:
    usage = tally(row(version, promptTokenCount=1000), model="publishers/google/models/gemini-2.5-flash")
    assert {q.model for q in usage.quantities} == {FLASH}
    assert cost(usage).amount_nano == 150_000  # 1000 x 0.15/1M


@pytest.mark.parametrize(
    ("job_model", "version", "name"),
    [
        (TUNED, None, "4567"),
        (TUNED, "gemini-99", "gemini-99"),
        ("publishers/google/models/gemini-99", None, "gemini-99"),
    ],
)
def test_a_row_of_a_model_without_a_price_is_unpriced_under_its_name(
    job_model: str, version: str | None, name: str
) -> None:
    usage = tally(row(version, promptTokenCount=1000, candidatesTokenCount=5), model=job_model)
    priced = cost(usage)
    assert usage.rows == ONE_GOOD
    assert (priced.amount_nano, priced.unpriced_rows) == (0, 1)
    assert {(i.model, i.unit_price_pico, i.amount_nano) for i in priced.line_items} == {(name, None, None)}


def test_rows_of_different_versions_are_kept_apart() -> None:
    usage = tally(row(FLASH, promptTokenCount=1), row(PRO, promptTokenCount=2), row(promptTokenCount=4))
    assert [(q.model, q.quantity, q.rows) for q in usage.quantities] == [(FLASH, 5, 2), (PRO, 2, 1)]


@pytest.mark.parametrize(
    "version",
    [
        None,
        "4567",
        "projects/123/locations/us-central1/models/4567@1",
        "projects/123/locations/us-central1/endpoints/89",
        "my-tuned-flash",
    ],
)
def test_rows_of_a_tuned_model_cost_what_its_base_does(version: str | None) -> None:
    usage = tally(row(version, promptTokenCount=1000), model="publishers/google/models/gemini-2.5-flash-001")
    assert {q.model for q in usage.quantities} == {FLASH}
    assert cost(usage).amount_nano == 150_000  # 1000 x 0.15/1M


# Embeddings


def embedded(content: Any, tokens: Any = 3) -> bytes:
    return line(
        instance={"content": content}, predictions=[{"embeddings": {"statistics": {"token_count": tokens}}}]
    )


@pytest.mark.parametrize(
    ("content", "characters"),
    [
        ("abc", 3),
        ("a b\tc\n\u00a0\u2003\u3000d\r", 4),
        (" \n ", 0),
        ("", 0),
        ("\U0001f600\U0001f601 \U0001f602", 3),
        ("e\u0301", 2),
        ("汉字 kana", 6),
        ('"\\/', 3),
    ],
)
def test_characters_are_code_points_without_white_space(content: str, characters: int) -> None:
    usage = tally(embedded(content), model="text-embedding-005")
    assert usage.rows == ONE_GOOD
    assert sum(q.quantity for q in usage.quantities) == characters
    assert cost(usage).amount_nano == 20 * characters  # 0.02/1M each


def test_escaped_and_raw_characters_count_the_same() -> None:
    raw = json.dumps({"content": "é\U0001f600"}, ensure_ascii=False).encode()
    escaped = json.dumps({"content": "é\U0001f600"}).encode()
    assert raw != escaped
    for instance in (raw, escaped):
        usage = tally(b'{"predictions":[{}],"instance":' + instance + b"}", model="text-embedding-005")
        assert quantities(usage) == {"input_text": 2}


@pytest.mark.parametrize(
    "instance",
    [b"{}", b'{"content":null}', b'{"content":5}', b'{"content":["a"]}', b'"text"', b"null", b"[1]"],
)
def test_an_embedding_that_does_not_echo_its_text_is_unmetered(instance: bytes) -> None:
    predictions = b'"predictions":[{"embeddings":{"statistics":{"token_count":3}}}]'
    usage = tally(b'{"instance":' + instance + b"," + predictions + b"}", model="text-embedding-005")
    assert (usage.rows, usage.tokens.input) == (ONE_UNMETERED, 3)
    assert tally(b"{" + predictions + b"}", model="text-embedding-005").rows == ONE_UNMETERED


def test_undecodable_bytes_in_an_embedded_text_do_not_stop_the_count() -> None:
    broken = b'{"instance":{"content":"\xff"},"predictions":[{}],"status":""}'
    usage = tally(embedded("abc"), broken, embedded("de"), model="text-embedding-005")
    assert usage.rows.total == 3
    assert quantities(usage) == {"input_text": 5}
    assert usage.rows.malformed + cost(usage).unpriced_rows == 1


def test_predictions_of_a_model_by_the_token_are_charged_by_their_token_counts() -> None:
    usage = tally(embedded("abc", 4), embedded("abc", 5), model="gemini-embedding-001")
    assert quantities(usage) == {"input_text": 9}
    assert cost(usage).amount_nano == 1_080  # 9 x 0.12/1M


def test_token_counts_of_several_predictions_of_a_row_are_summed() -> None:
    two = line(predictions=[{"embeddings": {"statistics": {"token_count": n}}} for n in (2, 5)])
    assert quantities(tally(two, model="gemini-embedding-001")) == {"input_text": 7}


@pytest.mark.parametrize("prediction", [{}, {"embeddings": None}, {"embeddings": {"statistics": None}}])
def test_a_prediction_without_statistics_is_unmetered_where_tokens_are_charged(prediction: Any) -> None:
    assert tally(line(predictions=[prediction]), model="gemini-embedding-001").rows == ONE_UNMETERED


def test_rows_of_custom_models_are_neither_failed_nor_free() -> None:
    usage = tally(b'{"instance":{"x":1},"prediction":[0.1,0.9]}', model=TUNED)
    assert usage.rows == ONE_UNMETERED
    assert cost(usage).unpriced_rows == 1


# Resumed jobs

CREATED = datetime(2026, 7, 1, tzinfo=UTC)


def processed(time: object) -> bytes:
    return line({"usageMetadata": {"promptTokenCount": 10}}, processed_time=time)


@pytest.mark.parametrize(
    ("time", "carried_over"),
    [
        ("2026-06-30T23:59:59.999999Z", True),
        ("2026-06-30T23:59:59.999999999+00:00", True),
        ("2026-07-01T01:00:00+02:00", True),
        ("2026-06-30T23:59:59", True),
        ("2026-07-01T00:00:00Z", False),
        ("2026-06-30T23:00:00-02:00", False),
        ("2026-07-29T05:55:52.379528Z", False),
        ("0001-01-01T00:00:00+23:59", True),
        ("9999-12-31T23:59:59-23:59", False),
    ],
)
def test_rows_processed_before_a_resumed_job_was_created_are_not_charged_again(
    time: str,
    carried_over: bool,  # noqa: FBT001 - a table
) -> None:
    usage = tally(processed(time), resumed_at=CREATED)
    if carried_over:
        assert usage == Usage(rows=Rows(carried_over=1))
    else:
        assert (usage.rows, usage.tokens.input) == (ONE_GOOD, 10)


@pytest.mark.parametrize("time", [None, ""])
def test_rows_without_a_time_are_charged_to_the_job_at_hand(time: str | None) -> None:
    assert tally(processed(time), resumed_at=CREATED).rows == ONE_GOOD


def test_rows_of_other_jobs_are_charged_whatever_their_time() -> None:
    assert tally(processed("2020-01-01T00:00:00Z"), processed("nonsense")).rows == Rows(succeeded=2)


@pytest.mark.parametrize("time", ["nonsense", "2026-06-31T00:00:00Z", "yesterdayZ", 1767225600, {}, ["2020"]])
def test_rows_with_a_time_that_cannot_be_read_are_charged(time: object) -> None:
    usage = tally(processed(time), resumed_at=CREATED)

    assert (usage.rows, usage.tokens.input) == (ONE_GOOD, 10)


def test_failed_rows_of_a_resumed_job_are_failed_whatever_their_time() -> None:
    failed = line({}, status="Bad Request", processed_time="2020-01-01T00:00:00Z")
    assert tally(failed, resumed_at=CREATED).rows == ONE_FAILED


# Lines that are no rows


@pytest.mark.parametrize("blank", [b"", b" ", b"\t \r", b"\r"])
def test_blank_lines_are_no_rows(blank: bytes) -> None:
    assert tally(blank) == Usage()


@pytest.mark.parametrize(
    "garbage",
    [
        b"123",
        b"[]",
        b"null",
        b'"x"',
        b"true",
        b"nonsense",
        b"\0",
        b"\xff",
        b"{",
        GOOD[:-1],
        GOOD[: len(GOOD) // 2],
        GOOD + b"x",
        GOOD + GOOD,
        b"[" + GOOD + b"]",
        b'{"status":"\xff","response":{"usageMetadata":{"promptTokenCount":1}}}',
        GOOD.decode().encode("utf-16"),
        b"{'response':{}}",
        b'{"response":{"usageMetadata":{"promptTokenCount":NaN}}}',
    ],
)
def test_what_is_no_json_object_is_malformed(garbage: bytes) -> None:
    assert tally(garbage) == Usage(rows=ONE_MALFORMED)


@pytest.mark.parametrize(
    "response",
    [
        "text",
        [],
        5,
        True,
        {"usageMetadata": []},
        {"usageMetadata": "text"},
        {"usageMetadata": {"promptTokenCount": 1}, "candidates": {"0": {}}},
        {"usageMetadata": {"promptTokenCount": 1}, "modelVersion": 5},
        {"usageMetadata": {"promptTokenCount": "many"}},
        {"usageMetadata": {"promptTokenCount": ""}},
        {"usageMetadata": {"promptTokenCount": True}},
        {"usageMetadata": {"promptTokenCount": [1]}},
        {"usageMetadata": {"promptTokenCount": {"value": 1}}},
        {"usageMetadata": {"promptTokenCount": 1.5}},
        {"usageMetadata": {"promptTokenCount": 1, "promptTokensDetails": {"TEXT": 1}}},
        {"usageMetadata": {"promptTokenCount": 1, "promptTokensDetails": [7]}},
        {"usageMetadata": {"promptTokenCount": 1, "promptTokensDetails": [{"modality": 1}]}},
        {"tokenCount": 2.5},
        {"tokenCount": "two"},
    ],
)
def test_members_of_the_wrong_type_make_a_row_malformed(response: Any) -> None:
    assert tally(line(response)) == Usage(rows=ONE_MALFORMED)


@pytest.mark.parametrize(
    "member",
    [
        "promptTokenCount",
        "candidatesTokenCount",
        "thoughtsTokenCount",
        "toolUsePromptTokenCount",
        "cachedContentTokenCount",
    ],
)
@pytest.mark.parametrize("count", [-1, "-1", -INT32_MAX, 2**31, 2**63, "9223372036854775808", 10**30])
def test_counts_beyond_what_vertex_can_mean_make_a_row_malformed(member: str, count: Any) -> None:
    counts = {"promptTokenCount": INT32_MAX, member: count}
    assert tally(row(**counts)) == Usage(rows=ONE_MALFORMED)


def test_counts_of_nought_are_counts() -> None:
    usage = tally(
        row(promptTokenCount=10, candidatesTokenCount=0, thoughtsTokenCount=0, cachedContentTokenCount=0)
    )
    assert (usage.rows, quantities(usage)) == (ONE_GOOD, {"input_text": 10})


def test_the_largest_count_that_vertex_can_send_is_taken() -> None:
    usage = tally(row(promptTokenCount=INT32_MAX))
    assert (usage.rows, usage.tokens.input) == (ONE_GOOD, INT32_MAX)


@pytest.mark.parametrize("digits", [5_000, 100_000])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_numbers_of_any_length_do_not_stop_the_count(digits: int, quote: bytes) -> None:
    number = quote + b"9" * digits + quote
    assert tally(b'{"response":{"usageMetadata":{"promptTokenCount":' + number + b"}}}").rows == ONE_MALFORMED


@pytest.mark.parametrize("count", [-1, 2**63, "x"])
def test_the_counts_of_embeddings_are_checked_too(count: Any) -> None:
    assert tally(embedded("a", count), model="gemini-embedding-001").rows == ONE_MALFORMED
    assert tally(line({"tokenCount": count}), model="gemini-embedding-001").rows == ONE_MALFORMED


def test_a_malformed_row_takes_nothing_with_it() -> None:
    assert tally(GOOD, row(promptTokenCount=5, thoughtsTokenCount=-1), GOOD) == Usage(
        rows=Rows(succeeded=2, malformed=1),
        tokens=Tokens(input=2),
        quantities=tally(GOOD, GOOD).quantities,
    )


@pytest.mark.parametrize(
    "nested",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"request":' + b"[" * 100_000 + b"]" * 100_000 + b',"response":{"usageMetadata":{}}}',
        b'{"status":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"instance":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b',"predictions":[]}',
        b'{"response":{"candidates":[{"content":' + b"[" * 100_000 + b"]" * 100_000 + b"}]}}",
    ],
)
def test_deep_nesting_makes_a_row_malformed_and_stops_nothing(nested: bytes) -> None:
    assert tally(GOOD, nested, GOOD).rows == Rows(succeeded=2, malformed=1)


def test_nesting_as_deep_as_a_schema_may_be_is_read() -> None:
    request = b'{"a":[' * 100 + b"]}" * 100
    assert (
        tally(b'{"request":' + request + b',"response":{"usageMetadata":{"promptTokenCount":1}}}').rows
        == ONE_GOOD
    )


def test_undecodable_bytes_in_the_echoed_prompt_do_not_hide_the_usage() -> None:
    assert nano(b'{"request":{"a":"\xff"},"response":{"usageMetadata":{"promptTokenCount":10}}}') == 1_500


def test_numbers_may_come_as_strings_and_as_whole_decimals() -> None:
    assert nano(row(promptTokenCount="10", candidatesTokenCount=2.0)) == 4_000  # 10 x 0.15 + 2 x 1.25


def test_the_order_of_keys_does_not_matter() -> None:
    members = ['"status":""', '"request":{"contents":[]}', '"processed_time":"2026-07-01T00:00:00Z"']
    members.append(
        '"response":{"usageMetadata":{"candidatesTokenCount":2,"promptTokenCount":10},"candidates":[]}'
    )
    orders = [members, members[::-1], members[2:] + members[:2]]
    assert {nano(("{" + ", ".join(order) + "}").encode()) for order in orders} == {4_000}


def test_keys_that_nobody_knows_are_skipped() -> None:
    odd = b'{"custom_id":7,"key":null,"response":{"x":[1],"usageMetadata":{"y":{},"promptTokenCount":10}}}'
    assert nano(odd) == 1_500


def test_of_a_key_given_twice_the_last_counts() -> None:
    twice = b'{"response":{"usageMetadata":{"promptTokenCount":99,"promptTokenCount":10}}}'
    assert nano(twice) == 1_500


def test_an_answer_that_an_empty_one_follows_is_not_taken_for_failed() -> None:
    for status in (b"", b"Bad Request"):
        twice = b'{"status":"%b","response":{"usageMetadata":{"promptTokenCount":1}},"response":{}}' % status
        assert tally(twice).rows == Rows(unrecognized=1)


def test_null_members_are_missing_ones() -> None:
    members = ("cachedContentTokenCount", "cacheTokensDetails", "promptTokensDetails", "thoughtsTokenCount")
    nulls = {"candidates": None, "modelVersion": None}
    assert nano(row(None, nulls, promptTokenCount=10, **dict.fromkeys(members))) == 1_500


def test_windows_line_breaks_are_white_space() -> None:
    assert tally(GOOD + b"\r", b"\r").rows == ONE_GOOD


def test_a_byte_order_mark_before_the_first_row_does_not_cost_the_row() -> None:
    assert tally(BYTE_ORDER_MARK + GOOD, GOOD).rows == Rows(succeeded=2)


@pytest.mark.parametrize("marks", [2, 10_000])
def test_any_number_of_byte_order_marks_stops_nothing(marks: int) -> None:
    assert tally(GOOD, BYTE_ORDER_MARK * marks + b"{}", GOOD).rows.total == 3


def test_a_line_that_could_not_be_read_is_malformed() -> None:
    counted = Tally(TABLE, FLASH)
    counted.add_malformed()
    assert counted.usage == Usage(rows=ONE_MALFORMED)


# Anything at all

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_COUNTS = st.integers(-3, 300_000) | st.sampled_from([2**31, 2**63, 10**30]) | _JSON
_DETAILS = _JSON | st.lists(
    st.fixed_dictionaries(
        {}, optional={"modality": st.sampled_from(["TEXT", "AUDIO", "X"]) | _JSON, "tokenCount": _COUNTS}
    ),
    max_size=3,
)
_USAGE = _JSON | st.fixed_dictionaries(
    {},
    optional={
        "promptTokenCount": _COUNTS,
        "candidatesTokenCount": _COUNTS,
        "thoughtsTokenCount": _COUNTS,
        "toolUsePromptTokenCount": _COUNTS,
        "cachedContentTokenCount": _COUNTS,
        "promptTokensDetails": _DETAILS,
        "candidatesTokensDetails": _DETAILS,
        "cacheTokensDetails": _DETAILS,
        "toolUsePromptTokensDetails": _DETAILS,
        "totalTokenCount": _COUNTS,
    },
)
_MESSAGES = _JSON | st.fixed_dictionaries(
    {"usage": st.fixed_dictionaries({}, optional={"input_tokens": _COUNTS, "prompt_tokens": _COUNTS})},
    optional={"error": _JSON, "type": st.sampled_from(["message", "error"]) | _JSON},
)
_ROWS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["", "OK", 200, "Bad Request"]) | _JSON,
        "processed_time": st.datetimes().map(datetime.isoformat) | _JSON,
        "response": st.fixed_dictionaries(
            {},
            optional={
                "usageMetadata": _USAGE,
                "modelVersion": st.sampled_from([FLASH, "gemini-99"]) | _JSON,
                "candidates": st.lists(st.fixed_dictionaries({"groundingMetadata": _JSON}), max_size=2)
                | _JSON,
                "tokenCount": _COUNTS,
            },
        )
        | _JSON,
        "predictions": st.lists(
            st.fixed_dictionaries({"embeddings": st.fixed_dictionaries({"statistics": _JSON})}), max_size=2
        )
        | _JSON,
        "prediction": _JSON,
        "instance": st.fixed_dictionaries({"content": _JSON}) | _JSON,
        "usageMetadata": _USAGE,
        "result": st.fixed_dictionaries({"message": _MESSAGES}) | _JSON,
        "body": _MESSAGES,
        "error": _JSON,
    },
)
_MODELS = st.sampled_from([FLASH, TUNED, "text-embedding-005", "gemini-embedding-001", ""])
_RESUMED = st.sampled_from([None, CREATED])


def check_one_line(content: bytes, model: str, resumed_at: datetime | None) -> None:
    usage = tally(content, model=model, resumed_at=resumed_at)
    assert usage.rows.total == (1 if content.strip() else 0) or content == BYTE_ORDER_MARK
    assert usage.rows.unmetered <= usage.rows.succeeded
    assert all(0 < q.quantity <= 2**63 - 1 and q.rows == 1 for q in usage.quantities)
    if not usage.rows.succeeded:
        assert (usage.tokens, usage.quantities) == (Tokens(), ())
    priced = cost(usage)
    assert 0 <= priced.unpriced_rows <= usage.rows.succeeded
    if usage.rows.succeeded > priced.unpriced_rows and model != "text-embedding-005":  # a blank text is free
        assert priced.amount_nano > 0


@given(st.binary(max_size=200), _MODELS, _RESUMED)
def test_any_bytes_are_at_most_one_row(content: bytes, model: str, resumed_at: datetime | None) -> None:
    check_one_line(content, model, resumed_at)


@examples(50)
@given(_ROWS, _MODELS, _RESUMED)
def test_any_json_row_is_one_row(content: dict[str, Any], model: str, resumed_at: datetime | None) -> None:
    check_one_line(json.dumps(content).encode(), model, resumed_at)


@given(st.data(), _MODELS)
def test_any_damage_to_a_good_row_is_at_most_one_row(data: st.DataObject, model: str) -> None:
    lines = [
        *sample("embeddings_google_docs_legacy.jsonl"),
        *sample("gemini_embedding_docs_and_litellm_shape.jsonl"),
    ]
    content = bytearray(data.draw(st.sampled_from([GOOD, *lines])))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    check_one_line(bytes(content), model, None)
