"""Requests and answers go through as they came."""

import json

import pytest

from functional.gateway.conftest import (
    FLASH,
    JOBS,
    NUMBER,
    PARENT,
    job_body,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer

BODIES = {
    "odd white space": b' \r\n{ "displayName"\t:"a" ,\n\n"model":"' + FLASH.encode() + b'"}\n ',
    "unknown fields": b'{"displayName":"a","not_yet":{"known":[1,{"x":null}]},"model":"m/n"}',
    "numbers as written": b'{"a":1.0,"b":1e5,"c":123456789012345678901234567890,"d":-0,"e":0.10}',
    "non-ASCII": '{"displayName":"größe 東京 🚀","model":"m/n"}'.encode(),
    "escapes": rb'{"displayName":"\u0067r\u00f6\/\u00dfe \ud83d\ude80","model":"m\/n"}',
    "a string for uris": json.dumps(
        job_body(inputConfig={"instancesFormat": "jsonl", "gcsSource": {"uris": "gs://in/rows.jsonl"}})
    ).encode(),
    "doubled keys": b'{"displayName":"a","displayName":"b","model":"m/n"}',
    "no model": b"{}",
    "a model that is no string": b'{"model":{"a":1},"displayName":7}',
}
ANSWERS = {
    "Google's indentation": b'{\n  "name": "projects/1/locations/us-central1/batchPredictionJobs/2"\n}\n',
    "numbers as written": b'{"a":1.0,"b":1e5,"c":123456789012345678901234567890}',
    "non-ASCII": '{"displayName":"größe 東京 🚀","x":"\\u00e9"}'.encode(),
    "unknown fields": b'{"name":"x","costInfo":{"a":[]}}',
    "no object": b'[{"a":1}]',
    "no JSON": b"plain",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_creates_body_goes_upstream_byte_for_byte(scripted, loopback, name):
    loopback.answers = [json_answer(job_resource())]

    assert scripted.create(BODIES[name]).status_code == 200

    (seen,) = loopback.seen
    assert seen.body == BODIES[name]


@pytest.mark.parametrize("body", [b"{}", b' { "future" : 1.0 }\n'])
def test_a_cancels_body_goes_upstream_byte_for_byte(scripted, loopback, body):
    scripted.call("POST", f"{JOBS}/4242:cancel", data=body)

    assert loopback.seen[-1].body == body


def test_an_empty_cancel_is_sent_as_an_empty_message(scripted, loopback):
    scripted.call(
        "POST", f"{JOBS}/4242:cancel", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    (seen,) = loopback.seen
    assert (seen.body, seen.header("Content-Type")) == (b"{}", "application/json")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        (name, status)
        for name in ANSWERS
        for status in (200, 400, 403, 404, 409, 429, 500)
        # Errors that are no JSON are put into words of AIP-193.
        if name != "no JSON" or status == 200
    ],
)
def test_an_answer_comes_back_byte_for_byte(scripted, loopback, name, status):
    loopback.answers = [Answer(status, ANSWERS[name])]

    answer = scripted.call("POST", f"{JOBS}/4242:cancel")

    assert (answer.status_code, answer.data) == (status, ANSWERS[name])
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"


def test_an_error_of_vertex_comes_back_as_it_is(world):
    body = b'{"displayName": "x", "typo": 1}'

    answer = world.create(body)

    error = answer.json["error"]
    assert (answer.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert "typo" in error["message"]
    assert error["details"][0]["@type"].endswith("google.rpc.BadRequest")
    assert answer.data.startswith(b'{\n  "error"'), "Google's own indentation"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"),
        (404, b""),
        (400, b'"a string"'),
        (404, '{"error": "é"}'.encode("latin-1")),
        (400, b"[" * 100_000),
    ],
    ids=["html", "empty", "string", "latin-1", "deep"],
)
def test_an_error_that_is_no_json_object_becomes_aip_193(scripted, loopback, status, body):
    loopback.answers = [Answer(status, body, "text/html; charset=UTF-8")]

    answer = scripted.get(f"{JOBS}/4242")

    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/json")
    assert reason(answer) == "UPSTREAM_ERROR"
    assert b"<" not in answer.data


