"""The HTTP surface: who may call what, and errors as AIP-193 has them."""

import re
import traceback
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from batch_gateway.core import access, grants, prices
from batch_gateway.core.access import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway import answers, dashboard, inbound, openapi, routes, trail
from batch_gateway.gateway.calls import Call
from batch_gateway.gateway.checks import Checks
from batch_gateway.gateway.costs import Costs
from batch_gateway.gateway.creates import Creates
from batch_gateway.gateway.estimates import Estimates
from batch_gateway.gateway.jobs import Jobs
from batch_gateway.gateway.keyring import KeyRing
from batch_gateway.gateway.keys import Keys
from batch_gateway.gateway.passthrough import Passthrough
from batch_gateway.gateway.places import Places
from batch_gateway.gateway.ratelimit import RateLimiter
from batch_gateway.gateway.repricing import Repricings
from batch_gateway.gateway.spend import Spend
from batch_gateway.gateway.standings import Standings
from batch_gateway.gateway.sweeps import Identity, Sweeps
from batch_gateway.gateway.teams import Teams
from batch_gateway.gateway.trail import Trail
from batch_gateway.gateway.weighing import Weighing
from batch_gateway.logs import log
from batch_gateway.ports import (
    AnswerTooLargeError,
    Audit,
    KeyStore,
    ObjectStore,
    RecordError,
    Store,
    StoreUnavailableError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.settings import Settings
from batch_gateway.settlement.deps import Deps as SettlementDeps
from batch_gateway.tracking import Tracker

Result = TypeVar("Result")
_PARENT = re.compile(r"projects/([^/]+)/locations/([^/]+)")


class Deps(NamedTuple):
    """The outside. Cloud Storage is a factory: few requests need it, and it is slow to import.

    So is what settlement works with.
    """

    settings: Settings
    store: Store
    keys: KeyStore
    audit: Audit
    upstream: Upstream
    objects: Callable[[], ObjectStore]
    settlement: Callable[[], SettlementDeps]
    identity: Identity


class Gateway:
    """Handles requests. Make one an instance: it remembers what it has seen."""

    def __init__(self, deps: Deps) -> None:
        tracker = Tracker(deps.store)
        self._places = Places(deps.settings, deps.store)
        passthrough = Passthrough(deps.store, deps.upstream, tracker, self._places)
        checks = Checks(deps.settings, self._places)
        estimates = Estimates(
            deps.store,
            deps.upstream,
            objects=deps.objects,
            tables=lambda: deps.settlement().tables(),
            prices=prices.load,
            check=checks.model_of,
        )
        creates = Creates(deps.store, deps.upstream, self._places, checks, estimates)
        weighing = Weighing(deps.store, estimates)
        costs = Costs(deps.store, deps.upstream, deps.objects, tracker, weighing)
        standings = Standings(deps.store)
        private = deps.settings.allow_private_webhooks
        keys = Keys(deps.keys, standings, allow_private_webhooks=private)
        teams = Teams(deps.keys, standings)
        self._settings = deps.settings
        self._store = deps.store
        self._keyring = KeyRing(deps.settings.master_key, deps.keys)
        self._limiter = RateLimiter(deps.keys)
        self._trail = Trail(deps.audit)
        spend = Spend(deps.store, prices.load)
        sweeps = Sweeps(
            deps.settings, self._keyring, deps.identity, deps.settlement, tracker, weigh=weighing.weigh
        )
        self._open: dict[str, Callable[[Request], Response]] = {
            "health": lambda _: answers.json({"status": "ok"}),
            "readiness": self._readiness,
            "openapi": lambda _: answers.json(openapi.document()),
            "reconcile": sweeps.run,
            "dashboard": dashboard.page,
            "dashboard.file": lambda request: dashboard.asset(request, *request.path.split("/")[-2:]),
        }
        self._own_reads: dict[str, Callable[[Request, Caller], Response]] = {
            "jobs.list": Jobs(deps.store).list,
            "costs.list": spend.costs,
            "costs.export": spend.export,
        }
        self._reads: dict[str, Callable[[Call], Response]] = {
            "list_jobs": passthrough.list_jobs,
            "get": passthrough.get,
            "cost": costs.get,
            "operation": passthrough.operation,
            "estimate": estimates.estimate,
        }
        self._writes: dict[str, Callable[[Call], Response]] = {
            "create": creates.create,
            "cancel": passthrough.cancel,
            "delete": passthrough.delete,
        }
        self._admin_reads: dict[str, Callable[[Request, Caller], Response]] = {
            "key.info": keys.info,
            "key.list": keys.list_keys,
            "team.info": teams.info,
            "team.list": teams.list_teams,
            "audit": self._trail.list_entries,
        }
        self._admin_writes: dict[str, Callable[[Request, Caller], tuple[str, Response]]] = {
            "key.generate": keys.generate,
            "key.update": keys.update,
            "key.regenerate": keys.regenerate,
            "key.delete": keys.delete,
            "team.new": teams.new,
            "team.update": teams.update,
            "team.delete": teams.delete,
            "costs.reprice": Repricings(deps.store, prices.load).reprice,
        }

    def handle(self, request: Request) -> Response:
        """Answers one request; whatever goes wrong is answered too."""
        try:
            return answers.compressed(request, self._dispatch(request))
        except Exception as error:  # noqa: BLE001 - the boundary: every error becomes an answer
            return answers.error(_as_api_error(error, request))
        finally:
            inbound.release(request)

    def _dispatch(self, request: Request) -> Response:
        inbound.check_path(request)
        endpoint, values = routes.match(request)
        if endpoint in self._open:
            return self._open[endpoint](request)
        caller = self._keyring.caller(inbound.api_key(request), inbound.address(request))
        self._limiter.check(caller)
        if endpoint in self._own_reads:
            return self._own_reads[endpoint](request, caller)
        if endpoint in self._admin_reads:
            return self._as_admin(endpoint, caller, lambda: self._admin_reads[endpoint](request, caller))
        if endpoint in self._admin_writes:
            act = self._admin_writes[endpoint]
            return self._audited(
                caller, endpoint, "", lambda: self._as_admin(endpoint, caller, lambda: act(request, caller))
            )
        if endpoint in self._reads:
            return self._reads[endpoint](self._call(request, caller, endpoint, values))
        target = request.path.partition("/projects/")[2].removesuffix(":cancel")
        return self._audited(
            caller,
            f"job.{endpoint}",
            f"projects/{target}" if target else request.path,
            lambda: self._write(endpoint, self._call(request, caller, endpoint, values)),
        )

    def _readiness(self, _: Request) -> Response:
        self._store.ping()
        return answers.json({"status": "ok"})

    def _as_admin(self, endpoint: str, caller: Caller, act: Callable[[], Result]) -> Result:
        if not caller.is_admin and endpoint != "key.info":
            raise ApiError("PERMISSION_DENIED", "ADMIN_ONLY", "Only the administrator's key may do this.")
        return act()

    def _write(self, endpoint: str, call: Call) -> tuple[str, Response]:
        response = self._writes[endpoint](call)
        return answers.name_in(response) if endpoint == "create" else call.key.path, response

    def _audited(
        self, caller: Caller, action: str, target: str, act: Callable[[], tuple[str, Response]]
    ) -> Response:
        """Does something and notes it in the trail, whatever came of it."""
        try:
            done_to, response = act()
        except Exception as error:
            self._trail.note(caller, action, target, trail.outcome_of_error(error))
            raise
        self._trail.note(caller, action, done_to or target, trail.outcome_of(response))
        return response

    def _call(self, request: Request, caller: Caller, endpoint: str, values: dict[str, str]) -> Call:
        if "project" not in values:
            values = {**values, **self._named_place(request)}
        project = self._places.check(values["project"], values["location"])
        grants.check_place(caller.grants, project, values["location"])
        path = f"/{values['version']}/projects/{values['project']}/locations/{values['location']}"
        if "operation" in values:
            access.check_id(values["operation"], "operation")
            path += f"/operations/{values['operation']}"
        else:
            path += "/batchPredictionJobs"
        if "job" in values:
            access.check_id(values["job"], "job")
            path += f"/{values['job']}"
        if endpoint == "cancel":
            path += ":cancel"
        return Call(
            request, caller, values["version"], project, values["location"], path, values.get("job", "")
        )

    def _named_place(self, request: Request) -> dict[str, str]:
        """Where a path without project and location leads: to ``parent``, else to the only place served."""
        parent = _PARENT.fullmatch(request.args.get("parent", ""))
        place = (parent[1], parent[2]) if parent else self._settings.only_place
        if place is None or (request.args.get("parent") and not parent):
            raise ApiError(
                "INVALID_ARGUMENT",
                "PLACE_MISSING",
                "Which project and location is not clear: write /v1/projects/PROJECT/locations/LOCATION/"
                "batchPredictionJobs, or set project and location in your client.",
            )
        return {"project": place[0], "location": place[1]}


def _as_api_error(error: Exception, request: Request) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, StoreUnavailableError | RecordError):
        return _of_books(error, request)
    if isinstance(error, AnswerTooLargeError):
        log("ERROR", "answer not read", event="upstream.error", path=request.path, error=error)
        message = f"Vertex AI's answer {error}. If it is a list, ask for less of it with pageSize."
        return ApiError("FAILED_PRECONDITION", "UPSTREAM_ANSWER_TOO_LARGE", message)
    if isinstance(error, UpstreamUnavailableError):
        log(
            "ERROR",
            "upstream unavailable",
            event="upstream.error",
            status=503,
            path=request.path,
            error=error,
        )
        message = f"Vertex AI cannot be reached: {error}. Try again."
        return ApiError("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", message, retry_after=5)
    if isinstance(error, UpstreamCredentialsError):
        log("ERROR", "no Google token", path=request.path, error=error)
        message = "The gateway got no Google access token. Its administrator finds the reason in its log."
        return ApiError("INTERNAL", "UPSTREAM_CREDENTIALS", message)
    stack_trace = "".join(traceback.format_exception(error))
    log("ERROR", "unexpected error", path=request.path, stack_trace=stack_trace)
    message = "Something went wrong in the gateway. Its administrator finds the reason in its log."
    return ApiError("INTERNAL", "INTERNAL", message)


def _of_books(error: StoreUnavailableError | RecordError, request: Request) -> ApiError:
    if isinstance(error, RecordError):
        log("ERROR", "record unreadable", event="record.unreadable", record=request.path, error=error)
        message = (
            "The gateway's record that this needs cannot be read. Its administrator finds the reason in the "
            "log, and corrects or deletes the record; the job runs on, and other jobs are not affected."
        )
        return ApiError("DATA_LOSS", "RECORD_UNREADABLE", message)
    log("ERROR", "books unavailable", path=request.path, error=error)
    message = "The gateway's database does not answer. Try again."
    return ApiError("UNAVAILABLE", "BOOKS_UNAVAILABLE", message, retry_after=5)


def create_app(deps: Deps) -> flask.Flask:
    """The gateway as a Flask application, for tests and for any other WSGI server."""
    gateway = Gateway(deps)
    app = flask.Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    @app.errorhandler(HTTPException)
    @app.route("/", defaults={"path": ""}, methods=methods)
    @app.route("/<path:path>", methods=methods)
    def handle(path: object) -> Response:  # noqa: ARG001 - the gateway has routes and errors of its own
        return gateway.handle(flask.request)

    return app
