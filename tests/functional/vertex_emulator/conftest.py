"""The Vertex emulator and a real storage emulator, for the tests of what it promises to other tests."""

import json
import os
import time
from contextlib import ExitStack

import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client

from builders import input_files, output_folder
from patience import PATIENCE
from processes import free_ports
from storage_emulator import StorageEmulator
from vertex_emulator import VertexEmulator

PARENT = "projects/acme/locations/us-central1"
FLASH = "publishers/google/models/gemini-2.5-flash"


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    emulator = StorageEmulator(free_ports(1)[0], tmp_path_factory.mktemp("storage") / "log", os.environ)
    emulator.process.start()
    emulator.process.wait_ready()
    yield emulator.url
    emulator.process.stop()


@pytest.fixture(scope="session")
def bucket(endpoint):
    client = Client("acme", AnonymousCredentials(), client_options={"api_endpoint": endpoint})
    return client.create_bucket("batches")


class Vertex:
    """The emulator with the few calls that these tests make over and over."""

    def __init__(self, emulator, bucket):
        self.emulator = emulator
        self.bucket = bucket
        self.session = requests.Session()

    def call(self, method, path, **given):
        return self.session.request(method, f"{self.emulator.url}/{path}", timeout=PATIENCE, **given)

    def body(self, rows=None, **changes):
        name = f"in/{time.monotonic_ns()}.jsonl"
        if rows is not None:
            lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
            self.bucket.blob(name).upload_from_string("\n".join(lines) + "\n")
        return {
            "displayName": "nightly",
            "model": FLASH,
            "inputConfig": input_files(f"gs://batches/{name}"),
            "outputConfig": output_folder("gs://batches/out"),
            **changes,
        }

    def create(self, rows=None, **changes):
        response = self.call("POST", f"v1/{PARENT}/batchPredictionJobs", json=self.body(rows, **changes))
        assert response.status_code == 200, response.text
        return response.json()["name"]

    def get(self, name):
        return self.call("GET", f"v1/{name}").json()

    def output(self, job):
        uri = job["outputInfo"]["gcsOutputDirectory"] + "/predictions.jsonl"
        return self.bucket.blob(uri.removeprefix("gs://batches/")).download_as_bytes()

    def files(self, directory):
        """Return the content of the objects in a directory, by their names below it."""
        prefix = directory.removeprefix("gs://batches/") + "/"
        blobs = self.bucket.client.list_blobs("batches", prefix=prefix)
        return {blob.name.removeprefix(prefix): blob.download_as_bytes() for blob in blobs}

    def control(self, path, **body):
        response = self.call("POST", f"emulator/{path}", json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def rows(self, *given, **changes):
        """Run a job over rows and return its output rows in the order of their `n`."""
        numbered = [{**row, "n": number} for number, row in enumerate(given)]
        name = self.create(numbered, **changes)
        job = self.emulator.finish(name)
        assert job["state"] == "JOB_STATE_SUCCEEDED", job
        answers = [json.loads(line) for line in self.output(job).splitlines()]
        return sorted(answers, key=lambda row: row["n"] if "n" in row else row["instance"]["n"])


@pytest.fixture
def make(endpoint, bucket):
    with ExitStack() as stack:
        yield lambda **given: Vertex(
            stack.enter_context(VertexEmulator(storage_endpoint=endpoint, **given)), bucket
        )


@pytest.fixture
def vertex(make):
    return make(auto=False)


def refusal_of(response, http, status):
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["status"]) == (http, http, status), response.text
    return error
