"""List the jobs on record with their costs, the newest first (``GET /v1/jobs``).

Vertex AI's own list has no costs, covers one location at a time, and omits deleted jobs.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.answers import Money, Time
from batch_gateway.core.jobs import cost_answers as answers
from batch_gateway.core.jobs.cost_report import cost_report
from batch_gateway.core.jobs.record import LIVE_STATES, TERMINAL_STATES, JobRecord
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.gateway.http import page_tokens, params, responses
from batch_gateway.ports import STORED_FIELDS, JobStore

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 500
_MOST_EXAMINED = 250
"""Jobs that one call reads if no index covers its filters; the next page continues from there."""
_MOST_PARAMETERS = 20
_DEFAULT_TOP = 10
_MOST_TOP = 100
_LABEL = "label:"
_STATES = sorted(TERMINAL_STATES.union(LIVE_STATES))
_PARAMETERS = frozenset({"limit", "page", "start_time", "end_time", "search", "key"})
_FIELDS: dict[str, Callable[[JobRecord], str | None]] = {
    "state": lambda job: job.seen.state,
    "model": lambda job: short_name(job.seen.model),
    "team": lambda job: job.team,
    "api_key": lambda job: job.api_key,
    "project": lambda job: job.key.project,
    "location": lambda job: job.key.location,
}


class JobSummary(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A job on record with its cost.

    Attributes:
        id: The last part of its name.
        project: Id, not number.
        wasted: Cost of blocked and truncated rows; part of ``amount``.
        waste_reasons: Why rows failed or are useless, the most frequent first.
        error: google.rpc.Status of a job that failed or was cancelled.
    """

    id: str
    project: str
    location: str
    display_name: str
    name: answers.Name
    state: answers.State
    status: answers.CostStatus
    model: answers.Model
    team: answers.Team
    api_key: answers.ApiKey
    labels: dict[str, str]
    currency: Literal["USD"] = "USD"
    amount: answers.Amount
    complete: answers.Complete
    wasted: Money
    waste_reasons: list[answers.WasteReason]
    rows: answers.CostRows
    estimate: answers.FromInput
    projected: answers.Projected
    progress: answers.JobProgress
    resumed_from: answers.ResumedFrom
    resumed_by: answers.ResumedBy
    create_time: Time
    start_time: Time | None
    end_time: Time | None
    error: dict[str, Any] | None


class JobSummaryPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, the newest first.

    Attributes:
        next_page: Pass it as ``page`` for the next page. A page may be short or even empty without being the
            last.
    """

    object: Literal["list"] = "list"
    data: list[JobSummary]
    next_page: str | None


class TopJobs(msgspec.Struct, frozen=True, kw_only=True):
    """The most expensive jobs that were created within a period, the most expensive first.

    Jobs are ranked by the cost that is known so far: one that is running or not fully priced may rank too
    low, or be missing.
    """

    object: Literal["list"] = "list"
    data: list[JobSummary]


class Jobs:
    """Handler of lists of jobs on record."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def list(self, request: Request, caller: Caller) -> Response:
        """Return a page of the jobs that the caller may see and that match the filters.

        Raises:
            ApiError: INVALID_ARGUMENT; the message names the parameter.
        """
        limit = params.number(request, "limit", _DEFAULT_LIMIT, _MAX_LIMIT)
        matches = _filter(request)
        equal = _equalities(request)
        many = limit if _is_indexed(request, equal) else max(limit, _MOST_EXAMINED)
        since, end = params.time(request, "start_time"), params.time(request, "end_time")
        position = page_tokens.decode_job(request.args.get("page"))
        batch = self._store.recent_jobs(caller.record_scope, since, position, many, until=end, equal=equal)
        found = [job for job in batch if matches(job)][:limit]
        last = found[-1] if len(found) == limit else batch[-1] if len(batch) == many else None
        more = last is not None and (last is not batch[-1] or len(batch) == many)
        return responses.json(
            JobSummaryPage(
                data=[_summary(job) for job in found],
                next_page=page_tokens.encode_job(last.create_time, last.key)
                if last is not None and more
                else None,
            )
        )

    def top(self, request: Request, caller: Caller) -> Response:
        """Return the most expensive jobs that the caller may see (``GET /v1/jobs:top``).

        Of all jobs, only those that it returns are read.

        Raises:
            ApiError: INVALID_ARGUMENT; the message names the parameter.
        """
        params.check_names(request, {"limit", "start_time", "end_time", "team"})
        team = request.args.get("team") or None
        if team is not None:
            params.check_value("team", team)
        since, until = params.time(request, "start_time"), params.time(request, "end_time")
        limit = params.number(request, "limit", _DEFAULT_TOP, _MOST_TOP)
        found = self._store.top_jobs(caller.record_scope, since, limit, until=until, team=team)
        return responses.json(TopJobs(data=[_summary(job) for job in found]))


