"""The roles of keys: administrators by name, and viewers, who may only read."""

import json
import re
from datetime import UTC, datetime

import pytest

from batch_gateway.core.access.keys import token_of
from batch_gateway.core.jobs.labels import TEAM_LABEL
from batch_gateway.ports.keys import ACTIONS
from functional.gateway.conftest import (
    JOBS,
    KEY,
    PARENT,
    job_body,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.scoped import admin, audit, clocked, new_key, new_team, team_keys

CALLERS = ("nobody", "key", "team", "team_viewer", "viewer", "admin", "master")
KINDS = {
    "open": dict.fromkeys(CALLERS, ""),
    "read": {"nobody": "API_KEY_MISSING"},
    "change": {"nobody": "API_KEY_MISSING", "team_viewer": "READ_ONLY_KEY", "viewer": "READ_ONLY_KEY"},
    "viewers": {"nobody": "API_KEY_MISSING", "key": "ADMIN_ONLY", "team": "ADMIN_ONLY"},
    "auditors": {
        "nobody": "API_KEY_MISSING",
        **dict.fromkeys(("key", "team", "team_viewer"), "ADMIN_ONLY"),
    },
    "admins": {
        "nobody": "API_KEY_MISSING",
        **dict.fromkeys(("key", "team"), "ADMIN_ONLY"),
        **dict.fromkeys(("team_viewer", "viewer"), "READ_ONLY_KEY"),
    },
    "master": {
        "nobody": "API_KEY_MISSING",
        **dict.fromkeys(("key", "team", "team_viewer", "viewer", "admin"), "ADMIN_ONLY"),
    },
}
"""Reason with which each kind of route refuses a caller; callers that are not named are let in."""
ROUTES = {
    ("GET", "/health"): "open",
    ("GET", "/health/readiness"): "open",
    ("GET", "/openapi.json"): "open",
    ("GET", "/dashboard"): "open",
    ("GET", "/dashboard/<version>/<name>"): "open",
    ("POST", "/internal/reconcile"): "master",
    ("POST", "/batchPredictionJobs"): "change",
    ("GET", "/batchPredictionJobs"): "read",
    ("GET", "/batchPredictionJobs/<job>"): "read",
    ("POST", "/batchPredictionJobs/<job>:cancel"): "change",
    ("POST", "/batchPredictionJobs/<job>:resume"): "change",
    ("DELETE", "/batchPredictionJobs/<job>"): "change",
    ("GET", "/operations/<operation>"): "read",
    ("GET", "/batchPredictionJobs/<job>/cost"): "read",
    ("GET", "/batchPredictionJobs/<job>/results"): "read",
    ("POST", "/batchPredictionJobs:estimateCost"): "read",
    ("GET", "/v1/jobs"): "read",
    ("GET", "/v1/jobs:stats"): "read",
    ("GET", "/v1/jobs:top"): "read",
    ("POST", "/v1/inputs"): "change",
    ("GET", "/v1/costs"): "read",
    ("GET", "/v1/costs:export"): "read",
    ("GET", "/v1/costs:reconcile"): "auditors",
    ("GET", "/v1/costs:values"): "read",
    ("POST", "/v1/costs:reprice"): "admins",
    ("GET", "/v1/prices"): "read",
    ("PUT", "/v1/prices/<model>"): "admins",
    ("DELETE", "/v1/prices/<model>"): "admins",
    ("PUT", "/v1/prices/publishers/<publisher>"): "admins",
    ("DELETE", "/v1/prices/publishers/<publisher>"): "admins",
    ("GET", "/key/info"): "read",
    ("GET", "/key/list"): "viewers",
    ("POST", "/key/generate"): "admins",
    ("POST", "/key/update"): "admins",
    ("POST", "/key/regenerate"): "admins",
    ("POST", "/key/delete"): "admins",
    ("GET", "/team/info"): "viewers",
    ("GET", "/team/list"): "viewers",
    ("POST", "/team/new"): "admins",
    ("POST", "/team/update"): "admins",
    ("POST", "/team/delete"): "admins",
    ("GET", "/audit"): "auditors",
}
"""Every route, with the kind of callers that it lets in."""
NOT_LET_IN = {"API_KEY_MISSING", "ADMIN_ONLY", "READ_ONLY_KEY"}


def routes(world):
    """The route table of a gateway."""
    return world.client.application.gateway.table.routes


@pytest.fixture
def callers(scripted):
    """A secret of each kind of caller; None for nobody."""
    new_team(scripted, "search")
    return {
        "nobody": None,
        "key": new_key(scripted, key_alias="key"),
        "team": new_key(scripted, key_alias="team", team_id="search"),
        "team_viewer": new_key(scripted, key_alias="team_viewer", team_id="search", role="viewer"),
        "viewer": new_key(scripted, key_alias="viewer", role="viewer"),
        "admin": new_key(scripted, key_alias="admin", role="admin"),
        "master": KEY,
    }


def test_every_route_is_in_the_table_here(scripted):
    """A new route has to say here whom it lets in."""
    assert {(route.method, route.path) for route in routes(scripted)} == ROUTES.keys()


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_a_route_lets_in_whom_it_should(scripted, callers, route):
    method, path = route
    path = re.sub("<[a-z]+>", "4242", path)
    if path.startswith(("/batchPredictionJobs", "/operations")):
        path = f"/v1/{PARENT}{path}"

    for caller, secret in callers.items():
        answer = scripted.call(method, path, key=secret, json={} if method in {"POST", "PUT"} else None)
        found = reason(answer) if answer.status_code in {401, 403} else ""
        refused = KINDS[ROUTES[route]].get(caller, "")
        assert (found if found in NOT_LET_IN else "") == refused, caller
        if refused:
            assert answer.status_code == (401 if caller == "nobody" else 403)


def test_every_route_that_is_no_get_is_a_change_but_for_two(scripted):
    """Every change has an action in the audit trail, and that is what viewers are refused by."""
    assert {
        (route.method, route.path) for route in routes(scripted) if route.method != "GET" and not route.audit
    } == {("POST", "/internal/reconcile"), ("POST", "/batchPredictionJobs:estimateCost")}
    assert not [route for route in routes(scripted) if route.method == "GET" and route.audit]


def test_the_actions_that_can_be_asked_for_are_those_of_the_routes(scripted):
    assert set(ACTIONS) == {route.audit for route in routes(scripted) if route.audit}


@pytest.mark.parametrize("path", [JOBS, JOBS.replace("/v1/", "/v1beta1/"), f"/vertex_ai{JOBS}", "/v1/batchPredictionJobs"])  # fmt: skip  # noqa: E501 - a table
def test_a_viewers_create_reaches_nobody_by_any_path(scripted, loopback, path):
    for query in ("", "?validateOnly=true"):
        answer = scripted.create(key=new_key(scripted, role="viewer"), path=path + query)
        assert (answer.status_code, reason(answer)) == (403, "READ_ONLY_KEY")
        assert "without a role" in answer.json["error"]["message"]
    assert not loopback.seen


def test_what_a_viewer_tried_is_in_the_audit_trail(scripted):
    viewer = new_key(scripted, key_alias="finance", role="viewer")
    scripted.call("DELETE", f"{JOBS}/4242", key=viewer)

    [entry, *_] = audit(scripted)
    assert (entry["actor"], entry["outcome"]) == ("finance", "PERMISSION_DENIED READ_ONLY_KEY")


# What viewers see


@pytest.fixture
def organisation(world):
    """Two teams with a job each, and viewers of one and of both."""
    search, ads = team_keys(world, "search", "ads")
    jobs = {"search": world.create(key=search).json, "ads": world.create(key=ads).json}
    world.created()
    return {
        "jobs": jobs,
        "keys": {"search": search, "ads": ads},
        "one": new_key(world, team_id="search", role="viewer", key_alias="lead"),
        "all": new_key(world, role="viewer", key_alias="finance"),
    }


def test_a_viewer_without_a_team_sees_every_job_and_one_with_a_team_its_teams(world, organisation):
    one, everything = organisation["one"], organisation["all"]
    mine, other = (path_of(organisation["jobs"][team]) for team in ("search", "ads"))

    assert [world.get(path, key=one).status_code for path in (mine, other)] == [200, 403]
    assert [world.get(path, key=everything).status_code for path in (mine, other)] == [200, 200]
    for path, member in ((JOBS, "batchPredictionJobs"), ("/v1/jobs", "data")):
        listed = [job_id(job) for job in world.get(path, key=one).json[member]]
        assert listed == [job_id(organisation["jobs"]["search"])]
        assert len(world.get(path, key=everything).json[member]) == 3
    assert [world.get(f"{other}/cost", key=key).status_code for key in (one, everything)] == [403, 200]


def test_a_viewer_without_a_team_sees_all_spend_and_one_with_a_team_its_teams(world, organisation):
    def teams(key):
        return world.get("/v1/costs:values?field=team", key=key).json

    assert teams(organisation["all"]) == teams(KEY)
    assert teams(organisation["one"]) == teams(organisation["keys"]["search"])


def test_a_teams_viewer_sees_its_teams_keys_and_no_other(world, organisation):
    one, ads = organisation["one"], token_of(organisation["keys"]["ads"])

    listed = world.get("/key/list", key=one).json
    assert {key["key_alias"] for key in listed["keys"]} == {"key-of-search", "lead"}
    assert listed["total_count"] == 2
    assert reason(world.get("/key/list?team_id=ads", key=one)) == "ADMIN_ONLY"
    assert world.get("/key/list?team_id=search", key=one).json == listed

    mine = world.get("/key/info", key=one, query_string={"key": token_of(organisation["keys"]["search"])})
    assert mine.json["info"]["key_alias"] == "key-of-search"
    there, missing = (
        world.get("/key/info", key=one, query_string={"key": token}) for token in (ads, "0" * 64)
    )
    assert (there.status_code, there.data) == (missing.status_code, missing.data)
    assert reason(there) == "ADMIN_ONLY"


def test_a_teams_viewer_sees_its_team_and_no_other(world, organisation):
    one = organisation["one"]

    assert [team["team_id"] for team in world.get("/team/list", key=one).json] == ["search"]
    assert world.get("/team/list?page=2", key=one).json == []
    assert world.get("/team/info", key=one).json["team_id"] == "search"
    assert world.get("/team/info?team_id=search", key=one).status_code == 200
    for other in ("ads", "nobody"):
        assert reason(world.get("/team/info", key=one, query_string={"team_id": other})) == "ADMIN_ONLY"


def test_a_viewer_without_a_team_sees_all_keys_and_teams_and_the_trail(world, organisation):
    everything = organisation["all"]
    assert {key["key_alias"] for key in world.get("/key/list", key=everything).json["keys"]} == {
        "key-of-search",
        "key-of-ads",
        "lead",
        "finance",
    }
    assert {team["team_id"] for team in world.get("/team/list", key=everything).json} == {"search", "ads"}
    assert world.get("/audit", key=everything).json == world.get("/audit").json
    assert "overrides" in world.get("/v1/prices", key=everything).json
    assert "overrides" not in world.get("/v1/prices", key=organisation["one"]).json


def test_a_viewer_sees_neither_secrets_nor_the_paths_of_webhooks(scripted):
    new_team(scripted, "search")
    url = "https://hooks.example.com:8443/services/T0/S3CR3T?token=S3CR3T"
    made = admin(scripted, "/key/generate", team_id="search", webhook_url=url)
    viewers = [new_key(scripted, role="viewer", **given) for given in ({}, {"team_id": "search"})]

    for viewer in viewers:
        for path in ("/key/list", f"/key/info?key={made['token']}", "/team/info?team_id=search"):
            text = scripted.get(path, key=viewer).text
            assert '"https://hooks.example.com:8443/..."' in text
            for secret in ("S3CR3T", made["key"], made["webhook_secret"]):
                assert secret not in text
    assert scripted.get("/key/info", key=made["key"]).json["info"]["webhook_url"] == url


def test_a_viewers_estimate_goes_by_the_jobs_that_it_sees(world, organisation):
    def assumptions(key):
        answer = world.call("POST", f"{JOBS}:estimateCost", key=key, data=json.dumps(job_body()))
        assert answer.status_code == 200
        return answer.json

    assert assumptions(organisation["all"]) == assumptions(KEY)
    assert assumptions(organisation["one"]) == assumptions(organisation["keys"]["search"])


def test_a_viewers_requests_are_limited_where_that_is_said(scripted):
    viewer = new_key(scripted, role="viewer", rpm_limit=1)
    assert [scripted.get("/v1/jobs", key=viewer).status_code for _ in range(2)] == [200, 429]


# Administrators


def test_an_administrator_is_named_in_the_trail_and_in_what_it_makes(scripted):
    ada = new_key(scripted, key_alias="ada", role="admin")
    made = scripted.call("POST", "/key/generate", key=ada, json={"key_alias": "nightly"})

    assert made.status_code == 200
    assert made.json["created_by"] == "ada"
    assert audit(scripted)[0]["actor"] == "ada"


def test_an_administrators_job_is_sent_as_it_came_and_counts_by_alias_and_team_label(scripted, loopback):
    ada = new_key(scripted, key_alias="ada", role="admin")
    loopback.answers = [json_answer(job_resource(labels={TEAM_LABEL: "search"}))]
    raw = b'{ "model" :\t"publishers/google/models/x","labels":{"team":"search"} }'

    assert scripted.create(raw, key=ada).status_code == 200

    assert loopback.seen[-1].body == raw
    record = scripted.record(job_resource())
    assert (record.api_key, record.team, record.key_id) == ("ada", "search", None)


def test_an_administrator_sees_and_ends_the_jobs_of_all(world, organisation):
    ada = new_key(world, role="admin")
    for job in organisation["jobs"].values():
        assert world.get(path_of(job), key=ada).status_code == 200
        assert world.call("POST", f"{path_of(job)}:cancel", key=ada).status_code == 200


def test_an_administrator_who_demotes_and_blocks_all_locks_nobody_out(scripted):
    clock = clocked(scripted)
    ada = new_key(scripted, key_alias="ada", role="admin")
    assert scripted.call("POST", "/key/update", key=ada, json={"key": ada, "role": "viewer"}).json["role"] == "viewer"  # fmt: skip  # noqa: E501 - one call
    clock.advance(11)

    assert reason(scripted.call("POST", "/key/update", key=ada, json={"key": ada, "role": "admin"})) == "READ_ONLY_KEY"  # fmt: skip  # noqa: E501 - one call
    admin(scripted, "/key/update", key=ada, role="admin")
    clock.advance(11)
    assert scripted.call("POST", "/team/new", key=ada, json={"team_id": "x"}).status_code == 200


def test_a_new_secret_has_the_role_of_the_old_one(scripted):
    old = new_key(scripted, role="viewer")
    new = admin(scripted, "/key/regenerate", key=old)["key"]
    assert reason(scripted.create(key=new)) == "READ_ONLY_KEY"


def test_a_role_is_changed_for_all_secrets_of_a_key(scripted):
    old = new_key(scripted, role="admin")
    new = admin(scripted, "/key/regenerate", key=old, grace_period="24h")["key"]
    admin(scripted, "/key/update", key=new, role=None)
    for secret in (old, new):
        assert reason(scripted.call("POST", "/team/new", key=secret, json={})) == "ADMIN_ONLY"


# Which roles there are, and what goes with them


@pytest.mark.parametrize(
    ("written", "team", "stored"),
    [
        ("admin", None, "admin"),
        ("proxy_admin", None, "admin"),
        ("viewer", None, "viewer"),
        ("viewer", "search", "viewer"),
        ("proxy_admin_viewer", None, "viewer"),
        ("internal_user_viewer", "search", "viewer"),
        (None, "search", None),
    ],
)
def test_a_role_by_our_name_or_litellms_is_stored_in_one_form(scripted, written, team, stored):
    new_team(scripted, "search")
    made = admin(scripted, "/key/generate", role=written, team_id=team)
    assert made["role"] == stored
    assert scripted.keys.get_key(made["token"]).role == stored


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"role": "owner"}, "'owner' is not one of admin, viewer, proxy_admin"),
        ({"role": "internal_user"}, "Leave it out for a key that runs jobs"),
        ({"role": ""}, "not one of"),
        ({"role": True}, "role: must be a string or null, not true or false"),
        ({"role": "admin", "team_id": "search"}, "a team's key cannot be an administrator's"),
        ({"role": "proxy_admin_viewer", "team_id": "search"}, "use 'viewer'"),
        ({"role": "internal_user_viewer"}, "needs a team_id"),
        ({"role": "admin", "models": ["x"]}, "models: a key with the role 'admin' cannot have it"),
        ({"role": "admin", "rpm_limit": 5}, "rpm_limit: a key with the role 'admin' cannot have it"),
        ({"role": "admin", "allowed_uri_prefixes": ["gs://x"]}, "allowed_uri_prefixes: "),
        ({"role": "admin", "max_budget": 0}, "max_budget: "),
        ({"role": "admin", "soft_budget": 1}, "soft_budget: "),
        ({"role": "admin", "budget_duration": "1d"}, "budget_duration: "),
        ({"role": "admin", "webhook_url": "https://hooks.example.com/"}, "webhook_url: "),
        ({"role": "admin", "default_labels": {"stage": "test"}}, "default_labels: "),
        ({"role": "viewer", "required_labels": ["campaign"]}, "required_labels: "),
        ({"role": "viewer", "projects": ["acme-batch"]}, "because it runs no jobs"),
        ({"role": "viewer", "locations": ["global"]}, "locations: "),
        ({"role": "viewer", "max_budget": 5}, "set it to null"),
    ],
)
def test_what_makes_no_sense_with_a_role_is_refused(scripted, fields, says):
    new_team(scripted, "search")
    answer = scripted.call("POST", "/key/generate", json=fields)
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert says in answer.json["error"]["message"]
    assert scripted.keys.list_keys() == []


