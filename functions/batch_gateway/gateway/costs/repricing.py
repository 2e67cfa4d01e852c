"""Reprice settled usage with the prices in force (``POST /v1/costs:reprice``)."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting.settlement import Change, reprice, unpriced_rows_of
from batch_gateway.core.answers import Count, Money, Time
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.model_names import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.gateway.http import json_bodies, page_tokens, params, requests, responses
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.ports import JobStore

_JOBS = 200
"""Jobs that one call examines: a few seconds of reading Firestore."""


class Reprice(msgspec.Struct, forbid_unknown_fields=True):
    """Body of ``POST /v1/costs:reprice``.

    Attributes:
        start_time: Earliest time of creation.
        end_time: Time of creation to stop before.
        model: Short name; only jobs with this model. Default: all.
        page: ``next_page`` of the previous answer.
        validate_only: Return what would change, and change nothing.
    """

    start_time: Time
    end_time: Time
    model: str | None = None
    page: str | None = None
    validate_only: bool = False


class RepricedJob(msgspec.Struct, frozen=True):
    """A job whose cost has changed.

    Attributes:
        unpriced_before: true: ``amount_before`` is a floor, as in ``unpriced``.
        unpriced: true: some usage has no price, or some rows are not understood, so ``amount`` is a floor.
    """

    name: str
    amount_before: Money
    unpriced_before: bool
    price_table_before: str
    amount: Money
    unpriced: bool


class Repriced(msgspec.Struct, frozen=True):
    """A page of repriced jobs.

    Attributes:
        price_table: The table and the operator's prices in force.
        examined: Jobs that were examined.
        next_page: Pass it as ``page`` for the remaining jobs.
    """

    price_table: str
    examined: Count
    repriced: list[RepricedJob]
    next_page: str | None


class Repricings:
    """Handler of repricing. The old amount and table stay on record; totals are adjusted."""

    def __init__(
        self,
        store: JobStore,
        prices: Callable[[], PriceTable],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._prices = prices
        self._now = now

    def reprice(self, request: Request, caller: Caller) -> AuditedResponse:
        """Reprice a page of jobs, chosen by time of creation and, if given, by model.

        With ``validate_only`` (AIP-163) it returns what would change, and changes nothing.
        """
        body = json_bodies.decode(requests.body(request), Reprice)
        if body.end_time <= body.start_time:
            raise params.invalid("end_time: must be later than start_time")
        jobs = self._store.jobs_created(
            body.start_time, body.end_time, page_tokens.decode_job(body.page), _JOBS
        )
        prices = self._prices()
        repriced = []
        for job in jobs:
            if body.model is None or body.model in _models_of(job):
                changed = self._reprice(job, prices, caller.api_key, only_show=body.validate_only)
                repriced += [changed] if changed else []
        more = len(jobs) == _JOBS
        answer = Repriced(
            prices.version,
            len(jobs),
            [_view(job) for job in repriced],
            page_tokens.encode_job(jobs[-1].create_time, jobs[-1].key) if more else None,
        )
        span = f"{body.start_time.isoformat()}/{body.end_time.isoformat()}"
        models = "all models" if body.model is None else body.model or '""'
        target = f"{span} {models}{' (validate_only)' if body.validate_only else ''}"
        return AuditedResponse(target, responses.json(answer))

    def _reprice(self, job: JobRecord, prices: PriceTable, by: str, *, only_show: bool) -> JobRecord | None:
        def repricing(record: JobRecord) -> Change | None:
            return reprice(record, prices, by=by, now=self._now())

        # Most jobs cost the same as before; the record at hand is enough to tell.
        change = repricing(job)
        if change is None or only_show:
            return change and change.job
        return self._store.reprice(job.key, repricing)


def _models_of(job: JobRecord) -> set[str]:
    return {short_name(job.seen.model), *(item.model for item in job.cost.line_items)}


def _view(job: JobRecord) -> RepricedJob:
    before = job.repricings[-1]
    return RepricedJob(
        job.seen.name,
        format_nano(before.amount_nano),
        bool(before.unpriced_rows),
        before.price_table,
        format_nano(job.cost.amount_nano),
        unpriced_rows_of(job).total() > 0,
    )
