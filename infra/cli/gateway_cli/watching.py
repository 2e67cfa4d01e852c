"""``gateway jobs watch``: show the progress of jobs until they have ended and their costs are final."""

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gateway_cli.cells import Column, Kind, clean
from gateway_cli.commands import Context
from gateway_cli.errors import REFUSED, AnswerError, CliError, UnreachableError
from gateway_cli.joblists import RUNNING, colour, path_of, progress, settled, word
from gateway_cli.options import pages
from gateway_cli.printing import console, layout

_SETTLING_SECONDS = 120
"""Longest wait for a final cost after a job has ended; after that, only the sweep helps."""
_TRIES = 5
"""Consecutive failures after which watching is given up."""
_LONGEST_PAUSE = 60

_SUMMARY = (
    Column("job", lambda cost: cost["name"].rpartition("/")[2]),
    Column("model", lambda cost: cost["model"], spare=2),
    Column("state", lambda cost: word(cost["state"]), style=lambda cost: colour(cost["state"])),
    Column("progress", progress, Kind.PROGRESS),
    Column("completed", lambda cost: cost["progress"]["completed"], Kind.NUMBER, csv_only=True),
    Column("total", lambda cost: cost["progress"]["total"], Kind.NUMBER, csv_only=True),
    Column(
        "cost",
        lambda cost: settled(cost, cost["amount"]),
        Kind.MONEY,
        floor=lambda cost: not cost["complete"],
    ),
    Column("expected", lambda cost: cost["projected"], Kind.MONEY, spare=1),
    Column("cost_status", lambda cost: cost["status"].lower(), spare=3),
)


def watch(context: Context, args: Namespace) -> int | None:
    """Watch jobs: progress goes to stderr, the final costs to stdout."""
    paths = [path_of(context.client, name) for name in args.jobs] or _running(context)
    if not paths:
        context.out.note("No job is running.")
        return None
    costs = _follow(context, list(dict.fromkeys(paths)), args.interval)
    context.out.rows(_SUMMARY, costs)
    late = [cost["name"] for cost in costs if cost["status"] != "FINAL"]
    if late:
        context.out.note(
            f"{len(late)} of the costs are not final two minutes after their jobs ended. `gateway "
            "sweep` finds output whose event was lost."
        )
    succeeded = all(cost["state"] == "JOB_STATE_SUCCEEDED" for cost in costs)
    return None if succeeded else REFUSED


def _running(context: Context) -> list[str]:
    found = pages(context.client, "/v1/jobs", {"state": list(RUNNING)})
    return [path_of(context.client, job["name"]) for page in found for job in page["data"]]


def _follow(context: Context, paths: Sequence[str], interval: int) -> list[dict[str, Any]]:
    """Poll the costs that may still change; return all of them."""
    costs: dict[str, dict[str, Any]] = {}
    ended: dict[str, float] = {}
    target = console(sys.stderr)
    with _Screen(target, context) as screen:
        while True:
            pause = float(interval)
            for path in paths:
                if path not in costs or not _is_over(costs[path], ended.get(path)):
                    costs[path] = _look(context, path, screen)
                    if costs[path]["state"] not in RUNNING:
                        ended.setdefault(path, time.monotonic())
                        # The rest takes only seconds.
                        pause = min(pause, 1.0)
            found = [costs[path] for path in paths]
            screen.show(found)
            if all(_is_over(costs[path], ended.get(path)) for path in paths):
                return found
            time.sleep(pause)


def _is_over(cost: dict[str, Any], ended: float | None) -> bool:
    return cost["status"] == "FINAL" or (ended is not None and time.monotonic() - ended > _SETTLING_SECONDS)


def _look(context: Context, path: str, screen: "_Screen") -> dict[str, Any]:
    """Return a job's cost; tolerate a gateway that does not answer for a moment."""
    for number in range(1, _TRIES + 1):
        try:
            cost: dict[str, Any] = context.client.get(f"{path}/cost")
        except (AnswerError, UnreachableError) as error:
            passing = error.passing if isinstance(error, AnswerError) else True
            if not passing or number == _TRIES:
                raise
            asked = error.retry_after if isinstance(error, AnswerError) else None
            screen.say(f"{error} Trying again.")
            time.sleep(min(asked or 2**number, _LONGEST_PAUSE))
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

    def show(self, costs: Sequence[dict[str, Any]]) -> None:
        """Show the progress of the jobs."""
        if self._live:
            table, _ = layout(_SUMMARY, costs, self._zone, self._target)
            self._live.update(table, refresh=True)
            return
        columns = [column for column in _SUMMARY if not column.csv_only]
        cells = [column.cells(costs, self._zone, ascii_only=False) for column in columns]
        for number, cost in enumerate(costs):
            # Lines have no headings, so the amounts are labelled.
            line = "  ".join(
                f"{column.name} {each[number]}" if column.kind is Kind.MONEY else each[number]
                for column, each in zip(columns, cells, strict=True)
            )
            if self._shown.get(cost["name"]) != line:
                self._shown[cost["name"]] = line
                self.say(line)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._target.print(Text(clean(line)), soft_wrap=True)
