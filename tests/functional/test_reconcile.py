"""The sweep: it finds what events and answers missed, and what is wrong with one job stays with that job."""

import dataclasses
import json
from datetime import timedelta
from urllib.parse import parse_qs

import msgspec
import pytest

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.access.limits import Budget
from batch_gateway.core.accounting.budgets import ALL, BudgetExceededError, OwnedBudget, Window
from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds, Weighed
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import observe
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.core.notify.events import job_event
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.notify.endpoints import KeyEndpoints
from batch_gateway.ports import (
    Absent,
    AnswerTooLargeError,
    RecordError,
    Reply,
    Submission,
    Unreadable,
    UpstreamResponse,
    UpstreamUnavailableError,
)
from batch_gateway.settlement import sweep_places
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep import reconcile
from batch_gateway.tracking import Tracker
from fakes import MemoryKeys, MemoryStore
from functional import test_settle as settling
from functional.test_settle import CREATED, DIRECTORY, FILE, FOLDER, NOW, PRICES, ROW_NANO, ended, key, row

PLACE = ("acme-batch", "us-central1")
ENDED = CREATED + timedelta(minutes=20)
WATCHED = ENDED + timedelta(hours=24)
"""When a job that ended then is watched no more."""


class Vertex(settling.FakeUpstream):
    """The Upstream port: jobs are listed, newest first, and can be cancelled."""

    def __init__(self):
        super().__init__()
        self.listed = []
        self.most = 100
        self.models = {}
        self.denied = set()
        self.cancelled = []

    def get(self, path, *, project, location, query=""):
        if self.down:
            raise UpstreamUnavailableError("down", sent=True)
        if "/models/" in path:
            return self.models.get(path)
        if (project, location) in self.denied:
            return None
        given = parse_qs(query)
        self.listed.append(given["filter"][0])
        if int(given["pageSize"][0]) > self.most:
            raise AnswerTooLargeError("is larger than ever")
        start = int(given.get("pageToken", ["0"])[0])
        jobs = [
            job
            for wanted, job in self.jobs.items()
            if (wanted.project, wanted.location) == (project, location)
        ][::-1]
        page = {"batchPredictionJobs": jobs[start : start + 2]}
        return page | ({"nextPageToken": str(start + 2)} if jobs[start + 2 :] else {})

    def send(self, method, path, **_):
        assert method == "POST"
        self.cancelled.append(path)
        return UpstreamResponse(200, {}, b"{}")


class Receivers:
    """The Receivers port: takes everything."""

    def __init__(self):
        self.sent = []

    def post(self, url, headers, body):
        self.sent.append((url, headers["webhook-id"], json.loads(body)))
        return Reply(200)


class World(settling.Books):
    """The outside in memory, swept."""

    def __init__(self):
        super().__init__()
        self.upstream = Vertex()
        self.keys = MemoryKeys()
        self.receivers = Receivers()
        self.seconds = 0.0
        self.weighed = []
        self.deps = SettlementDeps(
            store=self.store,
            objects=self.objects,
            upstream=self.upstream,
            prices=lambda: PRICES,
            tables=settling.no_tables,
            keys=self.keys,
            notify=lambda: NotifyDeps(
                outbox=self.store,
                endpoints=KeyEndpoints(self.keys),
                receivers=self.receivers,
                topic=None,
                clock=lambda: self.seconds,
                now=lambda: NOW,
            ),
            budget_action="nothing",
            clock=lambda: self.seconds,
            now=lambda: NOW,
        )

    def sweep(self, *, now=NOW, places=(PLACE,), seconds=45.0):
        return reconcile(places, Tracker(self.store), self.deps, now, seconds, weigh=self.weigh)

    def weigh(self, job):
        self.weighed.append(job.key)

    def said(self, number=1):
        """Status, whether it is complete, and amount, as the report has them."""
        report = cost_report(self.job(number), self.store.get_outputs(key(number)))
        return report.status, report.complete, report.amount

    def outside(self, job):
        """A job that Vertex AI has and the gateway has not seen."""
        self.upstream.jobs[key(job["name"].rpartition("/")[2])] = job


@pytest.fixture
def world():
    return World()


def other_directory(number):
    return f"gs://out/run/prediction-model-2026-11-22T11:00:00.{number:06}Z"


def put_output(world, number, *rows):
    name = f"{other_directory(number).removeprefix('gs://out/')}/predictions.jsonl"
    world.put(settling.lines(*rows or [row()]), name)


def test_a_job_whose_end_and_whose_events_were_missed_is_settled_and_closed(world, capsys):
    world.record(resource := settling.resource())
    world.upstream.jobs[key()] = ended()
    world.put(settling.lines(row(), row()))
    world.put(settling.lines(row()), f"{FOLDER}/predictions_0002.jsonl")

    done = world.sweep()

    assert (done.settled, done.closed, done.problems, done.complete) == (2, 1, [], True)
    settling.assert_settled(world, 3)
    assert world.job().closed
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in said if "event" in line] == [
        "job.state_changed",
        "output.settled",
        "output.settled",
        "batch.completed",
        "sweep.done",
    ]
    completed = said[-2]
    assert (completed["cost_usd"], completed["gen_ai.request.model"]) == (
        3 * ROW_NANO / 1e9,
        "gemini-2.5-flash",
    )
    assert resource["state"] == "JOB_STATE_PENDING"


