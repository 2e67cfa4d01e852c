"""``vbatch jobs watch``: show the progress of jobs until they have ended and their costs are final."""

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway_cli.cells import Column, Kind, clean
from gateway_cli.declaring import Context
from gateway_cli.errors import REFUSED, AnswerError, CliError, UnreachableError
from gateway_cli.joblists import RUNNING, colour, path_of, progress, settled, word
from gateway_cli.options import pages
from gateway_cli.tables import console, layout
from gateway_cli.times import duration, read

if TYPE_CHECKING:
    from gateway_cli.client import Client

INTERVAL = 5
"""Seconds between two polls."""
_SETTLING_SECONDS = 120
"""Longest wait for a final cost after a job has ended; after that, only the sweep helps."""
_WITH_OUTPUT = {"JOB_STATE_SUCCEEDED", "JOB_STATE_PARTIALLY_SUCCEEDED"}
_TRIES = 5
"""Consecutive failures after which watching is given up."""
_LONGEST_PAUSE = 60


@dataclass
class _Watched:
    """A job that is watched.

    Attributes:
        path: Its path.
        name: Its display name; empty if Vertex AI has the job no more.
        began: When it began to run, or else was created.
        cost: Its latest cost report.
        seen: When the report was received.
        ended: When it was first seen to have ended, by the monotonic clock.
        reason: Why it failed.
        described: The state in which name, beginning and reason were looked up.
    """

    path: str
    name: str = ""
    began: datetime | None = None
    cost: dict[str, Any] = field(default_factory=dict)
    seen: datetime | None = None
    ended: float | None = None
    reason: str | None = None
    described: str = ""

    def describe(self, client: "Client") -> None:
        """Look up what the cost report does not say; do without if the job is gone."""
        self.described = self.cost["state"]
        with suppress(AnswerError, UnreachableError):
            job = client.get(self.path)
            self.name = job.get("displayName") or ""
            self.began = read(job.get("startTime") or job.get("createTime"))
            self.reason = (job.get("error") or {}).get("message")

    @property
    def over(self) -> bool:
        late = self.ended is not None and time.monotonic() - self.ended > _SETTLING_SECONDS
        return self.cost["status"] == "FINAL" or late

    @property
    def elapsed(self) -> timedelta | None:
        return self.seen - self.began if self.seen and self.began else None

    @property
    def left(self) -> timedelta | None:
        """Return the time that the rest takes at the average pace so far."""
        done, total = progress(self.cost)
        if not (self.elapsed and done and total and self.cost["state"] == "JOB_STATE_RUNNING"):
            return None
        return self.elapsed * max(total - done, 0) / done


_SUMMARY = (
    Column("job", lambda job: job.cost["name"].rpartition("/")[2]),
    Column("name", lambda job: job.name, spare=2),
    Column("model", lambda job: job.cost["model"], spare=3),
    Column("state", lambda job: word(job.cost["state"]), style=lambda job: colour(job.cost["state"])),
    Column("progress", lambda job: progress(job.cost), Kind.PROGRESS),
    Column("completed", lambda job: job.cost["progress"]["completed"], Kind.NUMBER, csv_only=True),
    Column("total", lambda job: job.cost["progress"]["total"], Kind.NUMBER, csv_only=True),
    Column(
        "cost",
        lambda job: settled(job.cost, job.cost["amount"]),
        Kind.MONEY,
        floor=lambda job: not job.cost["complete"],
    ),
    Column("expected", lambda job: job.cost["projected"], Kind.MONEY),
    Column("cost_status", lambda job: job.cost["status"].lower(), spare=5),
)
_CLOCK = (
    Column("elapsed", lambda job: duration(job.elapsed), spare=4),
    Column("left", lambda job: duration(job.left), spare=1),
)
"""Shown on a terminal while jobs run; elsewhere they would make every line a new one."""
_REASON = Column("reason", lambda job: job.reason, style=lambda _: "red")


