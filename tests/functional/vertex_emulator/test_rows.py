"""Rows of Google's own models."""

import json
import re

import pytest

from builders import input_files, prompt


def test_a_gemini_row_looks_like_a_live_one(vertex):
    given = prompt("x" * 33)
    [row] = vertex.rows({**given, "custom_id": "a"})
    assert row["status"] == ""
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}\+00:00", row["processed_time"])
    assert (row["request"], row["custom_id"]) == (given["request"], "a")
    response = row["response"]
    assert list(response) == ["candidates", "createTime", "modelVersion", "responseId", "usageMetadata"]
    assert response["modelVersion"] == "gemini-2.5-flash"
    assert response["candidates"][0]["finishReason"] == "STOP"
    output = response["usageMetadata"]["candidatesTokenCount"]
    assert response["usageMetadata"] == {
        "candidatesTokenCount": output,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": output}],
        "promptTokenCount": 9,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        "totalTokenCount": 9 + output,
        "trafficType": "ON_DEMAND",
    }


def test_counts_are_repeatable_and_limits_hold(vertex):
    snake = prompt()
    snake["request"]["generation_config"] = {"max_output_tokens": 3}
    free, again, limited, short = vertex.rows(prompt(), prompt(), prompt(limit=5), snake)
    assert free["response"]["usageMetadata"] == again["response"]["usageMetadata"]
    for row, limit in ((limited, 5), (short, 3)):
        assert row["response"]["usageMetadata"]["candidatesTokenCount"] == limit
        assert row["response"]["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_every_kind_of_token_can_be_asked_for(vertex):
    [row] = vertex.rows(
        prompt(
            prompt_tokens=1000, audio=500, image=258, cached=64, thoughts=120, tool_use=30, output_tokens=40
        )
    )
    usage = row["response"]["usageMetadata"]
    assert usage == {
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 64}],
        "cachedContentTokenCount": 64,
        "candidatesTokenCount": 40,
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
        "promptTokenCount": 1000,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 242},
            {"modality": "AUDIO", "tokenCount": 500},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        "thoughtsTokenCount": 120,
        "toolUsePromptTokenCount": 30,
        "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
        "totalTokenCount": 1190,
        "trafficType": "ON_DEMAND",
    }


