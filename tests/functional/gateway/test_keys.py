"""API keys: shown once, kept as hashes, ended when they should be."""

import hashlib
import json

import msgspec
import pytest

from batch_gateway.core.access.keys import token_of
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.gateway.admin import keys as keys_module
from batch_gateway.gateway.admin import teams as teams_module
from batch_gateway.gateway.http.authentication import _OUTAGE_SECONDS, REVOCATION_SECONDS
from functional.gateway.conftest import JOBS, KEY, job_body, job_resource, json_answer, reason
from functional.gateway.scoped import admin, audit, clocked, new_key, new_team

ADMIN_CALLS = [
    ("POST", "/key/generate", {}),
    ("POST", "/key/update", {"key": "sk-x"}),
    ("POST", "/key/regenerate", {"key": "sk-x"}),
    ("POST", "/key/delete", {"keys": ["sk-x"]}),
    ("GET", "/key/list", None),
    ("POST", "/team/new", {"team_id": "search"}),
    ("POST", "/team/update", {"team_id": "search"}),
    ("POST", "/team/delete", {"team_ids": ["search"]}),
    ("GET", "/team/info?team_id=search", None),
    ("GET", "/team/list", None),
    ("GET", "/audit", None),
]


def works(world, secret, **given):
    """Return True if a key is let in."""
    answer = world.get(JOBS, key=secret, **given)
    assert answer.status_code in {200, 403}, answer.data
    return answer.status_code == 200


def test_a_new_key_works_at_once(scripted):
    assert works(scripted, new_key(scripted))


def test_a_secret_is_in_one_answer_and_nowhere_else(scripted, capsys):
    capsys.readouterr()
    made = admin(scripted, "/key/generate", key_alias="nightly", metadata={"owner": "a@b.c"})
    rotated = admin(scripted, "/key/regenerate", key=made["key"], grace_period="1h")
    secrets = [made["key"], rotated["key"]]
    works(scripted, secrets[0])
    works(scripted, secrets[1])
    world = scripted
    answers = [
        world.get("/key/list"),
        world.get("/key/info", query_string={"key": secrets[1]}),
        world.get("/key/info", key=secrets[1]),
        world.call("POST", "/key/update", json={"key": secrets[1], "models": ["*"]}),
        world.get("/audit"),
        world.call("POST", "/key/delete", json={"keys": secrets}),
        world.call("POST", "/key/update", json={"key": secrets[1]}),
        world.get("/key/info", query_string={"key": secrets[1]}),
    ]

    for place in (
        *(a.text + str(a.headers) for a in answers),
        repr(vars(world.keys)),
        repr(vars(world.store)),
    ):
        assert not [secret for secret in secrets if secret in place]
    captured = capsys.readouterr()
    assert not [secret for secret in secrets if secret in captured.out + captured.err]


def test_a_key_is_stored_as_the_hash_of_its_secret(scripted):
    made = admin(scripted, "/key/generate")

    assert list(scripted.keys._keys) == [hashlib.sha256(made["key"].encode()).hexdigest()]
    assert made["token"] == next(iter(scripted.keys._keys))
    assert made["key_name"] == f"sk-...{made['key'][-4:]}"


def test_a_hash_is_no_key(scripted):
    made = admin(scripted, "/key/generate")

    assert not works(scripted, made["token"])
    assert not works(scripted, made["key_name"])


def test_a_key_ends_when_it_expires(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted, duration="30s")

    clock.advance(29)
    assert works(scripted, secret)
    clock.advance(1)
    refused = scripted.get(JOBS, key=secret)

    assert (refused.status_code, reason(refused)) == (403, "API_KEY_INVALID")
    assert "expired at 2026-11-22 10:00:30 UTC" in refused.json["error"]["message"]


