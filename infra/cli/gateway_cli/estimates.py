"""``vbatch estimate``: estimate the cost of a job."""

from argparse import Namespace
from datetime import timedelta
from typing import Any

from gateway_cli import creates
from gateway_cli.cells import Column, Kind, clean
from gateway_cli.declaring import Commands, Context
from gateway_cli.errors import REFUSED
from gateway_cli.options import add_place
from gateway_cli.printing import Printer
from gateway_cli.times import duration

_ENDS = ("low", "expected", "high")


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "estimate",
        estimate,
        "Estimate the cost of a job: low, expected, high. Nothing is submitted.",
        "vbatch estimate job.json --project acme --location global\n"
        "cat job.json | vbatch estimate - -o json\n"
        "vbatch estimate job.json --strict && vbatch jobs submit job.json",
        "FILE is the JSON that would create the job. Rows that Vertex AI would refuse are listed.",
    )
    parser.add_argument("file", metavar="FILE", help="body of a create; - for stdin")
    add_place(parser)
    parser.add_argument(
        "--strict", action="store_true", help="exit with 1 if there are rows that would fail the whole job"
    )


def estimate(context: Context, args: Namespace) -> int | None:
    """Run ``vbatch estimate``."""
    found = creates.estimate(context, creates.read_body(args.file))
    show(context.out, found)
    return REFUSED if args.strict and found["rows"]["fatal"] else None


def show(out: Printer, found: dict[str, Any]) -> None:
    """Print an estimate, and the rows that Vertex AI would refuse."""
    if out.form != "table":
        out.rows(_COLUMNS, _rows(found), raw=found)
    else:
        out.record(_HEAD, found)
        out.text()
        out.rows(_COLUMNS, _rows(found))
        for assumed in found["assumptions"]:
            out.text(f"- {clean(str(assumed))}")
        out.text(expected_time(found))
    warn(out, found)


def expected_time(found: dict[str, Any]) -> str:
    """Return a sentence on how long earlier jobs with the model of an estimate took."""
    times = found.get("expectedTime") or {}
    told = [
        f"half {did} {_span(spans['p50'])} or less, and nine in ten {_span(spans['p90'])} or less"
        for member, did in (("queueSeconds", "waited"), ("runSeconds", "ran, whatever their size,"))
        if (spans := times.get(member)) and None not in spans.values()
    ]
    if not told:
        return "Time: unknown, because no earlier job with this model in this location is on record."
    jobs = f"{times['jobs']:,} earlier job{'' if times['jobs'] == 1 else 's'}"
    return f"Time, from {jobs} with this model in this location in {times['days']} days: {'; '.join(told)}."


def _span(seconds: Any) -> str | None:
    return duration(timedelta(seconds=int(seconds)))


def warn(out: Printer, found: dict[str, Any], file: str | None = None) -> None:
    """Print the warnings of an estimate, and the rows that Vertex AI would refuse.

    Args:
        out: The printer.
        found: The estimate.
        file: The file whose lines the rows are; without it they are named by their objects.
    """
    for warning in found.get("warnings") or ():
        out.note(f"Warning: {clean(str(warning))}")
    rows, listed = found["rows"], found["invalidRows"]
    if not listed:
        return
    out.note(f"Warning: Vertex AI would refuse {rows['invalid']:,} of the {rows['sampled']:,} rows read:")
    for row in listed:
        line = f"line {row['line']}" if row["line"] else "unknown line"
        out.note(clean(f"  {file or row['uri']}, {line}: {row['reason']}"))
    if rows["invalid"] > len(listed):
        out.note(f"  and {rows['invalid'] - len(listed):,} more")
    if not rows["fatal"]:
        out.note("They fail alone, and are free; the others run.")


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
