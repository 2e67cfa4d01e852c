"""The audit trail: who did what, when, and what came of it; also when it was refused."""

import json

import pytest

from functional.gateway.conftest import JOBS, PARENT, job_body, job_resource, json_answer, path_of, reason
from functional.gateway.scoped import admin, audit, clocked, new_key, new_team, team_keys


def entries(world, *actions):
    """(actor, action, target, outcome) of the newest entries, the oldest first."""
    found = [[e["actor"], e["action"], e["target"], e["outcome"]] for e in audit(world)[::-1]]
    return [entry for entry in found if entry[1] in actions]


def test_a_jobs_life_is_on_record(world):
    search, ads = team_keys(world, "search", "ads")
    made = world.create(key=search).json
    world.call("POST", f"{path_of(made)}:cancel", key=ads)
    world.call("POST", f"{path_of(made)}:cancel", key=search)
    world.call("DELETE", path_of(made), key=ads)
    target = path_of(made).removeprefix("/v1/")
    denied = "PERMISSION_DENIED JOB_NOT_ALLOWED"

    assert entries(world, "job.create", "job.cancel", "job.delete") == [
        ["key-of-search", "job.create", made["name"], "OK"],
        ["key-of-ads", "job.cancel", target, denied],
        ["key-of-search", "job.cancel", target, "OK"],
        ["key-of-ads", "job.delete", target, denied],
    ]


def test_a_path_without_a_place_names_its_job_all_the_same(scripted):
    scripted.call("POST", f"/v1/batchPredictionJobs/4242:cancel?parent={PARENT}")
    scripted.call("POST", "/v1/batchPredictionJobs/4242:cancel")

    assert entries(scripted, "job.cancel") == [
        ["master", "job.cancel", f"{PARENT}/batchPredictionJobs/4242", "OK"],
        ["master", "job.cancel", "/v1/batchPredictionJobs/4242:cancel", "INVALID_ARGUMENT PLACE_MISSING"],
    ]


def test_an_entry_says_when(world):
    clock = clocked(world)
    clock.advance(5)
    world.created()
    assert audit(world)[0]["time"] == "2026-11-22T10:00:05Z"


def test_keys_and_teams_are_on_record_by_name(scripted):
    admin(scripted, "/team/new", team_id="search")
    secret = new_key(scripted, key_alias="nightly")
    admin(scripted, "/key/update", key=secret, rpm_limit=5)
    new = admin(scripted, "/key/regenerate", key=secret)["key"]
    admin(scripted, "/key/delete", keys=[secret, new])
    admin(scripted, "/team/update", team_id="search", blocked=True)
    admin(scripted, "/team/delete", team_ids=["search"])

    found = [(entry["action"], entry["target"], entry["outcome"]) for entry in audit(scripted)[::-1]]
    assert found == [
        ("team.new", "search", "OK"),
        ("key.generate", "nightly", "OK"),
        ("key.update", "nightly", "OK"),
        ("key.regenerate", "nightly", "OK"),
        ("key.delete", "nightly", "OK"),
        ("team.update", "search", "OK"),
        ("team.delete", "search", "OK"),
    ]
    assert {entry["actor"] for entry in audit(scripted)} == {"master"}


CREATES = [
    ({"models": ["x"]}, JOBS, "PERMISSION_DENIED MODEL_NOT_ALLOWED"),
    ({"allowed_uri_prefixes": ["gs://x"]}, JOBS, "PERMISSION_DENIED URI_NOT_ALLOWED"),
    ({"projects": ["other-project"]}, JOBS, "PERMISSION_DENIED PROJECT_NOT_ALLOWED"),
    ({}, JOBS.replace("acme-batch", "somebody-else"), "PERMISSION_DENIED PROJECT_NOT_ALLOWED"),
]


@pytest.mark.parametrize(("grant", "path", "outcome"), CREATES)
def test_a_create_that_was_refused_is_on_record(scripted, grant, path, outcome):
    secret = new_key(scripted, key_alias="nightly", **grant)
    scripted.create(key=secret, path=path)

    (entry,) = entries(scripted, "job.create")
    assert entry[0] == "nightly"
    assert entry[2].endswith("/batchPredictionJobs")
    assert entry[3] == outcome