def test_after_a_rotation_both_secrets_are_good_until_the_grace_period_ends(scripted):
    clock = clocked(scripted)
    old = new_key(scripted)
    new = admin(scripted, "/key/regenerate", key=old, grace_period="1h")["key"]

    assert works(scripted, new)
    clock.advance(3599)
    assert works(scripted, old)
    clock.advance(1)
    assert not works(scripted, old)
    assert works(scripted, new)


def test_a_rotation_without_grace_ends_the_old_secret(scripted):
    clock = clocked(scripted)
    old = new_key(scripted)
    assert works(scripted, old)
    new = admin(scripted, "/key/regenerate", key=old)["key"]

    clock.advance(REVOCATION_SECONDS)
    assert not works(scripted, old)
    assert works(scripted, new)


def test_a_rotation_prolongs_nothing(scripted):
    clock = clocked(scripted)
    old = new_key(scripted, duration="1m")
    new = admin(scripted, "/key/regenerate", key=old, grace_period="1h")["key"]

    clock.advance(60)
    assert not works(scripted, old)
    assert not works(scripted, new)


def test_a_rotation_keeps_what_the_key_may_do_and_its_alias(scripted):
    fields = {"key_alias": "nightly", "models": ["gemini-*"], "rpm_limit": 7, "max_budget": 1.5}
    made = admin(scripted, "/key/generate", **fields)
    rotated = admin(scripted, "/key/regenerate", key=made["key"])

    assert {name: rotated[name] for name in fields} == {name: made[name] for name in fields} == fields
    assert rotated["key"] != made["key"]


@pytest.mark.parametrize("change", [{"blocked": True}, {"models": ["none"]}])
def test_what_is_taken_away_after_a_rotation_is_taken_from_the_old_secret_too(scripted, change):
    """The grace period is for callers that have not changed over yet, not for those who are shut out."""
    clock = clocked(scripted)
    old = new_key(scripted)
    new = admin(scripted, "/key/regenerate", key=old, grace_period="7d")["key"]
    admin(scripted, "/key/update", key=new, **change)
    clock.advance(REVOCATION_SECONDS)

    answers = [scripted.create(key=secret) for secret in (new, old)]

    assert [answer.status_code for answer in answers] == [403, 403]


@pytest.mark.parametrize(
    ("call", "first", "second"),
    [("list_secrets", "update", "regenerate"), ("count_keys", "regenerate", "update")],
)
def test_what_is_taken_away_during_a_rotation_is_taken_from_both_secrets(
    scripted, monkeypatch, call, first, second
):
    """The second request comes while the first is under way, after the given call of its."""
    old = new_key(scripted)
    original, answers = getattr(scripted.keys, call), {}
    changes = {"update": {"blocked": True}, "regenerate": {"grace_period": "7d"}}

    def overtaken(*given):
        found = original(*given)
        if second not in answers:
            answers[second] = {}
            answers[second] = admin(scripted, f"/key/{second}", key=old, **changes[second])
        return found

    monkeypatch.setattr(scripted.keys, call, overtaken)
    answers[first] = admin(scripted, f"/key/{first}", key=old, **changes[first])

    for secret in (old, answers["regenerate"]["key"]):
        assert scripted.get("/key/info", query_string={"key": secret}).json["info"]["blocked"] is True


def test_a_renamed_key_keeps_its_name_for_all_of_its_secrets(scripted):
    old = new_key(scripted, key_alias="before")
    new = admin(scripted, "/key/regenerate", key=old, grace_period="7d")["key"]
    admin(scripted, "/key/update", key=new, key_alias="after")

    info = scripted.get("/key/info", query_string={"key": old}).json["info"]

    assert info["key_alias"] == "after"


def test_a_key_deleted_by_its_alias_is_gone_with_all_of_its_secrets(scripted):
    clock = clocked(scripted)
    old = new_key(scripted, key_alias="nightly")
    new = admin(scripted, "/key/regenerate", key=old, grace_period="1h")["key"]
    assert works(scripted, old)
    assert works(scripted, new)

    admin(scripted, "/key/delete", key_aliases=["nightly"])
    clock.advance(REVOCATION_SECONDS)

    assert not works(scripted, old)
    assert not works(scripted, new)


