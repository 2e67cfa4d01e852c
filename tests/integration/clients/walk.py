"""The walk that every Python client takes through the gateway: from create to delete, and into each error.

A client's program hands in `connect`, which makes its client for a place and a key. What came of it is
printed as one JSON object; the tests judge it.
"""

import json
import os
import sys
import time
from importlib.metadata import version

KEY = os.environ["GATEWAY_KEY"]
URL = os.environ["GATEWAY_URL"]
PROJECT = os.environ["GATEWAY_PROJECT"]
LOCATION = os.environ["GATEWAY_LOCATION"]
MODEL = os.environ["MODEL"]
RUN = os.environ["RUN"]
ENDED = {f"JOB_STATE_{each}" for each in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")}
SECONDS = 120


def walk(connect, *packages):
    """Takes the walk and prints what came of it.

    A client has `create(display_name, input_uri, output_prefix)`, `get(name)`, `pages(filter)`,
    `cancel(name)`, `delete(name)` and, if its library waits by itself, `wait(name)`. A job is told as a
    dict of name, state and displayName.
    """
    client = connect(LOCATION, KEY)
    long = client.create(f"{RUN}-long", os.environ["LONG_INPUT"], f"{os.environ['OUTPUT']}/long")
    short = client.create(f"{RUN}-short", os.environ["INPUT"], f"{os.environ['OUTPUT']}/short")
    seen = client.get(long["name"])
    pages = [page for page in client.pages(f'display_name:"{RUN}-*"') if page]
    filtered = [name for page in client.pages(f'display_name="{RUN}-short"') for name in page]
    client.cancel(long["name"])
    ended = {
        "long": end(client, long["name"]),
        "short": client.wait(short["name"]) if hasattr(client, "wait") else end(client, short["name"]),
    }
    client.delete(long["name"])
    client.delete(short["name"])
    finish(
        packages,
        {
            "jobs": {"long": long["name"], "short": short["name"]},
            "created": short,
            "seen": seen,
            "pages": pages,
            "filtered": filtered,
            "ended": ended,
            "errors": {
                "deleted": _until_gone(client, short["name"]),
                "invalid": error(
                    lambda: client.create(f"{RUN}-bad", "gs://only-a-bucket", "gs://batch-out/x")
                ),
                "wrong_key": error(lambda: list(connect(LOCATION, "sk-wrong").pages(""))),
                "unserved": error(lambda: list(connect("asia-east1", KEY).pages(""))),
                "unknown": error(
                    lambda: client.get(f"{short['name'].rpartition('/')[0]}/1234567890123456789")
                ),
                "exhausted": error(
                    lambda: connect("europe-west1", KEY).create(
                        f"{RUN}-429", os.environ["INPUT"], "gs://batch-out/x"
                    )
                ),
            },
        },
    )


def finish(packages, result):
    """Prints the one JSON object, on a line of its own: some libraries log to the standard output."""
    versions = {each: version(each) for each in packages}
    sys.stdout.write("\n" + json.dumps({"versions": versions, **result}))


def error(call):
    """Return what a call raises: the exception's classes, and its text as a caller would see it."""
    try:
        given = call()
    except Exception as raised:  # noqa: BLE001 - whatever it is, it is the result
        classes = [f"{each.__module__}.{each.__qualname__}" for each in type(raised).__mro__[:-3]]
        return {"classes": classes, "text": str(raised)}
    return {"classes": [], "text": f"nothing was raised; returned {given!r}"}


def end(client, name):
    """Waits until a job has ended, and returns its state."""
    deadline = time.monotonic() + SECONDS
    while (state := client.get(name)["state"]) not in ENDED:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} is still {state}")
        time.sleep(0.2)
    return state


def _until_gone(client, name):
    """The error of a get once the job is deleted; not every client waits for a deletion's end."""
    for _ in range(100):
        raised = error(lambda: client.get(name))
        if raised["classes"]:
            break
        time.sleep(0.1)
    return raised
