"""GET /v1/jobs: jobs with their costs, newest first, only what the key may see."""

import base64
import json
from datetime import timedelta

import msgspec
import pytest

from batch_gateway.gateway.jobs import listing
from functional.gateway.conftest import FLASH, job_body, reason
from functional.gateway.scoped import new_key, new_team

PATH = "/v1/jobs"


def listed(world, query="", **given):
    answer = world.get(f"{PATH}{query}", **given)
    assert answer.status_code == 200, answer.data
    return answer.json


def names(page):
    return [job["displayName"] for job in page["data"]]


@pytest.fixture
def three(world):
    """Three jobs, an hour apart, the last one the newest."""
    for number in range(3):
        body = job_body(displayName=f"job-{number}", labels={"env": "prod" if number else "test"})
        later = timedelta(hours=number)
        world.store.amend_job(
            world.record(world.created(body)).key,
            lambda job, later=later: msgspec.structs.replace(job, create_time=job.create_time + later),
        )


@pytest.mark.usefixtures("three")
def test_jobs_come_newest_first_with_what_they_cost(world):
    page = listed(world)

    assert names(page) == ["job-2", "job-1", "job-0"]
    assert page["next_page"] is None
    job = page["data"][0]
    assert (job["status"], job["amount"], job["model"], job["apiKey"]) == (
        "PENDING",
        "0",
        FLASH.rpartition("/")[2],
        "master",
    )
    assert job["name"].endswith(job["id"])


@pytest.mark.usefixtures("three")
def test_pages_follow_each_other_without_a_gap(world):
    found, query = [], "?limit=1"
    while True:
        page = listed(world, query)
        found += names(page)
        if page["next_page"] is None:
            break
        query = f"?limit=1&page={page['next_page']}"

    assert found == ["job-2", "job-1", "job-0"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?label:env=test", ["job-0"]),
        ("?label:env=test&label:env=prod", ["job-2", "job-1", "job-0"]),
        ("?label:env=test&state=JOB_STATE_RUNNING", []),
        ("?model=gemini-2.5-flash&search=JOB-1", ["job-1"]),
        ("?search=env=prod", ["job-2", "job-1"]),
        ("?team=nobodys", []),
        ("?end_time=2020-01-01T00:00:00Z", []),
        ("?start_time=2100-01-01T00:00:00Z", []),
        ("?start_time=21000101", []),
        ("?start_time=4102444800", []),
        ("?end_time=21000101", ["job-2", "job-1", "job-0"]),
    ],
)
def test_jobs_are_filtered(world, query, found):
    assert names(listed(world, query)) == found


@pytest.mark.usefixtures("three")
def test_a_filter_that_lets_few_through_still_fills_its_page(world):
    page = listed(world, "?limit=1&label:env=test")

    assert names(page) == ["job-0"]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("query", ["label:env=test", "search=job-0", "model=gemini-2.5-flash&search=b-0"])
def test_a_page_reads_so_many_jobs_and_no_more(world, monkeypatch, query):
    """A search that no index answers goes page by page; a page may be short, but the last one ends it."""
    monkeypatch.setattr(listing, "_MOST_EXAMINED", 2)
    found, path, read = [], f"?limit=1&{query}", 0
    while True:
        read += 1
        world.store.calls.clear()
        page = listed(world, path)
        assert world.store.calls.count("recent_jobs") == 1
        found += names(page)
        if page["next_page"] is None:
            break
        path = f"?limit=1&{query}&page={page['next_page']}"
    assert (found, read) == (["job-0"], 2)


@pytest.mark.usefixtures("three")
def test_a_page_is_full_where_an_index_answers(world, monkeypatch):
    monkeypatch.setattr(listing, "_MOST_EXAMINED", 1)
    everything = "state=JOB_STATE_PENDING&api_key=master&location=us-central1&project=acme-batch"
    assert names(listed(world, f"?limit=2&{everything}")) == ["job-2", "job-1"]


