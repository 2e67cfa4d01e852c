"""POST /internal/reconcile: for the scheduler and the administrator."""

from urllib.parse import parse_qsl

import msgspec
import pytest

from functional.gateway.conftest import PROJECT, World, job_body, json_answer, path_of, reason
from functional.gateway.scoped import new_key

PATH = "/internal/reconcile"
ACCOUNT = "scheduler@acme-batch.iam.gserviceaccount.com"
TOKEN = "head.body.signature"


def configure(world, **settings):
    """Has the world's client talk to a gateway with other settings."""
    world.settings = msgspec.structs.replace(world.settings, **settings)
    world.client = world.new_client()


@pytest.fixture
def scheduled(world):
    """A gateway that knows its scheduler's account."""
    configure(world, reconcile_account=ACCOUNT)
    world.identities[TOKEN, "https://gateway.example"] = ACCOUNT
    return world


def sweep(world, key):
    return world.call("POST", PATH, key=key, headers={"Host": "gateway.example"})


def test_the_administrator_may_sweep(world):
    job = world.created(job_body())

    answer = world.call("POST", PATH)

    assert answer.status_code == 200
    assert (answer.json["jobs"], answer.json["complete"]) == (1, True)
    assert world.get(path_of(job)).status_code == 200


def test_where_all_locations_are_served_each_page_of_their_list_is_read(loopback):
    place = f"/v1/projects/{PROJECT}/locations"
    pages = {"": ("africa-south1", "more"), "more": ("us-west4", "")}

    def answer(seen):
        path, _, query = seen.target.partition("?")
        location, following = pages[dict(parse_qsl(query)).get("pageToken", "")]
        found = {"locations": [{"locationId": location}], "nextPageToken": following}
        return json_answer(found if path == place else {})

    loopback.respond = answer
    world = World(loopback.host, served={(PROJECT, "*"): None})

    assert world.call("POST", PATH).status_code == 200
    targets = {seen.target.partition("?")[0] for seen in loopback.seen}
    listed = {f"{place}/{location}/batchPredictionJobs" for location in ("africa-south1", "us-west4")}
    assert targets == {place, *listed}


def test_where_the_list_of_locations_is_refused_the_sweep_says_that_it_is_incomplete(loopback):
    loopback.respond = lambda _: json_answer({}, 403)
    world = World(loopback.host, served={(PROJECT, "*"): None})

    done = world.call("POST", PATH).json

    assert done["complete"] is False
    assert any(PROJECT in problem and "locations.list" in problem for problem in done["problems"])


def test_the_schedulers_account_may_sweep(scheduled):
    assert sweep(scheduled, TOKEN).status_code == 200


@pytest.mark.parametrize(
    ("audience", "email"),
    [
        ("https://gateway.example", "somebody@acme-batch.iam.gserviceaccount.com"),
        ("https://elsewhere.example", ACCOUNT),
    ],
)
def test_another_account_or_a_token_for_somebody_else_may_not(scheduled, audience, email):
    scheduled.identities.clear()
    scheduled.identities[TOKEN, audience] = email

    answer = sweep(scheduled, TOKEN)

    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")


def test_a_scoped_key_may_not_sweep(scheduled):
    answer = sweep(scheduled, new_key(scheduled))

    assert (answer.status_code, reason(answer)) == (403, "ADMIN_ONLY")


def test_without_a_configured_account_no_token_counts(world):
    world.identities[TOKEN, "https://gateway.example"] = ACCOUNT

    assert reason(sweep(world, TOKEN)) == "API_KEY_INVALID"


def test_nobody_sweeps_without_a_key(world):
    assert world.call("POST", PATH, key=None).status_code == 401


AUDIENCE = "https://gateway-1234.us-central1.run.app"
UNSIGNED = "head.body.SIGNATURE_REMOVED_BY_GOOGLE"


class Identity:
    """Notes what it is asked about a token, and says yes."""

    def __init__(self):
        self.asked = []

    def __call__(self, *asked):
        self.asked.append(asked)
        return True


def asked(world, headers, **settings):
    """Return how a token was checked under these settings: (audience, whether Cloud Run has checked it)."""
    configure(world, **{"private": False, "reconcile_audience": None, **settings}, reconcile_account=ACCOUNT)
    world.identity = Identity()
    world.call("POST", PATH, key=None, headers={"Host": "gateway.example", **headers})
    ((_, account, audience, checked),) = world.identity.asked
    assert account == ACCOUNT
    return audience, checked


BEARER = {"Authorization": f"Bearer {UNSIGNED}"}


def test_the_audience_is_the_one_that_is_configured(world):
    assert asked(world, BEARER) == ("https://gateway.example", False)
    assert asked(world, BEARER, reconcile_audience=AUDIENCE) == (AUDIENCE, False)


def test_what_cloud_run_has_checked_is_believed_for_the_configured_audience_only(world, capsys):
    assert asked(world, BEARER, private=True, reconcile_audience=AUDIENCE) == (AUDIENCE, True)
    assert asked(world, BEARER, private=True) == ("https://gateway.example", False)
    world.identity = lambda *_: False
    world.call("POST", PATH, key=None, headers=BEARER)
    assert "set general_settings.reconcile_audience" in capsys.readouterr().out


@pytest.mark.parametrize(
    "headers",
    [
        {**BEARER, "X-Serverless-Authorization": "Bearer a.b.c"},
        {**BEARER, "X-Serverless-Authorization": ""},
        {"x-goog-api-key": UNSIGNED},
        {"x-goog-api-key": UNSIGNED, "Authorization": "Bearer own.own.SIGNATURE_REMOVED_BY_GOOGLE"},
        {"x-litellm-api-key": f"Bearer {UNSIGNED}", "Authorization": "Bearer own.own.own"},
    ],
    ids=["beside", "beside an empty one", "elsewhere", "beside ones own", "litellm"],
)
def test_a_token_that_cloud_run_did_not_look_at_is_not_believed(world, headers):
    assert asked(world, headers, private=True, reconcile_audience=AUDIENCE) == (AUDIENCE, False)
