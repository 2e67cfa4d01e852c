"""Take a request to its handler: path, route, key, rate limit, role; then note it in the audit trail.

The endpoints are in ``route_table``.
"""

import re

from werkzeug.wrappers import Request, Response

from batch_gateway.core.access import grants, ids
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.admin import audit
from batch_gateway.gateway.admin.audit import AuditTrail
from batch_gateway.gateway.deps import GatewayDeps
from batch_gateway.gateway.http import requests, responses
from batch_gateway.gateway.http.authentication import Authenticator
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.http.exceptions import as_api_error
from batch_gateway.gateway.http.rate_limit import RateLimiter
from batch_gateway.gateway.http.routing import PLACE, Access, AuditedResponse, Route, check_role
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.gateway.route_table import build_table

_PARENT = re.compile(r"projects/([^/]+)/locations/([^/]+)")


class Gateway:
    """Request handler; make one for each instance, since it caches keys and rate limits.

    Attributes:
        table: The table of all endpoints.
    """

    def __init__(self, deps: GatewayDeps) -> None:
        self._settings = deps.settings
        self._places = Places(deps.settings, deps.store)
        self._authenticator = Authenticator(deps.settings.master_key, deps.keys, deps.clock, deps.now)
        self._limiter = RateLimiter(deps.keys, deps.now)
        self._trail = AuditTrail(deps.audit, deps.now)
        self.table = build_table(
            deps, places=self._places, authenticator=self._authenticator, trail=self._trail
        )

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
        route, values = self.table.match(request)
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
                "The request names no project and location, or its `parent` is not "
                "projects/PROJECT/locations/LOCATION. Call /v1/projects/PROJECT/locations/LOCATION/"
                "batchPredictionJobs, or set project and location in your client.",
            )
        return {"project": place[0], "location": place[1]}


def _response(answer: Response | AuditedResponse) -> Response:
    return answer.response if isinstance(answer, AuditedResponse) else answer


def _target(route: Route, request: Request) -> str:
    """Return the target of a failed call for the audit trail, as far as its path shows it."""
    if route.access is not Access.PLACE:
        return ""
    _, colon, method = route.path.partition(":")
    target = request.path.partition("/projects/")[2].removesuffix(colon + method)
    return f"projects/{target}" if target else request.path
