"""Build the use cases, and the table of all endpoints with their handlers. A new endpoint begins here."""

from werkzeug.wrappers import Request, Response

from batch_gateway.gateway import dashboard
from batch_gateway.gateway.admin.audit import AuditTrail
from batch_gateway.gateway.admin.budget_status import BudgetStatus
from batch_gateway.gateway.admin.keys import Keys
from batch_gateway.gateway.admin.prices import Prices
from batch_gateway.gateway.admin.sweep import Sweeps
from batch_gateway.gateway.admin.teams import Teams
from batch_gateway.gateway.costs.reconcile import Reconciliations
from batch_gateway.gateway.costs.report import Spend
from batch_gateway.gateway.costs.repricing import Repricings
from batch_gateway.gateway.costs.values import FilterValues
from batch_gateway.gateway.deps import GatewayDeps
from batch_gateway.gateway.http import openapi, responses
from batch_gateway.gateway.http.authentication import Authenticator
from batch_gateway.gateway.http.routing import (
    Table,
    at_place,
    change_at_place,
    change_by_admin,
    change_for_keys,
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
from batch_gateway.tracking import Tracker


def build_table(
    deps: GatewayDeps, *, places: Places, authenticator: Authenticator, trail: AuditTrail
) -> Table:
    """Build the table of all endpoints.

    Args:
        deps: The ports and settings.
        places: The places that are served.
        authenticator: Authenticates the administrator who calls the sweep.
        trail: The audit trail, which has an endpoint too.
    """
    tracker = Tracker(deps.store)
    passthrough = Passthrough(deps.store, deps.upstream, tracker, places)
    policy = CreatePolicy(deps.settings, places)
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
    creates = Creates(deps.store, deps.upstream, places, policy, estimates, now=deps.now)
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
    spend = Spend(deps.store, deps.prices, deps.now)
    bills = Reconciliations(deps.settings, deps.store, deps.billing, deps.prices, deps.now)
    sweeps = Sweeps(
        deps.settings,
        authenticator,
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

    def ready(_: Request) -> Response:
        deps.store.ping()
        return responses.json(responses.Health())

    return Table(
        (
            open_to_all("GET", "/health", lambda _: responses.json(responses.Health())),
            open_to_all("GET", "/health/readiness", ready),
            open_to_all("GET", "/openapi.json", lambda _: responses.json(openapi.document())),
            open_to_all("GET", "/dashboard", dashboard.serve_page),
            open_to_all("GET", "/dashboard/<version>/<name>", dashboard.serve_file),
            open_to_all("POST", "/internal/reconcile", sweeps.run),
            change_at_place("POST", "/batchPredictionJobs", creates.create, "job.create"),
            at_place("GET", "/batchPredictionJobs", passthrough.list_jobs),
            at_place("GET", "/batchPredictionJobs/<job>", passthrough.get),
            change_at_place("POST", "/batchPredictionJobs/<job>:cancel", passthrough.cancel, "job.cancel"),
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
            for_auditors("GET", "/audit", trail.list_entries),
        )
    )
