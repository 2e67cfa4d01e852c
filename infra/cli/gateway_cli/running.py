"""``vbatch run``: take a file to its results and its cost in one command."""

import re
import secrets
import shlex
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gateway_cli import creates, estimates, inputs, money
from gateway_cli.cells import Column, Kind, clean
from gateway_cli.declaring import Commands, Context
from gateway_cli.errors import REFUSED, AnswerError, CliError, InterruptedRunError, UsageError
from gateway_cli.joblists import path_of, settled, word
from gateway_cli.options import add_place, add_yes, gs_prefix, members, pair
from gateway_cli.printing import confirm

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 100
_LIKE_OUTPUT = re.compile(r"(incremental_)?prediction.*|errors_.*|[0-9]+")
"""Names that the output of jobs may have. The gateway refuses them for input."""


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "run",
        run,
        "Take a file to its results: upload it, estimate it, submit it, watch it, download what it wrote.",
        "vbatch run prompts.jsonl --model gemini-3.5-flash\n"
        "vbatch run reviews.csv --model gemini-3.5-flash --prompt 'Is this review kind? {text}' "
        "--max-cost 5 --yes\n"
        "vbatch run lines.txt --model gemini-3.5-flash --prompt 'Translate to French: {line}' --out "
        "french.jsonl\n"
        "vbatch run --resume 4242424242424242424",
        "FILE is JSONL in Vertex AI's form; with --prompt, a CSV file or a text with a prompt in "
        "each line.\n"
        "Nothing is submitted before you have seen the estimate and agreed, or if there are rows that "
        "would fail the whole job. After Ctrl-C the job goes on, and you can come back to it.\n"
        "The job writes below --output-prefix, else below the output_prefix of the profile, else where the "
        "gateway says.",
    )
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the rows")
    parser.add_argument("--model", metavar="MODEL", help="such as gemini-3.5-flash")
    parser.add_argument(
        "--prompt", metavar="TEMPLATE", help="prompt with {column} of a CSV file, or {line} of a text"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="file for the results (default: NAME-results.jsonl, if it is new)",
    )
    parser.add_argument(
        "--label", action="append", type=pair, default=[], metavar="NAME=VALUE", help="label of the job"
    )
    parser.add_argument(
        "--max-cost", metavar="USD", help="submit only if the high estimate is no higher than this"
    )
    parser.add_argument(
        "--output-prefix", type=gs_prefix, metavar="URI", help="gs://BUCKET/PATH below which the job writes"
    )
    parser.add_argument(
        "--resume",
        metavar="JOB",
        help="run what an ended job left undone, instead of a file: id or full name",
    )
    add_place(parser)
    add_yes(parser)


def run(context: Context, args: Namespace) -> int | None:
    """Run ``vbatch run``."""
    # It imports requests, which takes long, and help does without.
    from gateway_cli import transfers  # noqa: PLC0415

    if args.resume:
        if args.file or args.model or args.prompt or args.label or args.output_prefix:
            raise UsageError(
                "--resume takes file, model, labels and output from the old job: leave them out."
            )
    elif not args.file or not args.model:
        raise UsageError("Which file, and which --model? See `vbatch run --help`.")
    most = None if args.max_cost is None else money.typed(args.max_cost)
    if args.resume:
        path = path_of(context.client, args.resume)
        out = args.out or Path(f"{path.rpartition('/')[2]}-resumed-results.jsonl")
        transfers.check_target(out, overwrite=args.out is not None)
        _check_can_ask(args)
        estimate = context.client.post(f"{path}:resume?validateOnly=true", {})
        _agree(context, estimate, most, args=args)
        return _finish(context, creates.resume(context, path), out)
    if args.file.parts[:1] == ("gs:",):
        raise UsageError(
            "FILE is a file on this machine, which is uploaded. What is in Cloud Storage already is named in "
            "the JSON of a job: see `vbatch jobs submit --help`."
        )
    if not args.file.is_file():
        raise UsageError(f"{args.file} is not a file.")
    out = args.out or Path(f"{args.file.stem}-results.jsonl")
    transfers.check_target(out, overwrite=args.out is not None)
    if out.exists() and out.samefile(args.file):
        raise UsageError(f"{out} holds the rows, and would be overwritten. Choose another file with --out.")
    _check_can_ask(args)
    with inputs.rows_of(args.file, args.prompt) as rows:
        # Whatever is refused without its input is refused before the upload.
        creates.estimate(context, msgspec.json.encode(_body(context, args)))
        place = _upload(context, rows, args.file.stem)
    body = msgspec.json.encode(_body(context, args, place))
    estimate = creates.estimate(context, body)
    _agree(context, estimate, most, args=args)
    return _finish(context, creates.create(context, body), out)


def _check_can_ask(args: Namespace) -> None:
    if not args.yes and not sys.stdin.isatty():
        raise UsageError("Without a terminal nobody can be asked: pass --yes to confirm.")


def _upload(context: Context, rows: Path, stem: str) -> dict[str, Any]:
    """Upload the rows, and return the gateway's answer with their URI."""
    from gateway_cli import transfers  # noqa: PLC0415 - as above
    from gateway_cli.uploadbar import UploadBar  # noqa: PLC0415 - it imports rich

    # Each run has a folder of its own, because the gateway overwrites nothing.
    folder = f"{context.now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    place: dict[str, Any] = context.client.post("/v1/inputs", {"name": f"{folder}/{_safe(stem)}.jsonl"})
    with UploadBar(rows.stat().st_size) as bar:
        transfers.upload(place["uploadUrl"], rows, bar.show)
    context.out.note(f"Uploaded {rows.stat().st_size:,} bytes to {clean(place['uri'])}")
    return place


