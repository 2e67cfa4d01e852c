"""A gateway in memory that speaks the contract of inputs, creates, costs, results and resumes."""

import json
import re
import threading
from decimal import Decimal
from functools import partial

from functional.gateway.conftest import json_answer
from functional.gateway.loopback import Answer, Loopback

PARENT = "/v1/projects/acme/locations/global"
PREFIX = "gs://batch-in/search"
NAME = "projects/1234/locations/global/batchPredictionJobs/{}"
PRICE = Decimal("0.0001")
"""Of each row."""
_INPUT = re.compile(rf"{re.escape(PREFIX)}/[0-9]{{8}}-[0-9]{{6}}-[0-9a-f]{{6}}/[A-Za-z0-9._-]+\.jsonl")


def refusal(code, status, reason, message="No."):
    info = {"reason": reason, "domain": "batch-gateway", "metadata": {}}
    error = {"code": code, "message": message, "status": status, "details": [info]}
    return json_answer({"error": error}, code)


class ContractGateway:
    """Jobs go one row further with each look at their cost; rows whose text has "bad" fail.

    Attributes:
        objects: Content of the input files by URI.
        jobs: The jobs by id.
        estimate: What differs from the usual estimate.
        before: Called with each request; an answer that it returns is sent instead.
    """

    def __init__(self):
        self.objects, self.jobs, self.estimate = {}, {}, {}
        self.before = lambda _: None
        self._sessions, self._created = {}, {}
        self._lock = threading.Lock()
        self._server = Loopback()
        self._server.respond = self._respond

    def __enter__(self):
        self._server.__enter__()
        return self

    def __exit__(self, *_):
        self._server.__exit__()

    @property
    def url(self):
        return self._server.url

    def asked(self, method, part=""):
        return [seen for seen in self._server.seen if seen.method == method and part in seen.target]

    def _respond(self, seen):
        with self._lock:
            return self.before(seen) or self._answer(seen)

    def _answer(self, seen):
        path, _, query = seen.target.partition("?")
        if seen.method == "PUT" and path.startswith("/session/"):
            return self._upload(path, seen)
        if (seen.method, path) == ("POST", "/v1/inputs"):
            return self._open(json.loads(seen.body)["name"])
        if (seen.method, path) == ("POST", f"{PARENT}/batchPredictionJobs:estimateCost"):
            body = json.loads(seen.body)
            # What can be refused is refused before there is an input.
            (uri,) = body["inputConfig"]["gcsSource"]["uris"] if "inputConfig" in body else (None,)
            return self._estimated(body["model"], len(self.objects.get(uri, b"").splitlines()))
        if (seen.method, path) == ("POST", f"{PARENT}/batchPredictionJobs"):
            return self._once(seen, lambda: json_answer(self.create(json.loads(seen.body))))
        if (seen.method, path) == ("GET", "/v1/jobs"):
            found = [
                {"id": id_, "project": "acme", "location": "global", "name": NAME.format(id_)}
                for id_ in self.jobs
            ]
            return json_answer({"data": found, "next_page": None})
        id_, _, verb = path.rpartition("/batchPredictionJobs/")[2].replace(":", "/").partition("/")
        answer = partial(self._of_job, self.jobs[id_], verb, query)
        return self._once(seen, answer) if verb == "resume" and not query else answer()

    def _once(self, seen, create):
        key = seen.header("Idempotency-Key")
        if key not in self._created:
            self._created[key] = (seen.target, seen.body, create())
        target, body, answer = self._created[key]
        assert (target, body) == (seen.target, seen.body)
        return answer

    def _open(self, name):
        uri = f"{PREFIX}/{name}"
        assert _INPUT.fullmatch(uri), uri
        session = f"/session/{len(self._sessions)}"
        self._sessions[session] = (uri, bytearray())
        place = {"uri": uri, "uploadUrl": self.url + session, "expiresAt": "2026-12-05T00:00:00Z"}
        return json_answer({**place, "outputUriPrefix": "gs://batch-out/teams/search"})

    def _upload(self, path, seen):
        """As Cloud Storage does; what a broken connection had brought is put in by ``store``."""
        assert seen.header("Authorization") is None
        uri, content = self._sessions[path]
        span, _, size = seen.header("Content-Range").removeprefix("bytes ").partition("/")
        if span != "*":
            first, _, last = span.partition("-")
            assert int(first) == len(content)
            assert int(last) + 1 - int(first) == len(seen.body)
            content += seen.body
        if len(content) < int(size):
            headers = (("Range", f"bytes=0-{len(content) - 1}"),) if content else ()
            return Answer(308, b"", headers=headers)
        self.objects[uri] = bytes(content)
        return Answer(200)

    def store(self, path, part):
        """Let a part of an upload arrive."""
        self._sessions[path][1].extend(part)

    def _estimated(self, model, rows):
        cost = PRICE * rows
        tokens = {"low": 1, "expected": 2, "high": 3}
        return json_answer(
            {
                "currency": "USD",
                "low": str(cost),
                "expected": str(2 * cost),
                "high": str(3 * cost),
                "model": model,
                "inputTokens": tokens,
                "outputTokens": tokens,
                "assumptions": [],
                "rows": {"total": rows, "invalid": 0, "fatal": 0, "sampled": rows, "exact": True},
                "warnings": [],
                "invalidRows": [],
                "priceTable": "2026-11-28",
                "expectedTime": {
                    "queueSeconds": {"p50": 60.0, "p90": 120.0},
                    "runSeconds": {"p50": 600.0, "p90": 3600.0},
                    "jobs": 12,
                    "days": 7,
                },
                **self.estimate,
            }
        )

    def create(self, body, rows=None):
        id_ = str(4242 + len(self.jobs))
        if rows is None:
            (uri,) = body["inputConfig"]["gcsSource"]["uris"]
            rows = [json.loads(line) for line in self.objects[uri].splitlines()]
        job = {
            **body,
            "name": NAME.format(id_),
            "state": "JOB_STATE_PENDING",
            "createTime": "2026-11-28T12:00:00Z",
        }
        self.jobs[id_] = {"job": job, "rows": rows, "done": 0}
        return job

    def _of_job(self, record, verb, query):
        job, rows = record["job"], record["rows"]
        if verb == "":
            return json_answer(job)
        if verb == "cost":
            return json_answer(self._cost(record))
        if verb == "results":
            if job["state"] == "JOB_STATE_FAILED":
                return refusal(400, "FAILED_PRECONDITION", "OUTPUT_NOT_THERE", "There is no output.")
            return Answer(200, results(rows, query), "application/jsonl")
        assert verb == "resume"
        return self._resumed(job, rows, query)

    def _resumed(self, job, rows, query):
        left = [row for row in rows if failed(row)]
        if job.get("resumed"):
            return refusal(400, "FAILED_PRECONDITION", "JOB_ALREADY_RESUMED", "It was resumed.")
        if job["state"] not in {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"} or not left:
            return refusal(400, "FAILED_PRECONDITION", "NOTHING_TO_RESUME", "Nothing is left to do.")
        if query == "validateOnly=true":
            return self._estimated(job["model"], len(left))
        job["resumed"] = True
        body = {name: value for name, value in job.items() if name not in {"name", "state", "resumed"}}
        return json_answer(self.create(body, [{**row, "request": "good now"} for row in left]))

    def _cost(self, record):
        job, rows = record["job"], record["rows"]
        if job["state"] in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}:
            record["done"] = min(record["done"] + 1, len(rows))
            job["state"] = "JOB_STATE_SUCCEEDED" if record["done"] == len(rows) else "JOB_STATE_RUNNING"
        ended = job["state"] not in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}
        good = sum(not failed(row) for row in rows)
        counts = dict.fromkeys(("malformed", "unrecognized", "unpriced", "carriedOver"), 0)
        return {
            "name": job["name"],
            "state": job["state"],
            "status": "FINAL" if ended else "PENDING",
            "currency": "USD",
            "amount": str(PRICE * good) if ended else "0",
            "complete": ended,
            "model": job["model"],
            "projected": None if ended else str(PRICE * len(rows)),
            "estimate": None,
            "rows": {"succeeded": good, "failed": len(rows) - good, **counts},
            "progress": {"completed": record["done"], "total": len(rows)},
            "lineItems": [],
        }


def failed(row):
    return "bad" in json.dumps(row)


def results(rows, query):
    """The lines of an output."""
    wanted = re.findall(r"state=(\w+)", query)
    kept = [
        (number, row)
        for number, row in enumerate(rows, 1)
        if not wanted or ("failed" if failed(row) else "succeeded") in wanted
    ]
    if "view=usage" in query:
        lines = [
            {
                "row": number,
                "key": row.get("key"),
                "state": "failed" if failed(row) else "succeeded",
                "reason": "INVALID_ARGUMENT: bad words" if failed(row) else None,
                "model": "m",
                "usage": None,
                "amount": "0" if failed(row) else str(PRICE),
            }
            for number, row in kept
        ]
    else:
        lines = [{**row, "status": "Bad" if failed(row) else "", "response": {}} for _, row in kept]
    limit = re.search(r"limit=(\d+)", query)
    lines = lines[: int(limit[1])] if limit else lines
    return "".join(f"{json.dumps(line)}\n" for line in lines).encode()
