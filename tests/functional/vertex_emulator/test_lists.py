"""Answers cut to measure, lists, filters and pages."""

from urllib.parse import quote

import pytest

from builders import prompt
from functional.vertex_emulator.conftest import PARENT, refusal_of


def test_numeric_states_fields_and_pretty_printing(vertex):
    name = vertex.create(labels={"a": "b"})
    path = f"v1/{name}"
    alt = "$alt=json;enum-encoding=int"
    assert vertex.call("GET", f"{path}?{alt}").json()["state"] == 2
    assert vertex.call("GET", f"{path}?{quote(alt, safe='=')}").json()["state"] == 2
    listed = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?{alt}").json()
    assert listed["batchPredictionJobs"][0]["state"] == 2

    fields = "name,inputConfig/instancesFormat,outputConfig(gcsDestination.outputUriPrefix),labels"
    assert vertex.call("GET", path, params={"fields": fields}).json() == {
        "name": name,
        "inputConfig": {"instancesFormat": "jsonl"},
        "outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://batches/out"}},
        "labels": {"a": "b"},
    }
    cut = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?fields=batchPredictionJobs(name,state)").json()
    assert cut == {"batchPredictionJobs": [{"name": name, "state": "JOB_STATE_PENDING"}]}
    masked = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?readMask=state,displayName").json()
    assert masked == {"batchPredictionJobs": [{"displayName": "nightly", "state": "JOB_STATE_PENDING"}]}
    for query in ("fields=nme", "fields=name(", "fields=batchPredictionJobs/x", "readMask=x"):
        refusal_of(vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs?{query}"), 400, "INVALID_ARGUMENT")

    assert vertex.call("GET", path).text.startswith('{\n  "name"')
    assert vertex.call("GET", f"{path}?prettyPrint=false").text.startswith('{"name":"')
    missing = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs/1?prettyPrint=false")
    assert missing.text.startswith('{"error":{"code":404,')


@pytest.fixture
def listed(vertex):
    for name, labels in (
        ("my_job_a", {"team": "search"}),
        ("my_job_b", {"team": "ads", "env": "p"}),
        ("other", {}),
    ):
        vertex.create([prompt()], displayName=name, labels=labels)
    vertex.emulator.finish(vertex.emulator.jobs()[0]["name"])  # "other" is the newest
    return vertex


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["other", "my_job_b", "my_job_a"]),
        ('display_name="my_job_a"', ["my_job_a"]),
        ("display_name=my_job_a", ["my_job_a"]),
        ('display_name!="my_job_a"', ["other", "my_job_b"]),
        ('display_name:"my_job_*"', ["my_job_b", "my_job_a"]),
        ("display_name:job", ["my_job_b", "my_job_a"]),
        ('NOT display_name="my_job_a"', ["other", "my_job_b"]),
        ("-display_name:job", ["other"]),
        ('state="JOB_STATE_SUCCEEDED"', ["other"]),
        ('state!="JOB_STATE_SUCCEEDED" AND labels.env:*', ["my_job_b"]),
        ("labels.team=ads OR display_name=other", ["other", "my_job_b"]),
        ("labels.team!=ads", ["other", "my_job_a"]),
        ('labels."team"="ads"', ["my_job_b"]),
        ("labels.team:* AND (labels.team=search OR labels.team=x)", ["my_job_a"]),
        ("labels.team=ads (display_name=other OR labels.env=p)", ["my_job_b"]),
        ('model_display_name="gemini-2.5-flash" AND display_name=other', ["other"]),
        ('create_time>"2021-05-18T00:00:00Z"', ["other", "my_job_b", "my_job_a"]),
        ('create_time<="2021-05-18T00:00:00+02:00"', []),
    ],
)
def test_filters(listed, text, expected):
    response = listed.call("GET", f"v1/{PARENT}/batchPredictionJobs", params={"filter": text})
    assert [job["displayName"] for job in response.json().get("batchPredictionJobs", [])] == expected


@pytest.mark.parametrize(
    "text",
    [
        "display_name>x",
        "colour=red",
        'create_time>"yesterday"',
        "state=",
        "(state=x",
        "state=x)",
        'state="x',
        "AND",
    ],
)
def test_filters_that_make_no_sense(vertex, text):
    response = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs", params={"filter": text})
    refusal_of(response, 400, "INVALID_ARGUMENT")


def test_pages_hold_still_while_jobs_come(vertex):
    names = [vertex.create() for _ in range(5)][::-1]
    path = f"v1/{PARENT}/batchPredictionJobs"
    seen, token = [], ""
    while True:
        query = {"pageSize": 2, **({"pageToken": token} if token else {})}
        page = vertex.call("GET", path, params=query).json()
        seen.append([job["name"] for job in page["batchPredictionJobs"]])
        token = page.get("nextPageToken")
        if not token:
            break
        vertex.create()
    assert seen == [names[:2], names[2:4], names[4:]]
    first = vertex.call("GET", path, params={"pageSize": 1}).json()["nextPageToken"]
    for query in (
        {"pageToken": "nonsense"},
        {"pageSize": -1},
        {"pageSize": "x"},
        {"pageToken": first, "filter": "labels.a:*"},
    ):
        refusal_of(vertex.call("GET", path, params=query), 400, "INVALID_ARGUMENT")


def test_filters_and_pages_go_together(vertex):
    for number in range(7):
        vertex.create(
            [prompt()],
            displayName=str(number),
            labels={"team": "ads" if number % 3 else "search"},
        )
    jobs = vertex.emulator.jobs()[::-1]
    for number in (2, 4, 5):
        vertex.emulator.finish(jobs[number]["name"])
    since = jobs[2]["createTime"]
    text = f'create_time>="{since}" AND state="JOB_STATE_SUCCEEDED" AND labels.team=ads'
    seen, token = [], ""
    while token or not seen:
        query = {"filter": text, "pageSize": 1, **({"pageToken": token} if token else {})}
        page = vertex.call("GET", f"v1/{PARENT}/batchPredictionJobs", params=query).json()
        seen += [[job["displayName"] for job in page["batchPredictionJobs"]]]
        token = page.get("nextPageToken", "")
    assert seen == [["5"], ["4"], ["2"]]
