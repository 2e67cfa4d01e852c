"""Who is let in."""

import pytest

from functional.gateway.conftest import JOBS, KEY, World, reason

FORMS = [
    {"Authorization": f"Bearer {KEY}"},
    {"Authorization": f"bearer {KEY}"},
    {"Authorization": f"BEARER  {KEY} "},
    {"x-goog-api-key": KEY},
    {"X-Goog-Api-Key": f" {KEY} "},
    {"x-litellm-api-key": KEY},
    {"x-litellm-api-key": f"Bearer {KEY}"},
    {"x-litellm-api-key": f"bearer {KEY}"},
    {"x-goog-api-key": KEY, "Authorization": "Bearer ya29.a-google-token"},
    {"x-litellm-api-key": KEY, "Authorization": "Bearer ya29.a-google-token"},
]


def listed(scripted, headers=(), query=""):
    return scripted.get(JOBS, key=None, headers=dict(headers), environ_overrides={"QUERY_STRING": query})


@pytest.mark.parametrize("headers", FORMS, ids=str)
def test_a_key_is_taken_from_where_clients_put_it(scripted, headers):
    assert listed(scripted, headers).status_code == 200


@pytest.mark.parametrize("query", [f"key={KEY}", f"pageSize=1&key={KEY}", f"k%65y={KEY}"])
def test_a_key_is_taken_from_the_query(scripted, query):
    assert listed(scripted, query=query).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": KEY},
        {"x-goog-api-key": " "},
        {"Cookie": f"key={KEY}"},
    ],
    ids=str,
)
def test_without_a_key_nobody_is_let_in(scripted, loopback, headers):
    answer = listed(scripted, headers)

    assert (answer.status_code, reason(answer)) == (401, "API_KEY_MISSING")
    assert answer.json["error"]["status"] == "UNAUTHENTICATED"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert not loopback.seen


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"Authorization": f"Bearer {KEY.upper()}"},
        {"Authorization": "Bearer ya29.a-google-token"},
        {"Authorization": "Bearer None"},
        {"x-goog-api-key": "größe"},
        {"x-goog-api-key": "wrong", "Authorization": f"Bearer {KEY}"},
    ],
    ids=str,
)
def test_with_a_wrong_key_nobody_is_let_in(scripted, loopback, headers):
    answer = listed(scripted, headers)

    assert (answer.status_code, reason(answer)) == (403, "API_KEY_INVALID")
    assert answer.json["error"]["status"] == "PERMISSION_DENIED"
    assert not loopback.seen
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("key", ["", "None", "x"])
@pytest.mark.parametrize("master", [None, ""])
def test_without_a_master_key_nobody_is_let_in(loopback, key, master):
    gateway = World(loopback.host, master_key=master)

    assert gateway.get(JOBS, key=key).status_code in {401, 403}
    assert not loopback.seen


@pytest.mark.parametrize(
    ("method", "rest"),
    [
        ("POST", ""),
        ("GET", ""),
        ("GET", "/1"),
        ("POST", "/1:cancel"),
        ("DELETE", "/1"),
        ("GET", "/1/cost"),
    ],
)
def test_every_call_needs_a_key(scripted, loopback, method, rest):
    assert scripted.call(method, JOBS + rest, key=None).status_code == 401
    assert scripted.call(method, JOBS + rest, key="wrong").status_code == 403
    assert not loopback.seen
    assert not scripted.store.writes


def test_a_caller_without_a_key_learns_nothing_of_what_is_served(scripted):
    unserved = JOBS.replace("acme-batch", "somebody-else")

    assert scripted.get(unserved, key="wrong").json == scripted.get(JOBS, key="wrong").json
