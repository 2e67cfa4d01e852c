"""Text -> tokens: against counts that were published, and within bounds for any text."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating.text import characters_of, tokens_of

ROWS = Path(__file__).parents[2] / "fixtures" / "rows"
PROSE = (
    "Cloud storage keeps objects in buckets. An object is immutable: to change it means to write a new "
    "generation of it, which readers see at once and as a whole. The finance department asked, in three "
    "letters of last September, whether somebody could explain why the bill had doubled within a month."
)


def published():
    """(text, its tokens by Gemini's own count) of live rows and of the documentation's examples."""
    lines = [
        line
        for name in (
            "gemini_live_litellm_docs_2025-09-19.predictions.jsonl",
            "gemini_google_docs_success_and_failed.predictions.jsonl",
            "gemini_embedding_docs_and_litellm_shape.jsonl",
        )
        for line in (ROWS / name).read_text(encoding="utf-8").splitlines()
    ]
    counts = [
        # "Understand and count tokens", ai.google.dev: the example of countTokens.
        ("The quick brown fox jumps over the lazy dog.", 10),
    ]
    for row in map(json.loads, lines):
        response = row.get("response") or {}
        usage = response.get("usageMetadata", {})
        request = row["request"]
        asked = [*request.get("contents", []), request.get("system_instruction"), request.get("content")]
        parts = [part for content in asked if content for part in content["parts"]]
        prompt = usage.get("promptTokenCount") or response.get("tokenCount")
        if prompt and all(part.get("text") for part in parts):
            counts.append(("".join(part["text"] + " " for part in parts), int(prompt)))
        for candidate in response.get("candidates", []):
            answer = "".join(part["text"] for part in candidate["content"]["parts"])
            counts.append((answer, usage["candidatesTokenCount"]))
    return counts


def test_published_counts_are_within_the_range_and_close_to_the_expected():
    counts = published()
    assert len(counts) >= 9
    for text, tokens in counts:
        guess = tokens_of(text)
        assert guess.low <= tokens <= guess.high, text
        assert abs(guess.expected - tokens) <= max(1, tokens * 0.15), text
    assert sum(tokens_of(text).expected for text, _ in counts) == pytest.approx(
        sum(tokens for _, tokens in counts), rel=0.10
    )


def test_english_is_as_google_says():
    """About 4 characters a token; 100 tokens are 60 to 80 words."""
    guess = tokens_of(PROSE)
    assert 4.0 <= len(PROSE) / guess.expected <= 5.0
    assert 60 <= 100 * len(PROSE.split()) / guess.expected <= 80


NAMES = (
    *("han", "kana", "hangul", "cyrillic", "arabic", "devanagari", "thai", "german"),
    *("digits", "base64", "json", "emoji"),
)


@pytest.mark.parametrize(
    ("text", "fewest", "most"),
    [
        ("人工智能正在改变我们的生活方式和工作方式", 1.0, 2.0),
        ("これはバッチ処理のための入力です", 1.0, 2.2),
        ("배치 작업의 비용을 미리 알려 줍니다", 1.0, 2.5),
        ("Стоимость пакетного задания известна заранее", 2.0, 4.0),
        ("تكلفة المهمة معروفة مسبقا", 1.8, 4.0),
        ("बैच कार्य की लागत पहले से ज्ञात है", 1.8, 4.0),
        ("ต้นทุนของงานเป็นที่ทราบล่วงหน้า", 1.5, 4.0),
        ("Die Kosten der Übermittlung größerer Aufträge wären früher bekannt", 3.0, 4.5),
        ("4915207731684", 1.0, 1.0),
        (base64.b64encode(hashlib.shake_256(b"x").digest(300)).decode(), 1.2, 1.8),
        (json.dumps({"id": 71, "ok": True, "names": ["a", "b"], "total": 12.5}), 1.5, 3.5),
        ("🙂🎉🚀", 0.3, 1.0),
    ],
    ids=NAMES,
)
def test_characters_a_token_by_script(text, fewest, most):
    assert fewest <= len(text) / tokens_of(text).expected <= most


def test_no_text_has_no_tokens_and_any_text_has_one():
    assert tuple(tokens_of("")) == (0, 0, 0)
    assert tuple(tokens_of("a")) == (1, 1, 1)


@given(st.text(max_size=400))
def test_the_range_is_in_order_and_never_above_a_token_a_byte_beyond_rounding(text):
    guess = tokens_of(text)
    assert 0 <= guess.low <= guess.expected <= guess.high
    assert guess.high <= len(text.encode(errors="surrogatepass"))


@given(st.text(max_size=400))
def test_the_high_is_never_below_a_token_for_four_characters(text):
    assert 4 * tokens_of(text).high >= len(text)


@given(st.permutations(PROSE.split()))
def test_the_order_of_words_makes_little_difference(words):
    text = " ".join(words)
    assert tokens_of(text).expected == pytest.approx(tokens_of(PROSE).expected, rel=0.05)
    assert tokens_of(text).expected == pytest.approx(len(text) / 4, rel=0.15)


def test_digits_and_capitals_bound_the_range():
    assert tuple(tokens_of("4" * 20)) == (18, 20, 20)
    assert tokens_of("INVOICE").high == 7
    assert tokens_of("Invoice").high == 4


def test_half_a_surrogate_pair_is_counted():
    assert tokens_of("a\ud83d").high >= 2


def test_characters_are_counted_without_white_space():
    assert characters_of(" a b\n\tc\u3000ü🙂 ") == 5
