"""One running system for nearly all tests of this folder: each has jobs, prefixes and labels of its own."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from integration.harness import Harness
from integration.interceptor import Interceptor
from patient_firestore import FUNCTIONS
from relay import Backoff
from stack import Stack

CONFIG = Path(__file__).with_name("gateway.yaml")
QUICK_PRICES = Path(__file__).with_name("quick_prices.py")
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


@pytest.fixture(scope="session")
def _other_system():
    with Stack(**FAST, source=QUICK_PRICES) as stack:
        yield Harness(stack)


@pytest.fixture
def own_system(_other_system):
    """A stack for a test that may kill Firestore or change prices; it waits for Firestore as if deployed."""
    firestore = _other_system.stack.firestore.process
    if firestore is not None and firestore.exit_code() is not None:
        firestore.start()
        firestore.wait_ready()
    return _other_system