def test_googles_html_page_for_a_wrong_url_becomes_aip_193(world, vertex):
    vertex.faults.add(path="operations", status="html404")

    answer = world.get(f"/v1/{PARENT}/operations/77")

    assert (answer.status_code, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    assert reason(answer) == "UPSTREAM_ERROR"


def test_a_bad_gateway_page_becomes_unavailable(scripted, loopback, pauses):
    loopback.answers = [Answer(502, b"<html>", "text/html")]

    answer = scripted.call("POST", f"{JOBS}/4242:cancel")

    assert (answer.status_code, answer.json["error"]["status"]) == (502, "UNAVAILABLE")
    assert not pauses


def test_a_compressed_answer_comes_back_whole(world):
    job = world.created()

    answer = world.get(path_of(job), headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
    assert answer.json["name"] == job["name"]


FORWARDED = {
    "User-Agent": "google-genai-sdk/3.4.0 gl-python/3.11.7",
    "X-Goog-Api-Client": "gl-python/3.11 gapic/2.7.0",
    "X-Goog-Request-Params": "parent=projects/acme-batch/locations/us-central1",
}
KEPT_BACK = {
    "X-Goog-Api-Key": "sk-secret-1",
    "X-Litellm-Api-Key": "sk-a-key-of-the-administrator",
    "Cookie": "session=sk-secret-2",
    "Proxy-Authorization": "Basic sk-secret-3",
    "X-Goog-User-Project": "somebody-elses",
    "X-Goog-FieldMask": "name",
    "X-HTTP-Method-Override": "DELETE",
    "X-Forwarded-For": "10.0.0.1",
    "Forwarded": "for=10.0.0.1",
    "X-Serverless-Authorization": "Bearer sk-secret-4",
    "X-Custom": "x",
}


@pytest.mark.parametrize(("method", "path"), [("GET", JOBS), ("POST", JOBS), ("DELETE", f"{JOBS}/4242")])
def test_headers_that_say_who_calls_go_upstream_and_no_others(scripted, loopback, method, path):
    given = {"data": json.dumps(job_body())} if method == "POST" else {}

    scripted.call(method, path, headers={**FORWARDED, **KEPT_BACK}, **given)

    seen = loopback.seen[-1]
    assert {name: seen.header(name) for name in FORWARDED} == FORWARDED
    assert [name for name in (*KEPT_BACK, "Authorization") if seen.header(name) is not None] == []
    assert "sk-" not in str(seen.headers)


@pytest.mark.parametrize(
    "sent", ["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8", None]
)
def test_whatever_a_client_calls_its_body_upstream_it_is_json(scripted, loopback, sent):
    loopback.answers = [json_answer(job_resource())]
    body = json.dumps(job_body()).encode()

    answer = scripted.create(body, headers={"Content-Type": sent} if sent else {})

    assert answer.status_code == 200
    assert loopback.seen[0].header("Content-Type").partition(";")[0] == "application/json"
    assert loopback.seen[0].body == body


def query_upstream(scripted, loopback, query, **given):
    """Return the query that reaches Vertex AI for a raw query string of a list (or of another call)."""
    answer = scripted.call(
        given.pop("method", "GET"),
        given.pop("path", JOBS),
        environ_overrides={"QUERY_STRING": query},
        **given,
    )
    assert answer.status_code == 200, answer.data
    return loopback.seen[-1].target.partition("?")[2]


@pytest.mark.parametrize(
    "query",
    [
        "pageSize=2&filter=display_name%3D%22a%20b%22",
        "filter=state%3D%22X%22&pageSize=1&pageToken=abc%2B%2F%3D",
        "filter=labels.a:*+AND+NOT+state%3D%22Y%22",
        "%24alt=json%3Benum-encoding%3Dint&pageSize=2",
        "$alt=json%3Benum-encoding=int",
        "alt=json&prettyPrint=false",
        "b=1&a=2&b=3",
        "flag&empty=",
        "filter=display_name%3D%22gr%C3%B6%C3%9Fe%22",
    ],
)
def test_a_query_goes_upstream_in_its_order_and_encoding(scripted, loopback, query):
    assert query_upstream(scripted, loopback, query) == query


def test_bytes_that_a_client_did_not_encode_mean_the_same_upstream(scripted, loopback):
    raw = "größe".encode().decode("latin-1")  # how WSGI passes them on

    sent = query_upstream(scripted, loopback, f"filter=display_name={raw}")

    assert sent == "filter=display_name=gr%C3%B6%C3%9Fe"


def test_a_stray_percent_sign_leaves_the_rest_of_a_query_alone(scripted, loopback):
    sent = query_upstream(scripted, loopback, "filter=display_name%3D%22a%22&pageToken=100%")

    assert sent.startswith("filter=display_name%3D%22a%22&")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("key=sk-1&pageSize=2", "pageSize=2"),
        ("pageSize=2&access_token=ya29.x&filter=a%20b&oauth_token=1", "pageSize=2&filter=a%20b"),
        ("k%65y=sk-1&pageSize=2", "pageSize=2"),
        ("key=sk-1&key=sk-2", ""),
        ("pageSize=2&%24key=sk-1", "pageSize=2"),
        ("pageSize=2&$access_token=x&$oauth_token=y", "pageSize=2"),
        ("monkey=1&keys=2", "monkey=1&keys=2"),
    ],
)
def test_credentials_are_taken_out_of_a_query(scripted, loopback, query, expected):
    assert query_upstream(scripted, loopback, query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "alt=proto",
        "alt=media",
        "$alt=proto",
        "%24alt=media",
        "alt=PROTO",
        "alt=json&alt=proto",
        "alt=sse",
        "callback=f",
        "callback=",
        "$callback=f",
    ],
)
def test_answers_in_other_forms_than_json_are_refused(scripted, loopback, query):
    answer = scripted.get(JOBS, environ_overrides={"QUERY_STRING": query})

    assert (answer.status_code, reason(answer)) == (400, "FORMAT_NOT_SUPPORTED")
    assert not loopback.seen


