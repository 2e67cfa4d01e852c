"""The most that rows may cost: nothing that a row says, or hides, makes it less."""

import json
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.exact import MOST_ODD_BYTES, UnboundedError, row_of, values
from batch_gateway.core.pricing import prices

FLASH = "publishers/google/models/gemini-2.5-flash"
IMAGE = "publishers/google/models/gemini-2.5-flash-image"
PRO = "publishers/google/models/gemini-2.5-pro"
CLAUDE = "publishers/anthropic/models/claude-haiku-4-5"
LLAMA = "publishers/meta/models/llama-3.3-70b-instruct-maas"
SIZES = {"gs://in/a.mp4": 14_999_999, "gs://in/a.mp3": 959_999, "gs://in/a.pdf": 999_999}
LONGEST = 65_536
PROMPT = 1_048_576


def line_of(row):
    return row if isinstance(row, bytes) else json.dumps(row).encode()


def weigh(*rows, model=FLASH, parameters=None):
    scale = Scale(model, prices.load(), SIZES.get, parameters)
    scale.add(line_of(row) for row in rows)
    return scale.weight


def refusal(row, model=FLASH):
    with pytest.raises(UnboundedError) as refused:
        weigh(row, model=model)
    return str(refused.value)


def items(weight):
    """Units by item, whatever the window."""
    found = Counter()
    for (_, item), number in weight.uses.items():
        found[item] += number
    return found


def gemini(*parts, config=None, **request):
    contents = [{"role": "user", "parts": [{"text": "How long is it?"}, *parts]}]
    given = {"maxOutputTokens": 100} if config is None else config
    return {"request": {"contents": contents, "generationConfig": given, **request}}


def file(name, mime_type, **part):
    return {"fileData": {"mimeType": mime_type, "fileUri": f"gs://in/{name}"}, **part}


# --- What a line says


def test_a_line_of_any_form_is_read_as_it_is():
    for line in (
        b'{"a":1}\n',
        b' { "a" : 1 } ',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":1,"b":"x\\"y\\\\","c\\"":[{"d":"\\u00e9"}]}',
    ):
        row = row_of(line)
        assert values(row, "a") == [1]
        assert row == json.loads(line.removeprefix(b"\xef\xbb\xbf"))


@pytest.mark.parametrize(
    "line", [b"[]", b"1", b'"x"', b"{", b"{}{}", b'{"a":1}\r{"a":2}', b"\xff", b"\x1f\x8b", b"[" * 9999]
)
def test_what_is_no_object_is_no_row(line):
    with pytest.raises(UnboundedError, match="not a JSON object"):
        row_of(line)


def test_nan_and_half_a_surrogate_pair_are_read_all_the_same():
    assert values(row_of(b'{"a":NaN,"b":"\\ud83d","c":3}'), "c") == [3]


TWICE = [
    b'{"x":1,"x":2}',
    b'{"x" : 1 , "x" : 2}',
    b'{"\\u0078":1,"x":2}',
    b'{"a":"\\u0022\\u0022","x":1,"x":2}',
    b'{"a\\u0022":"\\u0022","x":1,"x":2}',
    b'{"a":"\\"\\\\","x":1,"b":["\\":"],"x":2}',
    b'{"x":2,"x":1}',
    b'{"x":1,"x":1,"x":2}',
]


@pytest.mark.parametrize("line", TWICE)
def test_what_is_there_twice_is_found_twice(line):
    assert set(values(row_of(line), "x")) == {1, 2}


def test_both_spellings_are_found_once_or_twice():
    row = row_of(b'{"maxOutputTokens":1,"max_output_tokens":2,"max_output_tokens":3}')
    assert sorted(values(row, "maxOutputTokens")) == [1, 2, 3]
    assert values({"max_tokens": 5}, "max_tokens") == [5]


class _Pairs(list):
    """The members of an object, in which a name may be there twice."""


NAMES = st.sampled_from(["x", "a", 'q"', "b\\", ":", 'x":', "é"])
VALUES = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["", 'a":', "\\", '"', '\\":', "x\u0022y", " : "]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=4).map(_Pairs),
    max_leaves=12,
)


def written(value, space, escape):
    if isinstance(value, _Pairs):
        members = (f"{text(name, escape)}{space}:{written(each, space, escape)}" for name, each in value)
        return "{" + f"{space},".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each, space, escape) for each in value) + "]"
    return text(value, escape) if isinstance(value, str) else json.dumps(value)


