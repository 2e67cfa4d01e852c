"""``vbatch jobs results`` and ``vbatch jobs failures``: read what a job wrote."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from gateway_cli import transfers
from gateway_cli.cells import Column, Kind
from gateway_cli.declaring import Context
from gateway_cli.errors import UsageError
from gateway_cli.joblists import path_of
from gateway_cli.retrying import again

_FAILED = ("failed", "blocked", "malformed", "unrecognized")
_NOT_RUN = ("failed", "CANCELLED")
"""State and reason of a row that the job did not get to."""


def save(context: Context, name: str, query: dict[str, Any], out: Path) -> None:
    """Download a job's results to a file, which appears only when it is complete.

    Raises:
        AnswerError: There are none.
        UnreachableError: They broke off.
        UsageError: The file cannot be written.
    """
    size = again(
        context,
        lambda: transfers.write(out, context.client.stream(f"/v1/{name}/results", query)),
        "Trying again.",
    )
    context.out.note(f"Wrote {out}: {size:,} bytes.")


def results(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs results``."""
    if args.format == "csv" and args.view != "usage":
        raise UsageError("--format csv is for --view usage: what Vertex AI wrote has no columns.")
    query = {"view": args.view, "format": args.format, "state": args.state, "limit": args.limit}
    query = {name: value for name, value in query.items() if value is not None}
    path = path_of(context.client, args.job)
    if args.out:
        save(context, path.removeprefix("/v1/"), query, args.out)
        return
    for chunk in context.client.stream(f"{path}/results", query):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def failures(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs failures``."""
    query = {"view": "usage", "state": list(_FAILED), "limit": args.limit}
    content = b"".join(context.client.stream(f"{path_of(context.client, args.job)}/results", query))
    rows = [msgspec.json.decode(line) for line in content.splitlines() if line]
    context.out.rows(_COLUMNS, rows, none="No row failed, was blocked or could not be read.")
    if not all(map(_is_run, rows)):
        context.out.note(f"Rows that were not run are free: `vbatch run --resume {args.job}` runs them.")
    if len(rows) == args.limit:
        context.out.note(f"There may be more: these are the first {args.limit}. See --limit.")


def _is_run(row: dict[str, Any]) -> bool:
    return (row["state"], row["reason"]) != _NOT_RUN


_COLUMNS = (
    Column("row", lambda row: row["row"], Kind.NUMBER),
    Column("key", lambda row: row["key"]),
    Column("state", lambda row: row["state"] if _is_run(row) else "not run"),
    Column("reason", lambda row: row["reason"] if _is_run(row) else "the job ended before"),
)