def test_a_second_sweep_changes_nothing(world):
    world.record(ended())
    world.put(settling.lines(row()))
    world.sweep()
    before = world.state()

    done = world.sweep()

    assert world.state() == before
    assert (done.jobs, done.settled, done.closed) == (0, 0, 0)


def test_a_job_made_outside_goes_to_the_team_of_its_labels(world):
    world.outside(ended(1, labels={"team": "search"}))
    world.outside(ended(2, other_directory(2)))
    world.put(settling.lines(row()))
    put_output(world, 2, row(), row())

    done = world.sweep()

    assert (done.adopted, done.settled, done.closed) == (2, 2, 2)
    assert [(world.job(n).team, world.job(n).api_key) for n in (1, 2)] == [("search", None), (None, None)]
    assert world.total() == 3 * ROW_NANO


def test_a_job_that_was_just_created_is_left_to_its_create(world):
    world.outside(settling.resource())

    assert world.sweep(now=CREATED + timedelta(minutes=9)).adopted == 0
    assert world.sweep(now=CREATED + timedelta(minutes=10)).adopted == 1


def test_only_recent_jobs_are_asked_for(world):
    world.sweep()

    assert world.upstream.listed == ['create_time>="2026-11-15T10:30:00Z"']


def test_every_page_of_jobs_is_looked_through(world):
    for number in range(1, 6):
        world.outside(ended(number, other_directory(number)))
        put_output(world, number)

    assert world.sweep().adopted == 5
    assert world.total() == 5 * ROW_NANO


def test_a_page_that_is_too_large_is_asked_for_in_parts(world):
    for number in range(1, 6):
        world.outside(ended(number, other_directory(number)))
    world.upstream.most = 4
    assert world.sweep().adopted == 5
    world.upstream.most = 0
    assert "is larger than ever" in " ".join(world.sweep().problems)


def submission(number=1, team="ads", key_id="k1", **changes):
    """A create whose answer was lost, of what `lost_job` shows."""
    labels = {"team": team} if team else {"api_key": key_id} if key_id else {}
    given = {
        "id": f"s{number}",
        "project": "acme-batch",
        "location": "us-central1",
        "api_key": f"alias of {key_id}",
        "team": team,
        "key_id": key_id,
        "display_name": "nightly",
        "created": CREATED - timedelta(seconds=3),
        "sent": Sent(labels, "gs://out/run", "gemini-2.5-flash", "nightly"),
    }
    return Submission(**{**given, **changes})


def lost_job(number=1, team="ads", **changes):
    labels = {"team": team} if team else {}
    return settling.resource(number, **{"displayName": "nightly", "labels": labels, **changes})


def owners(world, *numbers):
    return [(world.job(n).team, world.job(n).key_id, world.job(n).api_key) for n in numbers]


def test_a_job_whose_record_was_lost_goes_to_the_key_that_sent_it(world):
    world.store.begin_submission(submission())
    world.outside(lost_job(1))
    world.outside(lost_job(2, displayName="job 2"))

    assert world.sweep().adopted == 2
    assert owners(world, 1, 2) == [("ads", "k1", "alias of k1"), ("ads", None, None)]
    assert world.store.open_submissions(10) == []


def test_a_lost_job_goes_to_its_key_however_many_creates_were_not_answered(world, monkeypatch):
    """As after an hour in which Vertex AI failed, and callers tried again and again."""
    for number in range(2, 1002):
        world.store.begin_submission(
            submission(number, key_id="k2", display_name="x", created=NOW, sent=None)
        )
    world.store.begin_submission(submission())
    world.outside(lost_job(1))

    assert world.sweep().complete
    assert owners(world, 1) == [("ads", "k1", "alias of k1")]
    monkeypatch.setattr(sweep_places, "_MOST_SUBMISSIONS", 1000)
    assert not world.sweep().complete, "there may be more"


@pytest.mark.parametrize(
    "changes",
    [
        {"displayName": "another"},
        {"labels": {"team": "search"}},
        {"labels": {}},
        {"labels": {"api_key": "k1"}},
        {"labels": {"team": "ads", "api_key": "k2"}},
        {"labels": {"team": "ads", "gateway_submission": "m1"}},
        {"model": "publishers/google/models/gemini-2.5-pro"},
        {"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://out/elsewhere"}}},
        {"outputConfig": {"bigqueryDestination": {"outputUri": "bq://p.d.t"}}},
        {"createTime": "2026-11-22T10:02:00Z"},
        {"createTime": "2026-11-22T09:57:57Z"},
    ],
    ids=str,
)
def test_a_job_that_differs_from_what_was_sent_is_not_the_lost_one(world, changes):
    world.store.begin_submission(submission())
    world.outside(lost_job(**changes))

    assert world.sweep().adopted == 1
    labels = changes.get("labels", {"team": "ads"})
    assert owners(world, 1) == [(labels.get("team"), labels.get("api_key"), None)]
    assert len(world.store.open_submissions(10)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "projects/123/locations/us-central1/publishers/google/models/gemini-2.5-flash@default"},
        {"outputConfig": {"gcsDestination": {"outputUriPrefix": "gs://out/run/"}}},
        {"labels": {"team": "ads", "added": "by Vertex AI"}},
        {"createTime": "2026-11-22T10:01:30Z"},
    ],
    ids=str,
)
def test_what_vertex_writes_in_another_way_does_not_make_another_job_of_it(world, changes):
    world.store.begin_submission(submission())
    world.outside(lost_job(**changes))

    world.sweep()

    assert owners(world, 1) == [("ads", "k1", "alias of k1")]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("teams", [("ads", "search"), ("search", "ads")])
