"""Rows of Claude and open models, and how rows of any model end."""

import pytest

from builders import prompt
from functional.vertex_emulator.conftest import PARENT

CLAUDE = "publishers/anthropic/models/claude-haiku-4-5@20251001"
LLAMA = "publishers/meta/models/llama-4-maverick-17b-128e-instruct-maas"
E5 = f"{PARENT}/publishers/intfloat/models/multilingual-e5-large-instruct-maas"


def claude_row(text="Hello world!", **emulate):
    messages = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    request = {"anthropic_version": "vertex-2023-10-16", "messages": messages, "max_tokens": 50}
    return {"custom_id": "a", "request": request, "emulate": emulate}


def open_row(text="Hello world!", **emulate):
    body = {"model": "ignored", "messages": [{"role": "user", "content": text}]}
    return {"custom_id": "a", "method": "POST", "url": "/v1/x", "body": body, "emulate": emulate}


def test_a_claude_row_holds_an_anthropic_message(vertex):
    given = claude_row("x" * 33)
    [row] = vertex.rows(given, model=CLAUDE)
    assert (row["custom_id"], row["request"], row["status"]) == ("a", given["request"], "")
    message = row["response"]
    assert (message["type"], message["role"], message["model"]) == (
        "message",
        "assistant",
        "claude-haiku-4-5",
    )
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["input_tokens"] == 9
    assert 8 <= message["usage"]["output_tokens"] <= 47
    assert message["usage"]["cache_read_input_tokens"] == 0
    assert message["content"][0]["text"]


def test_claude_counts_caches_beside_the_input_and_thinking_within_the_output(vertex):
    [row] = vertex.rows(
        claude_row(
            prompt_tokens=100, output_tokens=20, thoughts=7, cached=40, cache_creation=30, cache_creation_1h=5
        ),
        model=CLAUDE,
    )
    assert row["response"]["usage"] == {
        "input_tokens": 100,
        "cache_creation_input_tokens": 35,
        "cache_read_input_tokens": 40,
        "output_tokens": 27,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 5},
    }
    assert [block["type"] for block in row["response"]["content"]] == ["thinking", "text"]


def test_claude_rows_end_as_asked(vertex):
    limited = claude_row()
    limited["request"]["max_tokens"] = 3
    unlimited = claude_row()
    del unlimited["request"]["max_tokens"]
    cut, short, refused, tool, bare, wrapped, failed, worded, invalid = vertex.rows(
        claude_row(truncated=True),
        limited,
        claude_row(blocked=True),
        claude_row(finish_reason="tool_use"),
        claude_row(no_usage=True, model_version="claude-x"),
        claude_row(in_body=True, no_details=True),
        claude_row(fail=True),
        claude_row(fail="too hot", status_object=True),
        unlimited,
        model=CLAUDE,
    )
    reasons = [row["response"]["stop_reason"] for row in (cut, short, refused, tool)]
    assert reasons == ["max_tokens", "max_tokens", "refusal", "tool_use"]
    assert short["response"]["usage"]["output_tokens"] == 3
    assert "usage" not in bare["response"]
    assert bare["response"]["model"] == "claude-x"
    assert wrapped["response"]["body"]["usage"].keys() == {
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    }
    assert failed["status"].startswith("INVALID_ARGUMENT")
    assert worded["status"] == {"code": 3, "message": "too hot"}
    assert invalid["status"] == "INVALID_ARGUMENT: max_tokens: Field required"
    assert [row["response"] for row in (failed, worded, invalid)] == [{}, {}, {}]


def test_an_open_models_row_holds_a_chat_completion(vertex):
    plain, full, wrapped = vertex.rows(
        open_row("x" * 33, output_tokens=4),
        open_row(prompt_tokens=50, cached=20, output_tokens=5, thoughts=6),
        open_row(in_body=True),
        model=LLAMA,
    )
    assert plain.keys() == {"custom_id", "body", "emulate", "n", "id", "response"}
    completion = plain["response"]
    assert completion["object"] == "chat.completion"
    assert completion["model"] == "llama-4-maverick-17b-128e-instruct-maas"
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"] == {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    assert full["response"]["usage"] == {
        "prompt_tokens": 50,
        "completion_tokens": 11,
        "total_tokens": 61,
        "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    assert wrapped["response"]["body"]["usage"]["prompt_tokens"] == 3


def test_open_models_rows_end_as_asked(vertex):
    limited = open_row()
    limited["body"]["max_tokens"] = 3
    cut, short, blocked, called, bare, failed, wrapped, empty = vertex.rows(
        open_row(truncated=True),
        limited,
        open_row(blocked=True),
        open_row(finish_reason="tool_calls"),
        open_row(no_usage=True),
        open_row(fail=True),
        open_row(fail="too hot", in_body=True),
        {"custom_id": "b"},
        model=LLAMA,
    )
    reasons = [row["response"]["choices"][0]["finish_reason"] for row in (cut, short, blocked, called)]
    assert reasons == ["length", "length", "content_filter", "tool_calls"]
    assert short["response"]["usage"]["completion_tokens"] == 3
    assert "usage" not in bare["response"]
    assert failed["response"] is None
    assert failed["error"]["message"] == "Request contains an invalid argument."
    assert wrapped["response"]["status_code"] == 400
    assert wrapped["response"]["body"]["error"]["message"] == "too hot"
    assert empty["error"]["message"] == "body is required."


def test_open_embeddings(vertex):
    several, failed = vertex.rows(
        {"custom_id": "a", "body": {"input": ["x" * 12, "y" * 5]}},
        {"custom_id": "b", "body": {"input": ""}},
        model=E5,
    )
    assert [item["index"] for item in several["response"]["data"]] == [0, 1]
    assert several["response"]["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert failed["error"]


@pytest.mark.parametrize(
    ("model", "http"),
    [
        (CLAUDE, 200),
        (LLAMA, 200),
        (E5, 200),
        ("publishers/anthropic/models/gemini-2.5-flash", 404),
        ("publishers/meta/models/llama-4", 404),
        ("publishers/google/models/claude-haiku-4-5", 404),
    ],
)
def test_models_belong_to_their_publisher(vertex, model, http):
    response = vertex.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=vertex.body(model=model))
    assert response.status_code == http, response.text


def test_gemini_rows_end_as_asked(vertex):
    safety, cut, grounded, once = vertex.rows(
        prompt(finish_reason="SAFETY", output_tokens=5),
        prompt(truncated=True),
        prompt(web_search=3),
        prompt(web_search=True),
    )
    [candidate] = safety["response"]["candidates"]
    assert candidate["finishReason"] == "SAFETY"
    assert safety["response"]["usageMetadata"]["candidatesTokenCount"] == 5
    assert cut["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"
    queries = [
        len(row["response"]["candidates"][0]["groundingMetadata"]["webSearchQueries"])
        for row in (grounded, once)
    ]
    assert queries == [3, 1]


@pytest.mark.parametrize("wish", [{"in_body": 1}, {"finish_reason": True}, {"cached": "3"}, {"tokens": 1}])
def test_a_slip_of_the_pen_fails_the_job(vertex, wish):
    job = vertex.emulator.finish(vertex.create([claude_row(**wish)], model=CLAUDE))
    assert job["state"] == "JOB_STATE_FAILED"
    assert job["error"]["message"].startswith(f"Failed to import data. emulate has no {next(iter(wish))}")
