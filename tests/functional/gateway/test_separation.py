"""A scoped key and the jobs, data and models of others."""

import itertools
import json
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from batch_gateway.core.access.keys import token_of
from batch_gateway.core.jobs.labels import KEY_LABEL, TEAM_LABEL
from functional.gateway.conftest import (
    FLASH,
    FULL_FLASH,
    JOBS,
    NUMBER,
    PROJECT,
    World,
    job_body,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer
from functional.gateway.scoped import new_key, new_team, team_keys

NOT_THERE = json_answer({"error": {"code": 404, "message": "no such job", "status": "NOT_FOUND"}}, 404)
CALLS = [("GET", ""), ("POST", ":cancel"), ("DELETE", ""), ("GET", "/cost"), ("GET", "?fields=name")]


def sent(loopback):
    """The body that went upstream last."""
    return json.loads(loopback.seen[-1].body)


def targets(loopback):
    return [seen.target for seen in loopback.seen]


@pytest.fixture
def search(scripted):
    """A key of the team search."""
    return team_keys(scripted, "search")[0]


# What a create carries


def test_the_job_of_a_teams_key_carries_the_teams_label(scripted, loopback, search):
    scripted.create(key=search)
    assert sent(loopback) == job_body(labels={TEAM_LABEL: "search"})


def test_the_job_of_a_key_without_a_team_carries_its_own(scripted, loopback):
    secret = new_key(scripted)
    scripted.create(key=secret)
    assert sent(loopback)["labels"] == {KEY_LABEL: scripted.keys.get_key(token_of(secret)).key_id}


def test_the_administrators_job_is_sent_as_it_came(scripted, loopback):
    raw = b'{ "model" :\t"publishers/google/models/x","labels":{"team":"any"} }'
    scripted.create(raw)
    assert loopback.seen[-1].body == raw


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"labels" : {"a":"b"} , "x":1.0}', b'{"labels" : {"a":"b","team":"search"} , "x":1.0}'),
        (b'{"x":1e3,"labels":{"team":"ads"}}', b'{"x":1e3,"labels":{"team":"search"}}'),
        (b'{"labels":{"\\u0074eam":"ads"}}', b'{"labels":{"team":"search"}}'),
        (b'{"l\\u0061bels":{"team":"ads"}}', b'{"l\\u0061bels":{"team":"search"}}'),
        (b'{"labels":null,"y":"\\u00fc\xc3\xbc"}', b'{"labels":{"team":"search"},"y":"\\u00fc\xc3\xbc"}'),
        (b'{"labels":{}}\n', b'{"labels":{"team":"search"}}\n'),
        (b"{ }", b'{ "labels":{"team":"search"}}'),
        (b'{"a":[1 ,2]\r\n}', b'{"a":[1 ,2]\r\n,"labels":{"team":"search"}}'),
    ],
)
def test_but_for_the_label_every_byte_stays(scripted, loopback, search, before, after):
    scripted.create(before, key=search)
    assert loopback.seen[-1].body == after