@pytest.mark.parametrize("first", [0, 1])
def test_two_lost_creates_of_one_name_do_not_change_teams(world, order, teams, first):
    sent = [submission(n, team, f"key of {team}") for n, team in enumerate(teams)]
    for each in (sent[first], sent[1 - first]):
        world.store.begin_submission(each)
    for number, team in zip(order, ("ads", "search"), strict=True):
        world.outside(lost_job(number, team, createTime=f"2026-11-22T10:00:0{number}Z"))

    world.sweep()

    assert owners(world, *order) == [
        (team, f"key of {team}", f"alias of key of {team}") for team in ("ads", "search")
    ]
    assert world.store.open_submissions(10) == []


def test_keys_without_a_team_are_told_apart_by_their_own_label(world):
    for number, key_id in enumerate(("k1", "k2")):
        world.store.begin_submission(submission(number, None, key_id))
        world.outside(lost_job(number + 1, None, labels={"api_key": ("k2", "k1")[number]}))

    world.sweep()

    assert owners(world, 1, 2) == [(None, "k2", "alias of k2"), (None, "k1", "alias of k1")]


def test_what_two_keys_of_a_team_may_have_sent_goes_to_the_team(world):
    for number in (1, 2):
        world.store.begin_submission(submission(number, key_id=f"k{number}"))
    world.outside(lost_job(1))

    world.sweep()

    assert owners(world, 1) == [("ads", None, None)]
    assert len(world.store.open_submissions(10)) == 2
    assert world.sweep(now=CREATED + timedelta(hours=2)).dropped_submissions == 2


def test_of_two_lost_creates_of_a_key_each_gets_the_job_next_to_it(world):
    for number in (1, 2):
        sent = CREATED + timedelta(seconds=40 * number)
        bounds = Bounds(number, number, number)
        world.store.begin_submission(submission(number, created=sent, estimate=bounds))
    world.outside(lost_job(1, createTime="2026-11-22T10:00:41Z"))
    world.outside(lost_job(2, createTime="2026-11-22T10:01:21Z"))

    world.sweep()

    assert [world.job(n).estimate.low_nano for n in (1, 2)] == [1, 2]
    assert world.store.open_submissions(10) == []


def test_the_administrators_lost_create_does_not_take_a_teams_job(world):
    world.store.begin_submission(submission(1, None, None, api_key="master"))
    world.store.begin_submission(submission(2))
    world.outside(lost_job(1, "ads"))
    world.outside(lost_job(2, None))

    world.sweep()

    assert owners(world, 1, 2) == [("ads", "k1", "alias of k1"), (None, None, "master")]


def test_a_lost_job_with_an_idempotency_key_is_found_by_its_marker_alone(world):
    world.store.begin_submission(submission(marker="m1"))
    world.outside(lost_job(1))
    world.outside(settling.resource(2, displayName="x", labels={"gateway_submission": "m1"}))

    world.sweep()

    assert [world.job(n).api_key for n in (1, 2)] == [None, "alias of k1"]


def test_one_lost_create_does_not_claim_two_jobs_of_the_same_name(world):
    world.store.begin_submission(submission())
    world.outside(lost_job(1))
    world.outside(lost_job(2))

    world.sweep()

    assert sorted(str(world.job(n).api_key) for n in (1, 2)) == ["None", "alias of k1"]
    assert [world.job(n).team for n in (1, 2)] == ["ads", "ads"]


class Poisoned(MemoryStore):
    """Does not take some jobs (`observed`, `added`), and has `unreadable` records among the others."""

    def __init__(self):
        super().__init__()
        self.observed = self.added = ()
        self.unreadable = []

    def observe(self, seen):
        if any(each.job_id in self.observed for each in seen):
            raise RecordError("told to refuse")
        return super().observe(seen)

    def add_job(self, job, submission=None):
        if job.key.job_id in self.added:
            raise RecordError("told to refuse")
        super().add_job(job, submission)

    def _with_bad(self, kind, found):
        bad = [Unreadable(f"{kind}/{number}", "told so") for number in range(self.unreadable.count(kind))]
        return [*bad, *found] if found or not bad else bad

    def open_submissions(self, limit):
        return self._with_bad("submissions", super().open_submissions(limit))

    def open_jobs(self, limit):
        return self._with_bad("jobs", super().open_jobs(limit))

    def parked(self, limit):
        return self._with_bad("parked", super().parked(limit))

    def claim_events(self, now, limit):
        return self._with_bad("events", super().claim_events(now, limit))


@pytest.fixture
def poisoned():
    world = World()
    world.store = Poisoned()
    world.deps = dataclasses.replace(
        world.deps,
        store=world.store,
        notify=lambda: NotifyDeps(
            outbox=world.store,
            endpoints=KeyEndpoints(world.keys),
            receivers=world.receivers,
            topic=None,
            clock=lambda: 0.0,
            now=lambda: NOW,
        ),
    )
    return world


def named(done):
    return [problem.partition(": ")[0] for problem in done.problems]


def test_a_job_that_cannot_be_adopted_costs_itself_alone(poisoned):
    poisoned.store.added = ("51",)
    poisoned.store.begin_submission(submission(created=CREATED - timedelta(hours=2)))
    for number in range(1, 102):
        poisoned.outside(settling.resource(number))

    done = poisoned.sweep()

    assert (done.adopted, done.dropped_submissions, done.complete) == (100, 1, False)
    assert done.problems == [f"{key(51).path}: told to refuse"]
    assert poisoned.job(1)
    assert poisoned.job(101)