def shut_block(world, secret):
    admin(world, "/key/update", key=secret, blocked=True)


def shut_team(world, _):
    admin(world, "/team/update", team_id="search", blocked=True)


def shut_delete(world, secret):
    admin(world, "/key/delete", keys=[secret])


def shut_expire(world, secret):
    admin(world, "/key/update", key=secret, duration="1s")


def shut_rotate(world, secret):
    admin(world, "/key/regenerate", key=secret)


@pytest.mark.parametrize("shut", [shut_block, shut_team, shut_delete, shut_expire, shut_rotate])
def test_a_revocation_takes_effect_everywhere_within_the_stated_time(scripted, shut):
    clock = clocked(scripted)
    other = scripted.new_client()
    new_team(scripted, "search")
    secret = new_key(scripted, team_id="search")
    assert works(scripted, secret)
    assert works(scripted, secret, client=other)

    shut(scripted, secret)
    clock.advance(REVOCATION_SECONDS)

    assert not works(scripted, secret)
    assert not works(scripted, secret, client=other)


def test_an_unblocked_key_works_again(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted, blocked=True)
    assert not works(scripted, secret)
    admin(scripted, "/key/update", key=secret, blocked=False)
    clock.advance(REVOCATION_SECONDS)
    assert works(scripted, secret)


def counted(world):
    """Look-ups of keys from now on."""
    looked, get_key = [], world.keys.get_key

    def counting(token):
        looked.append(token)
        return get_key(token)

    world.keys.get_key = counting
    return looked


def test_a_key_is_looked_up_once_in_the_stated_time(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted)
    looked = counted(scripted)

    for _ in range(20):
        works(scripted, secret)
        clock.advance(REVOCATION_SECONDS / 20.001)
    assert len(looked) == 1
    clock.advance(0.01)
    works(scripted, secret)
    assert len(looked) == 2


def test_a_key_is_looked_for_by_its_hash_alone(scripted):
    """So that no comparison with a stored secret could tell by its time how much of it was right."""
    secret = new_key(scripted)
    looked = counted(scripted)
    works(scripted, secret)
    works(scripted, "sk-guessed")

    assert looked == [hashlib.sha256(each.encode()).hexdigest() for each in (secret, "sk-guessed")]


def test_an_unknown_key_is_looked_up_once_in_that_time_too(scripted):
    clocked(scripted)
    looked = counted(scripted)

    for _ in range(5):
        assert not works(scripted, "sk-guessed")

    assert len(looked) == 1


def test_a_known_key_still_works_while_firestore_is_down(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted)
    assert works(scripted, secret)
    scripted.keys.down = True

    clock.advance(_OUTAGE_SECONDS)
    assert works(scripted, secret)
    clock.advance(1)
    assert reason(scripted.get(JOBS, key=secret)) == "BOOKS_UNAVAILABLE"
    scripted.keys.down = False
    assert works(scripted, secret)


def test_it_still_expires_then(scripted):
    clock = clocked(scripted)
    secret = new_key(scripted, duration="1m")
    assert works(scripted, secret)
    scripted.keys.down = True
    clock.advance(60)
    assert not works(scripted, secret)


def test_an_unknown_key_cannot_be_told_from_a_good_one_then(scripted):
    secret = new_key(scripted)
    scripted.keys.down = True

    answers = [scripted.get(JOBS, key=each) for each in (secret, "sk-unknown")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert answers[0].data == answers[1].data
    assert answers[0].headers["Retry-After"]
    assert scripted.get(JOBS).status_code == 200, "the master key needs no look-up"


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_CALLS, ids=[call[1] for call in ADMIN_CALLS])
def test_what_is_the_administrators_is_refused_for_every_other_key(scripted, method, path, body):
    new_team(scripted, "search")
    secret = new_key(scripted, team_id="search")
    before = repr((scripted.keys._keys, scripted.keys._teams))

    answer = scripted.call(method, path, key=secret, json=body)

    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")
    assert repr((scripted.keys._keys, scripted.keys._teams)) == before
    assert scripted.call(method, path, key=None, json=body).status_code == 401


