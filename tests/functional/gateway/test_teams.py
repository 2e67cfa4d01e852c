"""Teams: what all of their keys have in common."""

import pytest

from batch_gateway.gateway.http.authentication import REVOCATION_SECONDS
from functional.gateway.conftest import JOBS, job_body, job_resource, json_answer, reason
from functional.gateway.scoped import admin, clocked, new_key, new_team


@pytest.mark.parametrize(
    "team_id", ["Search", "a b", "-a", "_a", "a" * 64, "größe", 'a"b', "a.b", "a/b", "*", "a\n", "a\x00"]
)
def test_a_team_id_is_fit_for_a_label_and_a_filter(scripted, team_id):
    answer = scripted.call("POST", "/team/new", json={"team_id": team_id})

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert not scripted.keys._teams


@pytest.mark.parametrize("team_id", ["a", "0", "a-b_c", "a" * 63])
def test_a_team_is_made_as_it_was_asked_for(scripted, team_id):
    made = new_team(scripted, team_id, team_alias="Suche 🚀", max_budget=0.5, models=["gemini-*"])

    info = scripted.get("/team/info", query_string={"team_id": team_id}).json
    standing = {"spend": 0, "reserved": 0, "budget_reset_at": None}
    assert info["team_info"] == {**made, **standing}
    assert (made["team_alias"], made["max_budget"], made["models"]) == ("Suche 🚀", 0.5, ["gemini-*"])
    assert scripted.get("/team/list").json == [{**made, **standing}]


def test_a_team_without_an_id_gets_one(scripted):
    assert admin(scripted, "/team/new")["team_id"]


def test_there_is_one_team_with_an_id(scripted):
    new_team(scripted, "search", models=["a"])

    again = scripted.call("POST", "/team/new", json={"team_id": "search"})

    assert (again.status_code, reason(again)) == (409, "TEAM_EXISTS")
    assert scripted.keys.get_team("search").grant.models == ("a",)


def test_a_team_with_keys_cannot_be_deleted(scripted):
    new_team(scripted, "search")
    new_team(scripted, "ads")
    secret = new_key(scripted, team_id="search")

    refused = scripted.call("POST", "/team/delete", json={"team_ids": ["ads", "search"]})
    assert (refused.status_code, reason(refused)) == (400, "TEAM_HAS_KEYS")
    assert len(scripted.keys.list_teams()) == 2, "all or nothing"
    admin(scripted, "/key/delete", keys=[secret])
    admin(scripted, "/team/delete", team_ids=["ads", "search"])
    assert scripted.keys.list_teams() == []


def test_the_keys_of_a_team_that_went_away_are_refused(scripted):
    new_team(scripted, "search")
    secret = new_key(scripted, team_id="search")
    scripted.keys.delete_team("search")

    assert reason(scripted.get(JOBS, key=secret)) == "API_KEY_INVALID"


def test_the_id_of_a_deleted_team_is_not_given_out_again(scripted, loopback):
    new_team(scripted, "search", team_alias="Search")
    loopback.answers = [json_answer(job_resource(labels={"team": "search"}))]
    secret = new_key(scripted, team_id="search")
    assert scripted.create(key=secret).status_code == 200
    admin(scripted, "/key/delete", keys=[secret])
    admin(scripted, "/team/delete", team_ids=["search"])

    for _ in range(2):
        again = scripted.call("POST", "/team/new", json={"team_id": "search"})
        assert (again.status_code, again.json["error"]["status"]) == (409, "ALREADY_EXISTS")
        assert reason(again) == "TEAM_ID_USED"
        assert "Choose another team_id" in again.json["error"]["message"]
    assert new_team(scripted, "search-2", team_alias="Search")["team_alias"] == "Search"
    assert [job["team"] for job in scripted.get("/v1/jobs").json["data"]] == ["search"]


@pytest.mark.parametrize("path", ["/team/update", "/team/delete", "/team/info", "/key/generate"])
def test_a_deleted_team_is_unknown(scripted, path):
    new_team(scripted, "search")
    admin(scripted, "/team/delete", team_ids=["search"])

    if path == "/team/info":
        answer = scripted.get(path, query_string={"team_id": "search"})
    else:
        body = {"team_ids": ["search"]} if path == "/team/delete" else {"team_id": "search"}
        answer = scripted.call("POST", path, json=body)

    assert (answer.status_code, reason(answer)) == (404, "TEAM_UNKNOWN")
    assert scripted.get("/team/list").json == []


