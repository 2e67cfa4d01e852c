"""Projects and locations: which are served, and that a path cannot be bent."""

import pytest

from functional.gateway.conftest import (
    JOBS,
    NUMBER,
    PROJECT,
    World,
    job_resource,
    json_answer,
    path_of,
    reason,
)
from functional.gateway.loopback import Answer


def jobs_of(project=PROJECT, location="us-central1"):
    return f"/v1/projects/{project}/locations/{location}/batchPredictionJobs"


@pytest.mark.parametrize(
    ("project", "location"),
    [
        ("somebody-else", "us-central1"),
        (PROJECT, "us-east1"),
        (PROJECT, "us"),
        ("999999999999", "us-central1"),
        ("example.com:acme-batch", "us-central1"),
    ],
)
def test_what_is_not_configured_is_not_served(scripted, loopback, project, location):
    answer = scripted.get(jobs_of(project, location))

    assert (answer.status_code, reason(answer)) == (403, "PROJECT_NOT_ALLOWED")
    assert answer.json["error"]["status"] == "PERMISSION_DENIED"
    assert answer.json["error"]["details"][0]["metadata"] == {"project": project, "location": location}
    assert not loopback.seen


def test_a_wildcard_serves_every_location_but_only_real_ones(loopback):
    gateway = World(loopback.host, served={(PROJECT, "*"): None})

    assert gateway.get(jobs_of(location="asia-northeast1")).status_code == 200
    assert reason(gateway.get(jobs_of(location="evil.com"))) == "LOCATION_INVALID"
    assert reason(gateway.get(jobs_of("somebody-else"))) == "PROJECT_NOT_ALLOWED"


def test_a_star_in_the_path_is_no_location(loopback):
    gateway = World(loopback.host, served={(PROJECT, "*"): None})

    assert gateway.get(jobs_of(location="*")).status_code == 400
    assert not loopback.seen


LOCATIONS = [
    "evil.com",
    "us-central1.evil.com",
    "us-central1.evil.com%23",
    "us-central1.evil.com#",
    "us-central1%23",
    "us-central1@evil.com",
    "us-central1:443",
    "US-CENTRAL1",
    "us-central1\n",
    "us-central1%0a",
    "us-central1%00",
    "us-central1%20",
    "-",
    "localhost",
    "127.0.0.1",
    "us-central1١",  # noqa: RUF001 - a digit, but not one of ours
]


@pytest.mark.parametrize("location", LOCATIONS, ids=ascii)
def test_a_location_that_could_bend_the_host_is_refused(loopback, location):
    gateway = World(loopback.host, served={(PROJECT, "*"): None})
    path = jobs_of(location=location)

    answer = gateway.get(path.replace("#", "%23").replace("\n", "%0A"))

    assert answer.status_code in {400, 404}, "Flask itself knows no path with a line feed in it"
    assert not loopback.seen


@pytest.mark.parametrize(
    "project", ["Acme", "a", "acme_batch", "acme-batch-", "12345678901234567890", "1e5x", "-"]
)
def test_a_project_that_cannot_be_one_is_refused(scripted, loopback, project):
    answer = scripted.get(jobs_of(project))

    assert (answer.status_code, reason(answer)) == (400, "PROJECT_INVALID")
    assert not loopback.seen


@pytest.mark.parametrize(
    "raw",
    [
        f"{JOBS}/..%2F..%2Fother",
        f"{JOBS}/%2e%2e/x",
        f"{JOBS}/../batchPredictionJobs",
        f"{JOBS}/./4242",
        "/v1/projects/acme-batch%2Flocations/us-central1/batchPredictionJobs",
        "/v1/projects/a%2Fb/locations/us-central1/batchPredictionJobs",
        f"/v1//{JOBS[4:]}",
        f"{JOBS}//4242",
        f"{JOBS}/42%3F42",
        f"{JOBS}/42%2542",
        f"{JOBS}/42\\42",
        f"{JOBS}/42;a=b",
        f"{JOBS}/4242%0d%0aX:y",
        f"/%76{JOBS[2:]}",
        f"http://evil.com{JOBS}/..%2Fx",
    ],
)
def test_a_path_that_could_mean_two_things_is_refused(scripted, loopback, raw):
    answer = scripted.get(f"{JOBS}/4242", environ_overrides={"RAW_URI": raw, "REQUEST_URI": raw})

    assert (answer.status_code, reason(answer)) == (400, "PATH_INVALID")
    assert not loopback.seen


@pytest.mark.parametrize(
    "raw",
    [
        f"{JOBS}/a%2Fb",
        f"{JOBS}/..",
        f"{JOBS}/%2e%2e",
        f"{JOBS}//4242",
        "/v1/projects/a%2f..%2fb/locations/us/x",
    ],
)
def test_an_odd_path_reaches_nobody_whichever_way_the_server_tells_it(scripted, loopback, raw):
    answer = scripted.get(raw)

    assert answer.status_code in {400, 404}
    assert not loopback.seen


def test_an_absolute_url_as_the_request_target_is_the_path_in_it(scripted, loopback):
    """RFC 9112: a server must accept the absolute form."""
    raw = f"http://gateway.example{JOBS}/4242"

    answer = scripted.get(f"{JOBS}/4242", environ_overrides={"RAW_URI": raw, "REQUEST_URI": raw})

    assert answer.status_code == 200
    assert loopback.seen[-1].target == f"{JOBS}/4242"