def test_a_key_may_look_at_itself(scripted):
    made = admin(scripted, "/key/generate", key_alias="nightly")
    secret = made["key"]

    for given in ({}, {"key": secret}, {"key": made["token"]}):
        answer = scripted.get("/key/info", key=secret, query_string=given)
        assert answer.json["info"]["key_alias"] == "nightly"
    assert scripted.get("/key/info", key=None, query_string={"key": secret}).status_code == 200


def test_a_key_may_not_look_at_others_nor_learn_which_there_are(scripted):
    secret, other = new_key(scripted), admin(scripted, "/key/generate")

    answers = [
        scripted.get("/key/info", key=secret, query_string={"key": key})
        for key in (other["key"], other["token"], "sk-nobody", "0" * 64, "", KEY)
    ]

    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.data for answer in answers}) == 1


WRITES = [(path, body) for method, path, body in ADMIN_CALLS if method == "POST"]


@pytest.mark.parametrize(("path", "body"), WRITES, ids=[path for path, _ in WRITES])
@pytest.mark.parametrize("unknown", ["tpm_limit", "Models", "max_Budget", "key_id", "token", "created_by"])
def test_a_field_that_nobody_would_enforce_is_refused(scripted, path, body, unknown):
    answer = scripted.call("POST", path, json={**body, unknown: 1})

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert unknown in answer.json["error"]["message"]


@pytest.mark.parametrize(("path", "body"), WRITES, ids=[path for path, _ in WRITES])
@pytest.mark.parametrize("raw", [b"[]", b"1", b"null", b"{", b"\xff", b"[" * 100, b"\xef\xbb\xbf{}"])
def test_what_is_no_object_is_refused(scripted, path, body, raw):
    assert body is not None

    answer = scripted.call("POST", path, data=raw)

    assert (answer.status_code, reason(answer)) == (400, "BODY_INVALID")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0.1", "0.1"),
        ("0.000000001", "0.000000001"),
        ("12.345678901", "12.345678901"),
        ("999999999.999999999", "999999999.999999999"),
        ("1000000000", "1000000000"),
        ("1e2", "100"),
        ("0", "0"),
        ('"0.30"', "0.3"),
        ("null", "null"),
    ],
)
def test_a_budget_is_exact(scripted, given, shown):
    answer = scripted.call("POST", "/key/generate", data=f'{{"max_budget": {given}}}')

    text = scripted.get("/key/info", query_string={"key": answer.json["key"]}).text
    assert f'"max_budget":{shown},' in text
    assert f'"max_budget":{shown},' in answer.text


@pytest.mark.parametrize(
    "given",
    [
        *("-1", "-0.000000001", "0.0000000001", "1000000000.000000001", "1e10", "true", "[]", '"x"', '""'),
        *('"NaN"', '"sNaN"', '"Infinity"', '"-Infinity"', "1e999999", '"1E+999999999"', "1e-999999999"),
        "1.00000000000000000000000000000000001",
    ],
)
@pytest.mark.parametrize("path", ["/key/generate", "/team/new"])
def test_a_budget_that_is_none_is_refused(scripted, path, given):
    answer = scripted.call("POST", path, data=f'{{"max_budget": {given}}}')

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


