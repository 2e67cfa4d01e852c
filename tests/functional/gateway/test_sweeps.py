"""POST /internal/reconcile: for the scheduler and the administrator."""

import msgspec
import pytest

from functional.gateway.conftest import job_body, path_of, reason
from functional.gateway.scoped import instance_of, new_key

PATH = "/internal/reconcile"
ACCOUNT = "scheduler@acme-batch.iam.gserviceaccount.com"
TOKEN = "head.body.signature"


@pytest.fixture
def scheduled(world):
    """A gateway that knows its scheduler's account."""
    sweeps = instance_of(world.client)._open["reconcile"].__self__
    sweeps._settings = msgspec.structs.replace(sweeps._settings, reconcile_account=ACCOUNT)
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