@pytest.mark.parametrize(
    "raw",
    [
        b'{"labels":{"team":"ads"},"labels":{}}',
        b'{"labels":{},"l\\u0061bels":{"team":"ads"}}',
        b'{"labels":{"team":"search","team":"ads"}}',
        b'{"model":"a","model":"b"}',
        b'{"x":{"y":[{"uri":"gs://a","uri":"gs://b"}]}}',
        b'{"labels":["team"]}',
        b'{"labels":"team"}',
        b"{'labels':{'team':'ads'}}",
        b"{labels:{team:'ads'}}",
        b'{"a":1,}',
        b'{"a":1}{"labels":{"team":"ads"}}',
        b'{"a":NaN}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"a":"\x00"}',
        b"[]",
        b"",
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(scripted, loopback, search, raw):
    answer = scripted.create(raw, key=search)
    assert (answer.status_code, reason(answer)) == (400, "BODY_INVALID")
    assert not loopback.seen


def test_the_label_of_the_other_kind_cannot_be_forged(scripted, loopback):
    """A key without a team writes no job into a team's list, and a team none into a key's."""
    team_keys(scripted, "search")
    scripted.create(job_body(labels={TEAM_LABEL: "search", "a": "b"}), key=new_key(scripted))

    assert sent(loopback)["labels"].get(TEAM_LABEL) is None
    assert sent(loopback)["labels"]["a"] == "b"


def test_a_team_cannot_be_made_to_pay_for_another_key(scripted, loopback):
    new_team(scripted, "search")
    loopback.respond = lambda seen: json_answer(job_resource(labels=json.loads(seen.body).get("labels", {})))

    scripted.create(job_body(labels={TEAM_LABEL: "search"}), key=new_key(scripted))

    assert scripted.record(job_resource()).team is None


def test_the_marker_of_a_submission_cannot_be_forged(scripted, loopback, search):
    """Else a team could have its job taken for one whose answer another team has lost."""
    scripted.create(job_body(labels={"gateway_submission": "0" * 32}), key=search)
    assert "gateway_submission" not in sent(loopback)["labels"]


@pytest.mark.parametrize(
    "query",
    [
        "batchPredictionJob.inputConfig.gcsSource.uris=gs://secret/x",
        "batch_prediction_job.input_config.gcs_source.uris=gs://secret/x",
        "batchPredictionJob.model=publishers/google/models/gemini-3-pro",
        "batchPredictionJob.labels.team=ads",
        "%62atchPredictionJob.serviceAccount=admin",
        "batchPredictionJob%2EserviceAccount=admin",
        "inputConfig.gcsSource.uris=gs://secret/x",
        "model=publishers/google/models/gemini-3-pro",
        "labels.team=ads",
        "service_account=admin",
    ],
)
def test_no_field_of_a_job_comes_in_by_the_query(scripted, loopback, search, query):
    """Google's front end binds query parameters to fields of the request, and adds to repeated ones."""
    answer = scripted.create(path=f"{JOBS}?prettyPrint=false&{query}", key=search)

    assert answer.status_code == 400 or targets(loopback) == [f"{JOBS}?prettyPrint=false"]


# What is asked about jobs that are there


def upstream_has(loopback, jobs):
    """Lets Vertex AI have jobs, by id; what was asked for is answered like Vertex AI does, in little."""

    def respond(seen):
        found = jobs.get(urlsplit(seen.target).path.rpartition("/")[2].partition(":")[0])
        if found is None:
            return NOT_THERE
        if "fields=" in seen.target:
            return json_answer({"name": found["name"]})
        return json_answer(found if seen.method == "GET" else {})

    loopback.respond = respond


def job(number, **labels):
    return job_resource(name=job_resource()["name"].replace("4242", str(number)), labels=labels)


@pytest.mark.parametrize(("method", "rest"), CALLS)
def test_a_job_of_another_team_and_one_that_is_not_there_are_the_same(
    scripted, loopback, search, method, rest
):
    upstream_has(loopback, {"1111": job(1111, team="ads"), "3333": job(3333), "4444": job(4444, api_key="x")})

    answers = {
        number: scripted.call(method, f"{JOBS}/{number}{rest}", key=search)
        for number in ("1111", "2222", "3333", "4444")
    }

    for number, answer in answers.items():
        assert (answer.status_code, reason(answer)) == (403, "JOB_NOT_ALLOWED")
        assert answer.json["error"]["status"] == "PERMISSION_DENIED"
        assert "(or it may not exist)" in answer.json["error"]["message"]
        assert answer.data.replace(number.encode(), b"2222") == answers["2222"].data
        assert dict(answer.headers) == dict(answers["2222"].headers)
    assert {seen.method for seen in loopback.seen} <= {"GET"}, "nothing was cancelled or deleted"


@pytest.mark.parametrize(("method", "rest"), CALLS)
def test_nor_can_they_be_told_apart_by_the_projects_number(scripted, loopback, search, method, rest):
    scripted.store.remember_project(NUMBER, PROJECT)
    upstream_has(loopback, {"1111": job(1111, team="ads")})

    by_number, by_id, gone = (
        scripted.call(method, f"{jobs}/{number}{rest}", key=search).data.replace(number.encode(), b"1111")
        for jobs, number in ((JOBS.replace(PROJECT, NUMBER), "1111"), (JOBS, "1111"), (JOBS, "2222"))
    )

    assert by_number == by_id == gone


@pytest.mark.parametrize(("method", "rest"), [call for call in CALLS if call[1] != "/cost"])
def test_ones_own_job_is_at_ones_command(scripted, loopback, search, method, rest):
    upstream_has(loopback, {"1111": job(1111, team="search")})

    assert scripted.call(method, f"{JOBS}/1111{rest}", key=search).status_code == 200
    assert loopback.seen[-1].method == method


def test_a_team_shares_its_jobs_and_keys_without_a_team_do_not(world):
    first, _ = team_keys(world, "search", "ads")
    colleague, alone, other = new_key(world, team_id="search"), new_key(world), new_key(world)
    mine, lonely = (world.create(key=key).json for key in (first, alone))

    def seen_by(key, job):
        return world.get(path_of(job), key=key).status_code

    assert [seen_by(key, mine) for key in (first, colleague, alone, other)] == [200, 200, 403, 403]
    assert [seen_by(key, lonely) for key in (first, colleague, alone, other)] == [403, 403, 200, 403]


def test_each_team_lists_its_own(world):
    keys = team_keys(world, "search", "ads")
    made = [job_id(world.create(key=key).json) for key in keys]
    world.created()

    lists = [[job_id(job) for job in world.get(JOBS, key=key).json["batchPredictionJobs"]] for key in keys]

    assert lists == [[made[0]], [made[1]]]


@pytest.mark.parametrize("rest", ["", "?fields=name", "?$fields=name", "?fields=labels"])
def test_ones_own_deleted_job_is_gone_and_nobody_elses(world, vertex, rest):
    own, foreign = team_keys(world, "search", "ads")
    made = world.create(key=own).json
    vertex.finish(job_id(made))
    assert world.call("DELETE", path_of(made), key=own).status_code == 200
    vertex.step()

    assert world.get(path_of(made) + rest, key=own).status_code == 404
    assert world.call("DELETE", path_of(made), key=own).status_code == 404
    assert reason(world.get(path_of(made) + rest, key=foreign)) == "JOB_NOT_ALLOWED"


FILTERS = [
    'labels.team="ads"',
    'labels.team="ads" OR labels.team="search"',
    'NOT labels.team="search"',
    "labels.team:*",
    'display_name="nightly" OR labels.team="ads"',
    'labels.team!="search"',
    "create_time>0",
    '(display_name="a") OR (display_name="nightly")',
]


@pytest.mark.parametrize(
    ("client", "extra"), [*itertools.product(FILTERS, ["", "&fields=batchPredictionJobs"])]
)
def test_no_filter_lists_jobs_of_others(world, client, extra):
    own, foreign = team_keys(world, "search", "ads")
    mine, _ = world.create(key=own).json, world.create(key=foreign).json
    world.created()

    answer = world.get(f"{JOBS}?filter={quote(client)}{extra}", key=own)

    jobs = answer.json.get("batchPredictionJobs", []) if answer.status_code == 200 else []
    assert {job["name"] for job in jobs} <= {mine["name"]}


@pytest.mark.parametrize("name", ["filter", "%66ilter", "$filter", "%24filter", "fil%74er"])
def test_the_filter_that_goes_upstream_is_ours_alone(scripted, loopback, search, name):
    scripted.get(f"{JOBS}?{name}=labels.team%3Aads&pageSize=5&{name}=x&filter=a%3Db", key=search)

    query = parse_qs(urlsplit(loopback.seen[-1].target).query)
    assert query == {"filter": ['(a=b) AND labels.team="search"'], "pageSize": ["5"]}


@pytest.mark.parametrize("client", [")", "a) OR (b", '"', "a\\", "x') OR ('", "(("])
def test_a_filter_that_could_reach_out_of_its_place_is_refused(scripted, loopback, search, client):
    answer = scripted.get(f"{JOBS}?filter={quote(client)}", key=search)

    assert reason(answer) == "FILTER_INVALID"
    assert not loopback.seen


def test_what_a_filter_lets_through_is_not_shown_all_the_same(scripted, loopback, search):
    page = {"batchPredictionJobs": [job(1, team="search"), job(2, team="ads"), job(3)], "nextPageToken": "x"}
    loopback.answers = [json_answer(page)]

    answer = scripted.get(JOBS, key=search)

    assert answer.json == {"batchPredictionJobs": [job(1, team="search")], "nextPageToken": "x"}


NAMES_ANOTHER = [
    ("GET", "?fields=name&name="),
    ("GET", "?name="),
    ("GET", "?fields=name&%6eame="),
    ("GET", "?fields=name&$name="),
    ("DELETE", "?name="),
    ("POST", ":cancel?name="),
]


@pytest.mark.parametrize(("method", "rest"), NAMES_ANOTHER)
def test_the_query_names_no_other_job(scripted, loopback, search, method, rest):
    """The job in the path is checked; a `name` beside it might be what Google's front end takes."""
    upstream_has(loopback, {"1111": job(1111, team="search"), "2222": job(2222, team="ads")})

    scripted.call(method, f"{JOBS}/1111{rest}{quote(job(2222)['name'])}", key=search)

    assert not [target for target in targets(loopback) if "2222" in target]


def test_the_body_of_a_cancel_names_no_other_job(scripted, loopback, search):
    upstream_has(loopback, {"1111": job(1111, team="search")})

    scripted.call("POST", f"{JOBS}/1111:cancel", key=search, json={"name": job(2222)["name"]})

    assert not [seen for seen in loopback.seen if b"2222" in seen.body]


@pytest.mark.parametrize(
    "labels", [None, [], "team", {"team": ["search"]}, {"team": {"search": 1}}, {"team": 1}]
)
def test_labels_of_another_form_make_no_owner(scripted, loopback, search, labels):
    loopback.answers = [json_answer(job_resource(labels=labels))]
    assert reason(scripted.get(f"{JOBS}/4242", key=search)) == "JOB_NOT_ALLOWED"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b"", b"no json", b'{"labels":'])
