"""How the sweep looks through the lists of places: how far back, in what order, and what has to wait."""

import dataclasses
import re
import threading
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import pytest

from batch_gateway.core.jobs.record import JobKey, parse_time
from functional import test_settle as settling
from functional.test_reconcile import PLACE, Vertex, World, submission
from functional.test_settle import NOW, key
from patience import PATIENCE

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
_BOUND = re.compile(r'create_time([<>]=)"([^"]+)"')


class Listing(Vertex):
    """Lists by time of create, the newest first, as filters ask for; notes which places are listed."""

    def __init__(self, world):
        super().__init__()
        self.world = world
        self.places, self.shown = [], 0
        self.page_size = 2
        self.seconds_a_page = 0.0
        self.lock = threading.Lock()

    def get(self, _, *, project, location, query=""):
        given = parse_qs(query)
        with self.lock:
            self.world.seconds += self.seconds_a_page
            self.listed.append(given["filter"][0])
            self.places.append(location)
        if (project, location) in self.denied:
            return None
        bounds = _BOUND.findall(given["filter"][0])
        jobs = sorted(
            (
                job
                for at, job in self.jobs.items()
                if (at.project, at.location) == (project, location) and within(job, bounds)
            ),
            key=lambda job: job["createTime"],
            reverse=True,
        )
        start = int(given.get("pageToken", ["0"])[0])
        end = start + self.page_size
        page = {"batchPredictionJobs": jobs[start:end]}
        self.shown += len(jobs[start:end])
        return page | ({"nextPageToken": str(end)} if jobs[end:] else {})


def within(job, bounds):
    created = parse_time(job["createTime"])
    return all(
        created >= datetime.fromisoformat(time) if sign == ">=" else created <= datetime.fromisoformat(time)
        for sign, time in bounds
    )


@pytest.fixture
def world():
    world = World()
    world.upstream = Listing(world)
    world.deps = dataclasses.replace(world.deps, upstream=world.upstream)
    return world


def job(number, age, **changes):
    """A job of Vertex AI's that was created so long before NOW."""
    created = f"{NOW - age:%Y-%m-%dT%H:%M:%SZ}"
    return settling.resource(number, **{"createTime": created, "updateTime": created, **changes})


def since(listed):
    return [datetime.fromisoformat(_BOUND.search(each)[2]) for each in listed]


@pytest.mark.parametrize("many", [1, 2, 5, 10, 15])
def test_every_place_comes_first_sooner_or_later_whatever_the_schedule(world, many):
    """Every five minutes, and each time there is time for one page only."""
    places = [("acme-batch", f"us-east{number:02}") for number in range(many)]
    world.upstream.seconds_a_page = 1000.0
    first = []
    for number in range(many):
        world.upstream.places.clear()
        world.sweep(now=NOW + number * 5 * MINUTE, places=places)
        first.append(world.upstream.places[0])

    assert sorted(first) == [location for _, location in places]


def test_places_are_listed_side_by_side(world):
    """Each answer waits until all of eight have been asked for."""
    places = [("acme-batch", f"us-east{number}") for number in range(8)]
    together = threading.Barrier(8, timeout=PATIENCE)
    original = world.upstream.get

    def waiting(path, **given):
        together.wait()
        return original(path, **given)

    world.upstream.get = waiting

    assert world.sweep(places=places).problems == []


def test_a_later_sweep_lists_what_may_be_new_only(world):
    world.outside(job(1, 3 * DAY, state="JOB_STATE_FAILED"))
    world.outside(job(2, 60 * MINUTE, state="JOB_STATE_FAILED"))
    assert world.sweep().adopted == 2

    world.upstream.listed.clear()
    world.sweep(now=NOW + 5 * MINUTE)

    assert since(world.upstream.listed) == [NOW - 12 * MINUTE]


def test_a_place_that_could_not_be_listed_is_listed_from_where_it_was_left(world):
    world.sweep()
    world.upstream.denied.add(PLACE)
    world.sweep(now=NOW + 5 * MINUTE)
    world.upstream.denied.clear()
    world.upstream.listed.clear()

    world.sweep(now=NOW + 2 * DAY)

    assert since(world.upstream.listed) == [NOW - 12 * MINUTE]