def text(value, escape):
    return f'"{"".join(f"{chr(92)}u{ord(each):04x}" for each in value)}"' if escape else json.dumps(value)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=5).map(_Pairs),
    st.sampled_from(["", " ", "\t"]),
    st.booleans(),
)
def test_no_value_of_any_name_is_ever_lost(pairs, space, escape):
    row = row_of(written(pairs, space, escape).encode())
    for name in {name for name, _ in pairs}:
        assert len(values(row, name)) == sum(each == name for each, _ in pairs)


def test_an_odd_line_that_is_long_is_refused():
    line = b'{"x":1,"x":2,"y":"' + b"y" * MOST_ODD_BYTES + b'"}'
    with pytest.raises(UnboundedError, match="unusual JSON"):
        row_of(line)
    assert values(row_of(line.replace(b'"x":1,', b"")), "x") == [2]


# --- Text and answers


def test_text_is_a_token_a_byte_and_answers_are_as_long_as_they_may_be():
    row = gemini()
    weight = weigh(row, row)
    assert items(weight) == {"input_text": 2 * len(line_of(row)), "output_text": 200}
    assert (weight.rows, weight.input, weight.output) == (2, 2 * len(line_of(row)), 200)


def test_blank_lines_are_no_rows():
    assert weigh(b"\n", b" \r\n", line_of(gemini())).rows == 1


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"maxOutputTokens": 7}, 7),
        ({"max_output_tokens": "7"}, 7),
        ({"maxOutputTokens": 7.0}, 7),
        ({"maxOutputTokens": 7, "max_output_tokens": 9}, 9),
        ({"maxOutputTokens": 9, "max_output_tokens": 7}, 9),
        ({"maxOutputTokens": 7, "max_output_tokens": None}, LONGEST),
        ({"maxOutputTokens": 0}, LONGEST),
        ({"maxOutputTokens": -1}, LONGEST),
        ({"maxOutputTokens": 90_000}, 90_000),
        ({}, LONGEST),
        ({"maxOutputTokens": 7, "candidateCount": 3}, 21),
        ({"maxOutputTokens": 7, "candidate_count": "8", "candidateCount": 2}, 56),
        ({"maxOutputTokens": 7, "thinkingConfig": {"thinkingBudget": 1000}}, 1007),
        ({"maxOutputTokens": 7, "thinking_config": {"thinking_budget": 1000}}, 1007),
        ({"maxOutputTokens": 7, "thinkingConfig": {"thinkingBudget": -1}}, 7),
        ({"maxOutputTokens": 60_000, "thinkingConfig": {"thinkingBudget": 24_576}}, LONGEST),
    ],
    ids=str,
)
def test_an_answer_is_as_long_as_the_row_allows(config, tokens):
    assert weigh(gemini(config=config)).output == tokens


@pytest.mark.parametrize(
    "line",
    [
        b'{"request":{"generationConfig":{"maxOutputTokens":1,"maxOutputTokens":500}}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":500,"maxOutputTokens":1}}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":500},"generationConfig":{"maxOutputTokens":1}}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":1},"generation_config":{"max_output_tokens":500}}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":500}},"request":{"generationConfig":{"maxOutputTokens":1}}}',
        b'{"request" : {"generationConfig" : {"maxOutputTokens" : 1 , "maxOutput\\u0054okens" : 500}}}',
    ],
)
def test_of_what_is_there_twice_the_dearer_counts(line):
    assert weigh(line).output == 500


@pytest.mark.parametrize(
    "line",
    [
        b'{"request":{"generationConfig":{"maxOutputTokens":1}},"request":{}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":1},"generation_config":{}}}',
        b'{"request":{"generationConfig":{"maxOutputTokens":1},"generationConfig":null}}',
        b'{"request":[]}',
        b"{}",
    ],
)
def test_where_one_of_them_sets_no_limit_there_is_none(line):
    assert weigh(line).output == LONGEST


@pytest.mark.parametrize("value", ["1e9", "many", True, [5], {"x": 5}, 1.5])
@pytest.mark.parametrize("name", ["maxOutputTokens", "candidateCount"])
def test_a_number_that_is_none_is_not_taken_for_a_small_one(name, value):
    assert f"its {name} is not a whole number" in refusal(gemini(config={"maxOutputTokens": 9, name: value}))