@pytest.mark.parametrize("status", [400, 429, 503])
def test_what_vertex_refused_is_on_record(scripted, loopback, status):
    loopback.answers = [json_answer({"error": {"code": status}}, status)]
    scripted.create()
    assert entries(scripted, "job.create") == [
        ["master", "job.create", f"{PARENT}/batchPredictionJobs", f"HTTP {status}"]
    ]


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/key/generate", "key.generate"),
        ("/key/update", "key.update"),
        ("/key/regenerate", "key.regenerate"),
        ("/key/delete", "key.delete"),
        ("/team/new", "team.new"),
        ("/team/update", "team.update"),
        ("/team/delete", "team.delete"),
    ],
)
def test_an_administrators_call_by_another_key_is_on_record(scripted, path, action):
    scripted.call("POST", path, key=new_key(scripted, key_alias="nosy"), json={})
    assert ["nosy", action, "PERMISSION_DENIED ADMIN_ONLY"] in [
        [actor, done, outcome] for actor, done, _, outcome in entries(scripted, action)
    ]


def test_a_call_that_made_no_sense_is_on_record(scripted):
    scripted.call("POST", "/team/new", json={"team_id": "NO"})
    scripted.call("POST", "/key/update", json={"key": "sk-nobody"})
    assert [e[3] for e in entries(scripted, "team.new", "key.update")] == [
        "INVALID_ARGUMENT FIELD_INVALID",
        "NOT_FOUND KEY_UNKNOWN",
    ]


def test_a_call_of_a_job_that_cannot_be_is_on_record_as_it_came(scripted):
    assert scripted.call("DELETE", f"{JOBS}/123:cancel").status_code == 400
    assert entries(scripted, "job.delete") == [
        ["master", "job.delete", f"{JOBS.removeprefix('/v1/')}/123:cancel", "INVALID_ARGUMENT ID_INVALID"]
    ]


def test_reads_are_not(scripted):
    scripted.get(JOBS)
    scripted.get("/key/list")
    assert audit(scripted) == []


def test_a_range_is_from_its_start_to_before_its_end_with_the_newest_first(scripted):
    clock = clocked(scripted)
    for number in range(4):
        new_key(scripted, key_alias=f"k{number}")
        clock.advance(60)

    given = {"start_time": "2026-11-22T10:01:00Z", "end_time": "2026-11-22T11:03:00+01:00"}
    assert [entry["target"] for entry in audit(scripted, **given)] == ["k2", "k1"]
    assert [entry["target"] for entry in audit(scripted, limit=1)] == ["k3"]
    page = audit(scripted, end_time=audit(scripted, limit=2)[-1]["time"])
    assert [entry["target"] for entry in page] == ["k1", "k0"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=-1", "start_time=yesterday", "end_time=1e9", "limit="],
)
def test_a_range_that_makes_no_sense_is_refused(scripted, query):
    answer = scripted.get(f"/audit?{query}")
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


def test_a_hundred_entries_are_shown_unless_more_are_asked_for(scripted):
    for _ in range(101):
        new_key(scripted)
    assert (len(audit(scripted)), len(audit(scripted, limit=1000))) == (100, 101)


def test_what_firestore_did_not_take_is_in_the_log(world, capsys):
    search = team_keys(world, "search")[0]
    world.get(JOBS, key=search)
    world.keys.down = True
    capsys.readouterr()

    made = world.create(job_body(displayName="x"), key=search)

    assert made.status_code == 200, "what was done is done"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line["message"] == "audit entry not stored"]
    assert line["severity"] == "ERROR"
    assert (line["entry"]["actor"], line["entry"]["outcome"]) == ("key-of-search", "OK")
    assert line["entry"]["target"] == made.json["name"]
    assert search not in str(line)