@pytest.mark.usefixtures("three")
def test_a_key_sees_its_teams_jobs_only(world):
    new_team(world, "search")
    mine, other = new_key(world, team_id="search"), new_key(world)
    world.create(job_body(displayName="mine"), key=mine)
    world.create(job_body(displayName="other's"), key=other)

    assert names(listed(world, key=mine)) == ["mine"]
    assert names(listed(world, "?team=ads&api_key=master", key=mine)) == []
    assert names(listed(world, key=other)) == ["other's"]
    assert len(names(listed(world))) == 5


@pytest.mark.parametrize(
    "position",
    [
        ["2026-11-22T10:00:00Z", "a/b", "us-central1", "1"],
        ["2026-11-22T10:00:00Z", "p", "a/b/c", "1"],
        ["2026-11-22T10:00:00Z", "p", "us-central1", "x" * 2000],
        ["2026-11-22T10:00:00", "p", "us-central1", "1"],
        ["0001-01-01T00:00:00+14:00", "p", "us-central1", "1"],
    ],
)
def test_a_page_that_no_answer_named_is_refused(world, position):
    page = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()

    answer = world.get(f"{PATH}?page={page}")

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")


@pytest.mark.parametrize(
    "query",
    [
        "?limit=0",
        "?limit=501",
        "?page=x",
        "?page=W10",
        "?start_time=yesterday",
        "?start_time=20261322",
        "?status=FINAL",
        "?state=runing",
        "?state=JOB_STATE_RUNNING&state=",
    ],
)
def test_a_wrong_parameter_is_named(world, query):
    answer = world.get(f"{PATH}{query}")

    assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
    assert query[1:].partition("=")[0] in answer.json["error"]["message"]


def test_without_a_key_there_is_nothing_to_see(world):
    assert world.get(PATH, key=None).status_code == 401


@pytest.mark.usefixtures("three")
class TestTopJobs:
    @pytest.fixture
    def priced(self, world):
        """Of the three jobs, the oldest cost the most."""
        for key, job in list(world.store._jobs.items()):
            amount = 10**9 * (5 - int(job.seen.display_name[-1]))
            cost = msgspec.structs.replace(job.cost, amount_nano=amount)
            world.store.amend_job(key, lambda job, cost=cost: msgspec.structs.replace(job, cost=cost))
        return world

    def test_the_most_expensive_come_first_and_nothing_else_is_read(self, priced):
        priced.store.calls.clear()
        page = listed(priced, ":top?limit=2")
        assert [(job["displayName"], job["amount"]) for job in page["data"]] == [
            ("job-0", "5"),
            ("job-1", "4"),
        ]
        assert page.keys() == {"object", "data"}
        assert "recent_jobs" not in priced.store.calls
        first = priced.store.get_job(next(iter(priced.store._jobs))).create_time
        since, until = (f"{(first + timedelta(minutes=at)).isoformat()}" for at in (30, 90))
        within = f":top?start_time={since}&end_time={until}".replace("+", "%2B")
        assert names(listed(priced, within)) == ["job-1"]

    def test_a_key_gets_its_teams_jobs_only(self, priced):
        new_team(priced, "search")
        mine, other = new_key(priced, team_id="search"), new_key(priced)
        priced.create(job_body(displayName="mine"), key=mine)
        priced.create(job_body(displayName="other's"), key=other)
        assert names(listed(priced, ":top", key=mine)) == ["mine"]
        assert names(listed(priced, ":top?team=ads", key=mine)) == []
        assert names(listed(priced, ":top", key=other)) == ["other's"]
        assert names(listed(priced, ":top?team=search")) == ["mine"]

    @pytest.mark.parametrize(
        "query",
        ["limit=0", "limit=101", "model=x", "page=x", "team=a&team=b", "start_time=x", f"team={'x' * 1025}"],
    )
    def test_what_is_not_understood_is_refused(self, world, query):
        answer = world.get(f"{PATH}:top?{query}")
        assert (answer.status_code, reason(answer)) == (400, "FIELD_INVALID")