def test_a_job_that_cannot_be_brought_up_to_date_costs_itself_alone(poisoned):
    for number in range(1, 102):
        poisoned.record(settling.resource(number))
        poisoned.outside(settling.resource(number, state="JOB_STATE_RUNNING"))
    poisoned.store.observed = ("51",)

    done = poisoned.sweep()

    assert set(named(done)) == {key(51).path}
    assert not done.complete
    states = [poisoned.job(number).seen.state for number in range(1, 102)]
    assert (states.count("JOB_STATE_RUNNING"), states[50]) == (100, "JOB_STATE_PENDING")


def test_the_submission_of_a_job_that_cannot_be_adopted_is_kept(poisoned):
    poisoned.store.begin_submission(submission())
    poisoned.outside(lost_job())
    poisoned.store.added = ("1",)

    done = poisoned.sweep(now=CREATED + timedelta(hours=2))

    assert (done.adopted, done.dropped_submissions) == (0, 0)
    poisoned.store.added = ()
    assert poisoned.sweep(now=CREATED + timedelta(hours=3)).adopted == 1
    assert owners(poisoned, 1) == [("ads", "k1", "alias of k1")]


@pytest.mark.parametrize(
    "bad", [5, None, "x", [], {}, {"name": 5}, {"name": "projects/p/locations/l/models/1"}], ids=str
)
def test_what_is_no_job_in_a_list_of_jobs_is_named(world, bad):
    world.upstream.jobs[key(2)] = bad
    for number in (1, 3):
        world.outside(settling.resource(number))

    done = world.sweep()

    assert (done.adopted, done.complete, named(done)) == (2, False, ["acme-batch/us-central1"])
    assert "is not a job" in done.problems[0]


@pytest.mark.parametrize("found", [5, "x", {"a": 1}], ids=str)
def test_a_list_of_jobs_that_is_none_is_a_problem(world, monkeypatch, found):
    monkeypatch.setattr(world.upstream, "get", lambda *_, **__: {"batchPredictionJobs": found})

    done = world.sweep()

    assert (done.complete, named(done)) == (False, ["acme-batch/us-central1"])


@pytest.mark.parametrize("many", [1, 7])
def test_records_that_cannot_be_read_cost_themselves_alone(poisoned, many):
    poisoned.store.unreadable = ["submissions", "jobs", "parked", "events"] * many
    poisoned.store.begin_submission(submission(created=CREATED - timedelta(hours=2)))
    poisoned.record(ended())
    poisoned.put(settling.lines(row()))
    put_output(poisoned, 9)
    poisoned.settle(f"{other_directory(9).removeprefix('gs://out/')}/predictions.jsonl")

    done = poisoned.sweep()

    assert (done.settled, done.closed, done.dropped_submissions, done.parked) == (1, 1, 1, 1)
    assert not done.complete
    assert set(named(done)) == {
        f"{kind}/{number}" for kind in set(poisoned.store.unreadable) for number in range(many)
    }


@pytest.mark.parametrize("duration", ["9000mo", "999999mo", "999999d", "1s", "never", "0d"])
def test_a_budget_with_an_odd_window_never_resets_and_stops_nothing(world, capsys, duration):
    spender(world, max_budget_nano=1, budget_duration="1mo")
    odd = KeyRecord("odd", "k1-odd", "sk-...", "odd", CREATED, CREATED, "master", budget=Budget(1, duration))
    world.keys.add_key(odd)
    spent = submission(2, team=None, key_id="k1-odd", reserved_nano=5, reserved_at=CREATED)
    with pytest.raises(BudgetExceededError) as refused:
        world.store.begin_submission(spent, [OwnedBudget("key:k1-odd", "odd", 1, None, duration)])

    done = world.sweep()

    assert refused.value.window == Window((ALL,), None, None)
    assert (named(done), done.complete) == ([], True)
    assert '"event":"budget.exceeded"' in capsys.readouterr().out


def test_a_create_that_made_no_job_is_let_go_after_an_hour(world):
    world.store.begin_submission(submission())

    assert world.sweep(now=CREATED + timedelta(minutes=59)).dropped_submissions == 0
    assert world.sweep(now=CREATED + timedelta(minutes=61)).dropped_submissions == 1
    assert world.store.open_submissions(10) == []


def test_a_create_is_kept_while_its_place_cannot_be_listed(world):
    world.store.begin_submission(submission())
    world.upstream.denied.add(PLACE)

    done = world.sweep(now=CREATED + timedelta(hours=2))

    assert done.dropped_submissions == 0
    assert done.problems == ["acme-batch/us-central1: cannot list the jobs of acme-batch/us-central1"]
    assert world.sweep(now=CREATED + timedelta(days=8)).dropped_submissions == 1


def test_a_place_that_cannot_be_listed_does_not_stop_the_rest(world):
    world.record(ended())
    world.put(settling.lines(row()))
    world.upstream.denied.add(("acme-batch", "europe-west4"))

    done = world.sweep(places=[("acme-batch", "europe-west4"), PLACE])

    assert (done.settled, len(done.problems)) == (1, 1)