def _safe(stem: str) -> str:
    name = _UNSAFE.sub("-", stem).strip("-.")[:_LONGEST_NAME] or "input"
    return f"input-{name}" if _LIKE_OUTPUT.fullmatch(name) else name


def _body(context: Context, args: Namespace, place: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of the create; without the place of its input, the part that is known before."""
    prefix = args.output_prefix or (context.profile and context.profile.output_prefix)
    body = {
        "displayName": args.file.stem[:_LONGEST_NAME],
        "model": args.model,
        **({"labels": members(args.label, "--label")} if args.label else {}),
    }
    if place is not None:
        uri = str(place["uri"])
        folder, name = uri.removesuffix(".jsonl").rsplit("/", 2)[1:]
        prefix = f"{(prefix or str(place['outputUriPrefix'])).rstrip('/')}/{folder}/{name}-output"
        body["inputConfig"] = {"instancesFormat": "jsonl", "gcsSource": {"uris": [uri]}}
    if prefix:
        body["outputConfig"] = {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": prefix},
        }
    return body


def _agree(context: Context, found: dict[str, Any], most: Decimal | None, *, args: Namespace) -> None:
    """Show the estimate, and make sure that the job may be submitted.

    Args:
        context: The command's context.
        found: The estimate.
        most: The highest amount that the job may cost; None if there is no limit.
        args: The command's arguments.

    Raises:
        CliError: Rows would fail the whole job, or it may cost too much.
        DeclinedError: The user declines.
    """
    low, expected, high = (
        None if (amount := money.amount(found[end])) is None else money.text(amount)
        for end in ("low", "expected", "high")
    )
    rows, what = found["rows"], "The job"
    if rows["total"] is not None:
        what = f"{'' if rows['exact'] else 'about '}{_number(rows['total'])}"
    context.out.note(
        f"Estimate: {what}, {found['model']}: expected {expected or 'unknown'} USD, from "
        f"{low or 'unknown'} to {high or 'unknown'} USD."
    )
    context.out.note(estimates.expected_time(found))
    # The rows of a job that is resumed, and those that --prompt makes, are no lines of a file.
    is_file = args.file and not args.prompt
    estimates.warn(context.out, found, str(args.file) if is_file else None)
    # Those of a job that is resumed can no longer be corrected.
    if args.file and rows["fatal"]:
        raise CliError(
            f"Nothing was submitted: {_number(rows['fatal'])} would fail the whole job before any row runs. "
            f"Correct or remove these rows in {args.file}, and run it again."
        )
    dearest = money.amount(found["high"])
    if most is not None and (dearest is None or dearest > most):
        raise CliError(
            f"Nothing was submitted: the job may cost {high or 'an unknown amount of'} USD, and --max-cost "
            f"is {money.text(most)}."
        )
    confirm("This submits the job.", yes=args.yes)


def _number(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"


def _way_back(job: str, out: Path) -> str:
    return (
        "Come back with:\n"
        f"  vbatch jobs watch {job}\n"
        f"  vbatch jobs results {job} --out {shlex.quote(str(out))}"
    )


@contextmanager
def _can_come_back(job: str, out: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"Ctrl-C does not stop the job {job}. {_way_back(job, out)}\n"
            "Stop it with:\n"
            f"  vbatch jobs cancel {job}"
        ) from error


def _finish(context: Context, job: dict[str, Any], out: Path) -> int | None:
    """Watch a job that was submitted, download its results, and print what it cost."""
    from gateway_cli import results, watching  # noqa: PLC0415 - they import requests and rich

    short = job["name"].rpartition("/")[2]
    context.out.note(f"Submitted {job['name']}")
    with _can_come_back(short, out):
        try:
            cost, reason = watching.follow(context, f"/v1/{job['name']}")
        except CliError:
            context.out.note(f"The job {short} was submitted, and goes on. {_way_back(short, out)}")
            raise
        succeeded = cost["state"] == "JOB_STATE_SUCCEEDED"
        written: Path | None = out
        try:
            results.save(context, job["name"], {}, out)
        except CliError as error:
            written = None
            if succeeded or not isinstance(error, AnswerError) or error.reason != "OUTPUT_NOT_THERE":
                # The job is paid for, and its results can still be had.
                raise error.with_advice(
                    f"The job has ended ({word(cost['state'])}). Download its results with:\n"
                    f"  vbatch jobs results {short} --out {shlex.quote(str(out))}"
                ) from error
    told = {"cost": cost, "file": str(written) if written else None, "reason": reason}
    context.out.record(_TOLD if reason else _TOLD[:-1], told, raw=cost)
    undone = sum(cost["rows"][name] for name in ("failed", "malformed", "unrecognized"))
    if written is None:
        context.out.note(
            "The job has written nothing that could be resumed: remove the cause, and run it again. If "
            f"output comes late after all, `vbatch jobs results {short}` has it."
        )
    elif undone or not succeeded:
        context.out.note(
            f"Not all rows have a good answer: `vbatch jobs failures {short}` shows them, and `vbatch run "
            f"--resume {short}` runs again what is undone."
        )
    return None if succeeded else REFUSED


_TOLD = (
    Column("job", lambda told: told["cost"]["name"].rpartition("/")[2]),
    Column("state", lambda told: word(told["cost"]["state"])),
    Column("rows", lambda told: {name: count for name, count in told["cost"]["rows"].items() if count}),
    Column(
        "cost",
        lambda told: settled(told["cost"], told["cost"]["amount"]),
        Kind.MONEY,
        floor=lambda told: not told["cost"]["complete"],
    ),
    Column("results", lambda told: told["file"]),
    Column("reason", lambda told: told["reason"], style=lambda _: "red"),
)