def test_the_jobs_parameters_raise_what_rows_set():
    for parameters in ({"maxOutputTokens": 500}, {"max_output_tokens": "500"}, {"candidateCount": 5}):
        assert weigh(gemini(), parameters=parameters).output == 500
    assert weigh(gemini(), parameters={"maxOutputTokens": 5}).output == 100
    assert weigh(gemini(config={}), parameters={"maxOutputTokens": 5}).output == LONGEST


def test_a_long_prompt_has_the_price_of_its_window():
    short, long = gemini(), gemini({"text": "x" * 200_001})
    assert {window for window, _ in weigh(short, long, model=PRO).uses} == {"0-200k", "200k-1M"}
    assert weigh(gemini({"text": "x" * 3_000_000})).input == PROMPT


@pytest.mark.parametrize(
    ("config", "item", "tokens"),
    [
        ({"maxOutputTokens": 5000}, "output_image", 5000),
        ({"maxOutputTokens": 5}, "output_image", 1290),
        ({"maxOutputTokens": 5, "imageConfig": {"imageSize": "4K"}}, "output_image", 2000),
        ({"maxOutputTokens": 5, "image_config": {"image_size": "4k"}}, "output_image", 2000),
        ({"maxOutputTokens": 5, "responseModalities": ["TEXT", "IMAGE"]}, "output_image", 1290),
        ({"maxOutputTokens": 5, "responseModalities": ["TEXT"]}, "output_text", 5),
        (
            {"maxOutputTokens": 5, "responseModalities": ["TEXT"], "response_modalities": ["IMAGE"]},
            "output_image",
            1290,
        ),
        ({}, "output_image", 32_768),
    ],
    ids=str,
)
def test_images_that_may_be_made_count_as_such(config, item, tokens):
    found = items(weigh(gemini(config=config), model=IMAGE))
    assert found[item] == tokens


def test_modalities_of_the_answer_are_what_it_is_priced_as():
    assert "output_audio" in items(weigh(gemini(config={"responseModalities": ["AUDIO"]})))
    assert "output_image" in items(weigh(gemini(config={"responseModalities": "image"})))


# --- Files


