"""``vbatch reprice``, ``vbatch sweep`` and ``vbatch audit``."""

import json
from argparse import Namespace
from decimal import Decimal
from typing import Any

from gateway_cli import money
from gateway_cli.cells import Column, Kind, clean
from gateway_cli.declaring import Commands, Context
from gateway_cli.options import add_span, add_yes, positive, span_of
from gateway_cli.printing import confirm
from gateway_cli.times import GRAMMAR, rfc3339

_PAGE = 1000


def add(commands: Commands) -> None:
    """Add the commands."""
    parser = commands.add(
        "reprice",
        reprice,
        "Price settled jobs again, with the price table in force now.",
        "vbatch reprice --from 2026-11-01 --to 2026-12-01 --dry-run\n"
        "vbatch reprice --from 2026-11-01 --to 2026-12-01 --model gemini-3.5-flash\n"
        "vbatch reprice --from 7d --to now --yes -o csv",
        "For jobs that were created in that time. Computed from stored usage; the old amount and table stay "
        f"on record, and totals follow. Running it twice changes nothing more.\n{GRAMMAR}",
    )
    add_span(parser, None, required=True)
    parser.add_argument("--model", metavar="MODEL", help="only jobs of this model (short name)")
    parser.add_argument(
        "--dry-run", action="store_true", help="only show what would change, and change nothing"
    )
    add_yes(parser)

    commands.add(
        "sweep",
        sweep,
        "Run a sweep now, to find what events missed; the scheduler runs it regularly.",
        "vbatch sweep",
        "Settles output whose event was lost, adopts jobs that were created outside the gateway, and "
        "lists stuck jobs.",
    )

    parser = commands.add(
        "audit",
        audit,
        "The audit trail, newest entries first.",
        "vbatch audit --since today\n"
        "vbatch audit --actor ada --action key.update\n"
        "vbatch audit --since 2026-11-01 --until 2026-12-01 --limit 100000 -o csv",
        GRAMMAR,
    )
    add_span(parser, None)
    for option, metavar, what in (
        ("--actor", "ALIAS", "only of the key with this alias"),
        ("--action", "ACTION", "only of this action, such as job.create or key.update"),
        ("--target", "TARGET", "only with exactly this target, as the trail shows it"),
    ):
        parser.add_argument(option, metavar=metavar, help=what)
    parser.add_argument(
        "--limit", type=positive, default=100, metavar="N", help="maximum number of entries (default: 100)"
    )


def reprice(context: Context, args: Namespace) -> None:
    """Run ``vbatch reprice``."""
    since, until = span_of(context, args)
    body: dict[str, Any] = {"start_time": since and rfc3339(since), "end_time": until and rfc3339(until)}
    # An empty name is none of a model: it must not mean all of them.
    body |= {} if args.model is None else {"model": args.model}
    whose = "all jobs" if args.model is None else f"jobs of {args.model!r}"
    if args.dry_run:
        body["validate_only"] = True
    else:
        confirm(
            f"This prices {whose} that were created from {body['start_time']} to {body['end_time']} again.",
            yes=args.yes,
        )
    out, jobs, examined, table = context.out, [], 0, ""
    is_done = False
    try:
        while True:
            answer = context.client.post("/v1/costs:reprice", body)
            jobs += answer["repriced"]
            examined += answer["examined"]
            table = answer["price_table"]
            is_done = not answer["next_page"]
            if is_done:
                break
            body["page"] = answer["next_page"]
            out.note(f"{examined:,} jobs examined, {len(jobs):,} changed ...")
    finally:
        # If it stopped half-way, the part that was done has to be shown, and what else was is not known.
        whole = _summed(jobs)
        total: dict[str, tuple[Any, bool]] = {
            column.name: (column.value(whole), column.floor(whole))
            for column in _REPRICED
            if column.kind is Kind.MONEY
        }
        if jobs or is_done:
            out.rows(_REPRICED, jobs, none="No cost changed.", total=total | {"job": ("total", False)})
    before, after = (
        f"{'at least ' if whole[unpriced] else ''}{money.text(whole[amount])}"
        for amount, unpriced in (("amount_before", "unpriced_before"), ("amount", "unpriced"))
    )
    change = f", from {before} to {after} USD" if jobs else ""
    done = "would change" if args.dry_run else "changed"
    out.note(f"{examined:,} jobs examined with price table {table}; {len(jobs):,} {done}{change}.")


