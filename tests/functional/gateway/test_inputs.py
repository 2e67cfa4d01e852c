"""Uploads of input: where a file goes, what it may be called, and that none is overwritten."""

import gzip
import json
from datetime import datetime, timedelta

import pytest

from batch_gateway.gateway.http.requests import MAX_BODY_BYTES
from batch_gateway.ports import ObjectsRefusedError, ObjectsUnavailableError
from builders import input_files
from functional.gateway.conftest import World, error_info, job_body, reason
from functional.gateway.scoped import audit, clocked, new_key, new_team

INPUTS = "/v1/inputs"


@pytest.fixture
def world(world):
    made = World(world.host, objects=world.objects, input_prefix="gs://in/up", output_prefix="gs://out")
    made.rows = json.dumps({"request": {"contents": [{"parts": [{"text": "größe"}]}]}}).encode() + b"\n"
    return made


def ask(world, name="nightly/rows.jsonl", **given):
    return world.call("POST", INPUTS, json={"name": name}, **given)


def send(world, rows, name="nightly/rows.jsonl", **given):
    return world.call(
        "POST", INPUTS, query_string={"name": name}, data=rows, content_type="application/jsonl", **given
    )


def test_an_upload_begins_in_the_caller_s_folder(world):
    clock = clocked(world)
    new_team(world, "search")
    key = new_key(world, team_id="search")

    answer = ask(world, key=key)

    assert answer.status_code == 200
    assert answer.json["uri"] == "gs://in/up/teams/search/nightly/rows.jsonl"
    assert answer.json["uploadUrl"].startswith("https://storage.invalid/upload/storage/v1/b/in/")
    assert datetime.fromisoformat(answer.json["expiresAt"]) == clock.now() + timedelta(days=7)
    assert answer.json["outputUriPrefix"] == "gs://out/teams/search"
    assert list(answer.json) == ["uri", "uploadUrl", "expiresAt", "outputUriPrefix"]
    assert world.objects.stat("in", "up/teams/search/nightly/rows.jsonl") is None


def test_a_small_file_is_stored_at_once(world):
    answer = send(world, world.rows)

    assert answer.json == {
        "uri": "gs://in/up/master/nightly/rows.jsonl",
        "outputUriPrefix": "gs://out/master",
    }
    assert world.objects._objects["in", "up/master/nightly/rows.jsonl"][1] == world.rows


def test_a_scoped_key_uploads_creates_and_others_cannot_name_its_file(world):
    new_team(world, "search", allowed_uri_prefixes=["gs://in/search", "gs://out"])
    new_team(world, "ads", allowed_uri_prefixes=["gs://in/ads", "gs://out"])
    key, other = (new_key(world, team_id=team) for team in ("search", "ads"))
    uri = send(world, world.rows, key=key).json["uri"]
    body = job_body(inputConfig=input_files(uri))

    assert uri == "gs://in/search/nightly/rows.jsonl"
    assert world.create(body, key=key).status_code == 200
    assert reason(world.create(body, key=other)) == "URI_NOT_ALLOWED"
    assert send(world, world.rows, key=other).json["uri"] == "gs://in/ads/nightly/rows.jsonl"


def test_nothing_is_overwritten(world):
    send(world, world.rows)

    for answer in (ask(world), send(world, b"{}\n")):
        assert answer.status_code == 409
        assert error_info(answer)["reason"] == "INPUT_EXISTS"
        assert answer.json["error"]["status"] == "ALREADY_EXISTS"
    assert world.objects._objects["in", "up/master/nightly/rows.jsonl"][1] == world.rows
    assert world.objects.uploads == 0


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a//b", "x y", "a*", "", "prediction-model-1/predictions.jsonl", 1]
)
def test_a_bad_name_is_refused_either_way(world, name):
    answers = (
        [ask(world, name), send(world, world.rows, name)] if isinstance(name, str) else [ask(world, name)]
    )
    for answer in answers:
        assert reason(answer) == "FIELD_INVALID"
    assert not [name for _, name in world.objects._objects if name != "rows.jsonl"]


