"""What a job would cost, before it is submitted, or before any of its output is there."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from batch_gateway.core.estimating import Estimate, Survey, estimate_report
from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.estimate import bounded
from batch_gateway.core.estimating.exact import UnboundedError
from batch_gateway.core.estimating.needs import SizeOf, either, snake_case
from batch_gateway.core.estimating.sampling import Place, lines_of, plan
from batch_gateway.core.jobs.cost_bounds import Weighed
from batch_gateway.core.jobs.record import JobRecord, uris_of
from batch_gateway.core.pricing.models import base_model_of, is_registered
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.histories import Histories
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.gateway.jobs.input_objects import SECONDS, FileSizes, UnknownError, objects_of
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectChangedError,
    ObjectStore,
    ObjectsUnavailableError,
    Store,
    Tables,
    TablesUnavailableError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)


class Estimates:
    """Reads a sample of a job's input and prices it. Submits nothing."""

    def __init__(
        self,
        store: Store,
        upstream: Upstream,
        *,
        objects: Callable[[], ObjectStore],
        tables: Callable[[], Tables],
        prices: Callable[[], PriceTable],
        authorize: Callable[[Call, JobBody], str],
        now: Callable[[], datetime],
    ) -> None:
        """Takes what it stands on.

        Args:
            store: The books.
            upstream: For the base of tuned models.
            objects: Cloud Storage, on first use.
            tables: BigQuery, on first use.
            prices: The price table.
            authorize: Refuses a create that the caller may not send; returns its model's full name.
            now: The clock.
        """
        self._histories = Histories(store)
        self._upstream = upstream
        self._objects = objects
        self._tables = tables
        self._prices = prices
        self._authorize = authorize
        self._now = now
        self._bounds = InputBounds(objects)

    def estimate(self, call: Call) -> Response:
        """Handles one ``:estimateCost``.

        Raises:
            ApiError: The same create would be refused.
        """
        body = JobBody(requests.body(call.request))
        return responses.json(estimate_report(self.for_caller(call, body.json, self._authorize(call, body))))

    def for_caller(self, call: Call, body: dict[str, Any], model: str) -> Estimate:
        """What a create would cost; for a caller with a budget its high is a bound, if there is one.

        Args:
            call: As in of.
            body: As in of.
            model: As in of.

        Raises:
            ApiError: The whole input has to be read for that, and cannot be.
        """
        estimate = self.of(call, body, model)
        if estimate.high_nano is None or all(limit.max_nano is None for limit in call.caller.budgets):
            return estimate
        try:
            return self._weighed(call, body, self._base_of(model, call.project, call.location), estimate)
        except (UnknownError, UnboundedError) as error:
            return estimate.without_high(f"The high is unknown: {error}.")

    def _weighed(self, call: Call, body: dict[str, Any], model: str, estimate: Estimate) -> Estimate:
        source = either(body, "inputConfig")
        if extra := sorted(
            name for name in source if snake_case(name) not in {"instances_format", "gcs_source"}
        ):
            raise UnknownError(f"{extra[0]} says what is read beside gcsSource")
        if either(source, "instancesFormat") not in {None, "jsonl"}:
            raise UnknownError("rows can be read of the instancesFormat jsonl only")
        deadline = time.monotonic() + SECONDS
        objects = objects_of(self._objects, uris_of(either(either(source, "gcsSource"), "uris")), deadline)
        prices, now = self._prices(), self._now()
        sizes = FileSizes(self._objects, call.caller, deadline)
        scale = Scale(model, prices, sizes, either(body, "modelParameters"))
        try:
            self._bounds.weigh(call.caller.key_id or "", objects, scale)
        except ObjectsUnavailableError as error:
            log("WARNING", "input not read", uri=objects[0].uri, error=error)
            raise UnknownError("the input cannot be read by the gateway now") from error
        except ObjectChangedError as error:
            raise UnknownError("the input was overwritten while it was read; send the same again") from error
        weighed = Weighed(
            len(objects), sum(each.size for each in objects), max(each.generation for each in objects)
        )
        return bounded(estimate, scale.weight, weighed, prices, location=call.location, at=now)

    def of(self, call: Call, body: dict[str, Any], model: str) -> Estimate:
        """What a create would cost. Whatever cannot be known is None, and the warnings say why.

        Args:
            call: Who asks, and for which location.
            body: Of the create. What it names must have been held against the caller's grants.
            model: Its model's full name.
        """
        source = either(body, "inputConfig")
        table = either(either(source, "bigquerySource"), "inputUri")
        caller = call.caller
        deadline = time.monotonic() + SECONDS
        return self._of_input(
            uris_of(either(either(source, "gcsSource"), "uris")),
            str(table) if table else None,
            self._base_of(model, call.project, call.location),
            call.location,
            history=(caller.record_scope, _whose(caller.team, caller.api_key if caller.key_id else None)),
            size_of=FileSizes(self._objects, caller, deadline),
            deadline=deadline,
        )

    def of_job(self, job: JobRecord, seconds: float) -> Estimate:
        """Return what a job on record will cost, from its input alone, as ``of`` does.

        Files that its rows name are not looked at: what its key may read is not known here.

        Args:
            job: The job.
            seconds: How long its input may be read.
        """
        scope = ("team", job.team) if job.team else ("key_id", job.key_id) if job.key_id else None
        uris = job.seen.input_uris
        return self._of_input(
            uris,
            next((uri for uri in uris if uri.startswith("bq://")), None),
            job.base_model or self._base_of(job.seen.model, job.key.project, job.key.location),
            job.key.location,
            history=(scope, _whose(job.team, job.api_key if job.key_id else None)),
            size_of=lambda _: None,
            deadline=time.monotonic() + seconds,
        )

    def _of_input(
        self,
        uris: Sequence[str],
        table: str | None,
        model: str,
        location: str,
        *,
        history: tuple[tuple[str, str] | None, str],
        size_of: SizeOf,
        deadline: float,
    ) -> Estimate:
        """Return the estimate of an input.

        Args:
            uris: Its objects, if it is not a table.
            table: Its table, if it is one.
            model: Full name of the model whose rows they are.
            location: Where the job runs.
            history: Whose earlier jobs count, as ``Store.recent_jobs`` takes it, and what to call them.
            size_of: Size of a file that rows name.
            deadline: Until when the input may be read, by time.monotonic.
        """
        prices = self._prices()
        survey = Survey(model, self._histories.habit(*history, model, prices), prices, size_of)
        now = self._now()
        try:
            if table:
                return survey.estimate_of_table(self._rows_of(table), location=location, at=now)
            objects = objects_of(self._objects, uris, deadline)
            for place in plan(objects):
                if time.monotonic() >= deadline:
                    break
                survey.read(place.object, self._lines(place), lambda: time.monotonic() < deadline)
        except UnknownError as error:
            return survey.unknown(str(error))
        return survey.estimate(sum(each.size for each in objects), location=location, at=now)

    def _base_of(self, model: str, project: str, location: str) -> str:
        """What a tuned model was tuned from: it costs the same, and takes the same rows."""
        if not is_registered(model):
            return model
        path = model.partition("@")[0]
        with suppress(UpstreamUnavailableError, UpstreamCredentialsError):
            found = self._upstream.get(path, project=project, location=location)
            return base_model_of(found or {}) or model
        return model

    def _rows_of(self, table: str) -> int:
        try:
            found = self._tables().stat(table)
        except (TablesUnavailableError, ValueError) as error:
            log("WARNING", "table not looked at", table=table, error=error)
            raise UnknownError(f"{table} cannot be looked at now") from error
        if found is None:
            raise UnknownError(f"there is no table {table}, or the gateway may not see it")
        return found.rows

    def _lines(self, place: Place) -> Iterator[Any]:
        at = place.object
        try:
            # From a byte before, which tells whether a line begins here.
            start = max(0, place.start - 1)
            yield from lines_of(place, self._objects().read(at.bucket, at.name, at.generation, start))
        except ObjectsUnavailableError as error:
            log("WARNING", "input not read", uri=at.uri, error=error)
            raise UnknownError(f"{at.uri} cannot be read by the gateway now") from error
        except ObjectChangedError as error:
            raise UnknownError(f"{at.uri} was overwritten while it was read; ask again") from error


def _whose(team: str | None, api_key: str | None) -> str:
    """Return what a history is called in the assumptions of an estimate."""
    return f"team {team}" if team else f"key {api_key}" if api_key else "all"
