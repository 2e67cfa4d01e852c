"""The lines that the code writes into the log, by letting it write them, and Cloud Logging's filters."""

import dataclasses
import io
import json
import re
from contextlib import redirect_stdout, suppress
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from werkzeug.exceptions import ServiceUnavailable

from batch_gateway import entrypoints, wiring
from batch_gateway.adapters import vertex
from batch_gateway.core.access.keys import TeamRecord
from batch_gateway.core.access.limits import Budget
from batch_gateway.ports import UpstreamResponse
from batch_gateway.ports.billing import BillingExportError
from functional import test_reconcile as sweeping
from functional import test_row_alerts as row_alerts
from functional import test_settle as settling
from functional.gateway import test_reconcile as comparing
from functional.gateway.conftest import JOBS, World, job_resource, json_answer
from functional.gateway.loopback import Loopback, closed_port

SEVERITIES = ["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]


def written():
    """Entries of Cloud Logging, as it makes them of the lines of both functions."""
    out = io.StringIO()
    with redirect_stdout(out):
        _gateway()
        _bill()
        _sweeps()
        _settlement()
    lines = [json.loads(line) for line in out.getvalue().splitlines() if line.startswith("{")]
    return [_entry(line) for line in lines]


def _entry(line):
    labels = {"service_name": "batch-gateway-gateway"}
    resource = {"type": "cloud_run_revision", "labels": labels}
    return {"resource": resource, "severity": line.pop("severity"), "jsonPayload": line}


def _gateway():
    error = {"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}
    with Loopback() as google, patch.object(vertex, "time"):
        world = World(google.host)
        google.answers = [json_answer(job_resource())]
        world.create()
        rows = {"data": b"{}", "content_type": "application/jsonl", "query_string": "name=rows.jsonl"}
        World(google.host, input_prefix="gs://in").call("POST", "/v1/inputs", **rows)
        for status in (401, 403, 404, 429, 503):
            google.answers = [json_answer(error, status)]
            world.create()
            world.get(f"{JOBS}/4242")
        World(f"127.0.0.1:{closed_port()}").create()


def _bill():
    for error in (None, BillingExportError("gone")):
        world = World(f"127.0.0.1:{closed_port()}")
        comparing.configure(world)
        world.billing.error = error
        comparing.book(world, 10**9, day=f"{datetime.now(UTC) - timedelta(days=5):%Y-%m-%d}")
        world.call("POST", "/internal/reconcile")


def _sweeps():
    for state in ("SUCCEEDED", "FAILED", "EXPIRED", "CANCELLED"):
        world = sweeping.World()
        world.record(settling.resource())
        world.upstream.jobs[settling.key()] = settling.ended(state=f"JOB_STATE_{state}")
        world.put(settling.lines(settling.row()))
        world.sweep()
    world = sweeping.World()
    world.record(settling.ended(model="projects/123456789012/locations/us-central1/models/4242"))
    world.put(settling.lines(settling.row().replace("gemini-2.5-flash", "4242")))
    world.sweep()  # nobody knows a price
    world = sweeping.World()
    world.record(settling.resource(state="JOB_STATE_RUNNING"))
    world.sweep(now=settling.CREATED + timedelta(days=2))
    world = sweeping.World()
    world.record(settling.ended())
    world.sweep(now=settling.NOW + timedelta(days=1))  # its output is lost
    world = sweeping.World()
    team = TeamRecord("ads", settling.CREATED, settling.CREATED, budget=Budget(1, "1mo"))
    world.keys.change_team("ads", lambda _: team)
    sweeping.spender(world, soft_budget_nano=1, budget_duration="7d")
    world.sweep()
    for unread in ("{", "{}"):  # malformed, and of no known shape
        world = sweeping.World()
        world.record(settling.ended())
        world.put(settling.lines(unread))
        world.sweep()
    for action in ("warn", "cancel"):
        world = sweeping.World()
        world.deps = dataclasses.replace(world.deps, budget_action=action)
        sweeping.reserved(world, 1)
        world.put(settling.lines(settling.row()), sweeping.INCREMENTAL)
        world.sweep()
    with patch.object(world.upstream, "send", return_value=UpstreamResponse(503, {}, b"{}")):
        world.sweep()
    world = sweeping.World()
    sweeping.reserved(world, 1)
    world.put(settling.lines(settling.row()), sweeping.INCREMENTAL)
    world.sweep()  # costs more than was reserved
    world = sweeping.World()
    world.record(settling.ended(), uri_grants={"key": ("gs://mine",)})
    world.put(settling.lines(row_alerts.named(row_alerts.THEIRS)))
    world.sweep()  # its input was overwritten
    world = sweeping.World()
    world.record(settling.ended())
    world.put(settling.lines(settling.row()))
    with patch.object(world.objects, "read", side_effect=OSError("told to fail")):
        world.sweep()


def _settlement():
    books = settling.Books()
    books.put(settling.lines(settling.row()))
    books.settle(written=settling.NOW - timedelta(hours=1))  # nobody's
    event = {"bucket": "out", "name": settling.FILE}
    for error in (ValueError("told to fail"), settling.NotYetError("too early")):
        with (
            patch.object(entrypoints, "settle_object", side_effect=error),
            patch.object(wiring, "settlement", lambda: books.deps),
            suppress(ValueError, ServiceUnavailable),
        ):
            entrypoints.settle(type("Event", (), {"data": event})())


def matches(text, entry):
    """Return True if every line of a filter holds for an entry; knows the few forms that are used."""
    return all(_holds(line, entry) for line in text.splitlines() if line)


def _holds(line, entry):
    if line.startswith("NOT "):
        return not _holds(line.removeprefix("NOT "), entry)
    if log := re.fullmatch(r'log_id\("(.+)"\)', line):
        return entry.get("logName") == log[1]
    if line.startswith("("):
        return any(_holds(part, entry) for part in line.strip("()").split(" OR "))
    field, operator, wanted = re.fullmatch(r"([\w.\"]+?)(=~|>=|=|>|:)(.+)", line).groups()
    found = value_of(field, entry)
    if field == "severity":
        return SEVERITIES.index(found) >= SEVERITIES.index(wanted)
    if found is None:
        return False
    values = [json.loads(each) for each in wanted.strip("()").split(" OR ")]
    return {
        "=": found in values,
        "=~": operator == "=~" and re.search(values[0], found) is not None,
        ">": operator == ">" and found > values[0],
        ":": operator == ":" and values[0] in found,
    }[operator]


def value_of(field, entry):
    """Return the value of ``jsonPayload."gen_ai.request.model"`` and the like; None if there is none."""
    for name in re.findall(r'"[^"]+"|\w+', field):
        entry = entry.get(name.strip('"')) if isinstance(entry, dict) else None
    return entry


def extract(extractor, entry):
    """Return the value that an extractor takes out of an entry.

    Raises:
        KeyError: There is no such field.
    """
    field = re.fullmatch(r"EXTRACT\((.+)\)", extractor)[1]
    *path, last = re.findall(r'"[^"]+"|\w+', field)
    return (value_of(".".join(path), entry) if path else entry)[last.strip('"')]
