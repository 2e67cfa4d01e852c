"""Do what every test of the running system does: submit a job, wait for its cost, look into the books."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal

import requests
from google.cloud.firestore import FieldFilter

from builders import input_files, output_folder
from integration.recounting import NANO, expected
from patience import PATIENCE
from processes import wait_until
from stack import OUTPUT_BUCKET, PROJECT

REGION = "us-central1"
ENDED = {
    f"JOB_STATE_{each}" for each in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
}


def jobs_path(location=REGION, version="v1"):
    return f"/{version}/projects/{PROJECT}/locations/{location}/batchPredictionJobs"


def answer(prompt_tokens=100, output_tokens=10, **more):
    """An output row as Vertex writes it."""
    usage = {"promptTokenCount": prompt_tokens, "candidatesTokenCount": output_tokens}
    response = {"candidates": [{}], "modelVersion": "gemini-2.5-flash", "usageMetadata": usage}
    return {"status": "", "request": {}, "response": response, **more}


def jsonl(*rows):
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def nano(decimal_string):
    return int(Decimal(decimal_string) / NANO)


@dataclass(frozen=True)
class Job:
    """A submitted job. No other has the same label, so its totals can be told from other jobs'."""

    name: str
    model: str
    location: str
    prefix: str
    label: str

    @property
    def id(self):
        return self.name.rpartition("/")[2]

    @property
    def path(self):
        return f"{jobs_path(self.location)}/{self.id}"


