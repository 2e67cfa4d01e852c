"""The HTTP surface: which path is what, who may call it, and errors as AIP-193 has them."""

import traceback
from collections.abc import Callable
from typing import NamedTuple

import flask
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from batch_gateway.core import access
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs import JobKey
from batch_gateway.gateway import answers, inbound
from batch_gateway.gateway.costs import Costs
from batch_gateway.gateway.passthrough import Call, Passthrough
from batch_gateway.gateway.places import Places
from batch_gateway.logs import log
from batch_gateway.ports import (
    ObjectStore,
    Store,
    StoreUnavailableError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamUnavailableError,
)
from batch_gateway.settings import Settings
from batch_gateway.tracking import Tracker

_PREFIXES = ("", "/vertex_ai", "/vertex-ai")
"""Ours, and the prefixes that LiteLLM's proxy has for Vertex AI."""
_PARENT = "projects/<project>/locations/<location>"
_JOBS = f"{_PARENT}/batchPredictionJobs"
_ROUTES = (
    ("POST", _JOBS, "create"),
    ("GET", _JOBS, "list_jobs"),
    ("GET", f"{_JOBS}/<job>", "get"),
    ("POST", f"{_JOBS}/<job>:cancel", "cancel"),
    ("DELETE", f"{_JOBS}/<job>", "delete"),
    ("GET", f"{_JOBS}/<job>/cost", "cost"),
    ("GET", f"{_PARENT}/operations/<operation>", "operation"),
)


def _rules() -> list[Rule]:
    rules = [
        Rule("/health", endpoint="health", methods=["GET"]),
        Rule("/health/readiness", endpoint="readiness", methods=["GET"]),
    ]
    for prefix in _PREFIXES:
        for version in ("v1", "v1beta1"):
            rules += [
                Rule(
                    f"{prefix}/{version}/{path}",
                    endpoint=endpoint,
                    methods=[method],
                    defaults={"version": version},
                )
                for method, path, endpoint in _ROUTES
            ]
        # google-cloud-aiplatform polls a delete's operation under /ui, without a version.
        rules.append(
            Rule(
                f"{prefix}/ui/{_PARENT}/operations/<operation>",
                endpoint="operation",
                methods=["GET"],
                defaults={"version": "v1"},
            )
        )
    return rules


class Deps(NamedTuple):
    """The outside. Cloud Storage is a factory: few requests need it, and it is slow to import."""

    settings: Settings
    store: Store
    upstream: Upstream
    objects: Callable[[], ObjectStore]


class Gateway:
    """Handles requests. Make one an instance: it remembers what it has seen."""

    def __init__(self, deps: Deps) -> None:
        tracker = Tracker(deps.store)
        self._settings = deps.settings
        self._store = deps.store
        self._places = Places(deps.settings, deps.store)
        self._passthrough = Passthrough(
            settings=deps.settings,
            store=deps.store,
            upstream=deps.upstream,
            tracker=tracker,
            places=self._places,
        )
        self._costs = Costs(deps.store, deps.upstream, deps.objects, tracker)
        self._routes = Map(_rules(), merge_slashes=False, redirect_defaults=False)

    def handle(self, request: Request) -> Response:
        """Answers one request; whatever goes wrong is answered too."""
        try:
            return self._dispatch(request)
        except ApiError as error:
            return answers.error(error)
        except StoreUnavailableError as error:
            log("ERROR", "books unavailable", path=request.path, error=error)
            message = "The gateway's database does not answer. Try again."
            return answers.error(ApiError("UNAVAILABLE", "BOOKS_UNAVAILABLE", message, retry_after=5))
        except UpstreamUnavailableError as error:
            log("ERROR", "upstream unavailable", path=request.path, error=error)
            message = f"Vertex AI cannot be reached: {error}. Try again."
            return answers.error(ApiError("UNAVAILABLE", "UPSTREAM_UNAVAILABLE", message, retry_after=5))
        except UpstreamCredentialsError as error:
            log("ERROR", "no Google token", path=request.path, error=error)
            message = "The gateway got no Google access token. Its administrator finds the reason in its log."
            return answers.error(ApiError("INTERNAL", "UPSTREAM_CREDENTIALS", message))
        except Exception:  # noqa: BLE001 - the boundary: logged for Error Reporting, answered as INTERNAL
            log("ERROR", "unexpected error", path=request.path, stack_trace=traceback.format_exc())
            message = "Something went wrong in the gateway. Its administrator finds the reason in its log."
            return answers.error(ApiError("INTERNAL", "INTERNAL", message))

    def _dispatch(self, request: Request) -> Response:
        inbound.check_path(request)
        endpoint, values = self._match(request)
        if endpoint == "health":
            return answers.json({"status": "ok"})
        if endpoint == "readiness":
            self._store.ping()
            return answers.json({"status": "ok"})
        caller = access.authenticate(inbound.api_key(request), self._settings.master_key)
        project = self._places.check(values["project"], values["location"])
        parent = f"projects/{values['project']}/locations/{values['location']}"
        if "job" in values:
            access.check_id(values["job"], "job")
            resource = f"{parent}/batchPredictionJobs/{values['job']}"
        elif "operation" in values:
            access.check_id(values["operation"], "operation")
            resource = f"{parent}/operations/{values['operation']}"
        else:
            resource = f"{parent}/batchPredictionJobs"
        if endpoint == "cost":
            return self._costs.get(JobKey(project, values["location"], values["job"]))
        verb = ":cancel" if endpoint == "cancel" else ""
        path = f"/{values['version']}/{resource}{verb}"
        call = Call(request, caller, values["version"], project, values["location"], path)
        method: Callable[[Call], Response] = getattr(self._passthrough, endpoint)
        return method(call)

    def _match(self, request: Request) -> tuple[str, dict[str, str]]:
        try:
            endpoint, values = self._routes.bind_to_environ(request.environ).match()
        except MethodNotAllowed as error:
            allowed = ", ".join(error.valid_methods or ())
            raise ApiError(
                "UNIMPLEMENTED",
                "METHOD_NOT_ALLOWED",
                f"{request.method} is not for this path; it takes {allowed}.",
                code=405,
            ) from error
        except (NotFound, HTTPException) as error:
            raise ApiError(
                "NOT_FOUND",
                "PATH_UNKNOWN",
                "The gateway has no such path. It serves /v1/projects/PROJECT/locations/LOCATION/"
                "batchPredictionJobs and what the README lists.",
            ) from error
        return str(endpoint), dict(values)


def create_app(deps: Deps) -> flask.Flask:
    """The gateway as a Flask application, for tests and for any other WSGI server."""
    gateway = Gateway(deps)
    app = flask.Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False

    @app.route("/", defaults={"path": ""}, methods=_METHODS)
    @app.route("/<path:path>", methods=_METHODS)
    def handle(path: str) -> Response:  # noqa: ARG001 - the gateway has routes of its own
        return gateway.handle(flask.request)

    return app


_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
