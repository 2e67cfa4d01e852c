"""Every hostile input is answered, within its budget of CPU time and memory, and the gateway works on."""

import json
from functools import cache
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from functional.hostile import inputs
from functional.hostile.conftest import limited
from functional.security.conftest import JOBS
from functional.security.test_bodies import GOOD
from thorough import taking_turns

ESTIMATE = f"{JOBS}:estimateCost"
WHO = ["master", "scoped"]


@pytest.fixture(autouse=True)
def works_on(gateway):
    """After each input, the gateway still answers, and nothing went wrong that nobody expected."""
    log = Path(gateway.process.log)
    before = log.stat().st_size
    yield
    gateway.upstream.reset()
    assert gateway.request("GET", "/health").status == 200
    assert gateway.request("GET", f"{JOBS}/1", key=gateway.scoped).status in {200, 403}
    with log.open(errors="replace") as lines_since:
        lines_since.seek(before)
        assert "unexpected error" not in lines_since.read()


def check(gateway, given, method, path, *, body=b"", key=None, statuses=None):
    with limited(gateway.process, cpu=given.cpu, memory=given.memory):
        reply = gateway.request(method, path, body=body, key=key)
    assert reply.status in (statuses or given.statuses), reply.text[:500]
    return reply


@pytest.mark.parametrize(("name", "way"), taking_turns(inputs.BODIES, list(product(WHO, [JOBS, ESTIMATE]))))
def test_a_body_of_a_job(gateway, name, way):
    given, (who, path) = inputs.BODIES[name], way
    check(gateway, given, "POST", path, body=given.make(), key=getattr(gateway, who))


@pytest.mark.parametrize(("name", "path"), taking_turns(inputs.BODIES, ["/key/generate", f"{JOBS}/1:cancel"]))
def test_a_body_of_another_call(gateway, name, path):
    given = inputs.BODIES[name]
    statuses = (200, 400, 413) if path.endswith(":cancel") else (400, 413)
    if name == "spaces" and "cancel" not in path:
        statuses = (200, 400)
    check(gateway, given, "POST", path, body=given.make(), statuses=statuses)


@pytest.mark.parametrize(("name", "who"), taking_turns(inputs.PATTERNS, WHO))
def test_a_pattern(gateway, name, who):
    gateway.storage.objects = dict.fromkeys(inputs.NAMES, b"{}\n")
    body = inputs.create(inputs.PATTERNS[name])
    check(gateway, inputs.Input(None), "POST", ESTIMATE, body=body, key=getattr(gateway, who))


@pytest.mark.parametrize(
    ("pattern", "begin"),
    taking_turns(
        ["gs://granted/*", "gs://granted/" + "*a" * 400, "gs://granted/[b-z]*"], ["", "a" * 900, "é" * 400]
    ),
)
def test_a_listing_without_an_end(gateway, pattern, begin):
    gateway.storage.endless = begin
    reply = check(gateway, inputs.Input(None, cpu=100), "POST", ESTIMATE, body=inputs.create(pattern))
    assert (
        "the input has more than" in reply.text or "names begin" in reply.text or "within 15 s" in reply.text
    )


def test_many_names_of_which_none_is_there(gateway):
    body = inputs.create(*[f"gs://granted/{number}" for number in range(39_000)])
    assert "there is no object" in check(gateway, inputs.Input(None), "POST", ESTIMATE, body=body).text


@pytest.mark.parametrize("name", inputs.ROWS)
def test_an_object_of_an_input(gateway, name):
    given = inputs.ROWS[name]
    gateway.storage.objects = {"x.jsonl": given.make()}
    check(gateway, given, "POST", ESTIMATE, body=inputs.create("gs://granted/x.jsonl"), key=gateway.scoped)


@pytest.mark.parametrize(("name", "who"), taking_turns(inputs.FILTERS, WHO))
def test_a_filter(gateway, name, who):
    target = f"{JOBS}?filter={quote(inputs.FILTERS[name], safe='(')}"
    check(gateway, inputs.Input(None), "GET", target, key=getattr(gateway, who))


@pytest.mark.parametrize(("name", "who"), taking_turns(inputs.QUERIES, WHO))
def test_a_query(gateway, name, who):
    check(
        gateway,
        inputs.Input(None, cpu=30),
        "GET",
        inputs.QUERIES[name].encode("latin-1"),
        key=getattr(gateway, who),
        statuses=(200, 400, 403, 404),
    )


@cache
def made(name):
    return inputs.ANSWERS[name].make()


@pytest.mark.parametrize(("name", "asked"), taking_turns(inputs.ANSWERS, inputs.ASKED, each=3))
def test_an_answer_of_vertex_ai(gateway, name, asked):
    given, answer, (who, ask) = inputs.ANSWERS[name], made(name), asked
    gateway.upstream.respond = lambda _: answer
    method, path = inputs.ASKS[ask]
    body = GOOD if ask == "create" else b""
    statuses = (*given.statuses, 200, 403, 404)
    check(gateway, given, method, path, body=body, key=getattr(gateway, who), statuses=statuses)


@pytest.mark.parametrize("name", inputs.ADMIN)
def test_a_value_of_the_administrators(gateway, name):
    path, body = inputs.ADMIN[name]
    check(
        gateway,
        inputs.Input(None),
        "POST",
        path,
        body=json.dumps(body).encode(),
        statuses=(400, 404),
    )
    assert gateway.request("GET", "/key/list").status == 200