def test_a_job_that_was_too_young_to_be_adopted_is_adopted_by_the_next_sweep(world):
    world.outside(job(1, 9 * MINUTE))
    assert world.sweep().adopted == 0

    assert world.sweep(now=NOW + 5 * MINUTE).adopted == 1


def test_open_jobs_are_found_in_the_list_and_not_asked_for_one_by_one(world):
    for number in range(1, 6):
        world.record(job(number, number * 10 * 60 * MINUTE))
    world.sweep()
    for number in (2, 5):
        world.outside(job(number, number * 10 * 60 * MINUTE, state="JOB_STATE_RUNNING"))

    done = world.sweep(now=NOW + 5 * MINUTE)

    assert (done.jobs, world.upstream.asked) == (5, [])
    states = [world.job(number).seen.state for number in range(1, 6)]
    assert [state.removeprefix("JOB_STATE_") for state in states] == [
        "PENDING",
        "RUNNING",
        "PENDING",
        "PENDING",
        "RUNNING",
    ]


def test_a_job_that_no_page_shows_is_asked_for(world):
    world.record(job(1, 10 * MINUTE))
    world.record(job(2, 8 * DAY))

    world.sweep()

    assert world.upstream.asked == [key(2)]


def test_a_list_that_is_cut_short_goes_on_in_the_next_sweep_beside_what_is_new(world):
    """Time for two pages of two jobs in each sweep; jobs go on being made meanwhile."""
    world.upstream.seconds_a_page = 8.0
    for number in range(1, 9):
        world.outside(job(number, number * 60 * MINUTE))

    adopted = []
    for later in range(0, 120, 20):
        adopted.append(world.sweep(now=NOW + later * MINUTE).adopted)
        world.outside(job(100 + later, -later * MINUTE))

    # One that is new each time, and of the rest at least the next one.
    assert adopted == [4, 2, 2, 2, 2, 1]
    assert all(world.store.get_job(key(each)) for each in (*range(1, 9), *range(100, 200, 20)))


def test_a_create_that_made_no_job_is_let_go_though_the_list_is_longer_than_a_sweep(world):
    """The list goes back past its time, and then on and on."""
    world.upstream.seconds_a_page = 8.0
    for number in range(1, 21):
        world.outside(job(number, number * 60 * MINUTE))
    world.store.begin_submission(submission(1, created=NOW - 90 * MINUTE, reserved_nano=7))
    world.store.begin_submission(submission(2, created=NOW - 10 * 60 * MINUTE))

    done = world.sweep()

    assert not done.complete
    assert done.dropped_submissions == 1
    assert [each.id for each in world.store.open_submissions(9)] == ["s2"]


def test_a_create_is_kept_if_the_list_is_not_in_order(world, monkeypatch):
    """Then nothing tells that its job is not on the pages that were not read."""
    world.upstream.seconds_a_page = 8.0
    for number in range(1, 21):
        world.outside(job(number, number * 60 * MINUTE))
    world.store.begin_submission(submission(1, created=NOW - 90 * MINUTE))
    original = world.upstream.get

    def disordered(path, **given):
        page = original(path, **given)
        return {**page, "batchPredictionJobs": page["batchPredictionJobs"][::-1]}

    monkeypatch.setattr(world.upstream, "get", disordered)

    assert world.sweep().dropped_submissions == 0


def test_the_lists_of_a_later_sweep_cost_the_books_nothing_for_old_jobs(world):
    """A hundred closed jobs are listed since an older one is open; a new instance looks none of them up."""
    for number in range(1, 101):
        world.outside(job(number, 30 * 60 * MINUTE + number * MINUTE, state="JOB_STATE_FAILED"))
    world.outside(job(101, 60 * 60 * MINUTE))
    world.sweep()
    looked_up = []
    original = world.store.observe
    world.store.observe = lambda seen: looked_up.extend(seen) or original(seen)
    world.upstream.shown = 0

    world.sweep(now=NOW + 5 * MINUTE)

    assert world.upstream.shown > 0
    assert looked_up == []
    assert JobKey(*PLACE, "101") not in world.upstream.asked
