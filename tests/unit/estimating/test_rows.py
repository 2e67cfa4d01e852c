"""One row: what it will use, and why it will fail."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating import media
from batch_gateway.core.estimating.imports import Columns
from batch_gateway.core.estimating.media import Medium
from batch_gateway.core.estimating.model_limits import Family, family_of, output_limit, thinks, version_of
from batch_gateway.core.estimating.needs import TargetModel, either, number
from batch_gateway.core.estimating.rows import read
from batch_gateway.core.estimating.text import tokens_of

TEXT = "How long is a piece of string?"


def read_row(row, family=Family.GEMINI, version=(2, 5), columns=None, **sizes):
    line = row if isinstance(row, bytes) else json.dumps(row).encode()
    by_character = family is Family.LEGACY_EMBEDDING
    asked = TargetModel(family, version, by_character, lambda uri: sizes.get(uri.rpartition("/")[2]))
    return read(line, asked, columns or Columns())


def gemini(*parts, **members):
    parts = parts or ({"text": TEXT},)
    return {"request": {"contents": [{"role": "user", "parts": list(parts)}], **members}}


def needs(row, **given):
    found = read_row(row, **given)
    assert not found.problem
    return found.needs


def text_range(*texts):
    low, expected, high = (sum(level) for level in zip(*map(tokens_of, texts), strict=True))
    return low, expected, high + 8


@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_text_of_contents_and_system_instruction_counts(name):
    row = gemini({"text": TEXT}, {"text": "And why?"}, **{name: {"parts": [{"text": "Be brief."}]}})
    assert tuple(needs(row).input["input_text"]) == text_range(TEXT, "And why?", "Be brief.")


def test_one_content_and_one_part_may_stand_alone():
    row = {"request": {"contents": {"role": "user", "parts": {"text": TEXT}}}}
    assert tuple(needs(row).input["input_text"]) == text_range(TEXT)


@pytest.mark.parametrize(
    ("config", "limit", "answers", "thinking"),
    [
        ({"maxOutputTokens": 512}, 512, 1, None),
        ({"max_output_tokens": "512", "candidate_count": 3}, 512, 3, None),
        ({"thinkingConfig": {"thinkingBudget": 0}, "candidateCount": 2}, None, 2, 0),
        ({"maxOutputTokens": 0}, None, 1, None),
        ({"maxOutputTokens": True, "candidateCount": "x"}, None, 1, None),
        (None, None, 1, None),
        ({"maxOutputTokens": 7, "max_output_tokens": 900}, 900, 1, None),
        ({"maxOutputTokens": 900, "max_output_tokens": "7"}, 900, 1, None),
        ({"maxOutputTokens": 7, "max_output_tokens": None}, None, 1, None),
        ({"candidateCount": 1, "candidate_count": 8}, None, 8, None),
        (
            {"thinkingConfig": {"thinkingBudget": 0}, "thinking_config": {"thinking_budget": 99}},
            None,
            1,
            99,
        ),
    ],
)
def test_limits_of_the_output_in_either_spelling(config, limit, answers, thinking):
    for name in ("generationConfig", "generation_config"):
        found = needs(gemini(**{name: config}))
        assert (found.limit, found.answers, found.thinking) == (limit, answers, thinking)


def test_of_two_configurations_the_dearer_counts():
    first, second = {"maxOutputTokens": 10, "candidateCount": 4}, {"maxOutputTokens": 500}
    for one, other in ((first, second), (second, first)):
        found = needs(gemini(generationConfig=one, generation_config=other))
        assert (found.limit, found.answers) == (500, 4)


def test_function_declarations_count_from_3_5_on_and_before_in_the_high_only():
    declarations = [{"name": "look_up", "description": "Looks a customer's order up by its number."}]
    row = gemini(tools=[{"functionDeclarations": declarations}])
    plain, old, new = needs(gemini()), needs(row, version=(3, 1)), needs(row, version=(3, 5))
    assert old.input["input_text"].expected == plain.input["input_text"].expected
    assert old.input["input_text"].high > plain.input["input_text"].high + 40
    assert new.input["input_text"].expected > plain.input["input_text"].expected + 10
    assert new.input["input_text"].high == old.input["input_text"].high


def test_a_schema_of_the_answer_is_in_the_high():
    row = gemini(generationConfig={"responseSchema": {"type": "OBJECT", "description": TEXT}})
    plain = needs(gemini()).input["input_text"]
    assert needs(row).input["input_text"].expected == plain.expected
    assert needs(row).input["input_text"].high > plain.high


def test_function_calls_in_the_prompt_count():
    call = {"functionResponse": {"name": "look_up", "response": {"text": TEXT * 10}}}
    assert needs(gemini(call)).input["input_text"].expected > 10 * tokens_of(TEXT).expected


@pytest.mark.parametrize("tool", ["urlContext", "url_context", "codeExecution"])
def test_what_a_tool_reads_leaves_the_high_unknown(tool):
    assert tool[:3] in needs(gemini(tools=[{tool: {"x": 1}}])).unbounded.lower()
    assert needs(gemini(tools=[{"googleSearch": {"x": 1}}])).unbounded == ""


def test_searches_are_noted():
    assert needs(gemini(tools=[{"google_search": {"x": 1}}])).searches
    assert needs(gemini(tools=[{"googleMaps": {"x": 1}}])).searches
    assert needs(gemini(tools=[{"enterpriseWebSearch": {"x": 1}}])).searches
    assert not needs(gemini()).searches


MEDIA = [
    # (mime type, bytes, version, resolution) -> expected, by Google's tables
    ("image/png", 10_000, (2, 5), "", 258),
    ("image/png", 500_000, (2, 5), "", 1032),
    ("image/jpeg", None, (2, 5), "MEDIA_RESOLUTION_LOW", 64),
    ("image/jpeg", 500_000, (3, 0), "", 1120),
    ("image/jpeg", 500_000, (3, 8), "MEDIA_RESOLUTION_LOW", 280),
    ("image/jpeg", 500_000, (4, 0), "MEDIA_RESOLUTION_ULTRA_HIGH", 2240),
    # A minute: at 128 kbit/s, and at 2 Mbit/s.
    ("audio/mpeg", 959_999, (2, 5), "", 60 * 32),
    ("audio/mpeg", 959_999, (3, 0), "", 60 * 25),
    ("video/mp4", 14_999_999, (2, 5), "", 60 * (258 + 32)),
    ("video/mp4", 14_999_999, (2, 5), "MEDIA_RESOLUTION_LOW", 60 * (66 + 32)),
    ("video/mp4", 14_999_999, (3, 0), "", 60 * (70 + 25)),
    ("video/mp4", 14_999_999, (3, 0), "MEDIA_RESOLUTION_HIGH", 60 * (280 + 25)),
    ("application/pdf", 999_999, (2, 5), "", 10 * 258),
    ("application/pdf", 999_999, (3, 0), "", 10 * 560),
    ("text/plain", 4_000, (2, 5), "", 1000),
]


@pytest.mark.parametrize(("mime", "size", "version", "resolution", "expected"), MEDIA)
def test_media_have_googles_rates(mime, size, version, resolution, expected):
    guesses = media.tokens_of(Medium(mime, size, resolution), version)
    assert sum(guess.expected for guess in guesses.values()) == expected
    assert all(guess.low <= guess.expected <= guess.high for guess in guesses.values())


@given(
    st.sampled_from(["image/png", "video/mp4", "audio/wav", "application/pdf", "text/csv", ""]),
    st.none() | st.integers(0, 10**10),
    st.sampled_from([(1, 5), (2, 0), (2, 5), (3, 0), (3, 5), (99, 0)]),
    st.sampled_from(["", "MEDIA_RESOLUTION_LOW", "MEDIA_RESOLUTION_MEDIUM", "MEDIA_RESOLUTION_HIGH", "x"]),
)
def test_ranges_of_media_are_in_order(mime, size, version, resolution):
    for guess in media.tokens_of(Medium(mime, size, resolution), version).values():
        assert 0 <= guess.low <= guess.expected <= guess.high


def video(**metadata):
    part = {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://in/a.mp4"}, "videoMetadata": metadata}
    return needs(gemini(part), **{"a.mp4": 14_999_999}).input  # a minute, at 2 Mbit/s


@pytest.mark.parametrize(
    ("metadata", "frames", "seconds"),
    [
        ({"fps": 1}, 60, 60),
        ({"fps": 24}, 60 * 24, 60),
        ({"fps": "0.5"}, 30, 60),
        ({"fps": 0}, 60, 60),
        ({"fps": -5}, 60, 60),
        ({"fps": "x"}, 60, 60),
        ({"startOffset": "10s", "endOffset": "25.5s"}, 16, 16),
        ({"start_offset": "10s", "end_offset": {"seconds": "20", "nanos": 500_000_000}}, 11, 11),
        ({"endOffset": "9999s"}, 60, 60),
        ({"startOffset": "30s"}, 60, 60),
        ({"startOffset": "30s", "endOffset": "20s"}, 0, 0),
        ({"endOffset": "soon"}, 60, 60),
    ],
    ids=str,
)
def test_frames_and_offsets_of_a_video_count_and_its_sound_is_audio(metadata, frames, seconds):
    found = video(**metadata)
    assert found["input_video"].expected == frames * 258
    assert found["input_audio"].expected == seconds * 32


def test_a_video_of_unknown_size_is_as_long_as_its_offsets_say():
    part = {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://in/none.mp4"}}
    found = needs(gemini({**part, "videoMetadata": {"endOffset": "7s"}})).input
    assert tuple(found["input_video"]) == (7 * 258,) * 3
    assert needs(gemini(part)).input["input_video"].high > 3000 * 258


def test_files_are_counted_by_modality_size_and_resolution():
    row = gemini(
        {"inlineData": {"mimeType": "image/png", "data": "A" * 40_000}},
        {"inline_data": {"mime_type": "image/png", "data": "A" * 39_000}},
        {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/memo.mp3"}},
        {"file_data": {"mime_type": "application/pdf", "file_uri": "gs://in/other.pdf"}},
        generationConfig={"mediaResolution": "MEDIA_RESOLUTION_HIGH"},
    )
    found = needs(row, **{"memo.mp3": 959_999}).input
    assert found["input_image"].expected == 1032 + 258
    assert found["input_audio"].expected == 60 * 32
    assert found["input_document"].expected == 10 * 258  # of unknown size


def test_a_parts_own_resolution_comes_before_the_requests():
    part = {
        "fileData": {"mimeType": "image/png", "fileUri": "gs://in/a.png"},
        "mediaResolution": {"level": "MEDIA_RESOLUTION_LOW"},
    }
    row = gemini(part, generationConfig={"mediaResolution": "MEDIA_RESOLUTION_HIGH"})
    assert needs(row, version=(3, 0)).input["input_image"].expected == 280


REFUSED = {
    "a role": ({"request": {"contents": [{"role": "tester", "parts": [{"text": "x"}]}]}}, "tester"),
    "no contents": ({"request": {"contents": []}}, "contents"),
    "no parts": ({"request": {"contents": [{"role": "user", "parts": []}]}}, "without parts"),
    "a cache": (gemini(cachedContent="projects/p/cachedContents/1"), "caching"),
    "no request": ({"key": "1"}, "request is missing"),
    "a request of another type": ({"request": "x"}, "request is missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_rows_that_gemini_refuses_are_named_and_free(case):
    row, reason = REFUSED[case]
    found = read_row(row)
    assert reason in found.problem
    assert "whole job" not in found.problem
    assert found.free


def deep(levels):
    value = {"leaf": 1}
    for _ in range(levels - 1):
        value = {"object": value}
    return value


FATAL = {
    "an empty object": (
        gemini(tools=[{"google_search": {}}]),
        "request.tools.google_search is an empty object",
    ),
    "a name with a hyphen": (gemini(generationConfig={"responseSchema": {"a-b": 1}}), "'a-b'"),
    "a name that begins with a digit": (gemini() | {"1st": 1}, "'1st'"),
    "a name that BigQuery keeps": (gemini() | {"_PARTITIONTIME": 1}, "_PARTITIONTIME"),
    "too deep": (gemini() | {"schema": deep(16)}, "nested more than 15"),
}


@pytest.mark.parametrize("case", FATAL)
def test_rows_that_fail_the_import_are_named_and_still_counted(case):
    row, reason = FATAL[case]
    found = read_row(row)
    assert reason in found.problem
    assert "whole job" in found.problem
    assert not found.free
    assert found.needs.input["input_text"].expected >= tokens_of(TEXT).expected


def test_what_vertex_added_to_a_row_is_taken_back():
    columns = Columns()
    for added in ({"status": "Bad Request", "response": {}}, {"status": {"code": 3}, "response": {"a-b": 1}}):
        assert not read_row(gemini() | added, columns=columns).problem
    fatal = gemini(tools=[{"google_search": {}}]) | {"status": "x", "response": {}}
    assert "google_search is an empty object" in read_row(fatal).problem
    assert "response is an empty object" in read_row(gemini() | {"response": {}}).problem


def test_fifteen_objects_deep_is_not_too_deep():
    assert not read_row(gemini() | {"schema": deep(15)}).problem


def test_types_must_not_change_from_row_to_row():
    columns = Columns()
    assert not read_row(gemini() | {"key": 1, "extra": None, "list": [], "n": 1}, columns=columns).problem
    assert not read_row(gemini() | {"key": 2, "extra": [1], "list": ["a"], "n": 1.5}, columns=columns).problem
    for row, reason in (
        (gemini() | {"key": "3"}, "key is a string here and a number in an earlier row"),
        (gemini() | {"extra": 1}, "extra is a number here and a list with a number"),
        (gemini() | {"n": True}, "n is a boolean"),
        (
            {"request": {"contents": {"role": "user", "parts": [{"text": "x"}]}}},
            "request.contents is an object",
        ),
    ):
        assert reason in read_row(row, columns=columns).problem


def test_what_is_no_json_is_named():
    for line in (b"{", b"[]", b"\xff", b"1"):
        found = read_row(line)
        assert "not a JSON object" in found.problem
        assert found.needs is None


def test_half_a_surrogate_pair_in_a_row_is_no_reason_to_refuse_it():
    assert not read_row(b'{"request":{"contents":[{"parts":[{"text":"a\\ud83d"}]}]}}').problem


def test_a_row_that_an_earlier_job_answered_is_free():
    row = gemini() | {"status": "", "processed_time": "2026-11-22T10:00:00Z", "response": {"x": 1}}
    assert read_row(row).free
    assert not read_row(row | {"status": "Bad Request"}).free


def test_the_other_families():
    claude = {"custom_id": "1", "request": {"system": "Be brief.", "max_tokens": 50}}
    claude["request"]["messages"] = [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]
    found = needs(claude, family=Family.CLAUDE)
    assert (found.limit, found.searches) == (50, False)
    searching = {**claude, "request": {**claude["request"], "tools": [{"type": "web_search_20250305"}]}}
    assert needs(searching, family=Family.CLAUDE).searches
    assert (
        found.input["input_text"].expected == tokens_of(TEXT).expected + tokens_of("Be brief.").expected + 6
    )
    chat = {"custom_id": "1", "body": {"messages": [{"role": "user", "content": TEXT}], "n": 2}}
    found = needs(chat, family=Family.OPEN_CHAT)
    assert (found.limit, found.answers) == (None, 2)
    chat["body"] |= {"max_tokens": 7, "max_completion_tokens": 9}
    assert needs(chat, family=Family.OPEN_CHAT).limit == 9
    texts = {"body": {"input": [TEXT, TEXT]}}
    assert needs(texts, family=Family.OPEN_EMBEDDING).input["input_text"] == tokens_of(TEXT).times(2)
    embedding = {"key": "1", "request": {"content": {"parts": [{"text": TEXT}]}}}
    assert needs(embedding, family=Family.GEMINI_EMBEDDING).input["input_text"] == tokens_of(TEXT)
    assert tuple(needs({"content": "a b\n"}, family=Family.LEGACY_EMBEDDING).input["input_text"]) == (2, 2, 2)


@pytest.mark.parametrize(
    ("row", "family", "reason"),
    [
        ({"custom_id": "1"}, Family.CLAUDE, "request is missing"),
        ({"request": {"max_tokens": 1}}, Family.CLAUDE, "messages"),
        ({"request": {"messages": [{"content": "x"}]}}, Family.CLAUDE, "max_tokens"),
        ({"body": {}}, Family.OPEN_CHAT, "messages"),
        ({"body": {"input": [1]}}, Family.OPEN_EMBEDDING, "body.input"),
        ({"request": {}}, Family.LEGACY_EMBEDDING, "content"),
        ({"request": {"contents": []}}, Family.GEMINI_EMBEDDING, "content"),
    ],
)
def test_rows_of_the_wrong_form_are_named(row, family, reason):
    found = read_row(row, family=family)
    assert reason in found.problem
    assert found.free


def test_images_of_claude_leave_the_high_unknown():
    block = {"type": "image", "source": {"type": "base64", "data": "A" * 1000}}
    row = {"request": {"max_tokens": 5, "messages": [{"role": "user", "content": [block]}]}}
    found = needs(row, family=Family.CLAUDE)
    assert found.unbounded
    assert found.input["input_text"].expected >= 1600


MODELS = {
    "publishers/google/models/gemini-2.5-flash": (Family.GEMINI, 65_536, True),
    "projects/p/locations/l/publishers/google/models/gemini-2.0-flash-001": (Family.GEMINI, 8_192, False),
    "publishers/google/models/gemini-2.5-flash-lite": (Family.GEMINI, 65_536, False),
    "publishers/google/models/gemini-4-argon": (Family.GEMINI, 65_536, True),
    "publishers/google/models/gemini-3-pro-image": (Family.GEMINI, 32_768, False),
    "gemini-2.5-pro@default": (Family.GEMINI, 65_536, True),
    "publishers/google/models/gemini-embedding-2": (Family.GEMINI_EMBEDDING, None, True),
    "publishers/google/models/text-embedding-005": (Family.LEGACY_EMBEDDING, None, True),
    "publishers/anthropic/models/claude-sonnet-4-5@20250929": (Family.CLAUDE, None, True),
    "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas": (Family.OPEN_CHAT, None, True),
    "publishers/intfloat/models/multilingual-e5-small-maas": (Family.OPEN_EMBEDDING, None, True),
    "projects/p/locations/l/models/1234": (Family.CUSTOM, None, True),
}


@pytest.mark.parametrize("model", MODELS)
def test_families_and_limits_of_models(model):
    family, limit, thinking = MODELS[model]
    assert family_of(model) is family
    assert output_limit(model) == limit
    assert family is not Family.GEMINI or thinks(model) is thinking


def test_versions():
    assert version_of("gemini-2.5-flash") == (2, 5)
    assert version_of("publishers/google/models/gemini-4-argon") == (4, 0)
    assert version_of("gemini-embedding-2") > (4, 0)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "request",
                    "contents",
                    "parts",
                    "text",
                    "role",
                    "body",
                    "messages",
                    "tools",
                    "content",
                    "input",
                    "generationConfig",
                    "maxOutputTokens",
                    "inlineData",
                    "fileData",
                    "fileUri",
                    "mimeType",
                    "system",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from(list(Family)))
def test_no_json_breaks_the_reading(value, family):
    found = read_row(json.dumps(value).encode(), family=family)
    for units in found.needs.input.values() if found.needs else ():
        assert 0 <= units.low <= units.expected <= units.high


def test_members_in_either_spelling_and_numbers_of_any_form():
    assert either({"max_output_tokens": 1}, "maxOutputTokens") == 1
    assert either({"maxOutputTokens": 2, "max_output_tokens": 1}, "maxOutputTokens") == 2
    assert either("x", "a") is None
    assert [number(value) for value in (5, "5", 5.0, -1, "-1", 5.5, None, True, "9" * 30)] == [
        *(5, 5, 5),
        *(None,) * 6,
    ]