def test_one_job_that_cannot_be_read_does_not_stop_the_rest(world, monkeypatch):
    for number in (1, 2, 3):
        world.record(ended(number, other_directory(number)))
        put_output(world, number)
    original = world.objects.read

    def broken(bucket, name, *more):
        if name.startswith(other_directory(2).removeprefix("gs://out/")):
            raise OSError("told to fail")
        return original(bucket, name, *more)

    monkeypatch.setattr(world.objects, "read", broken)

    done = world.sweep()

    assert (done.settled, done.closed) == (2, 2)
    assert done.problems == [f"{key(2).path}: told to fail"]
    monkeypatch.undo()
    assert world.sweep().closed == 1


def test_a_job_that_takes_all_the_time_does_not_keep_the_others_from_their_turn(world, monkeypatch):
    for number in range(1, 25):
        world.record(ended(number, other_directory(number)))
        put_output(world, number)
    original = world.objects.read

    def slow(bucket, name, *more):
        world.seconds += 100.0 if other_directory(1).endswith(name.split("/")[1][-7:]) else 0.1
        return original(bucket, name, *more)

    monkeypatch.setattr(world.objects, "read", slow)

    sweeps = [world.sweep() for _ in range(2)]

    assert not sweeps[0].complete
    assert all(world.job(number).closed for number in range(1, 25))


class Crowded:
    """More of everything than a sweep has time for: every call costs a second."""

    def __init__(self, world, monkeypatch):
        self.world = world
        for number in range(1, 101):
            world.record(settling.resource(number))
            put_output(world, 1000 + number)
            name = f"{other_directory(1000 + number).removeprefix('gs://out/')}/predictions.jsonl"
            assert world.settle(name) is settling.Outcome.PARKED
        self.looked_at, self.stats = [], []
        get_job, stat, get = world.upstream.get_job, world.objects.stat, world.upstream.get

        def slow_get_job(wanted):
            self._take(self.looked_at, wanted)
            return get_job(wanted)

        def slow_stat(bucket, name):
            self._take(self.stats, name)
            return stat(bucket, name)

        def slow_get(path, **given):
            world.seconds += self.seconds_a_page
            return get(path, **given)

        self.seconds_a_page = 1.0
        monkeypatch.setattr(world.upstream, "get_job", slow_get_job)
        monkeypatch.setattr(world.upstream, "get", slow_get)
        monkeypatch.setattr(world.objects, "stat", slow_stat)
        hook = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "whsec_" + "A" * 32}
        world.keys.add_key(KeyRecord("t", "k1", "sk-...", "n", CREATED, CREATED, "master", "ads", **hook))
        done = msgspec.structs.replace(world.job(1), key_id="k1")
        event = job_event(msgspec.structs.replace(done, seen=observe(ended())), CREATED)
        assert world.store.add_event(event)

    def _take(self, taken, what):
        taken.append(what)
        self.world.seconds += 1.0


@pytest.fixture
def crowded(world, monkeypatch):
    # Nobody lists the jobs: each is looked at by itself.
    monkeypatch.setattr(world.store, "jobs_without_directory", lambda *_: [])
    return Crowded(world, monkeypatch)


@pytest.mark.parametrize("seconds_a_page", [1.0, 20.0, 40.0, 100.0])
def test_jobs_parked_outputs_and_due_events_each_have_their_share_of_a_sweep(crowded, seconds_a_page):
    crowded.seconds_a_page = seconds_a_page
    denied = [("acme-batch", f"us-east{number}") for number in range(5)]
    crowded.world.upstream.denied.update(denied)

    done = crowded.world.sweep(places=denied, seconds=30.0)

    assert not done.complete
    assert len(crowded.looked_at) >= 4
    assert len(crowded.stats) >= 4
    assert done.delivered == 1


def test_a_step_that_needs_less_leaves_the_rest_to_the_others(crowded):
    crowded.seconds_a_page = 0.0

    done = crowded.world.sweep(seconds=30.0)

    assert not done.complete
    assert len(crowded.looked_at) + len(crowded.stats) >= 24


def test_an_output_of_nobody_is_settled_once_its_job_is_known(world):
    world.put(settling.lines(row()))
    assert world.settle() is settling.Outcome.PARKED
    world.outside(ended())
    world.upstream.denied.add(PLACE)
    assert world.sweep().parked == 1

    world.upstream.denied.clear()
    done = world.sweep()

    assert (done.adopted, done.settled, done.parked) == (1, 1, 0)
    assert world.store.parked(10) == []
    settling.assert_settled(world, 1)


def test_an_output_of_nobody_that_is_deleted_is_forgotten(world):
    world.put(settling.lines(row()))
    world.settle()
    world.objects.delete("out", FILE)

    assert world.sweep().parked == 0
    assert world.store.parked(10) == []


def test_incremental_output_counts_where_a_job_ended_without_a_final_file(world):
    world.record(ended(state="JOB_STATE_CANCELLED"))
    world.put(settling.lines(row(), row()), f"{FOLDER}/incremental_predictions.jsonl")

    assert world.sweep().closed == 0
    settling.assert_settled(world, 2)
    assert world.said() == ("PARTIAL", False, "0.000055")
    assert world.sweep(now=WATCHED).closed == 1
    assert world.said() == ("FINAL", True, "0.000055")


def test_incremental_output_never_counts_beside_a_final_file(world):
    world.record(ended())
    world.put(settling.lines(row(), row()), f"{FOLDER}/incremental_predictions/000.jsonl")
    world.put(settling.lines(row(), row(), row()))

    world.sweep()

    settling.assert_settled(world, 3)