@pytest.mark.parametrize(
    ("made", "changed", "says"),
    [
        ({"role": "admin"}, {"team_id": "search"}, "a team's key cannot be an administrator's"),
        ({"team_id": "search"}, {"role": "admin"}, "Leave out team_id, or set it to null"),
        ({"models": ["x"]}, {"role": "admin"}, "models: "),
        ({"role": "viewer"}, {"max_budget": 5}, "max_budget: "),
        ({"role": "viewer", "team_id": "search"}, {"team_id": None}, "this viewer would see every team"),
        ({"team_id": "search"}, {"role": "internal_user_viewer", "team_id": None}, "needs a team_id"),
    ],
)
def test_nor_can_a_key_be_changed_into_it(scripted, made, changed, says):
    new_team(scripted, "search")
    secret = new_key(scripted, **made)
    before = scripted.keys.get_key(token_of(secret))

    answer = scripted.call("POST", "/key/update", json={"key": secret, **changed})

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert says in answer.json["error"]["message"]
    assert scripted.keys.get_key(token_of(secret)) == before


def test_a_teams_viewer_becomes_one_of_everything_if_that_is_said(scripted):
    new_team(scripted, "search")
    secret = new_key(scripted, team_id="search", role="viewer")
    changed = admin(scripted, "/key/update", key=secret, team_id=None, role="viewer")
    assert (changed["team_id"], changed["role"]) == (None, "viewer")