@pytest.mark.parametrize(
    "given",
    [
        {"data": b"{}"},
        {"data": b""},
        {"json": {"name": "a", "size": 1}},
        {"json": {"name": "a"}, "query_string": "name=a"},
        {"data": b"{}\n", "content_type": "application/jsonl"},
        {"data": b"{}\n", "content_type": "application/jsonl", "query_string": "name=a&name=b"},
        {"data": b"", "content_type": "application/jsonl", "query_string": "name=a"},
        {"json": {"name": "a"}, "query_string": "nmae=a"},
        {"data": b"{}\n", "content_type": "application/jsonl", "query_string": "name=a&overwrite=true"},
    ],
)
def test_a_wrong_request_is_refused(world, given):
    assert reason(world.call("POST", INPUTS, **given)) == "FIELD_INVALID"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"json": {"name": 1}}, "name: must be a string, not a whole number. Send {"),
        ({"json": {"nmae": "a"}}, "nmae: is unknown; there are name. Send {"),
        ({"json": {"name": "a"}, "query_string": "nmae=a"}, "nmae: is unknown; there are name."),
    ],
)
def test_what_is_wrong_is_said_in_words(world, given, told):
    assert told in world.call("POST", INPUTS, **given).json["error"]["message"]


@pytest.mark.parametrize("content_type", ["application/jsonl", "application/json"])
def test_a_compressed_body_is_refused(world, content_type):
    given = {"query_string": {"name": "a.jsonl"}} if content_type == "application/jsonl" else {}
    packed = gzip.compress(world.rows)
    answers = [
        world.call(
            "POST",
            INPUTS,
            data=packed,
            content_type=content_type,
            headers={"Content-Encoding": encoding},
            **given,
        )
        for encoding in ("gzip", "GZIP", "identity, br")
    ]

    for answer in answers:
        assert reason(answer) == "BODY_INVALID"
        assert "compressed" in answer.json["error"]["message"]
    assert world.objects.stat("in", "up/master/a.jsonl") is None
    assert send(world, world.rows, headers={"Content-Encoding": "identity"}).status_code == 200


def test_rows_may_be_as_large_as_a_request_and_as_complex_as_they_like(world):
    line = "[" * 200 + '"ü"' + "]" * 200 + "\n"
    rows = (line * (MAX_BODY_BYTES // len(line.encode()))).encode()

    assert send(world, rows).status_code == 200
    too_large = send(world, rows + b"x" * 1000, "other.jsonl")

    assert (too_large.status_code, reason(too_large)) == (413, "BODY_TOO_LARGE")
    assert "/v1/inputs" in too_large.json["error"]["message"]


def test_without_a_prefix_the_error_says_what_to_set(world):
    bare = World(world.host)
    answer = ask(bare)
    assert answer.json["error"]["status"] == "FAILED_PRECONDITION"
    assert reason(answer) == "INPUT_PREFIX_MISSING"
    assert "general_settings.input_prefix" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (ObjectsRefusedError("403"), "FAILED_PRECONDITION", "INPUT_PREFIX_UNUSABLE"),
        (ObjectsUnavailableError("down"), "UNAVAILABLE", "STORAGE_UNAVAILABLE"),
    ],
)
def test_trouble_with_cloud_storage_is_told(world, monkeypatch, error, status, why):
    def fail(*_):
        raise error

    for method in ("create", "begin_upload"):
        monkeypatch.setattr(world.objects, method, fail)
    for answer in (ask(world), send(world, world.rows)):
        assert (answer.json["error"]["status"], reason(answer)) == (status, why)


def test_a_key_is_needed_and_its_rate_limit_counts(world):
    assert world.call("POST", INPUTS, json={"name": "x"}, key=None).status_code == 401
    key = new_key(world, rpm_limit=1)
    assert [ask(world, key=key).status_code for _ in range(2)] == [200, 429]


def test_uploads_are_in_the_audit_trail_and_the_log(world, capsys):
    key = new_key(world, key_alias="nightly")
    uri = send(world, world.rows, key=key).json["uri"]
    send(world, world.rows, key=key)

    failed, done = audit(world)[:2]
    assert (done["actor"], done["action"], done["target"], done["outcome"]) == (
        "nightly",
        "input.create",
        uri,
        "OK",
    )
    assert failed["outcome"] == "ALREADY_EXISTS INPUT_EXISTS"
    (line,) = [each for each in map(json.loads, capsys.readouterr().out.splitlines()) if each.get("event")]
    assert (line["event"], line["uri"], line["bytes"]) == ("input.taken", uri, len(world.rows))
