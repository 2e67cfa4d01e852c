"""Get and list: relayed, noted, cheap, and tried again where that is safe."""

import pytest

from batch_gateway.core.jobs.record import JobKey, JobRecord, observe
from batch_gateway.ports import RecordError
from batch_gateway.tracking import Tracker
from fakes import MemoryStore
from functional.gateway.conftest import (
    JOBS,
    PROJECT,
    FlakyStore,
    World,
    job_id,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer, closed_port

FOUND = "JOB_STATE_RUNNING"


@pytest.mark.parametrize("read", ["get", "list"])
def test_a_read_brings_the_record_up_to_date(world, vertex, read):
    job = world.created()
    vertex.step()
    vertex.step(rows=3)

    answer = world.get(path_of(job) if read == "get" else JOBS)

    assert answer.status_code == 200
    seen = world.record(job).seen
    assert (seen.state, seen.completion.completed, seen.completion.total) == (FOUND, 3, 4)
    assert seen.start_time is not None

    done = vertex.finish(job["name"])
    world.get(path_of(job) if read == "get" else JOBS)
    seen = world.record(job).seen
    assert seen.state == "JOB_STATE_SUCCEEDED"
    assert seen.output_directory == done["outputInfo"]["gcsOutputDirectory"]
    assert seen.end_time is not None


@pytest.mark.parametrize("read", ["get", "list"])
def test_a_read_that_shows_nothing_new_costs_the_books_nothing(world, vertex, read):
    job = world.created()
    vertex.step()
    path = path_of(job) if read == "get" else JOBS
    world.get(path)
    writes = world.store.writes
    world.store.calls.clear()

    for _ in range(3):
        assert world.get(path).status_code == 200

    assert world.store.writes == writes
    assert world.store.calls == []


def test_another_instance_reads_the_books_but_writes_nothing(world, vertex):
    job = world.created()
    vertex.step()
    world.get(path_of(job))
    writes = world.store.writes

    world.get(path_of(job), client=world.new_client())

    assert world.store.writes == writes


@pytest.mark.parametrize("rest", ["", "/4242"])
def test_jobs_that_are_not_on_record_pass_and_stay_off_it(scripted, loopback, rest):
    job = job_resource()
    loopback.answers = [json_answer(job if rest else {"batchPredictionJobs": [job]})]

    assert scripted.get(JOBS + rest).status_code == 200
    assert scripted.record(job) is None


@pytest.mark.parametrize("rest", ["", "/4242"])
def test_books_that_are_down_do_not_stop_reads(scripted, loopback, rest):
    job = job_resource()
    loopback.answers = [json_answer(job if rest else {"batchPredictionJobs": [job]})]
    scripted.store.down = True

    answer = scripted.get(JOBS + rest)

    assert (answer.status_code, answer.data) == (200, loopback.answers[0].body)


class Refusing(FlakyStore):
    """Does not take note of the job 2."""

    def observe(self, seen):
        if any(key.job_id == "2" for key in seen):
            raise RecordError("told to refuse")
        return super().observe(seen)


@pytest.fixture
def refusing(loopback):
    world = World(loopback.host, store=Refusing())
    jobs = [numbered(number, state="JOB_STATE_PENDING") for number in (1, 2, 3)]
    for job in jobs:
        seen = observe(job)
        world.store.add_job(JobRecord(JobKey(PROJECT, "us-central1", job_id(job)), seen, seen.create_time))
    return world


def numbered(number, **changes):
    name = job_resource()["name"].replace("4242", str(number))
    return job_resource(name=name, **{"state": FOUND, **changes})


def test_a_job_that_the_books_do_not_take_is_passed_through(refusing, loopback, capsys):
    loopback.answers = [json_answer(numbered(2))]

    answer = refusing.get(f"{JOBS}/2")

    assert (answer.status_code, answer.json) == (200, numbered(2))
    assert refusing.record(numbered(2)).seen.state == "JOB_STATE_PENDING"
    assert '"message":"job not tracked"' in capsys.readouterr().out


def test_and_the_others_of_its_page_are_noted(refusing, loopback):
    page = {"batchPredictionJobs": [numbered(number) for number in (1, 2, 3)]}
    loopback.answers = [json_answer(page)]

    answer = refusing.get(JOBS)

    assert (answer.status_code, answer.json) == (200, page)
    states = [refusing.record(numbered(number)).seen.state for number in (1, 2, 3)]
    assert states == [FOUND, "JOB_STATE_PENDING", FOUND]


def test_and_it_can_be_deleted_and_its_cost_be_asked_for(refusing, loopback):
    loopback.answers = [json_answer(numbered(2))]
    assert refusing.get(f"{JOBS}/2/cost").json["state"] == "JOB_STATE_PENDING"
    assert refusing.call("DELETE", f"{JOBS}/2").status_code == 200
    assert loopback.seen[-1].method == "DELETE"


@pytest.mark.parametrize("jobs", [5, "x", {"a": 1}, None, [5, None, "x", []]], ids=str)
def test_a_list_that_holds_no_jobs_is_passed_through(scripted, loopback, jobs):
    loopback.answers = [json_answer({"batchPredictionJobs": jobs})]

    answer = scripted.get(JOBS)

    assert (answer.status_code, answer.json) == (200, {"batchPredictionJobs": jobs})


def test_what_was_missed_while_the_books_were_down_is_noted_by_the_next_read(world, vertex):
    job = world.created()
    vertex.step()
    world.store.down = True
    world.get(path_of(job))
    world.store.down = False

    world.get(path_of(job))

    assert world.record(job).seen.state == FOUND


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b"null", b'{"batchPredictionJobs": "x"}', b'{"batchPredictionJobs": [1, null, {}]}'],
)
def test_odd_pages_pass(scripted, loopback, body):
    loopback.answers = [Answer(body=body)]

    answer = scripted.get(JOBS)

    assert (answer.status_code, answer.data) == (200, body)