@pytest.mark.parametrize("call", [("GET", ""), ("POST", ":cancel"), ("DELETE", "")])
def test_an_answer_that_shows_no_labels_is_not_shown(scripted, loopback, search, call, body):
    loopback.answers = [Answer(200, body)]
    answer = scripted.call(call[0], f"{JOBS}/4242{call[1]}", key=search)
    assert answer.status_code in {403, 503}
    assert {seen.method for seen in loopback.seen} == {"GET"}


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("call", [("POST", ":cancel"), ("DELETE", ""), ("GET", "?fields=name")])
def test_while_the_owner_is_not_known_nothing_is_done(scripted, loopback, search, call, status):
    loopback.answers = [Answer(status)]
    assert scripted.call(call[0], f"{JOBS}/4242{call[1]}", key=search).status_code == 503
    assert {seen.method for seen in loopback.seen} == {"GET"}


@pytest.mark.parametrize(
    ("call", "status"),
    [(("GET", ""), 403), (("POST", ":cancel"), 403), (("DELETE", ""), 403), (("GET", "/cost"), 503)],
)
def test_with_firestore_down_jobs_are_as_separate_as_ever(scripted, loopback, search, call, status):
    upstream_has(loopback, {"1111": job(1111, team="search"), "2222": job(2222, team="ads")})
    scripted.get(JOBS, key=search)
    scripted.store.down = True

    answer = scripted.call(call[0], f"{JOBS}/2222{call[1]}", key=search)

    assert answer.status_code == status
    assert job(2222)["createTime"] not in answer.text
    assert scripted.get(f"{JOBS}/1111", key=search).status_code == 200


