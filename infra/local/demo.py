"""`infra/local/up`: start the stack, run the README's example, and check its cost."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import requests

from processes import HOST, LocalStackError, wait_until
from recount import MODEL, recount
from stack import INPUT_BUCKET, OUTPUT_BUCKET, PARENT, PROJECT, Stack
from terminal import Progress, cost_report

if TYPE_CHECKING:
    from types import FrameType

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "README.md"
EXAMPLE_INPUT = HERE / "example_input.jsonl"
_EXAMPLE = re.compile(r"<!-- example:create -->\s*```(?:bash|sh|shell)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_TERMINAL_STATES = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
_JOB_SECONDS = 45.0
_COST_SECONDS = 30.0
_SWEEP_SECONDS = 60.0
_GATEWAY_PORT = 8080


def example_command(readme: Path = README) -> str:
    """Return the README's command for creating a job, unchanged."""
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    found = _EXAMPLE.search(text)
    if not found:
        raise LocalStackError(f"{readme} has no fenced block after the marker <!-- example:create -->")
    return found[1]


def submit(stack: Stack, command: str) -> dict[str, Any]:
    """Run the README's command as a reader would, and return the job that it created."""
    answer = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],  # noqa: S607 - the reader's own bash
        env=os.environ
        | {"GATEWAY_URL": stack.gateway_url, "GATEWAY_KEY": stack.master_key}
        | {"PARENT": PARENT.removeprefix("/"), "INPUT_BUCKET": INPUT_BUCKET, "OUTPUT_BUCKET": OUTPUT_BUCKET}
        | dict.fromkeys(("NO_PROXY", "no_proxy"), HOST),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    start = answer.stdout.find("{")
    try:
        job = json.JSONDecoder().raw_decode(answer.stdout, max(start, 0))[0]
    except ValueError:
        job = None
    if answer.returncode or not isinstance(job, dict) or "name" not in job:
        raise LocalStackError(
            f"the README's example did not create a job (exit status {answer.returncode}):\n"
            f"{answer.stdout}{answer.stderr}"
        )
    return job


def follow(stack: Stack, name: str, total: int) -> dict[str, Any]:
    """Show a job's progress and projected cost until it ends; return the job."""
    progress = Progress(total)

    def ended() -> dict[str, Any] | None:
        cost: dict[str, Any] = stack.get(f"/v1/{name}/cost")
        state = cost["state"]
        progress.show(cost["progress"]["completed"] or 0, state, cost["projected"])
        if state.removeprefix("JOB_STATE_") not in _TERMINAL_STATES:
            return None
        job: dict[str, Any] = stack.get(f"/v1/{name}")
        return job

    try:
        job = wait_until(ended, _JOB_SECONDS, f"{name} to end", interval=0.1)
    finally:
        progress.end()
    if job["state"] != "JOB_STATE_SUCCEEDED":
        raise LocalStackError(f"the job did not succeed: {json.dumps(job)}")
    return job


def check(cost: dict[str, Any], output: bytes, submitted: int) -> str:
    """Compare a cost with an independent sum over the output's rows.

    Args:
        cost: What the gateway says.
        output: The rows.
        submitted: How many rows the input had.

    Returns:
        What was found, in words.

    Raises:
        LocalStackError: The gateway is wrong.
    """
    own = recount(output.splitlines())
    faults = []
    if cost["model"] != MODEL:
        faults.append(f"the example's model is {cost['model']}, and only {MODEL} can be checked")
    if own.succeeded + own.failed != submitted:
        faults.append(f"{submitted} rows went in, {own.succeeded + own.failed} came out")
    if Decimal(cost["amount"]) != own.amount:
        faults.append(f"the gateway says {cost['amount']} USD, the output's rows add up to {own.amount} USD")
    if (listed := sum(Decimal(each["amount"]) for each in cost["lineItems"])) != own.amount:
        faults.append(f"the line items add up to {listed} USD, the output's rows to {own.amount} USD")
    if (cost["rows"]["succeeded"], cost["rows"]["failed"]) != (own.succeeded, own.failed):
        faults.append(
            f"rows: the gateway counts {cost['rows']}, we {own.succeeded} good and {own.failed} failed"
        )
    if not cost["complete"]:
        faults.append("the gateway calls the amount incomplete")
    if not own.amount:
        faults.append("the output cost nothing, which proves nothing")
    if faults:
        raise LocalStackError("THE COST IS WRONG:\n  " + "\n  ".join(faults))
    return (
        f"Checked: an independent sum over {submitted} rows of output is {own.amount.normalize():f} USD too."
    )