def watch(context: Context, args: Namespace) -> int | None:
    """Run ``vbatch jobs watch``: progress goes to stderr, the final costs to stdout."""
    paths = [path_of(context.client, name) for name in args.jobs] or _running(context)
    if not paths:
        context.out.note("No job is running.")
        return None
    jobs = _follow(context, list(dict.fromkeys(paths)), args.interval)
    failed = any(job.reason for job in jobs)
    context.out.rows((*_SUMMARY, _REASON) if failed else _SUMMARY, jobs, raw=[job.cost for job in jobs])
    succeeded = all(job.cost["state"] == "JOB_STATE_SUCCEEDED" for job in jobs)
    return None if succeeded else REFUSED


def follow(context: Context, path: str, interval: int = INTERVAL) -> tuple[dict[str, Any], str | None]:
    """Show the progress of one job until its cost is final; return its cost report, and why it failed."""
    (job,) = _follow(context, [path], interval)
    return job.cost, job.reason


def _running(context: Context) -> list[str]:
    found = pages(context.client, "/v1/jobs", {"state": list(RUNNING)})
    return [path_of(context.client, job["name"]) for page in found for job in page["data"]]


def _follow(context: Context, paths: Sequence[str], interval: int) -> list[_Watched]:
    """Poll the costs that may still change; return all of them."""
    jobs = [_Watched(path) for path in paths]
    with _Screen(console(sys.stderr), context) as screen:
        while True:
            pause = float(interval)
            for job in jobs:
                if job.cost and job.over:
                    continue
                job.cost = _look(context, job.path, screen)
                job.seen = datetime.now(UTC)
                if job.described != job.cost["state"]:
                    job.describe(context.client)
                if job.cost["state"] not in RUNNING:
                    job.ended = time.monotonic() if job.ended is None else job.ended
                    # The rest takes only seconds.
                    pause = min(pause, 1.0)
            screen.show(jobs)
            if all(job.over for job in jobs):
                break
            time.sleep(pause)
    late = [job.cost["state"] for job in jobs if job.cost["status"] != "FINAL"]
    if late:
        context.out.note(_said_of(late))
    return jobs


def _said_of(late: Sequence[str]) -> str:
    """Return what is said of costs that are not final, given the states of their jobs."""
    said = [f"{len(late)} of the costs are not final two minutes after their jobs ended."]
    if any(state in _WITH_OUTPUT for state in late):
        said.append("The next sweep finds output whose event was lost.")
    if any(state not in _WITH_OUTPUT for state in late):
        said.append(
            "More output may come of a job that was cancelled, expired or failed: its cost is final when its "
            "last file is there, or up to 24 hours after its end."
        )
    return " ".join([*said, "`vbatch jobs cost` shows what is known."])


def _look(context: Context, path: str, screen: "_Screen") -> dict[str, Any]:
    """Return a job's cost; tolerate a gateway that does not answer for a moment."""
    for number in range(1, _TRIES + 1):
        try:
            cost: dict[str, Any] = context.client.get(f"{path}/cost")
        except CliError as error:
            if not error.passing or number == _TRIES:
                raise
            screen.say(f"{error} Trying again.")
            time.sleep(min(error.retry_after or 2**number, _LONGEST_PAUSE))
        else:
            return cost
    raise CliError("unreachable")


class _Screen:
    """Progress bars that are redrawn on a terminal; elsewhere, a line for each change."""

    def __init__(self, target: Console, context: Context) -> None:
        self._target = target
        self._zone = context.zone
        self._live = Live(console=target, auto_refresh=False, transient=True) if target.is_terminal else None
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, jobs: Sequence[_Watched]) -> None:
        """Show the progress of the jobs."""
        columns = [column for column in _SUMMARY if not column.csv_only]
        if self._live:
            table, _ = layout([*columns, *_CLOCK], jobs, self._zone, self._target)
            self._live.update(table, refresh=True)
            return
        cells = [column.cells(jobs, self._zone, ascii_only=False) for column in columns]
        for number, job in enumerate(jobs):
            # Lines have no headings, so the amounts are labelled.
            line = "  ".join(
                f"{column.name} {each[number]}" if column.kind is Kind.MONEY else each[number]
                for column, each in zip(columns, cells, strict=True)
            )
            if self._shown.get(job.path) != line:
                self._shown[job.path] = line
                self.say(line)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._target.print(Text(clean(line)), soft_wrap=True)
