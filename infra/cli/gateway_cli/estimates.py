"""``gateway estimate``: estimate the cost of a job."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from gateway_cli.cells import Column, Kind, clean
from gateway_cli.commands import Commands, Context
from gateway_cli.errors import AnswerError, UsageError

_ENDS = ("low", "expected", "high")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "estimate",
        estimate,
        "Estimate the cost of a job: low, expected, high. Nothing is submitted.",
        "gateway estimate job.json --project acme --location global\n"
        "cat job.json | gateway estimate - -o json",
        "FILE is the JSON that would create the job. Rows that would make it fail are listed.",
    )
    parser.add_argument("file", metavar="FILE", help="body of a create; - for stdin")
    parser.add_argument(
        "--project", metavar="PROJECT", help="project in which it would run; needed if several are served"
    )
    parser.add_argument(
        "--location", metavar="LOCATION", help="location in which it would run; needed if several are served"
    )


def estimate(context: Context, args: Namespace) -> None:
    """Run ``gateway estimate``."""
    if (args.project is None) != (args.location is None):
        raise UsageError("Give --project and --location together.")
    place = f"/projects/{args.project}/locations/{args.location}" if args.project else ""
    try:
        found = context.client.post_raw(f"/v1{place}/batchPredictionJobs:estimateCost", _read(args.file))
    except AnswerError as error:
        if error.reason == "PLACE_MISSING":
            raise UsageError("The gateway serves several places: give --project and --location.") from error
        raise
    out = context.out
    if out.form != "table":
        out.rows(_COLUMNS, _rows(found), raw=found)
    else:
        out.record(_HEAD, found)
        out.text()
        out.rows(_COLUMNS, _rows(found))
        for assumed in found["assumptions"]:
            out.text(f"- {clean(str(assumed))}")
    for warning in found.get("warnings") or ():
        out.note(f"Warning: {clean(str(warning))}")
    invalid = found["invalidRows"]
    if invalid:
        known = (found["rows"] or {}).get("invalid") or len(invalid)
        out.note(f"Warning: invalid rows: {known}. A single one can fail the whole job:")
        for row in invalid:
            line = f"line {row['line']}" if row["line"] else "unknown line"
            out.note(clean(f"  {row['uri']}, {line}: {row['reason']}"))


def _read(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "estimate": end,
            "amount": found[end],
            **{name: (found.get(name) or {}).get(end) for name in ("inputTokens", "outputTokens")},
        }
        for end in _ENDS
    ]


_HEAD = (
    Column("model", lambda found: found["model"]),
    Column("rows", lambda found: found["rows"]),
    Column("price_table", lambda found: found["priceTable"]),
)
_COLUMNS = (
    Column("estimate", lambda row: row["estimate"]),
    Column("amount", lambda row: row["amount"], Kind.MONEY),
    Column("input_tokens", lambda row: row["inputTokens"], Kind.NUMBER),
    Column("output_tokens", lambda row: row["outputTokens"], Kind.NUMBER),
)
