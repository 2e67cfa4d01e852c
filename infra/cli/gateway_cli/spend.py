"""``vbatch spend`` and ``vbatch export``: report spend over time."""

import itertools
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from datetime import UTC, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway_cli import money
from gateway_cli.cells import Column, Kind
from gateway_cli.declaring import Commands, Context
from gateway_cli.options import add_filters, add_span, filters_of, pages, span_of
from gateway_cli.times import GRAMMAR, fixed_zone, offset, rfc3339

_WIDTHS = {"hour": ("1h", 744), "day": ("1d", 366), "month": ("1mo", 120), "all": ("1mo", 120)}
"""Bucket -> the API's width, and the most buckets that a page may have."""
_PAGE = 500
_MOST_PAGES = 4
"""Pages of jobs that are read for their display names."""
_FIELDS = ("model", "team", "api_key", "project", "location", "job")
_SHORT = {"key": "api_key"}
_BY = "model, team, key, project, location, job or label:NAME, with commas between them"


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "spend",
        spend,
        "Report spend over time, by any group.",
        "vbatch spend\n"
        "vbatch spend --by model --since 7d\n"
        "vbatch spend --by team,label:env --since 2026-10-01 --until 2026-11-01 --bucket all\n"
        "vbatch spend --team search --bucket month --since 12mo -o csv",
        "A job's cost counts at the time at which the job was created. ≥: some usage has no price, so the "
        "true amount may be higher.\n"
        f"{GRAMMAR}",
    )
    parser.add_argument("--by", type=_fields, default=(), metavar="FIELDS", help=_BY)
    parser.add_argument(
        "--bucket",
        choices=_WIDTHS,
        default="day",
        help="time span of a row; all: one row for the whole time (default: day)",
    )
    add_span(parser, "30d")
    add_filters(parser)

    parser = commands.add(
        "export",
        export,
        "Export spend as a file for finance.",
        "vbatch export csv --since 2026-11-01 --until 2026-12-01 > november.csv\n"
        "vbatch export csv --by job --since 7d --file jobs.csv\n"
        "vbatch export focus --since 3mo --file focus.csv",
        "csv: a row for each day and group, or, with --by job, for each job.\n"
        "focus: columns of the FinOps FOCUS specification, for whole days of UTC.\n"
        f"A --file appears only when it is complete. {GRAMMAR}",
        formed=False,
    )
    parser.add_argument("format", choices=("csv", "focus"), help="columns of the file")
    parser.add_argument("--file", metavar="FILE", help="file to write (default: stdout)")
    parser.add_argument(
        "--by", type=_fields, default=(), metavar="FIELDS", help=f"csv: {_BY}; focus: job or nothing"
    )
    add_span(parser, "30d")
    add_filters(parser)


def spend(context: Context, args: Namespace) -> None:
    """Run ``vbatch spend``."""
    zone = fixed_zone(context.now, utc=context.utc)
    width, limit = _WIDTHS[args.bucket]
    query = _query(context, args, zone) | {"bucket_width": width, "limit": limit}
    buckets = [bucket for page in pages(context.client, "/v1/costs", query) for bucket in page["data"]]
    rows = _rows(buckets, args.by)
    if args.bucket == "all":
        rows = _summed(rows, args.by)
    total = money.total(row["amount"] for row in rows)
    shown = rows
    if context.out.form == "table" and not args.by:
        # Programs get every bucket; people do not read thirty zeros.
        shown = [row for row in rows if row["amount"] or row["unpriced"]]
    columns = (
        *(_when(args.bucket, zone) if args.bucket != "all" else ()),
        *_groups(args.by, _names(context, args, query) if "job" in args.by else {}),
        Column("amount", lambda row: row["amount"], Kind.MONEY, floor=lambda row: row["unpriced"]),
        Column("currency", lambda row: row["currency"], csv_only=True),
        Column("unpriced", lambda row: row["unpriced"], csv_only=True),
        Column("share", lambda row: (row["amount"], total), Kind.SHARE, spare=1),
    )
    last = {columns[0].name: ("total", False), "amount": (total, any(row["unpriced"] for row in rows))}
    raw = [{**row, "amount": f"{row['amount']:f}"} for row in rows]
    context.out.rows(
        columns, shown, raw=raw, none="Nothing was spent.", total=last if len(shown) > 1 else None
    )
    if shown and len(shown) < len(rows):
        context.out.note(f"Left out: {len(rows) - len(shown)} of {len(rows)} in which nothing was spent.")


