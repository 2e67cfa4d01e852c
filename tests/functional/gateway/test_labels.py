"""Labels that a create gets from its header, its key and its team, and those that it must have."""

import json

import pytest

from batch_gateway.gateway.jobs.added_labels import HEADER
from functional.gateway.conftest import JOBS, job_body, job_resource, json_answer, reason
from functional.gateway.scoped import admin, audit, new_key, new_team

ESTIMATE = f"{JOBS}:estimateCost"


@pytest.fixture
def upstream(loopback):
    """Vertex AI, which answers with the job that it was sent."""
    loopback.respond = lambda seen: json_answer(
        job_resource(labels=json.loads(seen.body or "{}").get("labels", {}))
    )
    return loopback


def labels_sent(upstream):
    return json.loads(upstream.seen[-1].body).get("labels", {})


def create(world, labels=None, header=None, **given):
    body = job_body() if labels is None else job_body(labels=labels)
    headers = {**given.pop("headers", {}), **({} if header is None else {HEADER: header})}
    return world.create(body, headers=headers, **given)


@pytest.fixture
def key(scripted):
    """A key with rules of its own, in a team with rules."""
    new_team(
        scripted, "search", default_labels={"stage": "test", "cost-center": "7"}, required_labels=["campaign"]
    )
    return new_key(
        scripted,
        team_id="search",
        default_labels={"cost-center": "42"},
        required_labels=["cost-center", "stage"],
    )


def test_defaults_are_added_where_the_job_has_no_label_of_the_name(scripted, upstream, key):
    assert create(scripted, {"campaign": "autumn", "stage": "live"}, key=key).status_code == 200
    assert labels_sent(upstream) == {
        "campaign": "autumn",
        "stage": "live",
        "cost-center": "42",
        "team": "search",
    }
    assert scripted.record(job_resource()).seen.labels == labels_sent(upstream)


def test_a_job_without_labels_gets_them_and_every_other_byte_stays(scripted, upstream):
    secret = new_key(scripted, team_id=new_team(scripted, "ads")["team_id"], default_labels={"stage": "test"})
    scripted.create(b'{"x" :1.0, "model":"publishers/google/models/x"}', key=secret)
    assert upstream.seen[-1].body == (
        b'{"x" :1.0, "model":"publishers/google/models/x","labels":{"stage":"test","team":"ads"}}'
    )


def test_all_missing_labels_are_named_at_once_and_nothing_is_sent(scripted, upstream):
    new_team(scripted, "ads", required_labels=["stage", "campaign"])
    secret = new_key(scripted, team_id="ads", required_labels=["cost-center", "campaign"])
    for ask in (
        create(scripted, {"stage": "", "other": "x"}, key=secret),
        create(scripted, {"stage": "", "other": "x"}, key=secret, path=ESTIMATE),
        create(scripted, {"stage": "", "other": "x"}, key=secret, path=f"{JOBS}?validateOnly=true"),
    ):
        assert (ask.status_code, reason(ask)) == (400, "LABELS_REQUIRED")
        assert "campaign, cost-center, stage" in ask.json["error"]["message"]
        assert ask.json["error"]["details"][0]["metadata"] == {"labels": "campaign,cost-center,stage"}
    assert not upstream.seen
    assert "begin_submission" not in scripted.store.calls


def test_the_refusal_is_in_the_audit_trail(scripted, upstream, key):  # noqa: ARG001
    create(scripted, key=key)
    assert audit(scripted)[0]["action"] == "job.create"
    assert audit(scripted)[0]["outcome"] == "INVALID_ARGUMENT LABELS_REQUIRED"


def test_labels_may_come_in_the_header(scripted, upstream, key):
    assert create(scripted, header="campaign=autumn, stage=live", key=key).status_code == 200
    assert labels_sent(upstream) == {
        "campaign": "autumn",
        "stage": "live",
        "cost-center": "42",
        "team": "search",
    }


def test_the_header_is_never_forwarded(scripted, upstream, key):
    create(scripted, header="campaign=autumn", key=key)
    assert HEADER.lower() not in {name.lower() for name, _ in upstream.seen[-1].headers}


def test_the_administrator_may_send_it_and_has_no_rules(scripted, upstream):
    assert create(scripted, header="campaign=autumn").status_code == 200
    assert labels_sent(upstream) == {"campaign": "autumn"}
    create(scripted, {"team": "ads", "a": "b"}, header="campaign=autumn")
    assert labels_sent(upstream) == {"team": "ads", "a": "b", "campaign": "autumn"}


def test_the_same_label_in_both_is_no_contradiction(scripted, upstream):
    raw = b'{"model":"publishers/google/models/x" ,"labels":{"a":"b"}}'
    assert scripted.create(raw, headers={HEADER: "a=b"}).status_code == 200
    assert upstream.seen[-1].body == raw


