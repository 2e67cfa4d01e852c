"""Names of models: an alias becomes the full name, and nothing else of the body changes."""

import json

import pytest

from batch_gateway.settings import Alias
from functional.gateway.conftest import (
    FULL_FLASH,
    JOBS,
    PARENT,
    PROJECT,
    World,
    error_info,
    job_body,
    job_resource,
    json_answer,
    reason,
)

WEST = f"projects/{PROJECT}/locations/europe-west4"
PRO = Alias("pro", PROJECT, "europe-west4", f"{WEST}/publishers/google/models/gemini-2.5-pro")
BOTH = (
    Alias("flash", PROJECT, "us-central1", FULL_FLASH),
    Alias("flash", PROJECT, "europe-west4", f"{WEST}/publishers/google/models/gemini-2.5-flash"),
)


@pytest.fixture
def scripted(loopback):
    loopback.answers = [json_answer(job_resource())]
    return World(loopback.host, aliases=(*BOTH, PRO))


def sent_body(scripted, loopback, body, **given):
    assert scripted.create(body, **given).status_code == 200
    return loopback.seen[-1].body


def test_an_alias_becomes_the_full_name(scripted, loopback):
    sent = sent_body(scripted, loopback, job_body(model="flash"))

    assert json.loads(sent) == job_body(model=FULL_FLASH)


def test_an_alias_means_what_it_means_where_the_job_is_sent(scripted, loopback):
    sent = sent_body(scripted, loopback, job_body(model="flash"), path=f"/v1/{WEST}/batchPredictionJobs")

    assert json.loads(sent)["model"] == BOTH[1].resource


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"flash","a":1.0,"b":1e5,"c":123456789012345678901234567890,"d":"\\u00e9"}',
        b'{"labels":{"model":"flash"},"model":"flash","displayName":"flash"}',
        b'{"parameters":{"x": [ 1 ,2 ]},"model":"flash"}',
        b' {\r\n\t"displayName" : "x" ,\n  "model"\t: "flash" ,  "y":  1 }\n',
        b'{"displayName":"a","displayName":"b","model":"flash"}',
        b'{"display\\u004eame":"a","model":"flash"}',
        '{"displayName":"größe","model":"flash"}'.encode(),
    ],
    ids=["numbers", "elsewhere", "inner space", "outer space", "doubled key", "escaped key", "non-ASCII"],
)
def test_all_bytes_but_the_models_name_stay(scripted, loopback, body):
    parts = body.rpartition(b'"flash"') if b"labels" not in body else body.partition(b',"model":"flash"')
    expected = parts[0] + parts[1].replace(b"flash", FULL_FLASH.encode()) + parts[2]

    assert sent_body(scripted, loopback, body) == expected


def test_an_alias_may_be_written_with_escapes(scripted, loopback):
    sent = sent_body(scripted, loopback, rb'{"model":"fl\u0061sh"}')

    assert json.loads(sent) == {"model": FULL_FLASH}


@pytest.mark.parametrize(
    "model",
    [
        "publishers/google/models/flash",
        FULL_FLASH,
        f"{WEST}/publishers/google/models/gemini-2.5-flash",
        f"{PARENT}/models/1234567890",
        "publishers/anthropic/models/claude-haiku-4-5",
        "not-an-alias",
        "FLASH",
        " flash",
        "",
    ],
)
def test_names_that_are_no_alias_are_left_to_vertex(scripted, loopback, model):
    body = b'{ "model" : "%s" }' % model.encode()

    assert sent_body(scripted, loopback, body) == body


@pytest.mark.parametrize("path", [f"{JOBS}:estimateCost", f"{JOBS}?validateOnly=true"])
def test_a_short_name_that_stands_for_nothing_is_not_estimated(scripted, loopback, path):
    answer = scripted.create(job_body(model="gemini-nope"), path=path)

    assert (answer.status_code, reason(answer)) == (400, "MODEL_UNKNOWN")
    assert "'gemini-nope'" in answer.json["error"]["message"]
    assert "(it has flash)" in answer.json["error"]["message"]
    assert not loopback.seen


def test_an_alias_of_another_place_is_refused_and_the_place_named(scripted, loopback):
    answer = scripted.create(job_body(model="pro"))

    assert (answer.status_code, reason(answer)) == (400, "MODEL_NOT_SERVED_HERE")
    assert f"{PROJECT}/europe-west4" in answer.json["error"]["message"]
    assert not loopback.seen
    assert not scripted.store.submissions


def test_an_alias_works_with_the_real_answer_and_is_recorded_by_its_full_name(world):
    job = world.created(job_body(model="gemini-2.5-flash"))

    assert world.record(job).seen.model == FULL_FLASH


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'"x"', b"null", b"{", b'{"a":}', b"model=flash", b"\xff\xfe", b'{"a":' + b"[" * 99],
    ids=["empty", "array", "string", "null", "cut", "gap", "form", "binary", "deep"],
)
def test_a_body_that_is_no_json_object_is_refused(scripted, loopback, body):
    answer = scripted.create(body)

    assert (answer.status_code, reason(answer)) == (400, "BODY_INVALID")
    assert not loopback.seen
    assert not scripted.store.submissions


def test_a_body_that_is_too_large_is_refused(scripted, loopback):
    answer = scripted.create(b'{"a":"' + b"x" * (10 * 1024 * 1024) + b'"}')

    assert (answer.status_code, reason(answer)) == (413, "BODY_TOO_LARGE")
    assert not loopback.seen


def test_a_chunked_body_that_is_too_large_is_refused(scripted, loopback):
    answer = scripted.create(
        b'{"a":"' + b"x" * (10 * 1024 * 1024) + b'"}',
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert (answer.status_code, reason(answer)) == (413, "BODY_TOO_LARGE")
    assert not loopback.seen


def test_the_full_name_is_an_answer_that_its_error_offers(scripted, loopback):
    """The message says to write the full name instead; that must then work."""
    assert "full name" in scripted.create(job_body(model="pro")).json["error"]["message"]

    scripted.create(job_body(model="publishers/google/models/gemini-2.5-pro"))

    assert json.loads(loopback.seen[-1].body)["model"] == "publishers/google/models/gemini-2.5-pro"


def test_errors_about_models_name_no_credentials(scripted):
    info = error_info(scripted.create(job_body(model="pro")))

    assert info.get("metadata", {}).keys() <= {"model", "project", "location"}


def test_the_path_of_create_stays_that_of_the_caller(scripted, loopback):
    scripted.create(job_body(model="flash"), path=JOBS.replace("v1/", "v1beta1/"))

    assert loopback.seen[-1].target == f"/v1beta1/{PARENT}/batchPredictionJobs"
