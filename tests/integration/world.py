"""Stage of a schedule: a Google project of its own, its jobs, their outputs, and events of these.

Every object that was ever there is remembered with its content, since a settled object that is deleted keeps
its cost. Of events a third is lost, also about what came or changed after a job's end. Only once jobs are not
watched any more is none lost, since from then on nothing but the event tells of a change.
"""

import random
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import requests

from batch_gateway.adapters.firestore import FirestoreStore, connect
from batch_gateway.core.jobs.labels import TEAM_LABEL
from batch_gateway.core.jobs.late_output import WATCH
from batch_gateway.core.jobs.output_names import is_final_output
from batch_gateway.core.jobs.record import JobKey, JobRecord, observe
from batch_gateway.core.jobs.sent import Sent
from batch_gateway.ports import StoreUnavailableError, Submission
from builders import input_files, output_folder, prompt
from integration.crashing import AGAIN
from integration.harness import answer, jsonl
from patience import PATIENCE

BUCKET = "once"
LOCATION = "us-central1"
MODELS = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-flash-lite")
BAD_ENDS = ("FAILED", "CANCELLED", "EXPIRED")
WATCHED_FOR = WATCH - timedelta(hours=1)
"""How far a schedule may move the clock before it counts on events alone. It takes minutes itself."""


class Objects:
    """The bucket, over plain HTTP."""

    def __init__(self, url):
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False

    def create_bucket(self):
        # What is deleted is gone: the emulator writes a list of all objects with every change.
        body = {"name": BUCKET, "softDeletePolicy": {"retentionDurationSeconds": "0"}}
        self._http.post(f"{self.url}/storage/v1/b", json=body, timeout=PATIENCE).raise_for_status()

    def put(self, name, data):
        """Writes an object and returns its generation."""
        url = f"{self.url}/upload/storage/v1/b/{BUCKET}/o"
        query = {"uploadType": "media", "name": name}
        written = self._http.post(url, params=query, data=data, timeout=PATIENCE)
        written.raise_for_status()
        return int(written.json()["generation"])

    def get(self, name):
        return self._read(f"{self.url}/download/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}").content

    def delete(self, name):
        url = f"{self.url}/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}"
        self._http.delete(url, timeout=PATIENCE).raise_for_status()

    def live(self, prefix):
        """Generations of the live objects, by name."""
        found = self._read(f"{self.url}/storage/v1/b/{BUCKET}/o", params={"prefix": prefix}).json()
        return {each["name"]: int(each["generation"]) for each in found.get("items", [])}

    def _read(self, url, **options):
        found = self._http.get(url, timeout=PATIENCE, **options)
        found.raise_for_status()
        return found