@pytest.mark.parametrize(
    "field",
    [
        {"rpm_limit": 0},
        {"rpm_limit": -1},
        {"rpm_limit": 1.5},
        {"rpm_limit": "5"},
        {"rpm_limit": 10**30},
        {"models": [""]},
        {"models": "gemini"},
        {"projects": ["Acme Batch"]},
        {"projects": ["*"]},
        {"locations": ["evil.com"]},
        {"allowed_uri_prefixes": ["gs://"]},
        {"allowed_uri_prefixes": ["gs:///"]},
        {"allowed_uri_prefixes": ["gs://b/*"]},
        {"allowed_uri_prefixes": ["gs://b/../c"]},
        {"allowed_uri_prefixes": ["s3://b"]},
        {"allowed_uri_prefixes": [""]},
        {"key_alias": "master"},
        {"key_alias": ""},
        {"key_alias": " "},
        {"key_alias": "nightly "},
        {"key_alias": "\u00a0nightly"},
        {"key_alias": "a\nb"},
        {"key_alias": "x" * 129},
        {"duration": "soon"},
        {"duration": "0s"},
        {"duration": "96000mo"},
        {"duration": "417000w"},
        {"duration": "1201mo"},
        {"budget_duration": "1y"},
        {"budget_duration": "121mo"},
        {"budget_duration": "9000mo"},
        {"budget_duration": "32d"},
        {"budget_duration": "90m"},
        {"models": ["a"] * 101},
        {"models": ["x" * 8193]},
        {"projects": ["acme-batch"] * 101},
        {"locations": ["global"] * 101},
        {"allowed_uri_prefixes": [f"gs://in/{n}" for n in range(101)]},
        {"models": ["x" * 5000], "allowed_uri_prefixes": [f"gs://in/{'y' * 3500}"]},
        {"metadata": {"a": "x" * 8192}},
        {"blocked": None},
        {"blocked": "yes"},
        {"metadata": []},
    ],
    ids=str,
)
def test_a_value_that_makes_no_sense_is_refused(scripted, field):
    answer = scripted.call("POST", "/key/generate", json=field)

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert not scripted.keys._keys


def test_what_a_key_has_may_be_as_large_as_the_limits(scripted):
    most = {
        "models": ["m" * 20] * 100,
        "locations": ["global"] * 100,
        "allowed_uri_prefixes": [f"gs://in/{n:03}/{'y' * 40}" for n in range(100)],
        "metadata": {"a": "x" * 8182},
        "budget_duration": "120mo",
        "duration": "1200mo",
        "key_alias": "é" * 128,
    }
    made = admin(scripted, "/key/generate", **most)
    assert {name: made[name] for name in most if name != "duration"} == {
        name: value for name, value in most.items() if name != "duration"
    }


def test_an_update_leaves_what_is_over_the_limits_from_before(scripted):
    secret = new_key(scripted)
    scripted.keys.change_key(
        token_of(secret),
        lambda key: msgspec.structs.replace(
            key, grant=Grant(models=("m",) * 200), budget=Budget(budget_duration="9000mo")
        ),
    )
    changed = admin(scripted, "/key/update", key=secret, blocked=True)
    assert (changed["blocked"], len(changed["models"])) == (True, 200)
    refused = scripted.call("POST", "/key/update", json={"key": secret, "models": ["m"] * 101})
    assert (refused.status_code, reason(refused)) == (400, "FIELD_INVALID")


@pytest.mark.parametrize("duration", ["9000mo", "99999mo", "40d", "90m", "0d", "forever", ""])
def test_a_window_that_was_never_let_in_stops_nothing(world, duration):
    secret = new_key(world, max_budget=5, key_alias="odd")
    world.keys.change_key(
        token_of(secret),
        lambda key: msgspec.structs.replace(
            key, budget=msgspec.structs.replace(key.budget, budget_duration=duration)
        ),
    )
    new_key(world, key_alias="fine", max_budget=5, budget_duration="1mo")

    listed = world.get("/key/list").json["keys"]
    assert [(key["key_alias"], bool(key["budget_reset_at"])) for key in listed] == [
        ("fine", True),
        ("odd", False),
    ]
    body = job_body(modelParameters={"maxOutputTokens": 10})
    assert world.create(body, key=secret).status_code in {200, 400}
    swept = world.call("POST", "/internal/reconcile")
    assert (swept.status_code, swept.json["problems"]) == (200, [])