@pytest.mark.parametrize(
    ("part", "config", "expected"),
    [
        (file("a.mp3", "audio/mpeg"), {}, {"input_audio": (1 + 959_999 * 8 // 8_000) * 32}),
        (file("a.pdf", "application/pdf"), {}, {"input_document": 200 * 258}),
        (file("none.pdf", "application/pdf"), {}, {"input_document": 1000 * 258}),
        (file("none.png", "image/png"), {}, {"input_image": 24 * 258}),
        (file("none.png", "image/png"), {"mediaResolution": "MEDIA_RESOLUTION_LOW"}, {"input_image": 64}),
        (file("none.mp3", "audio/mpeg"), {}, {"input_audio": PROMPT}),
        (file("none.mp4", "video/mp4"), {}, {"input_video": PROMPT, "input_audio": PROMPT}),
        (
            file("a.mp4", "video/mp4", videoMetadata={"endOffset": "10s"}),
            {},
            {"input_video": 10 * 258, "input_audio": 10 * 32},
        ),
        (
            file(
                "none.mp4", "video/mp4", video_metadata={"start_offset": "5s", "end_offset": "10s", "fps": 10}
            ),
            {},
            {"input_video": 5 * 2580, "input_audio": 5 * 32},
        ),
    ],
    ids=str,
)
def test_files_count_by_what_the_row_sets(part, config, expected):
    found = items(weigh(gemini(part, config={"maxOutputTokens": 1, **config})))
    del found["input_text"], found["output_text"]
    assert found == expected


def high_of(part, config=None):
    weight = weigh(gemini(part, config={"maxOutputTokens": 1, **(config or {})}))
    return weight.input - weight.uses["0-200k", "input_text"]


CLIP = {"endOffset": "10s"}


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ({"videoMetadata": {**CLIP, "fps": 2}}, {}),
        ({"videoMetadata": {**CLIP, "fps": 1}, "video_metadata": {**CLIP, "fps": 5}}, {}),
        ({"videoMetadata": {"endOffset": "20s"}}, {}),
        ({"videoMetadata": {**CLIP, "end_offset": "20s"}}, {}),
        ({"videoMetadata": {"startOffset": "1s", **CLIP}, "video_metadata": {"endOffset": "12s"}}, {}),
        ({"videoMetadata": CLIP, "video_metadata": {}}, {}),
    ],
    ids=str,
)
def test_whatever_makes_a_video_dearer_moves_the_bound(more, config):
    assert high_of(file("a.mp4", "video/mp4", **more), config) > high_of(
        file("a.mp4", "video/mp4", videoMetadata=CLIP)
    )


@pytest.mark.parametrize(
    "config",
    [
        {"mediaResolution": "MEDIA_RESOLUTION_HIGH"},
        {"mediaResolution": "MEDIA_RESOLUTION_LOW", "media_resolution": "X"},
    ],
    ids=str,
)
def test_a_higher_resolution_moves_it(config):
    part = file("none.png", "image/png")
    assert high_of(part, config) > high_of(part, {"mediaResolution": "MEDIA_RESOLUTION_LOW"})


def test_a_row_that_holds_an_image_is_not_as_long_as_its_base64():
    row = gemini({"inlineData": {"mimeType": "image/png", "data": "A" * 100_000}})
    found = items(weigh(row))
    assert found["input_text"] == len(line_of(row)) - 100_000
    assert found["input_image"] == 24 * 258


def test_what_only_looks_like_a_file_is_text():
    hidden = {
        "functionCall": {
            "name": "f",
            "args": {"inlineData": {"mimeType": "image/png", "data": "A" * 100_000}},
        }
    }
    row = gemini(hidden)
    assert items(weigh(row))["input_text"] == len(line_of(row))


def test_a_file_within_the_answer_of_a_function_counts():
    part = {"functionResponse": {"name": "f", "parts": [file("a.pdf", "application/pdf")]}}
    assert items(weigh(gemini(part)))["input_document"] == 200 * 258


def test_files_that_are_named_twice_count_twice():
    line = line_of(gemini(file("a.pdf", "application/pdf"))).replace(
        b'"fileData"', b'"fileData":%b,"fileData"' % (line_of(file("a.mp3", "audio/mpeg")["fileData"]))
    )
    found = items(weigh(line))
    assert found["input_document"] == 200 * 258
    assert found["input_audio"] > 0


@given(
    st.sampled_from(["fps", "startOffset", "endOffset"]),
    st.none() | st.floats() | st.text(max_size=5) | st.integers(),
)
def test_whatever_stands_in_a_videos_metadata_is_weighed(name, value):
    part = file("a.mp4", "video/mp4", videoMetadata={name: value})
    assert 0 <= weigh(gemini(part)).input <= 3 * PROMPT


# --- What has no bound


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"tools": [{"urlContext": {"x": 1}}]}, "urlContext"),
        ({"tools": [{"url_context": {"x": 1}}]}, "url_context"),
        ({"tools": {"codeExecution": {"x": 1}}}, "codeExecution"),
        ({"tools": [{"functionDeclarations": []}, {"somethingNew": {}}]}, "somethingNew"),
        ({"cachedContent": "projects/p/cachedContents/1"}, "cachedContent"),
        ({"cached_content": "x"}, "cachedContent"),
        ({"generationConfig": {"routingConfig": {"autoMode": {}}}}, "lets Vertex AI choose a model"),
        ({"generation_config": {"model_config": {"x": 1}}}, "lets Vertex AI choose a model"),
    ],
    ids=str,
)
def test_what_may_cost_anything_is_refused(request_, said):
    assert said in refusal({"request": {**gemini()["request"], **request_}})


@pytest.mark.parametrize("tool", ["googleSearch", "google_search", "functionDeclarations", "google_maps"])
def test_tools_whose_findings_are_free_are_not(tool):
    assert weigh(gemini(tools=[{tool: {"x": 1}, "urlContext": None}])).rows == 1


def test_custom_models_have_none():
    with pytest.raises(UnboundedError, match="by the hour"):
        weigh(model="projects/acme-batch/locations/us-central1/models/1")


# --- Other forms


def claude(**request):
    return {
        "custom_id": "a",
        "request": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50, **request},
    }


def test_claude():
    row = claude()
    assert items(weigh(row, model=CLAUDE)) == {"input_text": len(line_of(row)), "output_text": 50}
    row = claude(tools=[{"name": "f", "input_schema": {"type": "object"}}])
    assert items(weigh(row, model=CLAUDE))["input_text"] == len(line_of(row)) + 1000


