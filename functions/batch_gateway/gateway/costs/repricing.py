"""Reprice settled usage with the prices in force (``POST /v1/costs:reprice``)."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Request

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting.settlement import Change, reprice
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.pricing.models import short_name
from batch_gateway.core.pricing.money import format_nano
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.gateway.admin import bodies
from batch_gateway.gateway.http import page_tokens, params, requests, responses
from batch_gateway.gateway.http.routes import AuditedResponse
from batch_gateway.ports import JobStore

_JOBS = 200
"""Jobs that one call examines: a few seconds of reading Firestore."""


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
        body = bodies.decode(requests.body(request), bodies.Reprice)
        if body.end_time <= body.start_time:
            raise params.invalid("end_time: must be later than start_time")
        jobs = self._store.jobs_created(body.start_time, body.end_time, page_tokens.decode(body.page), _JOBS)
        prices = self._prices()
        repriced = []
        for job in jobs:
            if body.model is None or body.model in _models_of(job):
                changed = self._reprice(job, prices, caller.api_key, only_show=body.validate_only)
                repriced += [changed] if changed else []
        answer = {
            "price_table": prices.version,
            "examined": len(jobs),
            "repriced": [_view(job) for job in repriced],
            "next_page": page_tokens.encode(jobs[-1].create_time, jobs[-1].key)
            if len(jobs) == _JOBS
            else None,
        }
        span = f"{body.start_time.isoformat()}/{body.end_time.isoformat()}"
        target = f"{span} {body.model or 'all models'}{' (validate_only)' if body.validate_only else ''}"
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


def _view(job: JobRecord) -> dict[str, Any]:
    before = job.repricings[-1]
    return {
        "name": job.seen.name,
        "amount_before": format_nano(before.amount_nano),
        "price_table_before": before.price_table,
        "amount": format_nano(job.cost.amount_nano),
    }