@pytest.mark.parametrize("job", ["42.42", "42@1", "a:b", "~x", "x" * 129])
def test_an_id_with_marks_that_ids_do_not_have_is_refused(scripted, loopback, job):
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", ":cancel"), ("GET", "/cost")):
        answer = scripted.call(method, f"{JOBS}/{job}{rest}")
        assert (answer.status_code, reason(answer)) == (400, "ID_INVALID")
    assert not loopback.seen


def test_a_number_nobody_has_named_yet_is_not_served_and_the_error_says_how_it_is_learnt(scripted):
    answer = scripted.get(jobs_of(NUMBER))

    assert (answer.status_code, reason(answer)) == (403, "PROJECT_NOT_ALLOWED")
    assert "project's id" in answer.json["error"]["message"]


def test_a_number_is_learnt_from_a_create(world):
    job = world.created()

    assert world.get(f"/v1/{job['name']}").status_code == 200
    assert world.get(f"/v1/{job['name']}/cost").status_code == 200
    assert world.call("POST", f"/v1/{job['name']}:cancel").status_code == 200
    assert world.call("DELETE", f"/v1/{job['name']}").status_code == 200


def test_a_number_learnt_by_one_instance_is_known_to_the_next(world):
    job = world.created()
    other = world.new_client()

    assert world.get(f"/v1/{job['name']}", client=other).status_code == 200


def test_a_number_is_looked_up_once_an_instance(world):
    job = world.created()
    other = world.new_client()
    world.get(f"/v1/{job['name']}", client=other)
    world.store.calls.clear()

    world.get(f"/v1/{job['name']}", client=other)

    assert "project_of_number" not in world.store.calls


def test_a_number_is_noted_once(world):
    world.created()
    world.created()

    assert world.store.calls.count("remember_project") == 1


@pytest.mark.parametrize("rest", ["", "/4242"])
def test_a_number_is_learnt_from_a_read_too(scripted, loopback, rest):
    """The hint in PROJECT_NOT_ALLOWED says so, and clients list by id, then call back by number."""
    job = job_resource()
    loopback.answers = [json_answer(job if rest else {"batchPredictionJobs": [job]})]
    scripted.get(JOBS + rest)

    assert scripted.get(f"/v1/{job['name']}").status_code == 200


def test_a_learnt_number_serves_only_the_locations_of_its_project(world):
    world.created()

    assert reason(world.get(jobs_of(NUMBER, "us-east1"))) == "PROJECT_NOT_ALLOWED"


def test_a_number_that_is_configured_needs_no_learning(loopback):
    gateway = World(loopback.host, served={(NUMBER, "us-central1"): None})
    gateway.store.down = True

    assert gateway.get(jobs_of(NUMBER)).status_code == 200


def test_books_that_fail_to_note_a_number_do_not_fail_the_create(world):
    world.store.failing = {"remember_project"}

    job = world.created()

    assert world.record(job) is not None


def test_a_known_number_is_served_without_the_books(world):
    job = world.created()
    world.store.down = True

    assert world.get(f"/v1/{job['name']}").json["name"] == job["name"]


def test_an_unknown_number_without_the_books_is_unavailable_rather_than_denied(scripted):
    scripted.store.down = True

    answer = scripted.get(jobs_of(NUMBER))

    assert (answer.status_code, reason(answer)) == (503, "BOOKS_UNAVAILABLE")


def test_jobs_seen_by_number_and_by_id_are_one_record(world, vertex):
    job = world.created()
    vertex.step()

    world.get(f"/v1/{job['name']}")
    assert world.record(job).seen.state == "JOB_STATE_RUNNING"

    vertex.step(rows=1)
    world.get(path_of(job))
    assert world.record(job).seen.completion.completed == 1
    assert len(world.store._jobs) == 1


def test_an_answer_with_another_project_in_it_teaches_nothing_wrong(scripted, loopback):
    loopback.answers = [Answer(404, b'{"error": {"code": 404, "message": "x", "status": "NOT_FOUND"}}')]
    scripted.get(f"{JOBS}/4242")

    assert not scripted.store._projects


def test_a_path_without_a_place_takes_the_parent_that_is_named(scripted, loopback):
    loopback.answers = [json_answer({})]

    parent = f"projects/{PROJECT}/locations/us-central1"

    assert scripted.get(f"/v1/batchPredictionJobs?parent={parent}&pageSize=1").status_code == 200
    assert loopback.seen[-1].target == f"{JOBS}?pageSize=1"


@pytest.mark.parametrize("parent", ["projects/other-project/locations/us-central1", "projects/x", "nonsense"])
def test_a_parent_that_is_not_served_is_refused_even_if_there_is_only_one_place(loopback, parent):
    gateway = World(loopback.host, served={(PROJECT, "us-central1"): None})

    answer = gateway.get(f"/v1/batchPredictionJobs?parent={parent}")

    assert reason(answer) in {"PROJECT_NOT_ALLOWED", "PLACE_MISSING"}
    assert not loopback.seen
