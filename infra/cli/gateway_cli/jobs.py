"""``vbatch jobs``: submit jobs, show them with their costs, read what they wrote, cancel and delete them."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from gateway_cli import costreports, creates, joblists
from gateway_cli.cells import Column, Kind, of
from gateway_cli.declaring import Commands, Context
from gateway_cli.joblists import HOW_NAMED, ROW_STATES, VIEWS, colour, path_of, word
from gateway_cli.options import (
    add_filters,
    add_place,
    add_span,
    add_yes,
    filters_of,
    pages,
    positive,
    span_of,
)
from gateway_cli.printing import confirm
from gateway_cli.times import GRAMMAR, rfc3339

_PAGE = 500


def add(commands: Commands) -> None:
    """Add the commands."""
    jobs = commands.group(
        "jobs",
        "Submit, list, watch, resume, cancel and delete jobs; see what they cost and what they wrote.",
        "vbatch jobs list --since today --state running\nvbatch jobs cost 4242424242424242424",
    )
    parser = jobs.add(
        "list",
        list_jobs,
        "List jobs on record, the newest first, with progress and cost.",
        "vbatch jobs list\n"
        "vbatch jobs list --state running --state pending\n"
        "vbatch jobs list --since 7d --team search --label env=prod -o csv",
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
        "--state",
        action="append",
        type=joblists.state,
        metavar="STATE",
        help="such as running, succeeded, failed",
    )
    parser.add_argument("--search", metavar="TEXT", help="in id, display name, model, team and labels")

    parser = jobs.add(
        "show", show, "Look at a job as Vertex AI has it.", "vbatch jobs show 4242424242424242424", HOW_NAMED
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")

    parser = jobs.add(
        "cost",
        cost,
        "What a job costs, item by item, while it runs and after.",
        "vbatch jobs cost 4242424242424242424\nvbatch jobs cost 4242424242424242424 -o csv > items.csv",
        f"CSV has a row for each line item. {HOW_NAMED}",
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")

    parser = jobs.add(
        "watch",
        watch,
        "Follow jobs until they have ended and their cost is final.",
        "vbatch jobs watch\nvbatch jobs watch 4242424242424242424 && ./next-step",
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
        "submit",
        submit,
        "Submit a job from the JSON that describes it, exactly once.",
        "vbatch jobs submit job.json\ncat job.json | vbatch jobs submit - --project acme --location global",
        "FILE is the body of a create, with its input in Cloud Storage or BigQuery. `vbatch run` "
        "uploads a file, too.",
    )
    parser.add_argument("file", metavar="FILE", help="body of a create; - for stdin")
    add_place(parser)

    parser = jobs.add(
        "results",
        results,
        "Download what a job wrote, row by row.",
        "vbatch jobs results 4242424242424242424 --out results.jsonl\n"
        "vbatch jobs results 4242424242424242424 --view usage --format csv > rows.csv\n"
        "vbatch jobs results 4242424242424242424 --state failed --limit 10",
        "full: the lines as Vertex AI wrote them. usage: state, tokens and exact cost of each row.\n"
        f"A file of --out appears only when it is complete. {HOW_NAMED}",
        formed=False,
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    parser.add_argument("--view", choices=VIEWS, default="full", help="what of each row (default: full)")
    parser.add_argument(
        "--state",
        action="append",
        choices=ROW_STATES,
        metavar="STATE",
        help=f"only such rows: {', '.join(ROW_STATES)}; given twice, either will do",
    )
    parser.add_argument("--format", choices=("csv",), help="usage as CSV instead of JSON lines")
    parser.add_argument("--limit", type=positive, metavar="N", help="only the first N rows")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: stdout)")

    parser = jobs.add(
        "failures",
        failures,
        "List the rows that failed, were blocked, could not be read or were not run, with the reason.",
        "vbatch jobs failures 4242424242424242424",
        "row is a number in the results, which are not in the order of your file: find the row there by "
        f"the key that you gave it. {HOW_NAMED}",
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    parser.add_argument(
        "--limit", type=positive, default=100, metavar="N", help="maximum number of rows (default: 100)"
    )

    parser = jobs.add(
        "resume",
        resume,
        "Run what a job that has ended left undone, as a new job.",
        "vbatch jobs resume 4242424242424242424",
        f"Rows that were answered are carried over, and are not paid again. {HOW_NAMED}",
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")

    parser = jobs.add(
        "cancel",
        cancel,
        "Ask Vertex AI to cancel a job. Rows that are done are paid for.",
        "vbatch jobs cancel 4242424242424242424",
        HOW_NAMED,
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    add_yes(parser)

    parser = jobs.add(
        "delete",
        delete,
        "Delete a job that has ended. Its cost stays on record.",
        "vbatch jobs delete 4242424242424242424 --yes",
        HOW_NAMED,
    )
    parser.add_argument("job", metavar="JOB", help="id or full name")
    add_yes(parser)


def list_jobs(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs list``."""
    since, until = span_of(context, args)
    query: dict[str, Any] = {
        "limit": min(args.limit, _PAGE),
        "start_time": since and rfc3339(since),
        "end_time": until and rfc3339(until),
        "state": args.state,
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
    jobs = jobs[: args.limit]
    # Most lists have no failed job, and room for one column less.
    failed = any(job["error"] for job in jobs) or context.out.form == "csv"
    columns = (*joblists.COLUMNS, joblists.REASON) if failed else joblists.COLUMNS
    context.out.rows(columns, jobs, none="No such jobs.")
    if more:
        context.out.note(
            f"There may be more: these are the newest {args.limit}. See --limit, --since and --until."
        )


def show(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs show``."""
    context.out.record(_JOB, context.client.get(path_of(context.client, args.job)))


def cost(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs cost``."""
    path = path_of(context.client, args.job)
    report = context.client.get(f"{path}/cost")
    reason = joblists.reason_of(context.client, path) if context.out.form == "table" else None
    costreports.show(context.out, report, reason)


def watch(context: Context, args: Namespace) -> int | None:
    """Run ``vbatch jobs watch``."""
    from gateway_cli import watching  # noqa: PLC0415 - it imports rich, which takes long

    return watching.watch(context, args)


def submit(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs submit``."""
    _submitted(context, creates.create(context, creates.read_body(args.file)))


def resume(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs resume``."""
    _submitted(context, creates.resume(context, path_of(context.client, args.job)))


def results(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs results``."""
    from gateway_cli import results as reading  # noqa: PLC0415 - it imports requests, which takes long

    reading.results(context, args)


def failures(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs failures``."""
    from gateway_cli import results as reading  # noqa: PLC0415 - same

    reading.failures(context, args)


def _submitted(context: Context, job: dict[str, Any]) -> None:
    context.out.record(_SUBMITTED, job)
    short = job["name"].rpartition("/")[2]
    context.out.note(f"Watch it with `vbatch jobs watch {short}`.")


def cancel(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs cancel``."""
    path = path_of(context.client, args.job)
    confirm(f"This cancels {path.removeprefix('/v1/')}.", yes=args.yes)
    _done(
        context,
        context.client.post(f"{path}:cancel", {}),
        f"Vertex AI was asked to cancel it: vbatch jobs watch {args.job}",
    )


def delete(context: Context, args: Namespace) -> None:
    """Run ``vbatch jobs delete``."""
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


_SUBMITTED = (
    of("name", "name"),
    of("display_name", "displayName"),
    of("model", "model"),
    Column("output", _output),
)
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