class Harness:
    """A running stack and the interceptor in front of its Vertex emulator, or None."""

    def __init__(self, stack, upstream=None):
        self.stack = stack
        self.upstream = upstream
        self.firestore = stack.firestore_client()
        self._vertex = requests.Session()
        self._vertex.trust_env = False

    def post(self, rows, *, model="gemini-2.5-flash", location=REGION, prefix=None, label=None, **options):
        """Sends a create and returns prefix, label and the answer.

        Options: `more_uris` beside the one of the rows; `parent`, another than by the project's id.
        """
        label = label or f"t{secrets.token_hex(6)}"
        prefix = prefix or f"gs://{OUTPUT_BUCKET}/{label}"
        uri = self.stack.upload_rows(f"{label}.jsonl", rows)
        body = {
            "displayName": label,
            "model": model,
            "labels": {"test": label},
            "inputConfig": input_files(uri, *options.get("more_uris", ())),
            "outputConfig": output_folder(prefix),
        }
        parent = options.get("parent") or jobs_path(location).rpartition("/")[0]
        return prefix, label, self.stack.request("POST", f"{parent}/batchPredictionJobs", json=body)

    def submit(self, rows, *, model="gemini-2.5-flash", location=REGION, **options):
        """Submits a job that has to be accepted; the options are those of `post`."""
        prefix, label, created = self.post(rows, model=model, location=location, **options)
        assert created.status_code == 200, created.text
        return Job(created.json()["name"], model, location, prefix, label)

    def unfinished(self):
        """While entered, Vertex shows every job as running, without an output directory."""

        def change(job):
            shown = {name: job[name] for name in job if name not in {"outputInfo", "endTime", "error"}}
            return shown | ({"state": "JOB_STATE_RUNNING"} if "state" in job else {})

        return self.upstream.altered("GET", r"/batchPredictionJobs/\d+", change)

    def cost(self, job):
        return self.stack.get(f"{job.path}/cost")

    def final(self, job):
        return self.cost_when(job, lambda cost: cost["status"] == "FINAL", "be FINAL")

    def cost_when(self, job, is_true, what):
        """Waits until a job's cost is as wanted, and returns it."""

        relay, seen = self.stack.relay, 0
        folder = job.prefix.removeprefix("gs://").partition("/")[2].removesuffix("/")
        prefix = f"{folder}/" if folder else ""

        def asked():
            # Most costs change when an event of the job's output is delivered, and only then.
            nonlocal seen
            relay.wait_for_delivery(prefix, seen, 0.5)
            seen = relay.delivered
            cost = self.cost(job)
            return cost if is_true(cost) else None

        wait_until(asked, PATIENCE, f"the cost of {job.label} to {what}", interval=0)
        # Asked once more: whether every single answer agrees with itself is a test's own subject.
        return self.cost(job)

    def run(self, rows, **options):
        """Submits a job, waits for its cost, and returns job, cost and the output's content."""
        job = self.submit(rows, **options)
        cost = self.final(job)
        return job, cost, self.output(cost)

    def output(self, cost):
        """The content of the outputs that a cost names."""
        storage, contents = self.stack.storage_client(), []
        for each in cost["outputs"]:
            bucket, _, name = each["uri"].removeprefix("gs://").partition("/")
            contents.append(storage.bucket(bucket).blob(name).download_as_bytes())
        return b"".join(contents)

    def upstream_job(self, job):
        """The job as the Vertex emulator shows it to somebody who does not come by way of the gateway."""
        answer = self._vertex.get(f"{self.stack.vertex_url}{job.path}", timeout=PATIENCE)
        return answer.json() if answer.ok else None

    def ended_upstream(self, job):
        """Waits until a job has ended without a word to the gateway."""

        def ended():
            seen = self.upstream_job(job)
            return seen if seen["state"] in ENDED else None

        return wait_until(ended, PATIENCE, f"{job.label} to end", interval=0.02)

    def control(self, method, path, **given):
        answer = self._vertex.request(method, f"{self.stack.vertex_url}/emulator/{path}", json=given)
        answer.raise_for_status()
        return answer.json()

    def sent_upstream(self, method):
        """Requests of a method that reached the Vertex emulator."""
        return [each for each in self.control("GET", "requests")["requests"] if each["method"] == method]

    def overwrite(self, uri, content):
        """Puts other content in an object's place and returns its new generation."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        self.stack.upload(name, content, bucket)
        return str(self.stack.storage_client().bucket(bucket).get_blob(name).generation)

    def deliver(self, uri, generation=None):
        """Delivers an object's event by hand; returns the status that the settle function answered."""
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return self.stack.relay.deliver(bucket, name, generation)

    def logged(self, message, part=""):
        """The settle function's log lines of this message in which a text occurs."""
        return [
            line
            for line in self.stack.settle.log.read_text(encoding="utf-8", errors="replace").splitlines()
            if f'"message":"{message}"' in line and part in line
        ]

    def refused(self, part):
        """Waits until an event was refused because its job is not known yet."""
        wait_until(
            lambda: self.logged("output not settled yet", part),
            PATIENCE,
            f"the event of {part} to be refused",
        )

    def handled(self, part, times=1):
        """Waits until events of an object were acknowledged so often."""
        wait_until(
            lambda: len(self.logged("event handled", part)) >= times,
            PATIENCE,
            f"{times} events of {part} to be handled",
        )

    def _document(self, job):
        return self.firestore.collection("jobs").document(f"{PROJECT}:{job.location}:{job.id}")

    def find(self, collection, field, value):
        """The documents of a collection whose field has a value."""
        query = self.firestore.collection(collection).where(filter=FieldFilter(field, "==", value))
        return [each.to_dict() for each in query.stream()]

    def record(self, job):
        """The job's document."""
        return self._document(job).get().to_dict()

    def outputs(self, job):
        """The documents of its outputs."""
        return [each.to_dict() for each in self._document(job).collection("outputs").stream()]

    def totals(self, job):
        """The documents of the totals that only this job can have moved."""
        return self.find("totals", "labels.test", job.label)

    def books(self, job):
        """Everything that the books hold on a job, to be compared with a later look."""
        return {
            "record": self.record(job),
            "outputs": sorted(self.outputs(job), key=lambda each: each["uri"]),
            "totals": sorted(self.totals(job), key=lambda each: each["model"]),
        }

    def check(self, job, cost, amount):
        """Holds a FINAL cost, the record, its outputs and the totals against an amount in nano-USD."""
        assert cost["status"] == "FINAL"
        assert nano(cost["amount"]) == amount
        assert sum(nano(item["amount"] or 0) for item in cost["lineItems"]) == amount
        assert cost["labels"] == {"test": job.label}
        record = self.record(job)
        assert record["cost"]["amountNano"] == amount
        assert record["closed"]
        assert record["apiKey"] == cost["apiKey"] == "master"
        outputs = self.outputs(job)
        assert record["settledOutputs"] == len(outputs) == len(cost["outputs"])
        assert {(each["uri"], str(each["generation"]), each["bytes"]) for each in outputs} == {
            (each["uri"], each["generation"], each["bytes"]) for each in cost["outputs"]
        }
        self.check_totals(job, cost, amount)

    def check_totals(self, job, cost, amount):
        """Holds the totals of the job's day and quarter of an hour against an amount in nano-USD."""
        created = self.record(job)["createTime"].astimezone(UTC)
        cells = self.totals(job)
        assert {cell["day"] for cell in cells} <= {created.date().isoformat()}
        quarter = str(created.hour * 4 + created.minute // 15)
        assert {each for cell in cells for each in cell["quarters"]} <= {quarter}
        assert {(cell["project"], cell["location"]) for cell in cells} <= {(PROJECT, job.location)}
        assert sum(sum(cell["quarters"].values()) for cell in cells) == amount
        assert sum(item["amountNano"] for cell in cells for item in cell["items"].values()) == amount
        moved, listed = {}, {}
        for cell in cells:
            for item, total in cell["items"].items():
                moved[item] = moved.get(item, 0) + total["quantity"]
        for item in cost["lineItems"]:
            listed[item["item"]] = listed.get(item["item"], 0) + item["quantity"]
        assert {item: quantity for item, quantity in moved.items() if quantity} == listed

    def check_against_output(self, job, cost):
        """The same against the amount that the output's rows add up to; returns the recount."""
        own = expected(self.output(cost), job.model, job.location)
        self.check(job, cost, own.nano)
        counts = {name: cost["rows"][name] for name in ("succeeded", "failed", "malformed", "unpriced")}
        assert counts == {name: own.rows[name] for name in counts}
        assert cost["complete"] is not bool(own.rows["malformed"] or own.rows["unpriced"])
        return own