@pytest.mark.parametrize("path", [JOBS, ESTIMATE])
@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a=c", "a=c contradicts the job's own label, which is 'b'"),
        ("a", "is not a label: write NAME=VALUE"),
        ("A=c", "cannot be the name of a label"),
        ("x=a.b", "cannot be the value of the label 'x'"),
        ("x=1,x=2", "'x' occurs twice"),
        ("team=ads", "'team' is set by the gateway"),
        ("gateway_submission=1", "is set by the gateway"),
        ("goog-x=1", "reserved for Google"),
        (b"x=\xff".decode("latin-1"), "not UTF-8"),
    ],
)
def test_a_wrong_header_is_refused(scripted, upstream, path, header, said):
    answer = create(scripted, {"a": "b"}, header=header, path=path)
    assert (answer.status_code, reason(answer)) == (400, "LABELS_INVALID")
    assert said in answer.json["error"]["message"]
    assert not upstream.seen


@pytest.mark.parametrize("path", [JOBS, ESTIMATE, f"{JOBS}?validateOnly=true"])
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({"a": "b", "Env": "x"}, "Labels: 'Env' cannot be the name of a label: it has 'E'. Use"),
        ({"a": 1}, "Labels: the value of the label 'a' must be a string"),
    ],
)
def test_a_label_of_the_body_that_vertex_ai_refuses_is_refused(scripted, upstream, path, labels, said):
    answer = create(scripted, labels, path=path)
    assert (answer.status_code, reason(answer)) == (400, "LABELS_INVALID")
    assert said in answer.json["error"]["message"]
    assert not upstream.seen


def test_the_label_that_the_gateway_replaces_may_be_anything(scripted, upstream):
    secret = new_key(scripted, team_id=new_team(scripted, "ads")["team_id"])
    assert create(scripted, {"team": "No Label"}, key=secret).status_code == 200
    assert labels_sent(upstream) == {"team": "ads"}
    assert reason(create(scripted, {"team": "No Label"})) == "LABELS_INVALID"


def test_international_letters_come_as_utf_8(scripted, upstream):
    create(scripted, header="größe=東京".encode().decode("latin-1"))
    assert labels_sent(upstream) == {"größe": "東京"}


def test_labels_that_the_gateway_replaces_do_not_count(scripted, upstream):
    secret = new_key(scripted, default_labels={"stage": "test"})
    sent = {f"l{number}": "x" for number in range(62)} | {"team": "ads", "gateway_submission": "0"}
    assert create(scripted, sent, key=secret, headers={"Idempotency-Key": ""}).status_code == 200
    assert len(labels_sent(upstream)) == 64


@pytest.mark.parametrize(("own", "status"), [(61, 200), (62, 400)])
def test_more_labels_than_vertex_ai_takes_are_refused(scripted, upstream, own, status):
    secret = new_key(scripted, default_labels={"stage": "test"})
    sent = {f"l{number}": "x" for number in range(own)}
    answer = create(scripted, sent, key=secret, headers={"Idempotency-Key": "k"})
    assert answer.status_code == status
    if status == 200:
        assert len(labels_sent(upstream)) == 64
    else:
        assert reason(answer) == "LABELS_INVALID"
        assert "The job would have 65 labels" in answer.json["error"]["message"]


def test_an_idempotency_key_stands_for_body_and_header(scripted, upstream):
    first, again, other = (
        create(scripted, header=header, headers={"Idempotency-Key": "k"})
        for header in ("a=b,c=d", "c=d, a=b", "a=b")
    )
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert reason(other) == "IDEMPOTENCY_KEY_REUSED"
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("path", ["/key/generate", "/team/new"])
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"default_labels": {"A": "x"}}, "default_labels: 'A' cannot be the name"),
        ({"default_labels": {"a": "X"}}, "default_labels: 'X' cannot be the value of the label 'a'"),
        ({"default_labels": {"team": "x"}}, "default_labels: the label 'team' is set by the gateway"),
        ({"default_labels": {"a": 1}}, "default_labels"),
        ({"default_labels": {f"l{number}": "" for number in range(63)}}, "must not have more than 62"),
        ({"required_labels": ["google-x"]}, "required_labels: 'google-x' is reserved"),
        ({"required_labels": [""]}, "required_labels: '' cannot be the name"),
        ({"required_labels": "campaign"}, "required_labels"),
    ],
)
def test_wrong_rules_are_refused(scripted, path, fields, said):
    answer = scripted.call("POST", path, json=fields)
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert said in answer.json["error"]["message"]


def test_rules_are_shown_changed_and_taken_back(scripted):
    rules = {"default_labels": {"größe": "42"}, "required_labels": ["campaign"]}
    none = {"default_labels": {}, "required_labels": []}
    made = admin(scripted, "/key/generate", **rules)
    team = new_team(scripted, "search", **rules)
    for shown in (made, team, scripted.get("/key/list").json["keys"][0], scripted.get("/team/list").json[0]):
        assert {name: shown[name] for name in rules} == rules
    for path, named in (("/key/update", {"key": made["key"]}), ("/team/update", {"team_id": "search"})):
        same = admin(scripted, path, **named, metadata={})
        assert {name: same[name] for name in rules} == rules
        bare = admin(scripted, path, **named, default_labels=None, required_labels=None)
        assert {name: bare[name] for name in none} == none
