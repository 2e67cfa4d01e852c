"""``gateway jobs``: show jobs and their costs, cancel and delete them."""

import json
from argparse import Namespace
from typing import Any

from gateway_cli import costreports, joblists, watching
from gateway_cli.cells import Column, Kind, of
from gateway_cli.commands import Commands, Context
from gateway_cli.joblists import HOW_NAMED, colour, path_of, word
from gateway_cli.options import add_filters, add_span, add_yes, filters_of, pages, positive, span_of
from gateway_cli.printing import confirm
from gateway_cli.times import GRAMMAR, rfc3339

_PAGE = 500


def add(commands: Commands) -> None:
    """Add the commands."""
    jobs = commands.group(
        "jobs",
        "List, watch, cancel and delete jobs, and see what they cost.",
        "gateway jobs list --since today --state running\ngateway jobs cost 4242424242424242424",
    )
    parser = jobs.add(
        "list",
        list_jobs,
        "List jobs on record, the newest first, with progress and cost.",
        "gateway jobs list\n"
        "gateway jobs list --state running --state pending\n"
        "gateway jobs list --since 7d --team search --label env=prod -o csv",
        "≥ before a cost: it is a floor, as some rows have no price or could not be read, or more may come; "
        "- that no output is settled yet.\n"
        "`expected` is what a job may come to whose cost is not final: its estimate until rows are "
        f"answered, then what those cost, carried on to all. {GRAMMAR}",
    )
    add_span(parser, None)
    parser.add_argument(
        "--limit", type=positive, default=50, metavar="N", help="maximum number of jobs (default: 50)"
    )
    add_filters(parser)
    parser.add_argument(
        "--state", action="append", metavar="STATE", help="such as running, succeeded, failed"
    )
    parser.add_argument("--search", metavar="TEXT", help="in id, display name, model, team and labels")

    parser = jobs.add(
        "show", show, "Look at a job as Vertex AI has it.", "gateway jobs show 4242424242424242424", HOW_NAMED
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")

    parser = jobs.add(
        "cost",
        cost,
        "What a job costs, item by item, while it runs and after.",
        "gateway jobs cost 4242424242424242424\ngateway jobs cost 4242424242424242424 -o csv > items.csv",
        f"CSV has a row for each line item. {HOW_NAMED}",
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")

    parser = jobs.add(
        "watch",
        watching.watch,
        "Follow jobs until they have ended and their cost is final.",
        "gateway jobs watch\ngateway jobs watch 4242424242424242424 && ./next-step",
        f"Without JOB: all that run now. Exit status 1 if one of them did not succeed. {HOW_NAMED}",
    )
    parser.add_argument("jobs", nargs="*", metavar="JOB", help="ids or full names")
    parser.add_argument(
        "--interval",
        type=positive,
        default=5,
        metavar="SECONDS",
        help="seconds between two polls (default: 5)",
    )

    parser = jobs.add(
        "cancel",
        cancel,
        "Ask Vertex AI to cancel a job. Rows that are done are paid for.",
        "gateway jobs cancel 4242424242424242424",
        HOW_NAMED,
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    add_yes(parser)

    parser = jobs.add(
        "delete",
        delete,
        "Delete a job that has ended. Its cost stays on record.",
        "gateway jobs delete 4242424242424242424 --yes",
        HOW_NAMED,
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    add_yes(parser)


def list_jobs(context: Context, args: Namespace) -> None:
    """Run ``gateway jobs list``."""
    since, until = span_of(context, args)
    query: dict[str, Any] = {
        "limit": min(args.limit, _PAGE),
        "start_time": since and rfc3339(since),
        "end_time": until and rfc3339(until),
        "state": [joblists.state(each) for each in args.state or ()],
        "search": args.search,
        **filters_of(args),
    }
    jobs: list[dict[str, Any]] = []
    more = False
    for page in pages(context.client, "/v1/jobs", query):
        jobs += page["data"]
        more = bool(page["next_page"]) or len(jobs) > args.limit
        if len(jobs) >= args.limit:
            break
    context.out.rows(joblists.COLUMNS, jobs[: args.limit], none="No such jobs.")
    if more:
        context.out.note(
            f"There may be more: these are the newest {args.limit}. See --limit, --since and --until."
        )


def show(context: Context, args: Namespace) -> None:
    """Run ``gateway jobs show``."""
    context.out.record(_JOB, context.client.get(path_of(context.client, args.job)))


def cost(context: Context, args: Namespace) -> None:
    """Run ``gateway jobs cost``."""
    costreports.show(context.out, context.client.get(f"{path_of(context.client, args.job)}/cost"))


def cancel(context: Context, args: Namespace) -> None:
    """Run ``gateway jobs cancel``."""
    path = path_of(context.client, args.job)
    confirm(f"This cancels {path.removeprefix('/v1/')}.", yes=args.yes)
    _done(
        context,
        context.client.post(f"{path}:cancel", {}),
        f"Vertex AI was asked to cancel it: gateway jobs watch {args.job}",
    )


def delete(context: Context, args: Namespace) -> None:
    """Run ``gateway jobs delete``."""
    path = path_of(context.client, args.job)
    confirm(f"This deletes {path.removeprefix('/v1/')} permanently.", yes=args.yes)
    _done(context, context.client.delete(path), "Deleted. Its cost stays on record.")


def _done(context: Context, answer: Any, message: str) -> None:
    if context.out.form == "json":
        context.out.json(answer)
    context.out.note(message)


def _uris(job: dict[str, Any]) -> Any:
    given = job.get("inputConfig") or {}
    return (given.get("gcsSource") or {}).get("uris") or (given.get("bigquerySource") or {}).get("inputUri")


def _output(job: dict[str, Any]) -> Any:
    info, given = job.get("outputInfo") or {}, job.get("outputConfig") or {}
    return (
        info.get("gcsOutputDirectory")
        or info.get("bigqueryOutputTable")
        or (given.get("gcsDestination") or {}).get("outputUriPrefix")
        or (given.get("bigqueryDestination") or {}).get("outputUri")
    )


def _stats(job: dict[str, Any]) -> Any:
    stats = job.get("completionStats") or {}
    return {name.removesuffix("Count"): count for name, count in stats.items() if name.endswith("Count")}


_JOB = (
    of("name", "name"),
    of("display_name", "displayName"),
    Column("state", lambda job: word(job.get("state")), style=lambda job: colour(job.get("state"))),
    of("model", "model"),
    of("labels", "labels"),
    Column("input", _uris),
    Column("output", _output),
    Column("rows", _stats),
    of("create_time", "createTime", Kind.TIME),
    of("start_time", "startTime", Kind.TIME),
    of("end_time", "endTime", Kind.TIME),
    Column("error", lambda job: (job.get("error") or {}).get("message"), style=lambda _: "red"),
    Column("partial_failures", lambda job: [json.dumps(each) for each in job.get("partialFailures") or ()]),
)
