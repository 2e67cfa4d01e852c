"""Build the route table, and dispatch requests."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from werkzeug.wrappers import Request, Response

from batch_gateway.core.access import grants, ids
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.current_prices import CurrentPrices
from batch_gateway.gateway import dashboard
from batch_gateway.gateway.admin import audit
from batch_gateway.gateway.admin.audit import AuditTrail
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.keys import Keys
from batch_gateway.gateway.admin.prices import Prices
from batch_gateway.gateway.admin.sweep import Identity, Sweeps
from batch_gateway.gateway.admin.teams import Teams
from batch_gateway.gateway.costs.reconcile import Reconciliations
from batch_gateway.gateway.costs.report import Spend
from batch_gateway.gateway.costs.repricing import Repricings
from batch_gateway.gateway.costs.values import FilterValues
from batch_gateway.gateway.http import openapi, requests, responses
from batch_gateway.gateway.http.authentication import Authenticator
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.exceptions import as_api_error
from batch_gateway.gateway.http.rate_limit import RateLimiter
from batch_gateway.gateway.http.routes import (
    PLACE,
    Access,
    AuditedResponse,
    Route,
    Table,
    at_place,
    change_at_place,
    change_by_admin,
    change_for_keys,
    check_role,
    for_auditors,
    for_keys,
    for_viewers,
    open_to_all,
)
from batch_gateway.gateway.jobs.cost import Costs
from batch_gateway.gateway.jobs.create import Creates
from batch_gateway.gateway.jobs.create_policy import CreatePolicy
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.gateway.jobs.inputs import Inputs
from batch_gateway.gateway.jobs.listing import Jobs
from batch_gateway.gateway.jobs.owned_jobs import OwnedJobs
from batch_gateway.gateway.jobs.passthrough import Passthrough
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.gateway.jobs.results import Results
from batch_gateway.gateway.jobs.resume import Resumes
from batch_gateway.gateway.jobs.stats import JobStats
from batch_gateway.gateway.jobs.weighing import Weighing
from batch_gateway.ports import (
    Audit,
    KeyStore,
    ObjectStore,
    Store,
    Upstream,
)
from batch_gateway.ports.billing import BillingExport
from batch_gateway.settings import Settings
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.tracking import Tracker

_PARENT = re.compile(r"projects/([^/]+)/locations/([^/]+)")


@dataclass(frozen=True, kw_only=True)
class Deps:
    """The gateway's dependencies.

    Attributes:
        settings: The configuration.
        store: Jobs and their costs.
        keys: Keys and teams.
        audit: The audit trail.
        upstream: Vertex AI.
        objects: Makes the Cloud Storage client on first use: few requests need it, and it is slow to import.
        billing: Makes the client of the Cloud Billing export on first use.
        settlement: Makes the dependencies of settlement on first use, for the same reason.
        prices: The prices in force.
        identity: Checks identity tokens.
        now: Returns the current time.
        clock: Returns monotonic seconds.
    """

    settings: Settings
    store: Store
    keys: KeyStore
    audit: Audit
    upstream: Upstream
    objects: Callable[[], ObjectStore]
    billing: Callable[[], BillingExport]
    settlement: Callable[[], SettlementDeps]
    prices: CurrentPrices
    identity: Identity
    now: Callable[[], datetime]
    clock: Callable[[], float]


class Gateway:
    """Request handler; make one for each instance, since it caches keys and rate limits."""

    def __init__(self, deps: Deps) -> None:
        tracker = Tracker(deps.store)
        self._places = Places(deps.settings, deps.store)
        passthrough = Passthrough(deps.store, deps.upstream, tracker, self._places)
        policy = CreatePolicy(deps.settings, self._places)
        stats = JobStats(deps.store, deps.prices, deps.now)
        estimates = Estimates(
            deps.store,
            deps.upstream,
            objects=deps.objects,
            tables=lambda: deps.settlement().tables(),
            prices=deps.prices,
            base_models=deps.settings.base_models,
            authorize=policy.authorize_estimate,
            expect=stats.expect,
            now=deps.now,
        )
        creates = Creates(deps.store, deps.upstream, self._places, policy, estimates, now=deps.now)
        resumes = Resumes(
            deps.store,
            deps.settlement,
            passthrough=passthrough,
            policy=policy,
            creates=creates,
        )
        weighing = Weighing(deps.store, estimates)
        owned_jobs = OwnedJobs(deps.store, deps.upstream, tracker)
        costs = Costs(deps.store, owned_jobs, deps.settlement, weighing, now=deps.now)
        results = Results(deps.store, owned_jobs, deps.settlement)
        budget_status = BudgetStatus(deps.store, deps.now)
        private = deps.settings.allow_private_webhooks
        keys = Keys(deps.keys, budget_status, allow_private_webhooks=private, now=deps.now)
        teams = Teams(deps.keys, budget_status, deps.now)
        self._settings = deps.settings
        self._store = deps.store
        self._authenticator = Authenticator(deps.settings.master_key, deps.keys, deps.clock, deps.now)
        self._limiter = RateLimiter(deps.keys, deps.now)
        self._trail = AuditTrail(deps.audit, deps.now)
        spend = Spend(deps.store, deps.prices, deps.now)
        bills = Reconciliations(deps.settings, deps.store, deps.billing, deps.prices, deps.now)
        sweeps = Sweeps(
            deps.settings,
            self._authenticator,
            deps.identity,
            deps.settlement,
            tracker,
            weigh=weighing.weigh,
            check_bill=bills.check_once_a_day,
            now=deps.now,
        )
        jobs = Jobs(deps.store)
        prices = Prices(deps.prices, deps.settings, deps.store, deps.now)
        inputs = Inputs(deps.objects, deps.settings.input_prefix, deps.settings.output_prefix, deps.now)
        repricings = Repricings(deps.store, deps.prices, deps.now)
        self._table = Table(
            (
                open_to_all("GET", "/health", lambda _: responses.json(responses.Health())),
                open_to_all("GET", "/health/readiness", self._readiness),
                open_to_all("GET", "/openapi.json", lambda _: responses.json(openapi.document())),
                open_to_all("GET", "/dashboard", dashboard.serve_page),
                open_to_all("GET", "/dashboard/<version>/<name>", dashboard.serve_file),
                open_to_all("POST", "/internal/reconcile", sweeps.run),
                change_at_place("POST", "/batchPredictionJobs", creates.create, "job.create"),
                at_place("GET", "/batchPredictionJobs", passthrough.list_jobs),
                at_place("GET", "/batchPredictionJobs/<job>", passthrough.get),
                change_at_place(
                    "POST", "/batchPredictionJobs/<job>:cancel", passthrough.cancel, "job.cancel"
                ),
                change_at_place("POST", "/batchPredictionJobs/<job>:resume", resumes.resume, "job.resume"),
                change_at_place("DELETE", "/batchPredictionJobs/<job>", passthrough.delete, "job.delete"),
                at_place("GET", "/operations/<operation>", passthrough.get_operation),
                at_place("GET", "/batchPredictionJobs/<job>/cost", costs.get),
                at_place("GET", "/batchPredictionJobs/<job>/results", results.get),
                at_place("POST", "/batchPredictionJobs:estimateCost", estimates.estimate),
                for_keys("GET", "/v1/jobs", jobs.list),
                change_for_keys("POST", "/v1/inputs", inputs.create, "input.create"),
                for_keys("GET", "/v1/jobs:stats", stats.report),
                for_keys("GET", "/v1/jobs:top", jobs.top),
                for_keys("GET", "/v1/costs", spend.report),
                for_keys("GET", "/v1/costs:export", spend.export),
                for_keys("GET", "/v1/costs:values", FilterValues(deps.store, deps.now).list),
                for_auditors("GET", "/v1/costs:reconcile", bills.report),
                change_by_admin("POST", "/v1/costs:reprice", repricings.reprice, "costs.reprice"),
                for_keys("GET", "/v1/prices", prices.list),
                change_by_admin("PUT", "/v1/prices/<model>", prices.put, "price.set"),
                change_by_admin("DELETE", "/v1/prices/<model>", prices.delete, "price.delete"),
                change_by_admin("PUT", "/v1/prices/publishers/<publisher>", prices.put, "price.set"),
                change_by_admin("DELETE", "/v1/prices/publishers/<publisher>", prices.delete, "price.delete"),
                for_keys("GET", "/key/info", keys.info),
                for_viewers("GET", "/key/list", keys.list_keys),
                change_by_admin("POST", "/key/generate", keys.generate, "key.generate"),
                change_by_admin("POST", "/key/update", keys.update, "key.update"),
                change_by_admin("POST", "/key/regenerate", keys.regenerate, "key.regenerate"),
                change_by_admin("POST", "/key/delete", keys.delete, "key.delete"),
                for_viewers("GET", "/team/info", teams.info),
                for_viewers("GET", "/team/list", teams.list_teams),
                change_by_admin("POST", "/team/new", teams.new, "team.new"),
                change_by_admin("POST", "/team/update", teams.update, "team.update"),
                change_by_admin("POST", "/team/delete", teams.delete, "team.delete"),
                for_auditors("GET", "/audit", self._trail.list_entries),
            )
        )

    @property
    def table(self) -> Table:
        """Return the table of all endpoints."""
        return self._table

    def handle(self, request: Request) -> Response:
        """Answer one request; every exception becomes an error response."""
        try:
            response = responses.compress(request, self._dispatch(request))
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes an answer
            response = responses.error(as_api_error(error, request))
        finally:
            requests.release(request)
        self._authenticator.uses.write_after(response)
        return response

    def _dispatch(self, request: Request) -> Response:
        requests.check_path(request)
        route, values = self._table.match(request)
        if route.access is Access.OPEN:
            return _response(route.handler(request))
        caller = self._authenticator.authenticate(requests.api_key(request), requests.address(request))
        self._limiter.check(caller)
        if route.audit is None:
            return _response(self._answer(route, request, caller, values))
        try:
            done = self._answer(route, request, caller, values)
        except Exception as error:
            self._trail.record(caller, route.audit, _target(route, request), audit.outcome_of_error(error))
            raise
        target = done.target if isinstance(done, AuditedResponse) else ""
        response = _response(done)
        change = done.change if isinstance(done, AuditedResponse) else None
        self._trail.record(
            caller, route.audit, target or _target(route, request), audit.outcome_of(response), change
        )
        return response

    def _answer(
        self, route: Route, request: Request, caller: Caller, values: dict[str, str]
    ) -> Response | AuditedResponse:
        check_role(route, caller)
        if route.access is Access.PLACE:
            return route.handler(self._call(route, request, caller, values))
        return route.handler(request, caller)

    def _readiness(self, _: Request) -> Response:
        self._store.ping()
        return responses.json(responses.Health())

    def _call(self, route: Route, request: Request, caller: Caller, values: dict[str, str]) -> Call:
        if "project" not in values:
            values = {**values, **self._named_place(request)}
        project = self._places.check(values["project"], values["location"])
        grants.check_place(caller.grants, project, values["location"])
        for kind in ("job", "operation"):
            if kind in values:
                ids.check_id(values[kind], kind)
        path = f"/{values['version']}{PLACE}{route.path}"
        for name in ("project", "location", "job", "operation"):
            path = path.replace(f"<{name}>", values.get(name, ""))
        return Call(
            request, caller, values["version"], project, values["location"], path, values.get("job", "")
        )

    def _named_place(self, request: Request) -> dict[str, str]:
        """Return the place for a path that names none: that of ``parent``, else the only place served.

        Raises:
            ApiError: There is neither, or ``parent`` cannot be read.
        """
        parent = _PARENT.fullmatch(request.args.get("parent", ""))
        place = (parent[1], parent[2]) if parent else self._settings.only_place
        if place is None or (request.args.get("parent") and not parent):
            raise ApiError(
                "INVALID_ARGUMENT",
                "PLACE_MISSING",
                "The request names no project and location. Call /v1/projects/PROJECT/locations/LOCATION/"
                "batchPredictionJobs, or set project and location in your client.",
            )
        return {"project": place[0], "location": place[1]}


def _response(answer: Response | AuditedResponse) -> Response:
    return answer.response if isinstance(answer, AuditedResponse) else answer


def _target(route: Route, request: Request) -> str:
    """Return the target of a failed call for the audit trail, as far as its path shows it."""
    if route.access is not Access.PLACE:
        return ""
    target = request.path.partition("/projects/")[2].removesuffix(":cancel").removesuffix(":resume")
    return f"projects/{target}" if target else request.path