def test_a_final_file_that_comes_late_takes_the_place_of_incremental_output(world):
    world.record(ended(state="JOB_STATE_EXPIRED"))
    world.put(settling.lines(row(), row()), f"{FOLDER}/incremental_predictions.jsonl")
    world.sweep()
    world.put(settling.lines(row(), row(), row()))

    assert world.settle() is settling.Outcome.SETTLED

    settling.assert_settled(world, 3)
    assert world.sweep().settled == 0


def test_what_a_running_job_has_exported_shows_as_progress_and_is_replaced_in_the_end(world):
    shown = {"outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.record(settling.resource(state="JOB_STATE_RUNNING", **shown))
    name = f"{FOLDER}/incremental_predictions.jsonl"
    for rows in (1, 2):
        world.put(settling.lines(*[row()] * rows), name)
        world.sweep()
        assert world.job().cost.amount_nano == rows * ROW_NANO
        assert not world.job().closed
    world.put(settling.lines(row(), row(), row()))
    world.upstream.jobs[key()] = ended()

    world.sweep()

    settling.assert_settled(world, 3)
    assert world.job().closed
    report = cost_report(world.job(), world.store.get_outputs(key()))
    assert [output.uri for output in report.outputs] == [f"gs://out/{FILE}"]


def test_a_large_export_of_a_running_job_is_left_for_the_end(world, monkeypatch):
    monkeypatch.setattr("batch_gateway.settlement.sweep_jobs._MOST_PROGRESS_BYTES", 10)
    shown = {"outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.record(settling.resource(state="JOB_STATE_RUNNING", **shown))
    world.put(settling.lines(row()), f"{FOLDER}/incremental_predictions.jsonl")

    assert world.sweep().settled == 0


def test_a_job_that_succeeded_without_output_is_never_complete(world):
    world.record(ended())
    world.sweep(now=NOW + timedelta(days=1))

    assert world.job().closed
    assert cost_report(world.job(), []).complete is False


def test_a_job_that_succeeded_is_waited_for_until_its_output_cannot_come_any_more(world, capsys):
    world.record(ended())

    assert world.sweep().closed == 0
    assert world.sweep(now=NOW + timedelta(days=1)).closed == 1
    assert '"event":"output.lost"' in capsys.readouterr().out


def test_a_job_that_vertex_no_longer_has_is_closed_with_what_it_wrote(world):
    running = settling.resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY})
    world.record(running)
    world.put(settling.lines(row()))
    del world.upstream.jobs[key()]

    done = world.sweep()

    assert (done.settled, done.closed) == (1, 1)
    assert world.job().deleted
    assert world.upstream.asked == [key()]
    settling.assert_settled(world, 1)


def test_a_job_that_may_not_be_seen_is_not_taken_for_deleted(world, monkeypatch):
    world.record(settling.resource())
    world.upstream.jobs.clear()
    monkeypatch.setattr(world.upstream, "get_job", lambda _: Absent.DENIED)

    world.sweep()

    assert not world.job().deleted
    assert not world.job().closed


@pytest.mark.parametrize(
    ("state", "hours", "stuck"),
    [("PENDING", 71, False), ("QUEUED", 73, True), ("RUNNING", 23, False), ("RUNNING", 25, True)],
)
def test_jobs_that_are_queued_or_run_for_too_long_are_named(world, capsys, state, hours, stuck):
    world.record(settling.resource(state=f"JOB_STATE_{state}"))

    done = world.sweep(now=CREATED + timedelta(hours=hours))

    assert bool(done.stuck) is stuck
    assert ('"event":"job.stuck"' in capsys.readouterr().out) is stuck


def test_a_tuned_model_costs_what_its_base_does(world):
    model = "projects/123456789012/locations/us-central1/models/4242"
    world.upstream.models[model] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    world.record(ended(model=f"{model}@2"))
    world.put(settling.lines(row().replace("gemini-2.5-flash", "4242")))

    world.sweep()

    settling.assert_settled(world, 1)
    assert world.job().base_model == "gemini-2.5-flash"


def test_an_output_of_a_tuned_model_is_settled_when_its_base_can_be_asked_for(world):
    model = "projects/123456789012/locations/us-central1/models/4242"
    world.upstream.models[model] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    world.record(ended(model=model))
    world.put(settling.lines(row().replace("gemini-2.5-flash", "4242")))

    world.upstream.down = True
    with pytest.raises(UpstreamUnavailableError):
        world.settle()
    world.upstream.down = False
    world.settle()

    settling.assert_settled(world, 1)


def test_an_output_of_a_tuned_model_that_nobody_can_ask_for_is_settled_without_a_price_in_the_end(world):
    world.record(ended(model="projects/123456789012/locations/us-central1/models/4242"))
    world.put(settling.lines(row().replace("gemini-2.5-flash", "4242")))
    world.upstream.down = True

    found = []
    for hours in (1, 30):
        now = NOW + timedelta(hours=hours)
        world.deps = dataclasses.replace(world.deps, now=lambda now=now: now)
        world.sweep(now=now)
        found.append((world.job().settled_outputs, world.job().closed))

    assert found == [(0, False), (1, True)]
    assert world.job().cost.unpriced_rows == 1


@pytest.mark.parametrize(
    "model",
    [
        "projects/somebody-else/locations/us-central1/models/4242",
        "projects/123456789012/locations/europe-west4/models/4242",
        "projects/123456789012/locations/us-central1/models/../4242",
    ],
)
def test_no_model_of_another_place_is_looked_up(world, model):
    world.upstream.models[model] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    world.record(ended(model=model))
    world.put(settling.lines(row().replace("gemini-2.5-flash", "4242")))

    world.sweep()

    assert (world.job().base_model, world.job().cost.unpriced_rows) == (None, 1)