def test_keys_and_teams_are_so_many(scripted, monkeypatch):
    monkeypatch.setattr(keys_module, "MOST_KEYS", 2)
    monkeypatch.setattr(teams_module, "MOST_TEAMS", 1)
    first = new_key(scripted)
    new_key(scripted)
    scripted.call("POST", "/team/new", json={"team_id": "a"})
    for path, body in (
        ("/key/generate", {}),
        ("/key/regenerate", {"key": first}),
        ("/team/new", {"team_id": "b"}),
    ):
        refused = scripted.call("POST", path, json=body)
        assert (refused.status_code, reason(refused)) == (400, "FIELD_INVALID")
        assert "which is the limit" in refused.text
    admin(scripted, "/key/delete", keys=[first])
    new_key(scripted)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/key/delete", {"keys": ["sk-x"] * 101}),
        ("/key/delete", {"key_aliases": ["x"] * 101}),
        ("/team/delete", {"team_ids": ["x"] * 101}),
        ("/team/new", {"team_alias": "x" * 129}),
        ("/team/new", {"team_alias": "a\nb"}),
        ("/team/new", {"team_alias": " "}),
        ("/team/new", {"budget_duration": "9000mo"}),
    ],
    ids=str,
)
def test_a_call_names_so_many_and_so_much(scripted, path, body):
    refused = scripted.call("POST", path, json=body)
    assert (refused.status_code, reason(refused)) == (400, "FIELD_INVALID")


def test_an_error_repeats_only_the_beginning_and_the_end_of_what_was_sent(scripted):
    refused = scripted.call("POST", "/key/generate", json={"key_alias": "x" * 100_000})
    assert len(refused.data) < 10_000
    assert refused.json["error"]["message"].endswith("See /openapi.json.")


@pytest.mark.parametrize("team_id", ["nobody", "", "a/b", "..", "__x__", "Search"])
def test_a_key_needs_a_team_that_there_is(scripted, team_id):
    answer = scripted.call("POST", "/key/generate", json={"team_id": team_id})

    assert (answer.status_code, reason(answer)) == (404, "TEAM_UNKNOWN")


def test_an_alias_has_one_owner(scripted):
    new_key(scripted, key_alias="nightly")
    other = new_key(scripted, key_alias="daily")

    taken = [
        scripted.call("POST", "/key/generate", json={"key_alias": "nightly"}),
        scripted.call("POST", "/key/update", json={"key": other, "key_alias": "nightly"}),
    ]

    assert [(answer.status_code, reason(answer)) for answer in taken] == [(409, "KEY_ALIAS_TAKEN")] * 2
    admin(scripted, "/key/delete", key_aliases=["nightly"])
    admin(scripted, "/key/update", key=other, key_alias="nightly")


def test_an_update_changes_what_it_names_and_null_takes_away(scripted):
    fields = {
        "models": ["a"],
        "projects": ["acme-batch"],
        "rpm_limit": 5,
        "max_budget": 1,
        "metadata": {"a": 1},
    }
    secret = new_key(scripted, duration="30d", **fields)

    same = admin(scripted, "/key/update", key=secret)
    assert {name: same[name] for name in fields} == fields
    gone = admin(
        scripted, "/key/update", key=secret, rpm_limit=None, models=None, max_budget=None, duration=None
    )
    left = ("rpm_limit", "models", "max_budget", "expires", "projects")
    assert [gone[name] for name in left] == [None, [], None, None, ["acme-batch"]]


def test_a_list_has_pages(scripted):
    for number in range(5):
        new_key(scripted, key_alias=f"k{number}")

    page = scripted.get("/key/list?page=2&size=2").json

    assert [key["key_alias"] for key in page["keys"]] == ["k2", "k3"]
    assert (page["total_count"], page["current_page"], page["total_pages"]) == (5, 2, 3)