def _groups(by: tuple[str, ...], names: dict[str, str]) -> Iterator[Column]:
    """Yield the columns of the groups. People see a job by id and display name, programs by full name."""
    for field in by:
        full = field == "job"
        yield Column(field, lambda row, field=field: row[field], csv_only=full)  # type: ignore[misc]
        if full:
            yield Column("job", lambda row: (row["job"] or "").rpartition("/")[2], table_only=True)
            yield Column("name", lambda row: names.get(row["job"]), table_only=True)


def _names(context: Context, args: Namespace, query: dict[str, Any]) -> dict[str, str]:
    """Return display names of jobs by full name; none of those that are too many to look up."""
    if context.out.form != "table":
        return {}
    wanted = {"limit": _PAGE, **filters_of(args), **{end: query[end] for end in ("start_time", "end_time")}}
    found = itertools.islice(pages(context.client, "/v1/jobs", wanted), _MOST_PAGES)
    return {job["name"]: job["displayName"] for page in found for job in page["data"]}


def export(context: Context, args: Namespace) -> None:
    """Run ``vbatch export``."""
    focus = args.format == "focus"
    zone = UTC if focus else fixed_zone(context.now, utc=context.utc)
    query = _query(context, args, zone) | {"format": args.format}
    if focus:
        # FOCUS files are in UTC by specification, and the gateway accepts no other zone for them.
        del query["time_zone"]
    chunks = context.client.stream("/v1/costs:export", query)
    if args.file is None:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    from gateway_cli import transfers  # noqa: PLC0415 - it imports requests

    size = transfers.write(Path(args.file), chunks)
    context.out.note(f"Wrote {args.file}: {size:,} bytes.")


def _query(context: Context, args: Namespace, zone: timezone) -> dict[str, Any]:
    since, until = span_of(context, args, zone)
    return {
        "start_time": since and rfc3339(since),
        "end_time": until and rfc3339(until),
        "time_zone": offset(zone),
        "group_by": ",".join(args.by) or None,
        **filters_of(args),
    }


def _fields(given: str) -> tuple[str, ...]:
    """Parse the groups of ``--by`` to the API's names."""
    fields = []
    for name in given.split(","):
        field = _SHORT.get(name, name)
        if field not in _FIELDS and not (field.startswith("label:") and field != "label:"):
            raise ArgumentTypeError(f"{name!r} is not one of {_BY}")
        fields.append(field)
    return tuple(dict.fromkeys(fields))


def _rows(buckets: list[dict[str, Any]], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each result of each bucket; without groups, one for each bucket, even if empty."""
    rows = []
    for bucket in buckets:
        when = {
            f"{end}_time": rfc3339(datetime.fromtimestamp(bucket[f"{end}_time"], UTC))
            for end in ("start", "end")
        }
        none = [] if by else [{"amount": {"value": "0", "currency": "usd"}}]
        rows += [
            {
                **when,
                **{field: _field(result, field) for field in by},
                "amount": money.amount(result["amount"]["value"]),
                "currency": result["amount"]["currency"].upper(),
                "unpriced": result.get("unpriced", False),
            }
            for result in bucket["results"] or none
        ]
    return rows


def _field(result: dict[str, Any], field: str) -> Any:
    kind, _, name = field.partition(":")
    return (result.get("labels") or {}).get(name) if kind == "label" else result.get(field)


def _summed(rows: list[dict[str, Any]], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return a row for each group, the largest first."""
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        group = tuple(row[field] for field in by)
        found = sums.setdefault(
            group,
            {**dict(zip(by, group, strict=True)), "amount": Decimal(0), "currency": "USD", "unpriced": False},
        )
        found["amount"] = money.total((found["amount"], row["amount"]))
        found["unpriced"] = found["unpriced"] or row["unpriced"]
    return sorted(sums.values(), key=lambda row: -row["amount"])


def _when(bucket: str, zone: timezone) -> tuple[Column, ...]:
    """Format the start of a bucket, as short as the width of buckets allows."""
    shown = {"hour": "%Y-%m-%d %H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}[bucket]
    return (
        Column(
            f"{bucket}_({zone})",
            lambda row: f"{datetime.fromisoformat(row['start_time']).astimezone(zone):{shown}}",
            table_only=True,
        ),
        Column("start_time", lambda row: row["start_time"], csv_only=True),
        Column("end_time", lambda row: row["end_time"], csv_only=True),
    )