def test_a_model_of_the_registry_without_a_base_is_unpriced(world):
    world.record(ended(model="projects/123456789012/locations/us-central1/models/4242"))
    world.put(settling.lines(row().replace("gemini-2.5-flash", "4242")))

    world.sweep()

    assert (world.job().base_model, world.job().cost.unpriced_rows) == ("", 1)


def spender(world, **budget):
    """A key with a budget, and its job, which runs and has cost a row."""
    world.keys.add_key(
        KeyRecord("t", "k1", "sk-...", "nightly", CREATED, CREATED, "master", "ads", budget=Budget(**budget))
    )
    running = settling.resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY})
    world.record(running)
    world.store.amend_job(key(), lambda job: msgspec.structs.replace(job, key_id="k1", team="ads"))
    world.put(settling.lines(row()))
    world.settle()


@pytest.mark.parametrize(
    ("action", "said"),
    [("nothing", set()), ("warn", {"budget.job_running"}), ("cancel", {"budget.job_cancelled"})],
)
def test_a_budget_that_is_passed_does_to_running_jobs_what_is_configured(world, capsys, action, said):
    spender(world, max_budget_nano=ROW_NANO - 1, budget_duration="1mo")
    world.deps = dataclasses.replace(world.deps, budget_action=action)
    capsys.readouterr()

    world.sweep()
    world.sweep()

    events = [json.loads(line).get("event") for line in capsys.readouterr().out.splitlines()]
    assert events.count("budget.exceeded") == 1, "once a window"
    assert set(events) - {"budget.exceeded", "sweep.done"} == said
    assert bool(world.upstream.cancelled) is (action == "cancel")


def test_a_budget_that_is_just_spent_is_not_passed(world, capsys):
    spender(world, max_budget_nano=ROW_NANO)

    world.sweep()

    assert "budget.exceeded" not in capsys.readouterr().out


def test_a_soft_limit_only_warns(world, capsys):
    spender(world, soft_budget_nano=1, budget_duration="7d")
    world.deps = dataclasses.replace(world.deps, budget_action="cancel")
    capsys.readouterr()

    world.sweep()

    assert '"event":"budget.warning"' in capsys.readouterr().out
    assert not world.upstream.cancelled


def test_a_budget_of_a_team_counts_all_its_keys(world, capsys):
    world.keys.change_team(
        "ads", lambda _: TeamRecord("ads", CREATED, CREATED, budget=Budget(ROW_NANO - 1, "1mo"))
    )
    spender(world)

    world.sweep()

    assert '"owner":"team:ads"' in capsys.readouterr().out


def test_the_webhook_of_a_key_hears_of_its_jobs_and_its_budget_once(world):
    spender(world, max_budget_nano=1, budget_duration="1mo")
    hook = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "whsec_" + "A" * 32}
    world.keys.change_key("t", lambda record: msgspec.structs.replace(record, **hook))
    world.upstream.jobs[key()] = ended()

    done = [world.sweep() for _ in range(2)]

    assert [each.delivered for each in done] == [2, 0]
    assert sorted(body["type"] for _, _, body in world.receivers.sent) == [
        "batch.completed",
        "budget.exceeded",
    ]
    (job,) = [body["data"] for _, _, body in world.receivers.sent if body["type"] == "batch.completed"]
    assert (job["name"], job["cost"]["amount"]) == (ended()["name"], "0.0000275")
    assert len({webhook_id for _, webhook_id, _ in world.receivers.sent}) == 2


def weighable(world, *numbers, **changes):
    for number in numbers:
        world.record(settling.resource(number))
        world.upstream.jobs[key(number)] = settling.resource(number, **changes)


def test_jobs_without_an_estimate_are_weighed_whatever_their_state(world):
    weighable(world, 1, 2, state="JOB_STATE_QUEUED")
    weighable(world, 3, 4, state="JOB_STATE_RUNNING")
    weighable(world, 5, state="JOB_STATE_SUCCEEDED")
    for number, estimate in ((2, UNKNOWN_BOUNDS), (4, Bounds(1, 2, 3))):
        job = msgspec.structs.replace(world.store.get_job(key(number)), estimate=estimate)
        world.store._jobs[key(number)] = job

    assert world.sweep().complete

    assert sorted(world.weighed) == [key(1), key(3), key(5)]


def test_estimates_get_the_time_that_is_left(world, monkeypatch):
    """Twenty seconds each of forty-five: the third is begun, and the sweep is whole without the others."""
    weighable(world, 1, 2, 3, 4, 5)

    def weigh(job):
        world.weighed.append(job.key)
        world.seconds += 20

    monkeypatch.setattr(world, "weigh", weigh)

    done = world.sweep()

    assert (len(world.weighed), done.jobs, done.complete) == (3, 5, True)


def test_estimates_wait_until_every_cost_is_settled(world, monkeypatch):
    weighable(world, 1, 2)
    world.upstream.jobs[key(2)] = ended(2)
    world.put(settling.lines(row()))
    settled = []
    monkeypatch.setattr(world, "weigh", lambda _: settled.append(world.store.get_job(key(2)).closed))

    world.sweep()

    assert settled == [True, True]