def test_pages_pass_with_their_tokens(world):
    for _ in range(3):
        world.created()

    first = world.get(f"{JOBS}?pageSize=2").json
    second = world.get(f"{JOBS}?pageSize=2&pageToken={first['nextPageToken']}").json

    names = [job["name"] for page in (first, second) for job in page["batchPredictionJobs"]]
    assert len(set(names)) == 3


def test_an_ended_job_does_not_come_back_to_life(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    scripted.created()
    ended = job_resource(state="JOB_STATE_SUCCEEDED", updateTime="2026-11-22T10:05:00Z")
    late = job_resource(state=FOUND, updateTime="2026-11-22T10:03:00Z")

    for shown in (ended, late):
        loopback.answers = [json_answer(shown)]
        assert scripted.get(f"{JOBS}/4242").json == shown

    assert scripted.record(job_resource()).seen.state == "JOB_STATE_SUCCEEDED"


def test_looks_that_come_out_of_order_keep_the_newest(scripted, loopback):
    loopback.answers = [json_answer(job_resource())]
    scripted.created()
    shown = [
        job_resource(state=FOUND, updateTime=f"2026-11-22T10:0{minute}:00Z",
                     completionStats={"successfulCount": str(minute)})
        for minute in (3, 1, 2)
    ]  # fmt: skip

    for job in shown:
        loopback.answers = [json_answer(job)]
        scripted.get(f"{JOBS}/4242")

    assert scripted.record(job_resource()).seen.completion.completed == 3


def test_a_job_seen_before_it_was_recorded_is_brought_up_to_date_by_the_next_look():
    """Another thread's list may show a job that is just being created."""
    store, key = MemoryStore(), JobKey(PROJECT, "us-central1", "4242")
    created = observe(job_resource())
    ended = job_resource(state="JOB_STATE_FAILED", updateTime="2026-11-22T10:01:00Z")
    tracker = Tracker(store)
    tracker.observe(PROJECT, [ended])
    store.add_job(JobRecord(key, created, created.create_time))

    tracker.observe(PROJECT, [ended])

    assert store.get_job(key).seen.state == "JOB_STATE_FAILED"


RETRIED = [429, 502, 503, 504]
READS = ["", "/4242"]


def failing(status, **headers):
    shown = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return json_answer({"error": {"code": status, "message": "x", "status": "X"}}, status, headers=shown)


@pytest.mark.parametrize("rest", READS)
@pytest.mark.parametrize("status", RETRIED)
def test_a_read_is_tried_again(scripted, loopback, pauses, status, rest):
    loopback.answers = [failing(status), failing(status), json_answer({})]

    assert scripted.get(JOBS + rest).status_code == 200
    assert len(loopback.seen) == 3
    assert 0.4 <= pauses[0] <= 0.6
    assert 0.8 <= pauses[1] <= 1.2


@pytest.mark.parametrize("status", RETRIED)
def test_a_read_is_given_up_at_last_and_the_error_passed_on(scripted, loopback, pauses, status):
    loopback.answers = [failing(status, Retry_After="1")]

    answer = scripted.get(f"{JOBS}/4242")

    assert (answer.status_code, answer.data) == (status, loopback.answers[0].body)
    assert answer.headers["Retry-After"] == "1"
    assert (len(loopback.seen), len(pauses)) == (3, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500, 501])
