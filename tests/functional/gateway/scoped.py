"""Keys, teams and clocks for the tests of what scoped keys may do."""

from datetime import UTC, datetime, timedelta

from functional.gateway.conftest import FLASH, KEY, job_body
from functional.gateway.conftest import job_resource as resource

START = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


class Clock:
    """One that stands still until it is told to go on."""

    def __init__(self):
        self.seconds = 1000.0

    def __call__(self):
        return self.seconds

    def now(self):
        return START + timedelta(seconds=self.seconds - 1000)

    def advance(self, seconds):
        self.seconds += seconds


def instance_of(client):
    """The Gateway behind a test client."""
    (gateway,) = [cell.cell_contents for cell in client.application.view_functions["handle"].__closure__]
    return gateway


def on_clock(client, clock):
    """A client's gateway, living by a clock of the test's."""
    gateway = instance_of(client)
    gateway._keyring._clock, gateway._keyring._now = clock, clock.now
    gateway._limiter._now = gateway._trail._now = clock.now
    gateway._writes["create"].__self__._now = clock.now
    for endpoint in ("key.generate", "team.new"):
        gateway._admin_writes[endpoint].__self__._now = clock.now
    return client


def clocked(world):
    clock = Clock()
    on_clock(world.client, clock)
    return clock


def admin(world, path, **fields):
    """What an administrator's call answers; it has to succeed."""
    answer = world.call("POST", path, json=fields)
    assert answer.status_code == 200, answer.data
    return answer.json


def new_key(world, **fields):
    """A new key's secret."""
    return admin(world, "/key/generate", **fields)["key"]


def new_team(world, team_id, **fields):
    return admin(world, "/team/new", team_id=team_id, **fields)


def team_keys(world, *teams):
    """A key's secret for each team, which is made."""
    for team in teams:
        new_team(world, team)
    return [new_key(world, team_id=team, key_alias=f"key-of-{team}") for team in teams]


def audit(world, **query):
    return world.get("/audit", query_string=query).json["entries"]


__all__ = ["FLASH", "KEY", "job_body", "resource"]