class Patient:
    """The store, for what a schedule itself has to write and read: it tries until it has."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, method):
        def patiently(*args):
            ends = time.monotonic() + PATIENCE
            while time.monotonic() < ends:
                with suppress(StoreUnavailableError):
                    return getattr(self._store, method)(*args)
            raise AssertionError(f"{method}: Firestore's emulator does not answer")

        return patiently


@dataclass
class Stage:
    """Parts that all schedules share."""

    objects: Objects
    vertex: object
    crashing: object
    prices: object
    firestore: object
    cable: object
    projects: set = field(default_factory=set)
    seen: set = field(default_factory=set)
    killed: set = field(default_factory=set)
    counts: dict = field(default_factory=lambda: defaultdict(int))


@dataclass
class Event:
    """A finalize event, or one that somebody replays after a deletion. One that `must` come is not lost."""

    name: str
    written: datetime
    must: bool


@dataclass
class Job:
    """A job as the schedule made it: of a key and a team, or of a team by its label only, or of nobody."""

    key: JobKey
    name: str
    model: str
    labels: dict
    rows: int
    key_id: str | None
    team: str | None
    api_key: str | None


class World:
    """One schedule's Google project, jobs, objects and pending events."""

    def __init__(self, stage, seed, plan=None):
        """Takes the seed as its name, and as its plan unless that is another one's."""
        self.stage, self.seed, self.random = stage, seed, random.Random(seed if plan is None else plan)  # noqa: S311 - a plan
        self.project = f"once-{seed}".replace("_", "-")
        self.client = connect(self.project, "(default)")
        stage.projects.add(self.project)
        self.store = Patient(FirestoreStore(self.client))
        self.jobs, self.events = [], []
        self.history = defaultdict(dict)
        """Name -> generation -> content."""
        self.deleted = {}
        """Name -> generations that the books may hold of it, None for none."""
        self.shift = timedelta(0)
        self.log = []
        self._running = 0

    @property
    def now(self):
        return datetime.now(UTC) + self.shift

    # --- Jobs

    def create(self, how=None, **wanted):
        """Submits a job: through the gateway, or so that its record is lost, or past the gateway."""
        rng, number = self.random, len(self.jobs)
        how = how or rng.choices(("recorded", "record lost", "outside"), (5, 2, 3))[0]
        team = rng.choice(("search", "ads", None))
        key_id = rng.choice(("k1", "k2")) if how != "outside" else None
        labels = {"run": rng.choice("ab"), **({TEAM_LABEL: team} if team else {})}
        labels["emulate_shards"] = str(rng.choice((1, 1, 2, 3)))
        labels["emulate_incremental"] = rng.choice(("none", "file", "folder"))
        labels["emulate_ended"] = rng.choice(("final", "incremental", "incremental", "nothing"))
        labels["emulate_shown"] = rng.choice(("ended", "running"))
        labels |= {f"emulate_{name}": value for name, value in wanted.items()}
        rows = [self._row() for _ in range(rng.randint(3, 8))]
        prefix, model = f"{self.seed}/out{rng.choice((0, number))}", rng.choice(MODELS)
        self.stage.objects.put(f"{self.seed}/in{number}.jsonl", jsonl(*rows))
        body = {
            "displayName": f"job {number}",
            "model": f"publishers/google/models/{model}",
            "labels": labels,
            "inputConfig": input_files(f"gs://{BUCKET}/{self.seed}/in{number}.jsonl"),
            "outputConfig": output_folder(f"gs://{BUCKET}/{prefix}"),
        }
        submission = None
        if how != "outside":
            now = datetime.now(UTC)
            reserved = rng.choice((0, 10**6))
            submission = Submission(
                *(f"{self.seed}-{number}", self.project, LOCATION, f"alias {key_id}", team, f"job {number}"),
                *(now,),
                key_id=key_id,
                reserved_nano=reserved,
                reserved_at=now if reserved else None,
                sent=Sent.of(labels, f"gs://{BUCKET}/{prefix}", model, f"job {number}"),
            )
            self.store.begin_submission(submission)
        job = self._submit(body)
        key = JobKey(self.project, LOCATION, job["name"].rpartition("/")[2])
        if how == "recorded":
            seen = observe(job)
            self.store.add_job(submission.record(JobRecord(key, seen, seen.create_time)), submission)
        api_key = submission and submission.api_key
        self.jobs.append(Job(key, job["name"], model, labels, len(rows), key_id, team, api_key))
        self.log.append(f"job {number}: {how}, {labels}")
        return self.jobs[-1]

    def _submit(self, body):
        url = f"{self.stage.vertex.url}/v1/projects/{self.project}/locations/{LOCATION}/batchPredictionJobs"
        with requests.Session() as session:
            session.trust_env = False
            created = session.post(url, json=body, timeout=PATIENCE)
        created.raise_for_status()
        return created.json()

    def fail_to_create(self):
        """A create of which nothing is left but what was noted before it was sent."""
        now = datetime.now(UTC)
        lost = (f"{self.seed}-lost", self.project, LOCATION, "alias k1", "ads", "none", now)
        self.store.begin_submission(Submission(*lost, key_id="k1", reserved_nano=10**7, reserved_at=now))

    def _row(self):
        rng = self.random
        if not rng.randrange(6):
            return prompt(fail=True)
        tokens = {"prompt_tokens": rng.randint(1, 5000), "output_tokens": rng.randint(1, 999)}
        more = {"cached": rng.randint(1, tokens["prompt_tokens"])} if not rng.randrange(3) else {}
        return prompt("x" * rng.randint(1, 400), **tokens, **more, thoughts=rng.randint(0, 99))

    def upstream(self, job):
        return self.stage.vertex.job(job.name)

    def directory(self, job):
        """The name of the job's output directory in the bucket, with a slash; None while it is not shown."""
        uri = self.upstream(job).get("outputInfo", {}).get("gcsOutputDirectory")
        return uri and f"{uri.removeprefix(f'gs://{BUCKET}/')}/"

    def has_ended(self, job):
        return "endTime" in self.upstream(job)

    def advance(self, job):
        """Moves a job on, by a few rows or to one end or another."""
        state = self.upstream(job)["state"]
        if state == "JOB_STATE_PENDING":
            self.stage.vertex.step(job.name)
        elif not self.random.randrange(2):
            # Not the last row: that would end it.
            self.stage.vertex.step(job.name, rows=1)
        else:
            self.finish(job)
        self._look(job)

    def finish(self, job, end=None):
        end = end or self.random.choice(
            ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "PARTIALLY_SUCCEEDED", *BAD_ENDS)
        )
        rows = self.random.randint(1, job.rows) if end in BAD_ENDS else job.rows
        self.stage.vertex.finish(job.name, state=f"JOB_STATE_{end}", rows=rows)
        self.log.append(f"{job.key.job_id} {end}")
        self._look(job)

    def _look(self, job):
        """Takes note of what Vertex has written."""
        directory = self.directory(job)
        for name, generation in (self.stage.objects.live(directory) if directory else {}).items():
            if generation not in self.history[name]:
                self._written(name, generation, self.stage.objects.get(name), must=False)

    def _written(self, name, generation, content, *, must):
        self.history[name][generation] = content
        self.deleted.pop(name, None)
        if not is_final_output(name):
            return
        copies = self.random.choices((0, 1, 2, 3), (4, 4, 2, 2))[0]  # a third is lost
        self._announce(name, max(copies, must), must=must)

    def _announce(self, name, copies, *, must):
        written = datetime.now(UTC)
        self.events += [Event(name, written, must and not number) for number in range(copies)]

    # --- Objects

    def of(self, job):
        directory = self.directory(job)
        return [name for name in self.history if directory and name.startswith(directory)]

    def overwrite(self):
        """Writes a final output of some job in place of another, or a new one, or one that was deleted."""
        job = self.random.choice(self.jobs)
        directory = self.directory(job)
        if directory is None:
            return
        names = [name for name in self.of(job) if is_final_output(name)] + [f"{directory}predictions.jsonl"]
        name, content = self.random.choice(names), self._content(job.model)
        must = self.shift > WATCHED_FOR and self.has_ended(job)
        generation = self.stage.objects.put(name, content)
        self.log.append(f"overwrite {name} {generation}")
        self._written(name, generation, content, must=must)

    def export_late(self):
        """Writes incremental output of a job that was cancelled, expired or failed: no event tells of it."""
        job = self.random.choice(self.jobs)
        directory = self.directory(job)
        late = self.upstream(job)["state"] in {f"JOB_STATE_{end}" for end in BAD_ENDS}
        if directory is None or not late or self.shift > WATCHED_FOR:
            return
        name, content = f"{directory}incremental_predictions.jsonl", self._content(job.model)
        generation = self.stage.objects.put(name, content)
        self.log.append(f"late export {name} {generation}")
        self._written(name, generation, content, must=False)

    def _content(self, model):
        rows = []
        for _ in range(self.random.randint(0, 9)):
            row = answer(self.random.randint(1, 9999), self.random.randint(1, 999))
            row["response"]["modelVersion"] = model
            rows.append({"status": "Bad Request", "response": {}} if not self.random.randrange(6) else row)
        # Never empty, which gcp-storage-emulator 2026.7 does not take.
        return jsonl(*rows) + (b"\n" if self.random.randrange(5) else b'{"status":"","resp')

    def delete(self, name=None):
        """Deletes an output; its event is replayed, so that some settlement finds nothing there."""
        live = self.stage.objects.live(f"{self.seed}/out")
        if not live:
            return
        name = name or self.random.choice(sorted(live))
        held = self.in_books(name)
        self.stage.objects.delete(name)
        may = {held}
        if self._running:
            may |= {each for each in self.history[name] if held is None or each >= held}
        if held is None:
            may |= {0}
        self.deleted[name] = may
        self.log.append(f"delete {name}, in the books {held}")
        if is_final_output(name):
            self._announce(name, self.random.choice((0, 1)), must=False)

    def in_books(self, name):
        """The generation of an object that is in the books, or None."""
        for job in self.jobs:
            for output in self.store.get_outputs(job.key):
                if output.uri == f"gs://{BUCKET}/{name}":
                    return output.generation
        return None

    def stray(self):
        """Writes an output that is nobody's."""
        name = f"{self.seed}/stray/prediction-model-2026-01-01T00:00:00.000000Z/predictions.jsonl"
        self.stage.objects.put(name, self._content(MODELS[0]))
        self._announce(name, 1, must=True)

    def clear(self):
        """Removes what the emulators would have to carry along."""
        with suppress(*AGAIN, requests.RequestException):
            for name in self.stage.objects.live(f"{self.seed}/"):
                self.stage.objects.delete(name)
        self.stage.projects.discard(self.project)
        self.client.close()