def sweep(context: Context, _: Namespace) -> None:
    """Run ``vbatch sweep``."""
    done = context.client.post("/internal/reconcile", {})
    out = context.out
    out.record(_SWEPT, done)
    if out.form == "table":
        for title, lines in (("Stuck jobs:", done["stuck"]), ("Could not be done:", done["problems"])):
            if lines:
                out.text(f"\n{title}")
                for line in lines:
                    out.text(f"  {clean(str(line))}")
    if not done["complete"]:
        out.note("The sweep had problems or ran out of time: run it again.")


def audit(context: Context, args: Namespace) -> None:
    """Run ``vbatch audit``."""
    since, until = span_of(context, args)
    query: dict[str, Any] = {"start_time": since and rfc3339(since), "end_time": until and rfc3339(until)}
    query |= {"actor": args.actor, "action": args.action, "target": args.target}
    entries: list[dict[str, Any]] = []
    while len(entries) < args.limit:
        wanted = min(_PAGE, args.limit - len(entries))
        page = context.client.get("/audit", {**query, "limit": wanted})["entries"]
        entries += page
        if len(page) < wanted:
            break
        query["end_time"] = page[-1]["time"]
    context.out.rows(_AUDIT, entries, none="No such entries.")


def _changed(entry: dict[str, Any]) -> str:
    """Return what an entry changed, in one line: each field with its value before and after."""
    change = entry.get("change") or {}
    before, after = change.get("before") or {}, change.get("after") or {}
    return ", ".join(
        f"{name} {_value(before[name])} -> {_value(after.get(name))}"
        if name in before
        else f"{name} {_value(after[name])}"
        for name in {**before, **after}
        # Of a secret both look the same.
        if name not in _SAID_BEFORE and (before.get(name) != after.get(name) or name.startswith("webhook"))
    )


def _value(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value)


def _amount(job: dict[str, Any], name: str) -> Decimal:
    return money.amount(job[name]) or Decimal(0)


def _summed(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sum of the amounts of repriced jobs, in the form of one of them."""
    return {
        **{name: money.total(_amount(job, name) for job in jobs) for name in ("amount_before", "amount")},
        **{name: any(job[name] for job in jobs) for name in ("unpriced_before", "unpriced")},
    }


def _difference(job: dict[str, Any]) -> Decimal | None:
    """Return what a job costs more than before; None if either amount is only a floor."""
    if job["unpriced_before"] or job["unpriced"]:
        return None
    return money.change(_amount(job, "amount_before"), _amount(job, "amount"))


_REPRICED = (
    Column("job", lambda job: job["name"].rpartition("/")[2]),
    Column(
        "amount_before",
        lambda job: job["amount_before"],
        Kind.MONEY,
        floor=lambda job: job["unpriced_before"],
    ),
    Column("unpriced_before", lambda job: job["unpriced_before"], csv_only=True),
    Column("price_table_before", lambda job: job["price_table_before"], spare=1),
    Column("amount", lambda job: job["amount"], Kind.MONEY, floor=lambda job: job["unpriced"]),
    Column("unpriced", lambda job: job["unpriced"], csv_only=True),
    Column("difference", _difference, Kind.MONEY),
    Column("name", lambda job: job["name"], csv_only=True),
)
_COUNTS = {
    "jobs": "jobs looked at",
    "adopted": "jobs taken on record",
    "settled": "outputs settled",
    "watched": "final costs looked at again",
    "closed": "costs made final",
    "parked": "outputs of no known job",
    "droppedSubmissions": "creates that came to nothing",
}
_SWEPT = (
    *(
        Column(words.replace(" ", "_"), lambda done, name=name: done[name], Kind.NUMBER)  # type: ignore[misc]
        for name, words in _COUNTS.items()
    ),
    Column("stuck", lambda done: len(done["stuck"]), Kind.NUMBER),
    Column("problems", lambda done: len(done["problems"]), Kind.NUMBER),
    Column("complete", lambda done: done["complete"]),
)
_SAID_BEFORE = {"setBy", "setAt", "name", "location"}
"""Fields of overrides of prices that an entry has as its actor, time and target."""
_AUDIT = (
    Column("time", lambda entry: entry["time"], Kind.TIME),
    Column("actor", lambda entry: entry["actor"]),
    Column("action", lambda entry: entry["action"]),
    Column("target", lambda entry: entry["target"]),
    Column(
        "outcome",
        lambda entry: entry["outcome"],
        style=lambda entry: "" if entry["outcome"] == "OK" else "red",
    ),
    Column("change", _changed),
)