# What a create may name


def allowed(scripted, body, **grant):
    answer = scripted.create(body, key=new_key(scripted, **grant))
    return None if answer.status_code == 200 else reason(answer)


OTHER_PROJECTS = [
    "projects/somebody-else/locations/us-central1/models/1234567890",
    "projects/somebody-else/locations/us-central1/publishers/google/models/gemini-2.5-flash",
    "projects/999999999999/locations/us-central1/models/1234567890",
]


@pytest.mark.parametrize("model", OTHER_PROJECTS)
def test_a_key_for_one_project_names_no_model_of_another(scripted, loopback, model):
    assert allowed(scripted, job_body(model=model), projects=[PROJECT]) is not None
    assert not loopback.seen


@pytest.mark.parametrize("model", [FLASH, FULL_FLASH, "gemini-2.5-flash", f"projects/{NUMBER}/locations/us-central1/models/12"])  # fmt: skip  # noqa: E501 - a table
def test_it_names_those_of_its_own(scripted, model):
    scripted.store.remember_project(NUMBER, PROJECT)
    assert allowed(scripted, job_body(model=model), projects=[PROJECT]) is None


@pytest.mark.parametrize(
    "endpoint",
    [
        f"projects/{PROJECT}/locations/us-central1/endpoints/1",
        "projects/somebody-else/locations/x/endpoints/1",
    ],
)
@pytest.mark.parametrize("model", [None, FLASH])
def test_a_key_for_some_models_names_no_endpoint(scripted, loopback, endpoint, model):
    body = {**job_body(), "endpoint": endpoint, "model": model}
    assert allowed(scripted, body, models=["gemini-2.5-flash"]) is not None
    assert not loopback.seen


@pytest.mark.parametrize("model", [None, "", 1, [], ["gemini-2.5-flash"], {"a": 1}, False])
def test_a_key_for_some_models_has_to_name_one(scripted, loopback, model):
    assert allowed(scripted, job_body(model=model), models=["gemini-*"]) == "MODEL_NOT_ALLOWED"
    assert not loopback.seen


@pytest.mark.parametrize("path", [JOBS, JOBS.replace("/v1/", "/v1beta1/"), f"/vertex_ai{JOBS}"])
def test_limits_hold_on_every_path(scripted, loopback, path):
    secret = new_key(scripted, allowed_uri_prefixes=["gs://mine"])
    assert reason(scripted.create(key=secret, path=path)) == "URI_NOT_ALLOWED"
    assert not loopback.seen


def test_a_place_by_the_projects_number_is_the_project(loopback):
    world = World(loopback.host)
    world.store.remember_project(NUMBER, PROJECT)
    secret = new_key(world, projects=[PROJECT])
    other = new_key(world, projects=["other-project"])
    jobs = JOBS.replace(PROJECT, NUMBER)

    assert world.get(jobs, key=secret).status_code == 200
    assert reason(world.get(jobs, key=other)) == "PROJECT_NOT_ALLOWED"