# When a key was last used


def last_used(world, secret):
    return world.get("/key/info", query_string={"key": token_of(secret)}).json["info"]["last_used_at"]


def test_the_hour_in_which_a_key_was_used_is_on_record_once_its_answer_is_sent(scripted):
    clocked(scripted, datetime(2026, 11, 22, 10, 59, 30, tzinfo=UTC))
    secret = new_key(scripted)
    before = scripted.keys.get_key(token_of(secret)).updated_at
    assert last_used(scripted, secret) is None

    answer = scripted.get("/v1/jobs", key=secret)
    assert answer.status_code == 200
    assert last_used(scripted, secret) is None, "nothing is written before the answer is sent"
    answer.close()

    assert last_used(scripted, secret) == "2026-11-22T10:00:00Z"
    assert scripted.keys.get_key(token_of(secret)).updated_at == before


@pytest.fixture
def writes(scripted, monkeypatch):
    """The hours that were written."""
    written, note_use = [], scripted.keys.note_use

    def note(token, hour):
        written.append(hour.hour)
        note_use(token, hour)

    monkeypatch.setattr(scripted.keys, "note_use", note)
    return written


def test_it_is_written_once_an_hour_by_all_instances(scripted, writes):
    clock = clocked(scripted)
    secret = new_key(scripted)
    other = scripted.new_client()
    for _ in range(3):
        scripted.get("/v1/jobs", key=secret, buffered=True)
        clock.advance(11)
        scripted.get("/v1/jobs", key=secret, client=other, buffered=True)
    assert writes == [10]
    clock.advance(3600)
    scripted.get("/v1/jobs", key=secret, buffered=True)
    assert writes == [10, 11]


def test_a_refused_request_of_a_good_key_is_a_use_and_one_of_a_disabled_key_is_none(scripted, writes):
    clocked(scripted)
    scripted.get("/audit", key=new_key(scripted), buffered=True)
    assert writes == [10]
    scripted.get("/v1/jobs", key=new_key(scripted, blocked=True), buffered=True)
    scripted.get("/v1/jobs", key="sk-wrong", buffered=True)
    assert writes == [10]


def test_firestore_down_costs_the_note_alone(scripted, capsys):
    clocked(scripted)
    secret = new_key(scripted)
    answer = scripted.get("/v1/jobs", key=secret)
    scripted.keys.down = True
    answer.close()
    scripted.keys.down = False

    assert answer.status_code == 200
    assert "last use of a key not stored" in capsys.readouterr().out
    assert last_used(scripted, secret) is None


def test_a_new_secret_was_not_used_yet(scripted):
    clocked(scripted)
    old = new_key(scripted)
    scripted.get("/v1/jobs", key=old, buffered=True)
    new = admin(scripted, "/key/regenerate", key=old, grace_period="1h")["key"]
    assert (last_used(scripted, old), last_used(scripted, new)) == ("2026-11-22T10:00:00Z", None)