def documents_of(stack: Stack, job_id: str) -> list[str]:
    """Return the paths of a job's Firestore documents."""
    return [
        f"{PROJECT}/{document.reference.path}"
        for collection in stack.firestore_client().collections()
        for document in collection.stream()
        if job_id in document.id or job_id in str(document.to_dict())
    ]


def demonstrate(stack: Stack) -> str:
    """Run the example from input to checked cost, and return the job's name."""
    command = example_command()
    rows = EXAMPLE_INPUT.read_bytes()
    total = len(rows.splitlines())
    uri = stack.upload(EXAMPLE_INPUT.name, rows)
    print(f"\nUploaded {total} rows to {uri}. The README's own example submits them:\n")
    print("\n".join(f"  {line}" for line in command.rstrip().splitlines()), end="\n\n")
    name: str = submit(stack, command)["name"]
    print(f"Created {name}")
    job = follow(stack, name, total)
    cost = stack.wait_for_cost(name, _COST_SECONDS)
    print(f"\n{cost_report(cost, documents_of(stack, name.rpartition('/')[2]))}\n")
    directory = job["outputInfo"]["gcsOutputDirectory"]
    output = stack.read_under(f"{directory}/predictions")
    print(check(cost, b"\n".join(output.values()), total))
    return name


def serve(stack: Stack, name: str | None) -> NoReturn:
    """Print all addresses, and serve until Ctrl-C or until a process ends."""
    job_id = name.rpartition("/")[2] if name else "JOB_ID"
    print(f"""
Serving until Ctrl-C:
  gateway         {stack.gateway_url}
  Vertex emulator {stack.vertex_url}
  Cloud Storage   {stack.storage_url}   (buckets {INPUT_BUCKET} and {OUTPUT_BUCKET})
  Firestore       {stack.firestore_host}   (project {PROJECT})
  logs            {stack.logs}
  the sweep       every {_SWEEP_SECONDS:.0f} s

The command line works in another terminal after `pip install ./infra/cli`:
  vbatch login --url {stack.gateway_url} --project {PROJECT} --location {PARENT.rpartition("/")[2]}
  and for the key: {stack.master_key}

The README's curl commands work there after:
  export GATEWAY_URL={stack.gateway_url} GATEWAY_KEY={stack.master_key}
  export PARENT={PARENT.removeprefix("/")} INPUT_BUCKET={INPUT_BUCKET} OUTPUT_BUCKET={OUTPUT_BUCKET}
  export JOB={job_id}
For example:
  curl -sS "$GATEWAY_URL/$PARENT/batchPredictionJobs/$JOB/cost" -H "Authorization: Bearer $GATEWAY_KEY"
""")
    swept = time.monotonic()
    while True:
        stack.check_alive()
        time.sleep(0.5)
        if time.monotonic() - swept > _SWEEP_SECONDS:
            # In place of the scheduler: the sweep finds what events missed.
            with contextlib.suppress(requests.RequestException):
                stack.request("POST", "/internal/reconcile", timeout=90)
            swept = time.monotonic()


def main(arguments: list[str]) -> int:
    """Run the command and return its exit status."""
    once = arguments == ["--once"]
    # A log file or pipe should show each line at once.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # A shell starts background processes with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    print("Starting Firestore, Cloud Storage, Vertex AI, the two functions and the event relay...")
    try:
        with Stack(gateway_port=_GATEWAY_PORT) as stack:
            print(f"Ready after {time.monotonic() - began:.1f} s; the gateway is at {stack.gateway_url}")
            if once:
                demonstrate(stack)
                return 0
            try:
                name = demonstrate(stack)
            except (LocalStackError, TimeoutError, requests.RequestException) as error:
                # Everything keeps running, so that the problem can be examined.
                print(f"\nThe example failed: {error}", file=sys.stderr)
                name = None
            serve(stack, name)
    except (LocalStackError, TimeoutError, requests.RequestException) as error:
        print(f"\ninfra/local/up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.")
        return 0 if not once else 130


def _leave(number: int, _: FrameType | None) -> NoReturn:
    """Turn a signal into an exception, so that the stack is taken down."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