def test_an_estimate_that_goes_wrong_does_not_stop_the_rest(world, monkeypatch):
    weighable(world, 1, 2, 3)

    def weigh(job):
        if job.key == key(2):
            raise RuntimeError("a row that nobody thought of")
        world.weighed.append(job.key)

    monkeypatch.setattr(world, "weigh", weigh)

    done = world.sweep()

    assert sorted(world.weighed) == [key(1), key(3)]
    assert done.problems == [f"{key(2).path}: a row that nobody thought of"]


def test_the_books_being_down_ends_the_sweep(world):
    world.record(ended())
    world.store.down = True

    with pytest.raises(settling.StoreUnavailableError):
        world.sweep()


def test_vertex_being_down_leaves_jobs_for_the_next_sweep(world):
    world.record(settling.resource())
    world.upstream.down = True

    done = world.sweep()

    assert len(done.problems) == 2
    assert observe(settling.resource()) == world.job().seen


INCREMENTAL = f"{FOLDER}/incremental_predictions.jsonl"


def reserved(world, high, *, by_estimate_only=False, **changes):
    """A running job of a key with a webhook, for which so much was reserved."""
    hook = {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "whsec_" + "A" * 32}
    world.keys.add_key(KeyRecord("t", "k1", "sk-...", "nightly", CREATED, CREATED, "master", "ads", **hook))
    world.record(settling.resource(state="JOB_STATE_RUNNING", outputInfo={"gcsOutputDirectory": DIRECTORY}))
    bounds = Bounds(1, 2, high, None if by_estimate_only else Weighed(1, 4711, 17))
    given = {"key_id": "k1", "team": "ads", "estimate": bounds, "reserved_nano": high}
    given["reserved_at"] = None if by_estimate_only else CREATED
    world.store.amend_job(key(), lambda job: msgspec.structs.replace(job, **given, **changes))


def said_of(capsys, event):
    return [
        line
        for text in capsys.readouterr().out.splitlines()
        if (line := json.loads(text)).get("event") == event
    ]


def sent(world, kind):
    return [body["data"] for _, _, body in world.receivers.sent if body["type"] == kind]


def test_a_job_that_costs_more_than_was_reserved_is_told_of_once(world, capsys):
    """Its input was overwritten after it was weighed."""
    reserved(world, ROW_NANO - 1)
    world.upstream.jobs[key()] = ended()
    world.put(settling.lines(row()))

    for _ in range(3):
        world.sweep()

    (line,) = said_of(capsys, "budget.overrun")
    assert line["severity"] == "WARNING"
    assert (line["cost_usd"], line["reserved_usd"]) == (ROW_NANO / 1e9, (ROW_NANO - 1) / 1e9)
    assert (line["team"], line["job"]) == ("ads", ended()["name"])
    (data,) = sent(world, "budget.overrun")
    assert data["weighed"] == {"objects": 1, "bytes": 4711, "generation": 17}
    assert (data["reserved"], data["cost"]["amount"]) == ("0.000027499", "0.0000275")
    assert (data["name"], data["team"], data["state"]) == (ended()["name"], "ads", "JOB_STATE_SUCCEEDED")
    assert len(sent(world, "batch.completed")) == 1


def test_an_event_of_its_output_tells_of_it_at_once(world, capsys):
    reserved(world, 1)
    world.upstream.jobs[key()] = ended()
    world.put(settling.lines(row()))

    world.settle()

    assert len(said_of(capsys, "budget.overrun")) == 1
    assert len(sent(world, "budget.overrun")) == 1
    world.settle()
    world.sweep()
    assert len(sent(world, "budget.overrun")) == 1


def test_what_the_event_of_an_output_could_not_tell_the_sweep_does(world, monkeypatch):
    reserved(world, 1)
    world.upstream.jobs[key()] = ended()
    world.put(settling.lines(row()))
    with monkeypatch.context() as broken:
        broken.setattr("batch_gateway.settlement.settle.note_overrun", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            world.settle()

    world.sweep()

    assert len(sent(world, "budget.overrun")) == 1


@pytest.mark.parametrize(
    ("high", "by_estimate_only"), [(ROW_NANO, False), (10 * ROW_NANO, False), (None, False), (1, True)]
)
def test_one_that_does_not_is_not(world, capsys, high, by_estimate_only):
    reserved(world, high or 0, by_estimate_only=by_estimate_only)
    if high is None:
        bounds = Bounds(None, None, None)
        world.store.amend_job(key(), lambda job: msgspec.structs.replace(job, estimate=bounds))
    world.upstream.jobs[key()] = ended()
    world.put(settling.lines(row()))

    world.sweep()

    assert not said_of(capsys, "budget.overrun")
    assert world.job().closed


@pytest.mark.parametrize(
    ("action", "event", "cancelled"),
    [("nothing", None, 0), ("warn", "budget.job_running", 0), ("cancel", "budget.job_cancelled", 1)],
)
def test_a_running_job_that_does_is_treated_as_configured(world, capsys, action, event, cancelled):
    reserved(world, ROW_NANO - 1)
    world.deps = dataclasses.replace(world.deps, budget_action=action)
    world.put(settling.lines(row()), INCREMENTAL)

    world.sweep()

    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    events = [line.get("event") for line in lines]
    assert "budget.overrun" in events
    assert len(world.upstream.cancelled) == cancelled
    acted = [line for line in lines if line.get("event") in {"budget.job_running", "budget.job_cancelled"}]
    assert [line["event"] for line in acted] == ([event] if event else [])
    assert all(line["overrun"] is True and line["owners"] == [] for line in acted)
