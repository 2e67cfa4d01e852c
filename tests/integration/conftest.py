"""One running system for all tests of this folder: each test has jobs, prefixes and labels of its own."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration.harness import Harness
from integration.interceptor import Interceptor
from patient_firestore import FUNCTIONS
from relay import Backoff
from stack import Stack

CONFIG = Path(__file__).with_name("gateway.yaml")
FAST = {
    "config": CONFIG,
    "vertex_options": (
        *("--pending-seconds", "0.05", "--seconds-per-row", "0.002", "--cancelling-seconds", "0.05"),
        *("--model", "my-own-model"),
    ),
    "poll_interval": 0.05,
    "backoff": Backoff(start=0.1, cap=0.5),
}


@pytest.fixture(scope="session")
def system():
    """The stack with an interceptor between its functions and its Vertex emulator."""
    with Interceptor() as upstream:
        stack = Stack(**FAST, source=FUNCTIONS, env={"VERTEX_EMULATOR_HOST": upstream.host})
        vertex = urlsplit(stack.vertex_url)
        upstream.target = (vertex.hostname, vertex.port)
        with stack:
            yield Harness(stack, upstream)


@pytest.fixture
def own_system():
    """A stack for one test, that may break it; as deployed also in how long it waits for Firestore."""
    with Stack(**FAST) as stack:
        yield Harness(stack)