@pytest.mark.parametrize("query", ["$httpMethod=DELETE", "%24httpMethod=DELETE"])
def test_a_query_cannot_make_another_method_of_a_call(scripted, loopback, query):
    """$httpMethod is X-HTTP-Method-Override: https://cloud.google.com/apis/docs/system-parameters."""
    scripted.get(f"{JOBS}/4242", environ_overrides={"QUERY_STRING": query})

    assert not any("httpMethod" in seen.target for seen in loopback.seen)


@pytest.mark.parametrize("query", ["alt=json", "$alt=json;enum-encoding=int", ""])
def test_json_may_be_asked_for(world, query):
    assert world.get(JOBS, environ_overrides={"QUERY_STRING": query}).status_code == 200


NUMERIC = "%24alt=json%3Benum-encoding%3Dint"


def test_numeric_states_pass_through_and_are_understood(world, vertex):
    answer = world.create(path=f"{JOBS}?{NUMERIC}")
    job = answer.json
    assert job["state"] == 2
    assert world.record(job).seen.state == "JOB_STATE_PENDING"

    vertex.step()
    assert world.get(f"{path_of(job)}?{NUMERIC}").json["state"] == 3
    assert world.record(job).seen.state == "JOB_STATE_RUNNING"

    vertex.finish(job["name"])
    assert world.get(f"{JOBS}?{NUMERIC}").json["batchPredictionJobs"][0]["state"] == 4
    assert world.record(job).seen.state == "JOB_STATE_SUCCEEDED"


PARTIAL_QUERIES = [
    "fields=name",
    "fields=name,state",
    "%66ields=name",
    "$fields=name",
    "%24fields=name,state",
]


@pytest.mark.parametrize("query", PARTIAL_QUERIES)
def test_a_partial_job_is_relayed_and_changes_nothing_on_record(world, vertex, query):
    job = world.created()
    before = world.record(job)
    vertex.step()

    answer = world.get(path_of(job), environ_overrides={"QUERY_STRING": query})

    assert answer.status_code == 200
    assert "inputConfig" not in answer.json
    assert world.record(job) == before


LIST_QUERIES = [
    "readMask=name,state",
    "read_mask=name,state",
    "read%4Dask=name",
    "fields=batchPredictionJobs(name,state)",
    "$fields=batchPredictionJobs.name",
]


@pytest.mark.parametrize("query", LIST_QUERIES)
def test_a_partial_list_is_relayed_and_changes_nothing_on_record(world, vertex, query):
    job = world.created()
    before = world.record(job)
    vertex.step()

    answer = world.get(JOBS, environ_overrides={"QUERY_STRING": query})

    assert answer.status_code == 200
    assert answer.json["batchPredictionJobs"][0].keys() <= {"name", "state"}
    assert world.record(job) == before


def test_a_whole_answer_after_a_partial_one_is_noted(world, vertex):
    job = world.created()
    vertex.step()
    world.get(f"{path_of(job)}?fields=state")

    world.get(path_of(job))

    assert world.record(job).seen.state == "JOB_STATE_RUNNING"


@pytest.mark.parametrize("query", ["fields=state", "fields=name", "$fields=state"])
def test_a_create_that_asks_for_few_fields_is_recorded_all_the_same(world, vertex, query):
    answer = world.create(environ_overrides={"QUERY_STRING": query})

    assert answer.status_code == 200
    (job,) = vertex.jobs()
    record = world.record(job)
    assert (record.seen.model, record.seen.output_prefix) == (FLASH, "gs://out/run")
    assert not world.store.submissions


def test_the_operation_of_a_delete_can_be_polled(world, vertex):
    job = world.created()
    vertex.finish(job["name"], rows=0, state="JOB_STATE_FAILED")
    operation = world.call("DELETE", path_of(job)).json

    polled = world.get(f"/ui/{operation['name']}")

    assert (polled.status_code, polled.json["name"]) == (200, operation["name"])
    assert polled.json["done"] is True
    assert f"projects/{NUMBER}/" in operation["name"]
    assert job_id(job) not in [job_id(left) for left in vertex.jobs()]


def test_a_body_on_a_delete_is_left_out(world, vertex):
    """@google/genai sends {} with a DELETE."""
    job = world.created()
    vertex.finish(job["name"], rows=0)

    assert world.call("DELETE", path_of(job), data=b"{}").status_code == 200
    assert vertex.requests.all()[-1].body == b""


def test_a_chunked_body_is_relayed(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    body = json.dumps(job_body()).encode()

    answer = scripted.create(
        body,
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status_code == 200
    assert loopback.seen[0].body == body


@pytest.mark.parametrize("status", [301, 302, 307])
def test_redirects_are_not_followed(scripted, loopback, status):
    elsewhere = (("Location", f"http://{loopback.host}/elsewhere"),)
    loopback.answers = [Answer(status, b"{}", headers=elsewhere)]

    assert scripted.get(f"{JOBS}/4242").status_code == status
    assert [seen.target for seen in loopback.seen] == [f"{JOBS}/4242"]