def test_a_page_beyond_the_last_is_empty(scripted):
    new_key(scripted)

    page = scripted.get("/key/list?page=9").json

    assert (page["keys"], page["total_count"], page["total_pages"]) == ([], 1, 1)


def test_a_teams_keys_have_pages_of_their_own(scripted):
    new_team(scripted, "search")
    for number in range(6):
        new_key(scripted, key_alias=f"k{number}", team_id="search" if number % 2 else None)

    page = scripted.get("/key/list?team_id=search&page=2&size=2").json

    assert ([key["key_alias"] for key in page["keys"]], page["total_count"]) == (["k5"], 3)


@pytest.mark.parametrize("query", ["size=101", "size=0", "page=0", "size=x", "size=-1", "size=١", "size=1e1"])  # noqa: RUF001
def test_a_page_that_makes_no_sense_is_refused(scripted, query):
    assert scripted.get(f"/key/list?{query}").status_code == 400


@pytest.mark.parametrize(
    "path", ["/key/list?team=search", "/key/list?key_alias=a", "/key/info?token=x", "/team/info?team=search"]
)
def test_a_filter_that_is_unknown_is_refused(scripted, path):
    new_team(scripted, "search")
    new_key(scripted, key_alias="a")

    refused = scripted.get(path)

    assert (refused.status_code, reason(refused)) == (400, "FIELD_INVALID")
    assert "is unknown; there are" in refused.json["error"]["message"]


def test_keys_are_listed_for_a_client_of_litellm(scripted):
    new_key(scripted, key_alias="a")
    listed = scripted.get("/key/list?page=1&size=10&return_full_object=true").json

    assert [key["key_alias"] for key in listed["keys"]] == ["a"]


def test_the_master_key_is_told_that_it_is_not_on_record(scripted):
    told = scripted.get("/key/info").json["error"]["message"]

    assert "has no record of its own" in told


def test_a_key_that_is_no_longer_valid_is_told_what_helps(scripted):
    clock = clocked(scripted)
    new_team(scripted, "search")
    expired, disabled = new_key(scripted, duration="30s"), new_key(scripted, blocked=True)
    in_team = new_key(scripted, team_id="search")
    admin(scripted, "/team/update", team_id="search", blocked=True)
    clock.advance(30)

    told = [scripted.get(JOBS, key=key).json["error"]["message"] for key in (expired, disabled, in_team)]

    assert not any("copied whole" in message for message in told)
    assert told[0].endswith("Ask the gateway's administrator for another one.")
    assert told[1].endswith("is disabled. Ask the gateway's administrator to enable it.")
    assert told[2].endswith("a disabled team. Ask the gateway's administrator to enable the team.")


def test_zeros_in_front_of_a_number_do_not_lift_its_bound(scripted):
    assert scripted.get("/key/list?size=0000000100999").status_code == 400
    assert scripted.get("/audit?limit=0000000100999").status_code == 400


@pytest.mark.parametrize("path", ["/key/update", "/key/regenerate", "/key/info"])
def test_an_unknown_secret_is_not_repeated(scripted, path):
    secret = "sk-somebodys-secret-of-elsewhere"
    answer = (
        scripted.get(path, query_string={"key": secret})
        if path == "/key/info"
        else scripted.call("POST", path, json={"key": secret})
    )

    assert (answer.status_code, reason(answer)) == (404, "KEY_UNKNOWN")
    assert secret not in answer.text


def test_a_jobs_record_names_the_key_by_its_alias(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]

    scripted.create(key=new_key(scripted, key_alias="nightly"))

    assert scripted.record(job_resource()).api_key == "nightly"


def test_metadata_comes_back_as_it_was(scripted):
    metadata = {"a.b": {"": [1, [2, {"c": None}]]}, "größe": 1.5, "n": 2**53 + 1}
    answer = scripted.call("POST", "/key/generate", data=json.dumps({"metadata": metadata}))

    assert answer.json["metadata"] == metadata
    assert audit(scripted)