def test_rows_fail_block_and_leave_things_out_as_asked(vertex):
    bad_role = prompt()
    bad_role["request"]["contents"][0]["role"] = "tester"
    failed, worded, refused, blocked, bare, plain, renamed, image = vertex.rows(
        prompt(fail=True),
        prompt(fail="too hot"),
        bad_role,
        prompt("Hello world!", blocked=True, thoughts=9),
        prompt(no_usage=True),
        prompt("Hello world!", no_details=True, output_tokens=7),
        prompt(model_version="gemini-2.5-flash-001@default"),
        prompt(output_image=1290, output_tokens=10, web_search=True),
    )
    for row in (failed, worded, refused):
        assert row["response"] == {}
        inner = json.loads(row["status"].removeprefix("Bad Request: "))["error"]
        assert (inner["code"], inner["status"]) == (400, "INVALID_ARGUMENT")
    assert '"message": "too hot"' in worded["status"]
    assert "Please use a valid role: user, model." in refused["status"]
    assert "candidates" not in blocked["response"]
    assert blocked["response"]["promptFeedback"]
    usage = blocked["response"]["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] == 3
    assert not usage.keys() & {"candidatesTokenCount", "thoughtsTokenCount"}
    assert "usageMetadata" not in bare["response"]
    assert plain["response"]["usageMetadata"] == {
        "candidatesTokenCount": 7,
        "promptTokenCount": 3,
        "totalTokenCount": 10,
    }
    assert renamed["response"]["modelVersion"] == "gemini-2.5-flash-001@default"
    assert image["response"]["usageMetadata"]["candidatesTokensDetails"] == [
        {"modality": "TEXT", "tokenCount": 10},
        {"modality": "IMAGE", "tokenCount": 1290},
    ]
    assert image["response"]["candidates"][0]["groundingMetadata"]["webSearchQueries"]


def test_lines_can_be_broken_and_long(vertex):
    name = vertex.create([prompt(malformed=True), prompt("Grüße", pad_bytes=1_000_000)])
    lines = vertex.output(vertex.emulator.finish(name)).splitlines()
    broken, long = sorted(lines, key=len)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(broken)
    assert len(long) > 1_000_000
    assert json.loads(long)["request"]["contents"][0]["parts"][0]["text"] == "Grüße"


def test_what_json_allows_comes_back(vertex):
    half = '{"request": {"contents": [{"role": "user", "parts": [{"text": "a\\ud800b"}]}]}}'
    name = vertex.create([half, {**prompt(), "key": 10**30}])
    lines = vertex.output(vertex.emulator.finish(name)).splitlines()
    number, text = sorted((json.loads(line) for line in lines), key=lambda row: "key" not in row)
    assert number["key"] == 10**30
    assert text["request"]["contents"][0]["parts"][0]["text"] == "a?b"


def test_large_output_survives_a_resumable_upload(vertex):
    name = vertex.create([prompt(pad_bytes=3_000_000) for _ in range(4)])
    lines = vertex.output(vertex.emulator.finish(name)).splitlines()
    assert [len(json.loads(line)["response"]["candidates"][0]["content"]["parts"]) for line in lines] == [
        2
    ] * 4


def test_rows_answered_by_an_earlier_job_are_carried_over(vertex):
    done, failed = vertex.rows(prompt(), prompt(fail=True))
    del failed["emulate"]
    carried, answered = vertex.rows(done, failed)
    assert carried == done
    assert answered["status"] == ""
    assert answered["response"]["usageMetadata"]


def test_a_job_is_resumed_from_an_earlier_jobs_output(vertex):
    name = vertex.create([prompt(str(number)) for number in range(5)] + [prompt("x", fail="once")])
    first = vertex.emulator.finish(name)
    uri = first["outputInfo"]["gcsOutputDirectory"] + "/predictions.jsonl"
    source = input_files(uri)
    resumed = vertex.emulator.finish(vertex.create(inputConfig=source))
    assert resumed["completionStats"] == {"successfulCount": "5", "failedCount": "1"}
    rows = [json.loads(line) for line in vertex.output(resumed).splitlines()]
    created = resumed["createTime"][:23]
    assert [row["status"] == "" for row in rows] == [row["processed_time"][:23] < created for row in rows]
    before = [json.loads(line) for line in vertex.output(first).splitlines()]
    assert sum(row in before for row in rows) == 5


@pytest.mark.parametrize("end", ["CANCELLED", "EXPIRED", "FAILED"])
def test_a_job_that_ended_early_is_resumed_from_its_output_alone(vertex, end):
    rows = [prompt(str(number)) for number in range(8)] + [prompt("x", fail_first=True)]
    name = vertex.create(rows)
    first = vertex.emulator.finish(name, state=f"JOB_STATE_{end}", rows=4)
    before = [json.loads(line) for line in vertex.output(first).splitlines()]
    uri = first["outputInfo"]["gcsOutputDirectory"] + "/predictions.jsonl"
    source = input_files(uri)
    resumed = vertex.emulator.finish(vertex.create(inputConfig=source))
    assert resumed["completionStats"] == {"successfulCount": "9"}
    after = [json.loads(line) for line in vertex.output(resumed).splitlines()]
    answered = [row for row in before if row["response"]]
    assert len(answered) in {3, 4}
    assert [row for row in after if row["processed_time"][:23] < resumed["createTime"][:23]] == [
        row for row in after if row in answered
    ]
    assert sum(row in answered for row in after) == len(answered)


def test_embedding_rows_have_their_own_shapes(vertex):
    model = "publishers/google/models/text-embedding-005"
    ok, bad = vertex.rows({"content": "x" * 30}, {"content": "y", "emulate": {"fail": True}}, model=model)
    assert ok["instance"] == {"content": "x" * 30, "n": 0}
    [prediction] = ok["predictions"]
    assert prediction["embeddings"]["statistics"] == {"token_count": 8, "truncated": False}
    assert prediction["embeddings"]["values"]
    assert (ok["status"], bad["predictions"]) == ("", [])
    assert bad["status"].startswith("INVALID_ARGUMENT")

    request = {"content": {"parts": [{"text": "Hello World"}]}}
    live, documented, failed = vertex.rows(
        {"key": "a", "request": request},
        {"key": "b", "request": request, "emulate": {"docs_shape": True}},
        {"key": "c", "request": request, "emulate": {"fail": "no"}},
        model="publishers/google/models/gemini-embedding-001",
    )
    assert (live["key"], live["status"], live["response"]["usageMetadata"]) == (
        "a",
        "",
        {"promptTokenCount": 3},
    )
    assert live["processed_time"].endswith("Z")
    assert documented["response"]["tokenCount"] == "3"
    assert not documented.keys() & {"status", "processed_time"}
    assert failed["status"] == "INVALID_ARGUMENT: no"
    assert "response" not in failed