@pytest.mark.parametrize("path", ["/team/update", "/team/delete"])
@pytest.mark.parametrize("team_id", ["nobody", "a/b", "", ".."])
def test_a_team_that_there_is_not_is_unknown(scripted, path, team_id):
    body = {"team_ids": [team_id]} if path == "/team/delete" else {"team_id": team_id}

    answer = scripted.call("POST", path, json=body)

    assert (answer.status_code, reason(answer)) == (404, "TEAM_UNKNOWN")


def test_a_teams_info_lists_its_keys_without_their_secrets(scripted):
    new_team(scripted, "search")
    secret = new_key(scripted, team_id="search", key_alias="nightly")
    new_key(scripted, key_alias="another")

    answer = scripted.get("/team/info?team_id=search")

    assert [key["key_alias"] for key in answer.json["keys"]] == ["nightly"]
    assert secret not in answer.text


@pytest.mark.parametrize(
    ("team", "key"),
    [
        ({"models": ["gemini-*"]}, {"models": ["text-*"]}),
        ({"models": ["text-*"]}, {}),
        ({}, {"models": ["x"]}),
    ],
)
def test_team_and_key_both_have_to_allow_a_model(scripted, loopback, team, key):
    new_team(scripted, "search", **team)
    secret = new_key(scripted, team_id="search", **key)

    assert reason(scripted.create(key=secret)) == "MODEL_NOT_ALLOWED"
    assert not loopback.seen


def test_team_and_key_both_have_to_allow_a_place(scripted, loopback):
    new_team(scripted, "search", locations=["us-central1"])
    secret = new_key(scripted, team_id="search", locations=["us-central1", "europe-west4"])
    elsewhere = JOBS.replace("us-central1", "europe-west4")

    assert scripted.get(JOBS, key=secret).status_code == 200
    assert reason(scripted.get(elsewhere, key=secret)) == "LOCATION_NOT_ALLOWED"
    assert len(loopback.seen) == 1


def test_team_and_key_both_have_to_allow_a_uri(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    scripted.objects.put("in", "rows.jsonl", b"{}\n")
    new_team(scripted, "search", allowed_uri_prefixes=["gs://in", "gs://out"])
    wide, narrow = (
        new_key(scripted, team_id="search", **given)
        for given in ({}, {"allowed_uri_prefixes": ["gs://in/mine", "gs://out"]})
    )

    assert scripted.create(key=wide).status_code == 200
    assert reason(scripted.create(key=narrow)) == "URI_NOT_ALLOWED"
    beyond = job_body(inputConfig={"gcsSource": {"uris": "gs://elsewhere/x"}})
    assert reason(scripted.create(beyond, key=wide)) == "URI_NOT_ALLOWED"


def test_a_key_can_change_teams(scripted, loopback):
    clock = clocked(scripted)
    for team in ("search", "ads"):
        new_team(scripted, team)
    secret = new_key(scripted, team_id="search")
    loopback.answers = [json_answer(job_resource(labels={"team": "search"}))]
    assert scripted.get(f"{JOBS}/4242", key=secret).status_code == 200

    admin(scripted, "/key/update", key=secret, team_id="ads")
    clock.advance(REVOCATION_SECONDS)

    assert reason(scripted.get(f"{JOBS}/4242", key=secret)) == "JOB_NOT_ALLOWED"


def test_an_update_changes_what_it_names(scripted):
    new_team(scripted, "search", models=["a"], max_budget=1, budget_duration="1mo", team_alias="x")

    team = admin(scripted, "/team/update", team_id="search", max_budget=2)

    kept = (team["models"], team["budget_duration"], team["team_alias"], team["max_budget"])
    assert kept == (["a"], "1mo", "x", 2)


def test_a_list_of_teams_has_pages(scripted):
    for number in range(5):
        new_team(scripted, f"t{number}")

    pages = [scripted.get(f"/team/list?page={page}&size=2").json for page in (1, 2, 3, 4)]

    assert [[team["team_id"] for team in page] for page in pages] == [["t0", "t1"], ["t2", "t3"], ["t4"], []]


def test_teams_that_do_not_fit_into_one_page_have_to_be_asked_for_in_pages(scripted):
    for number in range(3):
        new_team(scripted, f"t{number}")
    assert len(scripted.get("/team/list?size=3").json) == 3

    answer = scripted.get("/team/list?size=2")

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert "Ask for page=1, page=2 and so on" in answer.json["error"]["message"]


@pytest.mark.parametrize("query", ["size=101", "size=0", "page=0", "page=x"])
def test_a_page_of_teams_that_makes_no_sense_is_refused(scripted, query):
    assert scripted.get(f"/team/list?{query}").status_code == 400