def test_other_errors_are_not_tried_again(scripted, loopback, pauses, status):
    loopback.answers = [failing(status)]

    assert scripted.get(f"{JOBS}/4242").status_code == status
    assert len(loopback.seen) == 1
    assert not pauses


def test_retry_after_is_honoured(scripted, loopback, pauses):
    loopback.answers = [failing(429, Retry_After="3"), json_answer({})]

    assert scripted.get(f"{JOBS}/4242").status_code == 200
    assert 3 * 0.8 <= pauses[0] <= 3 * 1.2


def test_a_pause_is_never_shorter_than_retry_after(scripted, loopback, pauses):
    loopback.answers = [failing(429, Retry_After="3"), json_answer({})] * 20

    for _ in range(20):
        scripted.get(f"{JOBS}/4242")

    assert min(pauses) >= 3


@pytest.mark.parametrize("value", ["30", "5"])
def test_a_long_retry_after_is_left_to_the_caller(scripted, loopback, pauses, value):
    loopback.answers = [failing(429, Retry_After=value)]

    answer = scripted.get(f"{JOBS}/4242")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, value)
    assert len(loopback.seen) == 1
    assert not pauses


def test_a_retry_after_that_is_a_date_is_passed_on(scripted, loopback, pauses):
    loopback.answers = [failing(503, Retry_After="Sun, 22 Nov 2026 10:00:00 GMT")]

    answer = scripted.get(f"{JOBS}/4242")

    assert answer.headers["Retry-After"] == "Sun, 22 Nov 2026 10:00:00 GMT"
    assert len(pauses) == 2


@pytest.mark.parametrize("fault", [{"drop": True}, {"drop_after_processing": True}])
def test_a_read_whose_connection_breaks_is_tried_again(world, vertex, pauses, fault):
    vertex.faults.add(method="GET", times=2, **fault)

    assert world.get(JOBS).status_code == 200
    assert len(pauses) == 2


def test_a_read_that_gets_no_answer_is_unavailable(world, vertex, pauses):
    vertex.faults.add(method="GET", times=None, drop=True)

    answer = world.get(JOBS)

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert (len(vertex.requests.all()), len(pauses)) == (3, 2)


def test_a_read_with_nobody_there_is_unavailable(pauses):
    answer = World(f"127.0.0.1:{closed_port()}").get(JOBS)

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert len(pauses) == 2


def test_an_answer_that_breaks_off_is_no_answer(scripted, loopback, pauses):
    loopback.answers = [Answer(body=b"{}", headers=(("Content-Encoding", "gzip"),))]

    answer = scripted.get(JOBS)

    assert (answer.status_code, reason(answer)) == (503, "UPSTREAM_UNAVAILABLE")
    assert pauses


def test_a_head_is_refused_since_its_answer_would_show_nothing_of_whose_a_job_is(scripted, loopback):
    answer = scripted.call("HEAD", f"{JOBS}/4242")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert not loopback.seen
