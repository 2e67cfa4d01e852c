"""The sweep: it finds what events and answers missed, and what is wrong with one job stays with that job."""

import json
from datetime import timedelta
from urllib.parse import parse_qs

import msgspec
import pytest

from batch_gateway.adapters.memory import MemoryKeys
from batch_gateway.core.jobs import Bounds, Weighed, observe
from batch_gateway.core.keys import Budget, KeyRecord, TeamRecord
from batch_gateway.core.notifications import job_event
from batch_gateway.core.report import cost_report
from batch_gateway.ports import Reply, Submission, UpstreamResponse, UpstreamUnavailableError
from batch_gateway.settlement.deps import Deps
from batch_gateway.settlement.endpoints import KeyEndpoints
from batch_gateway.settlement.notifying import NotifyDeps
from batch_gateway.settlement.reconcile import reconcile
from batch_gateway.tracking import Tracker
from functional import test_settle as settling
from functional.test_settle import CREATED, DIRECTORY, FILE, FOLDER, NOW, PRICES, ROW_NANO, ended, key, row

PLACE = ("acme-batch", "us-central1")


class Vertex(settling.FakeUpstream):
    """The Upstream port: jobs are listed, newest first, and can be cancelled."""

    def __init__(self):
        super().__init__()
        self.listed = []
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
        start = int(given.get("pageToken", ["0"])[0])
        jobs = [
            job
            for wanted, job in self.jobs.items()
            if (wanted.project, wanted.location) == (project, location)
        ][::-1]
        page = {"batchPredictionJobs": jobs[start : start + 2]}
        return page | ({"nextPageToken": str(start + 2)} if jobs[start + 2 :] else {})

    def send(self, method, path, **_):
        if method == "POST":
            self.cancelled.append(path)
            return UpstreamResponse(200, {}, b"{}")
        job_id = path.rpartition("/")[2]
        return UpstreamResponse(200 if any(each.job_id == job_id for each in self.jobs) else 404, {}, b"{}")


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
        self.deps = Deps(
            self.store,
            self.objects,
            self.upstream,
            PRICES,
            settling.no_tables,
            self.keys,
            lambda: NotifyDeps(
                self.store, KeyEndpoints(self.keys), self.receivers, None, lambda: self.seconds, lambda: NOW
            ),
            clock=lambda: self.seconds,
        )

    def sweep(self, *, now=NOW, places=(PLACE,), seconds=45.0):
        return reconcile(places, Tracker(self.store), self.deps, now, seconds)

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


def submission(**changes):
    given = {
        "id": "s1",
        "project": "acme-batch",
        "location": "us-central1",
        "api_key": "nightly",
        "team": "ads",
        "key_id": "k1",
        "display_name": "job 1",
        "created": CREATED - timedelta(seconds=3),
    }
    return Submission(**{**given, **changes})


def test_a_job_whose_record_was_lost_goes_to_the_key_that_sent_it(world):
    world.store.begin_submission(submission())
    world.outside(settling.resource(1, labels={"team": "forged"}))
    world.outside(settling.resource(2, displayName="job 2"))

    done = world.sweep()

    assert done.adopted == 2
    assert [(world.job(n).api_key, world.job(n).team, world.job(n).key_id) for n in (1, 2)] == [
        ("nightly", "ads", "k1"),
        (None, None, None),
    ]
    assert world.store.open_submissions(10) == []


def test_a_lost_job_with_an_idempotency_key_is_found_by_its_marker_alone(world):
    world.store.begin_submission(submission(marker="m1"))
    world.outside(settling.resource(1))
    world.outside(settling.resource(2, displayName="x", labels={"gateway_submission": "m1"}))

    world.sweep()

    assert [world.job(n).api_key for n in (1, 2)] == [None, "nightly"]


def test_one_lost_create_does_not_claim_two_jobs_of_the_same_name(world):
    world.store.begin_submission(submission())
    world.outside(settling.resource(1))
    world.outside(settling.resource(2, displayName="job 1"))

    world.sweep()

    assert sorted(str(world.job(n).api_key) for n in (1, 2)) == ["None", "nightly"]


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
    assert done.problems == ["acme-batch/us-central1: the jobs of acme-batch/us-central1 cannot be listed"]
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
    for number in range(1, 9):
        world.record(ended(number, other_directory(number)))
        put_output(world, number)
    original = world.objects.read

    def slow(bucket, name, *more):
        world.seconds += 100.0 if other_directory(1).endswith(name.split("/")[1][-7:]) else 0.1
        return original(bucket, name, *more)

    monkeypatch.setattr(world.objects, "read", slow)

    sweeps = [world.sweep() for _ in range(2)]

    assert not sweeps[0].complete
    assert all(world.job(number).closed for number in range(1, 9))


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
    assert world.sweep().parked == 1

    world.outside(ended())
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

    assert world.sweep().closed == 1
    settling.assert_settled(world, 2)


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
    assert [output["uri"] for output in report["outputs"]] == [f"gs://out/{FILE}"]


def test_a_large_export_of_a_running_job_is_left_for_the_end(world, monkeypatch):
    monkeypatch.setattr("batch_gateway.settlement.reconcile._MOST_PROGRESS_BYTES", 10)
    shown = {"outputInfo": {"gcsOutputDirectory": DIRECTORY}}
    world.record(settling.resource(state="JOB_STATE_RUNNING", **shown))
    world.put(settling.lines(row()), f"{FOLDER}/incremental_predictions.jsonl")

    assert world.sweep().settled == 0


def test_a_job_that_succeeded_without_output_is_never_complete(world):
    world.record(ended())
    world.sweep(now=NOW + timedelta(days=1))

    assert world.job().closed
    assert cost_report(world.job(), [])["complete"] is False


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED", "EXPIRED"])
def test_a_job_that_ended_without_any_output_cost_nothing(world, state):
    world.record(ended(state=f"JOB_STATE_{state}", directory=None))

    assert world.sweep().closed == 1
    assert world.job().cost.amount_nano == 0


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
    settling.assert_settled(world, 1)


def test_a_job_that_may_not_be_seen_is_not_taken_for_deleted(world, monkeypatch):
    world.record(settling.resource())
    world.upstream.jobs.clear()
    monkeypatch.setattr(world.upstream, "send", lambda *_, **__: UpstreamResponse(403, {}, b"{}"))

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
    world.deps = world.deps._replace(budget_action=action)
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
    world.deps = world.deps._replace(budget_action="cancel")
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
    world.deps = world.deps._replace(budget_action=action)
    world.put(settling.lines(row()), INCREMENTAL)

    world.sweep()

    lines = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    events = [line.get("event") for line in lines]
    assert "budget.overrun" in events
    assert len(world.upstream.cancelled) == cancelled
    acted = [line for line in lines if line.get("event") in {"budget.job_running", "budget.job_cancelled"}]
    assert [line["event"] for line in acted] == ([event] if event else [])
    assert all(line["overrun"] is True and line["owners"] == [] for line in acted)
