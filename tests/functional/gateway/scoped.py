"""Keys, teams and clocks for the tests of what scoped keys may do."""

from datetime import UTC, datetime, timedelta

from functional.gateway.conftest import FLASH, KEY, job_body
from functional.gateway.conftest import job_resource as resource

START = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)


class Clock:
    """One that stands still until it is told to go on."""

    def __init__(self, start=START):
        self.start, self.seconds = start, 1000.0

    def __call__(self):
        return self.seconds

    def now(self):
        return self.start + timedelta(seconds=self.seconds - 1000)

    def advance(self, seconds):
        self.seconds += seconds


def clocked(world, start=START):
    """Have a world live by a clock of the test's."""
    world.clock = Clock(start)
    return world.clock


def admin(world, path, **fields):
    """Return the answer to an administrator's call, which has to succeed."""
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
