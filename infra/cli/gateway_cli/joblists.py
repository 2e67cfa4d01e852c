"""List jobs, and resolve the name of a job on the command line."""

import argparse
import re
from typing import TYPE_CHECKING, Any

from gateway_cli.cells import Column, Kind
from gateway_cli.errors import AnswerError, CliError, UsageError
from gateway_cli.options import pages

if TYPE_CHECKING:
    from gateway_cli.client import Client

HOW_NAMED = (
    "JOB is an id, or a full name: projects/PROJECT/locations/LOCATION/batchPredictionJobs/ID (needed for "
    "jobs that the gateway has no record of)."
)
ROW_STATES = (
    *("succeeded", "failed", "blocked", "truncated"),
    *("malformed", "unrecognized", "carriedOver", "unpriced"),
)
"""States of rows, as the gateway counts them."""
VIEWS = ("full", "usage")
"""Forms in which the gateway returns rows."""
RUNNING = tuple(
    f"JOB_STATE_{each}" for each in ("QUEUED", "PENDING", "RUNNING", "CANCELLING", "PAUSED", "UPDATING")
)
"""Non-terminal states of google.cloud.aiplatform.v1.JobState."""
_ENDED = tuple(
    f"JOB_STATE_{each}" for each in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
)
_COLOURS = {
    "SUCCEEDED": "green",
    "RUNNING": "cyan",
    "FAILED": "red",
    "EXPIRED": "red",
    "PARTIALLY_SUCCEEDED": "yellow",
}
_WORD = "[A-Za-z0-9_.:-]+"
_NAME = re.compile(rf"(?:/?v1(?:beta1)?/)?(projects/{_WORD}/locations/{_WORD}/batchPredictionJobs/{_WORD})")
_ID = re.compile(_WORD)


def path_of(client: "Client", name: str) -> str:
    """Return the path of a job that was named on the command line.

    Raises:
        UsageError: The name is not valid.
        CliError: No job on record has the name, or several have it.
    """
    full = _NAME.fullmatch(name)
    if full:
        return f"/v1/{full[1]}"
    if not _ID.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of a job. {HOW_NAMED}")
    for page in pages(client, "/v1/jobs", {"search": name}):
        found = [job for job in page["data"] if job["id"] == name]
        if len(found) > 1:
            names = "\n".join(f"  {_place(job)}" for job in found)
            raise CliError(f"Several jobs have the id {name}. Give the full name:\n{names}")
        if found:
            return f"/v1/{_place(found[0])}"
    raise CliError(
        f"The gateway has no record of a job {name}. `vbatch jobs list` lists all jobs. {HOW_NAMED}"
    )


def _place(job: dict[str, Any]) -> str:
    return f"projects/{job['project']}/locations/{job['location']}/batchPredictionJobs/{job['id']}"


def word(state: object) -> str:
    """Format a state for people."""
    return str(state or "unknown").removeprefix("JOB_STATE_").lower()


def colour(state: object) -> str:
    """Return the colour of a state."""
    return _COLOURS.get(str(state).removeprefix("JOB_STATE_"), "")


def state(given: str) -> str:
    """Parse a state on the command line to the API's name."""
    name = f"JOB_STATE_{given.upper().replace('-', '_').removeprefix('JOB_STATE_')}"
    if name not in {*RUNNING, *_ENDED}:
        raise argparse.ArgumentTypeError(
            f"there is no state {given!r}; there are {', '.join(map(word, (*RUNNING, *_ENDED)))}"
        )
    return name


def reason_of(client: "Client", path: str) -> str | None:
    """Return why a job failed; None if it did not, or if Vertex AI has it no more."""
    try:
        job = client.get(path)
    except AnswerError:
        return None
    reason: str | None = (job.get("error") or {}).get("message")
    return reason


def settled(job: dict[str, Any], amount: Any) -> Any:
    """Return an amount of a job; None while no output is settled, since a 0 then means unknown."""
    return None if job["status"] == "PENDING" else amount


def _floor(job: dict[str, Any]) -> bool:
    return not job["complete"]


def progress(job: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return the numbers of rows that are done, and of all rows."""
    return job["progress"]["completed"], job["progress"]["total"]


COLUMNS = (
    Column("id", lambda job: job["id"]),
    Column("display_name", lambda job: job["displayName"]),
    Column("model", lambda job: job["model"], spare=2),
    Column("team", lambda job: job["team"], spare=4),
    Column("api_key", lambda job: job["apiKey"], spare=6),
    Column("state", lambda job: word(job["state"]), style=lambda job: colour(job["state"])),
    Column("progress", progress, Kind.PROGRESS),
    Column("completed", lambda job: job["progress"]["completed"], Kind.NUMBER, csv_only=True),
    Column("total", lambda job: job["progress"]["total"], Kind.NUMBER, csv_only=True),
    Column("cost", lambda job: settled(job, job["amount"]), Kind.MONEY, floor=_floor),
    Column("complete", lambda job: job["complete"], csv_only=True),
    Column("cost_status", lambda job: job["status"], csv_only=True),
    Column("expected", lambda job: job["projected"], Kind.MONEY, spare=3),
    Column("wasted", lambda job: settled(job, job["wasted"]), Kind.MONEY, spare=5),
    Column("succeeded", lambda job: job["rows"]["succeeded"], Kind.NUMBER, csv_only=True),
    Column("failed", lambda job: job["rows"]["failed"], Kind.NUMBER, csv_only=True),
    Column("create_time", lambda job: job["createTime"], Kind.TIME, spare=1),
    Column("end_time", lambda job: job["endTime"], Kind.TIME, csv_only=True),
    Column("labels", lambda job: job["labels"], csv_only=True),
    Column("name", lambda job: job["name"], csv_only=True),
)
REASON = Column("reason", lambda job: (job["error"] or {}).get("message"), style=lambda _: "red")
"""Why a job failed."""