def test_the_trail_names_the_job_also_when_the_callers_answer_was_trimmed(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    scripted.create(path=f"{JOBS}?fields=state")
    assert entries(scripted, "job.create")[0][2] == job_resource()["name"]


def change(world):
    """The change of the newest entry."""
    return audit(world)[0].get("change")


def test_an_entry_says_what_a_change_of_a_key_changed(scripted):
    secret = new_key(scripted, key_alias="nightly", max_budget=10, models=["a", "b"], metadata={"x": [[1]]})
    made = change(scripted)
    assert made["before"] is None
    assert made["after"] == {
        "key_name": f"sk-...{secret[-4:]}",
        "key_alias": "nightly",
        "models": ["a", "b"],
        "max_budget": "10",
        "metadata": '{"x":[[1]]}',
    }

    admin(scripted, "/key/update", key=secret, max_budget="2.000000001", models=["a", "b"], blocked=True)
    assert change(scripted) == {
        "before": {"max_budget": "10", "blocked": None},
        "after": {"max_budget": "2.000000001", "blocked": True},
    }

    admin(scripted, "/key/update", key=secret, max_budget=None, models=[], blocked=False)
    assert change(scripted) == {
        "before": {"models": ["a", "b"], "max_budget": "2.000000001", "blocked": True},
        "after": {"models": None, "max_budget": None, "blocked": None},
    }

    admin(scripted, "/key/update", key=secret, max_budget=None)
    assert change(scripted) is None


def test_an_entry_says_what_a_change_of_a_team_changed(scripted):
    new_team(scripted, "search", soft_budget=1)
    assert change(scripted) == {"before": None, "after": {"team_id": "search", "soft_budget": "1"}}

    admin(scripted, "/team/update", team_id="search", soft_budget=None, rpm_limit=5)
    assert change(scripted) == {
        "before": {"soft_budget": "1", "rpm_limit": None},
        "after": {"soft_budget": None, "rpm_limit": 5},
    }


def test_an_entry_says_how_long_an_old_secret_goes_on(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted, duration="30d")
    clock.advance(1)
    new = admin(scripted, "/key/regenerate", key=secret, duration="60d", grace_period="24h")["key"]
    assert change(scripted) == {
        "before": {"key_name": f"sk-...{secret[-4:]}", "expires": "2026-12-22T10:00:00Z"},
        "after": {
            "key_name": f"sk-...{new[-4:]}",
            "expires": "2027-01-21T10:00:01Z",
            "grace_period": "24h",
        },
    }


def test_no_secret_is_in_the_trail(scripted):
    url = "https://hooks.example.com/S3CR3T?token=S3CR3T"
    made = admin(scripted, "/key/generate", webhook_url=url)
    changed = admin(scripted, "/key/update", key=made["key"], webhook_url=f"{url}2")
    shown = {"webhook_url": "https://hooks.example.com/...", "webhook_secret": "(hidden)"}
    assert change(scripted) == {"before": shown, "after": shown}

    new = admin(scripted, "/key/regenerate", key=made["key"])["key"]
    text = json.dumps(audit(scripted))
    for secret in ("S3CR3T", made["key"], new, made["webhook_secret"], changed["webhook_secret"]):
        assert secret not in text


def test_a_refused_change_changed_nothing(scripted):
    scripted.call("POST", "/team/new", json={"team_id": "NO"})
    assert change(scripted) is None


def test_entries_are_found_by_actor_action_and_target(scripted):
    ada = new_key(scripted, key_alias="ada", role="admin")
    scripted.call("POST", "/team/new", key=ada, json={"team_id": "search"})
    scripted.call("POST", "/team/update", key=ada, json={"team_id": "search", "blocked": True})
    admin(scripted, "/team/update", team_id="search", blocked=False)

    def found(**query):
        return [(entry["actor"], entry["action"]) for entry in audit(scripted, **query)]

    assert found(actor="ada") == [("ada", "team.update"), ("ada", "team.new")]
    assert found(action="team.update") == [("master", "team.update"), ("ada", "team.update")]
    assert found(target="search", actor="master") == [("master", "team.update")]
    assert found(target="ada") == [("master", "key.generate")]
    assert found(target="searc") == found(actor="") == []
    assert found(actor="ada", limit=1) == [("ada", "team.update")]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("action=key.made", "action: must be one of job.create"),
        ("actr=ada", "actr: is unknown; there are action, actor, end_time, limit, start_time, target"),
        ("actor=a&actor=b", "actor: must be given once only"),
        (f"target={'x' * 2000}", "target: must not be longer"),
    ],
)
def test_a_filter_that_could_find_nothing_is_refused(scripted, query, says):
    answer = scripted.get(f"/audit?{query}")
    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert says in answer.json["error"]["message"]
