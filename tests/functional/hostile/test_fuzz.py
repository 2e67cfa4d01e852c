"""Whatever is sent: an answer of the contract comes, in bounded memory, and the books equal a recount.

On a push the same inputs come each time. ``FUZZ_EXAMPLES=3000`` in the environment asks for so many others
of each kind.
"""

import itertools
import json
import os
from decimal import Decimal
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud_event import Event
from functional.gateway.loopback import Answer
from functional.hostile import fuzzing, inputs
from functional.hostile.conftest import limited
from functional.security.conftest import JOBS
from functional.security.test_bodies import GOOD
from functions_process import function_process
from integration import recounting
from processes import HOST, free_ports

LONGER = int(os.environ.get("FUZZ_EXAMPLES", "0"))
ESTIMATE = f"{JOBS}:estimateCost"
DIRECTORY = "run/prediction-model-2026-11-22T10:00:00.{:06}Z"
CREATED = "2026-11-22T10:00:00Z"
DAY = "start_time=2026-11-22T00:00:00Z&end_time=2026-11-23T00:00:00Z"
PATIENCE_SECONDS = 30
"""A hang is found, not slowness."""


def fuzzed(examples, **strategies):
    """Calls a function with so many inputs."""

    def decorate(check):
        test = settings(
            max_examples=LONGER or examples,
            derandomize=not LONGER,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )(given(**strategies)(check))
        test()

    return decorate


@pytest.fixture
def bounded(gateway):
    """The gateway, held to 300 MiB and to minutes of CPU time; afterwards it works on."""
    with limited(gateway.process, cpu=300 + LONGER, memory=300):
        yield gateway
    gateway.upstream.reset()
    assert gateway.request("GET", "/health").status == 200
    assert gateway.request("GET", f"{JOBS}/1", key=gateway.scoped).status in {200, 403}


def answered(gateway, method, target, *, body=b"", key=None, relayed=b""):
    """Return the answer to a request, which has to be of the contract, but for Vertex AI's errors."""
    log = Path(gateway.process.log)
    before = log.stat().st_size
    reply = gateway.request(method, target, body=body, key=key)
    assert reply.status, f"no answer within {PATIENCE_SECONDS} s"
    head, _, text = reply.text.partition("\r\n\r\n")
    if reply.status >= 400 and not (relayed and text.encode("latin-1") == relayed):
        assert "application/json" in head, reply.text[:500]
        error = json.loads(text.encode("latin-1"))["error"]
        assert {"code", "message", "status", "details"} <= error.keys()
        assert error["code"] == reply.status
    assert 200 <= reply.status < 600
    with log.open(errors="replace") as lines_since:
        lines_since.seek(before)
        assert "unexpected error" not in lines_since.read()
    return reply, text


@pytest.mark.parametrize("path", [JOBS, ESTIMATE], ids=["create", "estimate"])
def test_a_body_of_a_job(bounded, path):
    bounded.storage.objects = dict.fromkeys(inputs.NAMES, inputs.row())

    @fuzzed(25, body=fuzzing.BODIES, who=st.sampled_from(["master", "scoped"]))
    def check(body, who):
        reply, _ = answered(bounded, "POST", path, body=body, key=getattr(bounded, who))
        assert reply.status in {200, 400, 403}


def test_an_input(bounded):
    @fuzzed(25, content=fuzzing.INPUTS, who=st.sampled_from(["master", "scoped"]))
    def check(content, who):
        bounded.storage.objects = {"x.jsonl": content}
        body = inputs.create("gs://granted/x.jsonl")
        reply, _ = answered(bounded, "POST", ESTIMATE, body=body, key=getattr(bounded, who))
        assert reply.status in {200, 400}


def test_a_query(bounded):
    @fuzzed(75, target=fuzzing.targets(), who=st.sampled_from(["master", "scoped"]))
    def check(target, who):
        reply, _ = answered(bounded, "GET", target, key=getattr(bounded, who))
        assert reply.status in {200, 400, 403, 404}


def test_uris_with_wildcards(bounded):
    bounded.storage.objects = dict.fromkeys([*inputs.NAMES, "rows.jsonl", "mine/rows.jsonl"], inputs.row())

    @fuzzed(25, uris=st.lists(fuzzing.URIS, max_size=3), who=st.sampled_from(["master", "scoped"]))
    def check(uris, who):
        body = inputs.create(*uris)
        reply, _ = answered(bounded, "POST", ESTIMATE, body=body, key=getattr(bounded, who))
        assert reply.status in {200, 400, 403}


