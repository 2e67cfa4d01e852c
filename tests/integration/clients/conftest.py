"""A stack for the clients, and their runs: started together when first needed, since they mostly wait."""

import pytest
import requests

import demo
from builders import prompt
from integration.clients import environments
from integration.clients.runs import ALL_CLIENTS, HERE, Runner
from patient_firestore import FUNCTIONS
from relay import Backoff
from stack import Stack

EXHAUSTED = {"match": {"path": "/locations/europe-west1/"}, "times": None, "action": {"status": 429}}


@pytest.fixture(scope="session")
def stack():
    speed = ("--pending-seconds", "0.3", "--seconds-per-row", "0.03", "--delete-seconds", "0.3")
    backoff = Backoff(start=0.1, cap=0.5)
    with Stack(
        config=HERE / "gateway.yaml",
        source=FUNCTIONS,
        vertex_options=speed,
        poll_interval=0.1,
        backoff=backoff,
    ) as stack:
        stack.upload("short.jsonl", demo.EXAMPLE_INPUT.read_bytes())
        # It has not ended when it is cancelled, however slow the machine is.
        stack.upload_rows("long.jsonl", [prompt(), prompt(hold=True)])
        with requests.Session() as session:
            session.trust_env = False
            session.post(f"{stack.vertex_url}/emulator/faults", json=EXHAUSTED).raise_for_status()
        yield stack


@pytest.fixture(scope="session")
def runner(stack, tmp_path_factory, request):
    runner = Runner(stack, tmp_path_factory.mktemp("clients"))
    specs = (getattr(item, "callspec", None) for item in request.session.items)
    no_node = environments.why_no_node()
    for name in dict.fromkeys(spec.params["client"] for spec in specs if spec and "client" in spec.params):
        if not (no_node and ALL_CLIENTS[name].environment == environments.NODE):
            runner.start(name)
    yield runner
    runner.close()


@pytest.fixture
def run(request, client):
    """The run of the client that a test is about."""
    if ALL_CLIENTS[client].environment == environments.NODE and (reason := environments.why_no_node()):
        pytest.skip(reason)
    return request.getfixturevalue("runner").run(client)