def _equalities(request: Request) -> dict[str, str]:
    """Return the fields that must have one exact value, which the store can look up by an index."""
    wanted = {name: request.args.getlist(name) for name in request.args if name in STORED_FIELDS}
    return {name: values[0] for name, values in wanted.items() if len(values) == 1 and values[0]}


def _is_indexed(request: Request, equal: dict[str, str]) -> bool:
    return all(name in _PARAMETERS - {"search"} or name in equal for name in request.args)


def _filter(request: Request) -> Callable[[JobRecord], bool]:
    for name in request.args:
        if name not in _PARAMETERS and name not in _FIELDS and not name.startswith(_LABEL):
            known = ", ".join(sorted(_PARAMETERS - {"key"} | _FIELDS.keys()))
            raise params.invalid(f"{name}: unknown parameter. The parameters are {known} and label:NAME")
    if len(set(request.args)) > _MOST_PARAMETERS:
        raise params.invalid(f"filters: there must not be more than {_MOST_PARAMETERS} parameters")
    wanted = {name: set(request.args.getlist(name)) for name in request.args if name in _FIELDS}
    labels = {
        name.removeprefix(_LABEL): set(request.args.getlist(name))
        for name in request.args
        if name.startswith(_LABEL)
    }
    for name, value in request.args.items(multi=True):
        params.check_value(name, value)
    for state in request.args.getlist("state"):
        if state not in _STATES:
            raise params.invalid(f"state: must be one of {', '.join(_STATES)}")
    search = request.args.get("search", "").casefold()

    def matches(job: JobRecord) -> bool:
        return (
            all(_FIELDS[name](job) in values for name, values in wanted.items())
            and all(job.seen.labels.get(name) in values for name, values in labels.items())
            and (not search or any(search in text.casefold() for text in _texts(job)))
        )

    return matches


def _texts(job: JobRecord) -> tuple[str, ...]:
    """Return the texts that a search looks at."""
    labels = tuple(f"{name}={value}" for name, value in job.seen.labels.items())
    return (job.key.job_id, job.seen.display_name, short_name(job.seen.model), job.team or "", *labels)


def _summary(job: JobRecord) -> JobSummary:
    report = cost_report(job, ())
    return JobSummary(
        id=job.key.job_id,
        project=job.key.project,
        location=job.key.location,
        display_name=job.seen.display_name,
        name=report.name,
        state=report.state,
        status=report.status,
        model=report.model,
        team=report.team,
        api_key=report.api_key,
        labels=report.labels,
        amount=report.amount,
        complete=report.complete,
        wasted=report.waste.amount,
        waste_reasons=report.waste.reasons,
        rows=report.rows,
        estimate=report.estimate,
        projected=report.projected,
        progress=report.progress,
        resumed_from=report.resumed_from,
        resumed_by=report.resumed_by,
        create_time=job.create_time,
        start_time=job.seen.start_time,
        end_time=job.seen.end_time,
        error=job.seen.error,
    )
