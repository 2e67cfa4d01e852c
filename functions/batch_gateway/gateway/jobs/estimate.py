"""Estimate the cost of a job, before it is submitted or before it has any output."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from werkzeug.wrappers import Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.estimating import Estimate, Survey, estimate_report
from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.estimate import bounded
from batch_gateway.core.estimating.exact import UnboundedError
from batch_gateway.core.estimating.needs import SizeOf, either
from batch_gateway.core.estimating.sampling import Place, lines_of, plan
from batch_gateway.core.jobs.cost_bounds import Weighed
from batch_gateway.core.jobs.record import JobRecord, uris_of
from batch_gateway.core.pricing.model_names import BaseModels, base_model_of, configured_base, is_registered
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.rows.carried import answered_test
from batch_gateway.core.timing.job_times import Expectation
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.drafts import ResumedJob
from batch_gateway.gateway.jobs.histories import Histories
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.gateway.jobs.input_objects import SECONDS, FileSizes, UnknownError, objects_in, objects_of
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.gateway.jobs.row_checks import RowChecks, row_grants
from batch_gateway.logs import log
from batch_gateway.ports import (
    JobStore,
    ObjectChangedError,
    ObjectStore,
    ObjectsUnavailableError,
    Tables,
    TablesUnavailableError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)


class Estimates:
    """Estimator of jobs: reads a sample of the input and prices it. Submits nothing.

    Attributes:
        rows: Checks of the files that rows name.
    """

    def __init__(
        self,
        store: JobStore,
        upstream: Upstream,
        *,
        objects: Callable[[], ObjectStore],
        tables: Callable[[], Tables],
        prices: Callable[[], PriceTable],
        base_models: BaseModels,
        authorize: Callable[[Call, JobBody], str],
        expect: Callable[[Caller, str, str], Expectation],
        now: Callable[[], datetime],
    ) -> None:
        """Store the dependencies.

        Args:
            store: Jobs, for the history of a key or team.
            upstream: Vertex AI, for the base models of tuned models.
            objects: Makes the Cloud Storage client on first use.
            tables: Makes the BigQuery client on first use.
            prices: Returns the prices in force.
            base_models: Base models in the configuration.
            authorize: Rejects a create that the caller may not send; returns its model's full name.
            expect: Returns how long a caller's job with a model takes in a location.
            now: Returns the current time.
        """
        self._histories = Histories(store)
        self._upstream = upstream
        self._objects = objects
        self._tables = tables
        self._prices = prices
        self._base_models = base_models
        self._authorize = authorize
        self._expect = expect
        self._now = now
        self._bounds = InputBounds(objects)
        self.rows = RowChecks(objects, tables, self._bounds)

    def estimate(self, call: Call) -> Response:
        """Estimate the create in the body (``:estimateCost``), which may have no input yet.

        Raises:
            ApiError: The same create would be rejected.
        """
        body = JobBody(requests.body(call.request))
        model = self._authorize(call, body)
        return self.answer(call, self.rows.with_exact_input(call, body), model)

    def answer(self, call: Call, body: JobBody, model: str, resumed: ResumedJob | None = None) -> Response:
        """Return the answer with the estimate of a create that the caller may send.

        Args:
            call: As in ``estimate_create``.
            body: Its body.
            model: As in ``estimate_create``.
            resumed: As in ``estimate_create``.

        Raises:
            ApiError: As in ``estimate_for_caller``.
        """
        estimate = self.estimate_for_caller(call, body.json, model, resumed)
        expected = self._expect(call.caller, estimate.model, call.location)
        return responses.json(estimate_report(estimate, expected))

    def estimate_for_caller(
        self, call: Call, body: dict[str, Any], model: str, resumed: ResumedJob | None = None
    ) -> Estimate:
        """Estimate a create; for a caller with a budget, its high is an upper bound or unknown.

        Args:
            call: As in ``estimate_create``.
            body: As in ``estimate_create``.
            model: As in ``estimate_create``.
            resumed: As in ``estimate_create``.

        Raises:
            ApiError: The bound needs the whole input, which is too large, or too many are being read.
        """
        estimate = self.estimate_create(call, body, model, resumed)
        if estimate.high_nano is None or all(limit.max_nano is None for limit in call.caller.budgets):
            # Before the input is uploaded, all else can be checked already.
            if either(body, "inputConfig"):
                self.rows.check(call, body)
            return estimate
        try:
            base = self._base_of(model, call.project, call.location)
            return self._with_bound(call, body, base, estimate, resumed)
        except (UnknownError, UnboundedError) as error:
            return estimate.without_high(f"The high is unknown: {error}.")

    def _with_bound(
        self, call: Call, body: dict[str, Any], model: str, estimate: Estimate, resumed: ResumedJob | None
    ) -> Estimate:
        source = either(body, "inputConfig")
        deadline = time.monotonic() + SECONDS
        objects = objects_in(self._objects, source, deadline)
        prices, now = self._prices(), self._now()
        sizes = FileSizes(self._objects, call.caller, deadline)
        parameters, whose = either(body, "modelParameters"), call.caller.key_id or ""
        scale = Scale(model, prices, sizes, parameters, self._done_test(is_resumed=resumed is not None))
        try:
            read_until = self._bounds.weigh(whose, objects, scale, row_grants(call.caller))
            if resumed and (resumed.rows is None or resumed.rows > scale.weight.rows):
                # Rows that are not in the output may be any of the input's.
                input_ = Scale(model, prices, sizes, parameters)
                listed = objects_of(self._objects, resumed.inputs, time.monotonic() + SECONDS)
                self._bounds.weigh(whose, listed, input_, deadline=read_until)
                rows = input_.weight.rows if resumed.rows is None else resumed.rows
                scale.add_weight(input_.most_of(max(0, rows - scale.weight.rows)))
        except ObjectsUnavailableError as error:
            log("WARNING", "input not read", uri=objects[0].uri, error=error)
            raise UnknownError("the gateway cannot read the input now") from error
        except ObjectChangedError as error:
            raise UnknownError(
                "the input was overwritten while it was read; send the request again"
            ) from error
        weighed = Weighed(
            len(objects), sum(each.size for each in objects), max(each.generation for each in objects)
        )
        return bounded(estimate, scale.weight, weighed, prices, location=call.location, at=now)

    def estimate_create(
        self, call: Call, body: dict[str, Any], model: str, resumed: ResumedJob | None = None
    ) -> Estimate:
        """Estimate a create. Amounts that cannot be known are None, and the warnings say why.

        Args:
            call: The call, for its caller and location.
            body: The create's body. Its URIs and names must have been checked against the caller's grants.
            model: The model's full name.
            resumed: The job that it resumes, whose answered rows are not run again.
        """
        source = either(body, "inputConfig")
        table = either(either(source, "bigquerySource"), "inputUri")
        caller = call.caller
        deadline = time.monotonic() + SECONDS
        return self._estimate_input(
            uris_of(either(either(source, "gcsSource"), "uris")),
            str(table) if table else None,
            self._base_of(model, call.project, call.location),
            call.location,
            history=(
                caller.record_scope,
                _history_name(caller.team, caller.api_key if caller.record_scope else None),
            ),
            size_of=FileSizes(self._objects, caller, deadline),
            deadline=deadline,
            is_resumed=resumed is not None,
        )

    def estimate_job(self, job: JobRecord, seconds: float) -> Estimate:
        """Estimate a job on record from its input alone, as ``estimate_create`` does.

        Files that its rows name are not looked up: the grants of its key are not known here.

        Args:
            job: The job.
            seconds: Time limit for reading its input.
        """
        scope = ("team", job.team) if job.team else ("key_id", job.key_id) if job.key_id else None
        uris = job.seen.input_uris
        return self._estimate_input(
            uris,
            next((uri for uri in uris if uri.startswith("bq://")), None),
            job.base_model or self._base_of(job.seen.model, job.key.project, job.key.location),
            job.key.location,
            history=(scope, _history_name(job.team, job.api_key if job.key_id else None)),
            size_of=lambda _: None,
            deadline=time.monotonic() + seconds,
            is_resumed=job.resumed_from is not None,
        )

    def _estimate_input(
        self,
        uris: Sequence[str],
        table: str | None,
        model: str,
        location: str,
        *,
        history: tuple[tuple[str, str] | None, str],
        size_of: SizeOf,
        deadline: float,
        is_resumed: bool,
    ) -> Estimate:
        """Estimate the cost of an input.

        Args:
            uris: The input's objects, if it is not a table.
            table: The input's table, if it is one.
            model: Full name of the base model, which decides price and row format.
            location: Location of the job.
            history: Scope of the earlier jobs that count, as in ``JobStore.recent_jobs``, and its name.
            size_of: Returns the size in bytes of a file that rows name.
            deadline: Time to stop reading the input, by time.monotonic.
            is_resumed: Whether the input is an earlier job's output, whose answered rows are not run again.
        """
        prices = self._prices()
        habit = self._histories.habit(*history, model, prices)
        survey = Survey(model, habit, prices, size_of, self._done_test(is_resumed=is_resumed))
        now = self._now()
        try:
            if table and is_resumed:
                return survey.unknown(f"the rows of {table} that have an answer are not counted")
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

    def _done_test(self, *, is_resumed: bool) -> Callable[[bytes], bool]:
        """Return a predicate for a line of the input that is true if the job will not run it."""
        return answered_test(self._now()) if is_resumed else lambda _: False

    def _base_of(self, model: str, project: str, location: str) -> str:
        """Return the base of a tuned model: it has the same price and row format."""
        if configured := configured_base(self._base_models, project, location, model):
            return configured
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
            log("WARNING", "table not read", table=table, error=error)
            raise UnknownError(f"the gateway cannot read {table} now") from error
        if found is None:
            raise UnknownError(f"there is no table {table}, or the gateway may not see it")
        return found.rows

    def _lines(self, place: Place) -> Iterator[Any]:
        at = place.object
        try:
            # From one byte earlier, which shows whether a line begins here.
            start = max(0, place.start - 1)
            yield from lines_of(place, self._objects().read(at.bucket, at.name, at.generation, start))
        except ObjectsUnavailableError as error:
            log("WARNING", "input not read", uri=at.uri, error=error)
            raise UnknownError(f"the gateway cannot read {at.uri} now") from error
        except ObjectChangedError as error:
            raise UnknownError(
                f"{at.uri} was overwritten while it was read; send the request again"
            ) from error


def _history_name(team: str | None, api_key: str | None) -> str:
    """Return the name of a history in the assumptions of an estimate."""
    return f"team {team}" if team else f"key {api_key}" if api_key else "all"
