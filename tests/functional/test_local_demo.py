"""Watch `infra/local/up` show its job while that runs."""

import io

import pytest

import demo
from terminal import Progress

NAME = "projects/1/locations/us-central1/batchPredictionJobs/42"


def cost(state, done, projected):
    progress = {"completed": done, "total": 10}
    return {"state": f"JOB_STATE_{state}", "amount": "0", "projected": projected, "progress": progress}


class Stack:
    """A gateway that answers one cost after the other."""

    def __init__(self, *costs):
        self._costs = iter(costs)

    def get(self, path):
        if path == f"/v1/{NAME}/cost":
            return next(self._costs)
        assert path == f"/v1/{NAME}"
        return {"name": NAME, "state": "JOB_STATE_SUCCEEDED"}


@pytest.fixture
def out(monkeypatch):
    """Return the printed text, as into a file."""
    written = io.StringIO()
    monkeypatch.setattr(demo, "Progress", lambda total: Progress(total, written))
    monkeypatch.setattr("processes.time.sleep", lambda _: None)
    return written


def test_a_running_job_shows_its_projection_and_no_nil(out):
    stack = Stack(
        cost("PENDING", None, None),
        cost("RUNNING", 3, "0.0123"),
        cost("RUNNING", 3, "0.0123"),
        cost("SUCCEEDED", 10, "0.0345"),
    )

    assert demo.follow(stack, NAME, 10)["name"] == NAME

    assert [line.partition("] ")[2] for line in out.getvalue().splitlines()] == [
        "0/10 rows  pending",
        "3/10 rows  running  ~0.0123 USD (projected)",
        "10/10 rows  succeeded  ~0.0345 USD (projected)",
    ]