@pytest.mark.parametrize(
    ("cache", "item"),
    [({"type": "ephemeral"}, "cache_creation_input_text"), ({"ttl": "1h"}, "cache_creation_1h_input_text")],
)
def test_what_claude_may_write_to_a_cache_has_that_price(cache, item):
    block = {"type": "text", "text": "Hi", "cache_control": cache}
    row = claude(system=[block])
    assert items(weigh(row, model=CLAUDE))[item] == len(line_of(row))


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"max_tokens": None}, "no limit"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "file"),
        ({"messages": [{"content": [{"type": "tool_result", "content": [{"type": "document"}]}]}]}, "file"),
        ({"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}, "tools"),
        ({"mcp_servers": [{"url": "x"}]}, "tools"),
    ],
    ids=str,
)
def test_what_claude_may_read_has_no_bound(request_, said):
    assert said in refusal(claude(**request_), model=CLAUDE)


def test_what_claude_gave_to_a_tool_is_text():
    call = {"type": "tool_use", "id": "1", "name": "f", "input": {"type": "image"}}
    assert weigh(claude(messages=[{"role": "assistant", "content": [call]}]), model=CLAUDE).rows == 1


def chat(**body):
    return {"custom_id": "a", "body": {"messages": [{"role": "user", "content": "Hi"}], **body}}


def test_open_models():
    row = chat(max_tokens=20)
    assert items(weigh(row, model=LLAMA)) == {"input_text": len(line_of(row)) + 256, "output_text": 20}
    assert weigh(chat(max_tokens=20, max_completion_tokens=10, n=3), model=LLAMA).output == 60
    assert "no limit" in refusal(chat(), model=LLAMA)
    assert "no limit" in refusal(b'{"body":{"max_tokens":1},"body":{}}', model=LLAMA)
    image = [{"type": "image_url", "image_url": {"url": "x"}}]
    assert "file" in refusal(chat(max_tokens=5, messages=[{"content": image}]), model=LLAMA)


def test_embeddings_write_nothing():
    row = {"content": "How long is it?"}
    assert items(weigh(row, model="publishers/google/models/text-embedding-005")) == {
        "input_text": len("".join(json.dumps(row).split()))
    }
    row = {"request": {"content": {"parts": [{"text": "x"}, file("a.pdf", "application/pdf")]}}}
    found = items(weigh(row, model="publishers/google/models/gemini-embedding-2"))
    assert found == {"input_text": len(line_of(row)), "input_document": found["input_document"]}
    row = {"body": {"input": "x"}}
    assert weigh(row, model="publishers/intfloat/models/multilingual-e5-large-instruct-maas").output == 0


# --- Resumed jobs


def test_rows_that_an_earlier_job_answered_count_as_rows_and_use_nothing():
    scale = Scale(FLASH, prices.load(), SIZES.get, None, lambda line: b"done" in line)
    scale.add([line_of(gemini()), line_of({"done": 1}), b"not JSON, but done", b"\n"])
    alone = weigh(gemini())
    assert scale.weight == alone._replace(rows=3)


def test_of_rows_of_which_some_are_missing_the_longest_count():
    rows = [gemini(config={"maxOutputTokens": limit}) for limit in (10, 1000, 20)]
    scale = Scale(FLASH, prices.load(), SIZES.get, None)
    scale.add(map(line_of, rows))

    assert scale.most_of(0).output == 0
    assert scale.most_of(1).output >= max(weigh(row).output for row in rows)
    for count in (1, 2, 3):
        most = scale.most_of(count)
        for chosen in combinations(rows, count):
            assert all(most.uses[unit] >= number for unit, number in weigh(*chosen).uses.items())
    assert scale.most_of(3) == scale.most_of(3)._replace(uses=scale.weight.uses)


def test_of_rows_that_are_alike_the_missing_ones_count_in_proportion():
    scale = Scale(FLASH, prices.load(), SIZES.get, None)
    scale.add([line_of(gemini())] * 10)
    assert scale.most_of(4) == weigh(*[gemini()] * 4)


def test_the_weights_of_two_scales_add_up():
    scale = Scale(FLASH, prices.load(), SIZES.get, None)
    scale.add([line_of(gemini())])
    scale.add_weight(weigh(gemini(), gemini(config={"maxOutputTokens": 7})))
    assert scale.weight == weigh(gemini(), gemini(), gemini(config={"maxOutputTokens": 7}))


def test_an_output_row_that_failed_is_weighed_as_the_importer_writes_it():
    parts = [
        {"fileData": None, "text": "a"},
        {"fileData": {"fileUri": "gs://in/a.pdf", "mimeType": "application/pdf"}, "text": None},
    ]
    row = {
        "status": "Bad Request: {}",
        "request": {"contents": [{"parts": parts, "role": "user"}]},
        "response": {},
    }
    assert weigh(row).input > 0