def test_an_answer_of_vertex_ai(bounded):
    @fuzzed(50, answer=fuzzing.ANSWERS, asked=st.sampled_from(inputs.ASKED))
    def check(answer, asked):
        who, ask = asked
        bounded.upstream.respond = lambda _: answer
        method, path = inputs.ASKS[ask]
        body, key = GOOD if ask == "create" else b"", getattr(bounded, who)
        answered(bounded, method, path, body=body, key=key, relayed=answer.body)


@pytest.fixture(scope="module")
def settling(running, tmp_path_factory):
    """The settle function beside the gateway, on its Firestore and storage."""
    (port,) = free_ports(1)
    logs = tmp_path_factory.mktemp("settle")
    process = function_process("settle", "cloudevent", port, env=running.environment, logs=logs)
    process.start()
    process.wait_ready()
    process.url = f"http://{HOST}:{port}/"
    # It listens before its worker is there, which limits have to hold. Any answer comes from that one.
    with requests.Session() as session:
        session.trust_env = False
        session.get(process.url, timeout=PATIENCE_SECONDS)
    yield process
    process.stop()


class Books:
    """Jobs with an output each: what is in the books of them, and what an independent count makes of it."""

    numbers = itertools.count(100_000)
    nano = 0

    def __init__(self, gateway, settling):
        self.gateway, self.settling = gateway, settling
        self.jobs = {}
        gateway.upstream.respond = self._vertex

    def _vertex(self, seen):
        name = next(reversed(self.jobs)) if seen.method == "POST" else seen.target.rpartition("/")[2]
        job = self.jobs.get(name)
        return Answer(200 if job else 404, json.dumps(job or {}).encode())

    def settled(self, content):
        """A new job's cost after its output was written."""
        number = next(Books.numbers)
        directory = DIRECTORY.format(number)
        self.jobs[str(number)] = {
            **json.loads(GOOD),
            "name": f"projects/1234/locations/us-central1/batchPredictionJobs/{number}",
            "model": inputs.MODEL_NAME,
            "state": "JOB_STATE_SUCCEEDED",
            **dict.fromkeys(("createTime", "startTime", "updateTime", "endTime"), CREATED),
            "outputInfo": {"gcsOutputDirectory": f"gs://granted/{directory}"},
        }
        assert answered(self.gateway, "POST", JOBS, body=GOOD)[0].status == 200
        name = f"{directory}/predictions.jsonl"
        self.gateway.storage.objects[name] = content
        written = {"bucket": "granted", "name": name, "updated": CREATED, "timeCreated": CREATED}
        event = Event(str(number), written)
        with requests.Session() as session:
            session.trust_env = False
            for _ in range(2):  # an event that comes twice counts once
                done = session.post(
                    self.settling.url, json=written, headers=event.headers(), timeout=PATIENCE_SECONDS
                )
                assert done.ok, done.text
        _, text = answered(self.gateway, "GET", f"{JOBS}/{number}/cost")
        return json.loads(text)

    def total(self, query):
        """Return the day's figures in the spend report."""
        _, text = answered(self.gateway, "GET", f"/v1/costs?{DAY}&{query}")
        return sum(
            Decimal(result["amount"]["value"])
            for bucket in json.loads(text)["data"]
            for result in bucket["results"]
        )


def lines(content):
    return sum(1 for line in content.split(b"\n") if line.strip())


@pytest.fixture
def books(bounded, settling):
    books = Books(bounded, settling)
    before = books.total("")
    with limited(settling, cpu=300 + LONGER, memory=300):
        yield books
    for query in ("", "group_by=model", "group_by=team"):
        assert books.total(query) - before == books.nano * recounting.NANO, "what the jobs cost together"


def add_up(books, cost):
    books.nano += int(Decimal(cost["amount"]) / recounting.NANO)


def test_outputs_whose_cost_is_known(books):
    @fuzzed(12, content=fuzzing.OUTPUTS)
    def check(content):
        cost = books.settled(content)
        add_up(books, cost)
        expected = recounting.expected(content)
        assert Decimal(cost["amount"]) == expected.amount
        rows = {name: cost["rows"][name] for name in ("succeeded", "failed", "malformed")}
        assert rows == {name: expected.rows[name] for name in rows}
        assert sum(cost["rows"][name] for name in (*rows, "unrecognized", "carriedOver")) == lines(content)


def test_outputs_with_rows_of_any_kind(books):
    @fuzzed(12, content=fuzzing.ODD_OUTPUTS)
    def check(content):
        cost = books.settled(content)
        add_up(books, cost)
        counted = cost["rows"]
        names = ("succeeded", "failed", "malformed", "unrecognized", "carriedOver")
        assert sum(counted[name] for name in names) == lines(content)
        assert Decimal(cost["amount"]) >= 0
        unknown = counted["malformed"] + counted["unrecognized"] + counted["unpriced"]
        assert not (unknown and cost["complete"]), "a floor is no cost"
