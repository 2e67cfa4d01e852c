"""Define routes, with their handlers, access rules and audit actions, and match requests to them."""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, NamedTuple

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller, admin_only, read_only_key
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.http.call import Call

_PREFIX = "/<any('vertex_ai', 'vertex-ai'):prefix>"
"""Those of LiteLLM's proxy for Vertex AI."""
_VERSION = "/<any(v1, v1beta1):version>"
PLACE = "/projects/<project>/locations/<location>"


class AuditedResponse(NamedTuple):
    """The response to a change, with what the audit trail notes of it.

    Attributes:
        target: Name of the changed resource.
        response: The response.
        change: What was changed, ``before`` and ``after``, where the trail has to show that.
    """

    target: str
    response: Response
    change: dict[str, Any] | None = None


class Access(Enum):
    """The callers that a route is open to. A viewer may call only routes that change nothing."""

    OPEN = "anybody"
    KEY = "anybody with a key"
    VIEWER = "viewers, who see what their key's team may see, and administrators"
    AUDITOR = "callers that see everything: viewers without a team, and administrators"
    ADMIN = "administrators"
    PLACE = "anybody with a key for the project and location in the path"


class Route(NamedTuple):
    """One endpoint.

    Attributes:
        method: HTTP method.
        path: Path in werkzeug's syntax; with PLACE, the part after the location.
        handler: Called with arguments that depend on the access: see the functions below, which make routes.
        access: The callers that it is open to.
        audit: The action's name in the audit trail; None if the route changes nothing.
    """

    method: str
    path: str
    handler: Callable[..., Response | AuditedResponse]
    access: Access
    audit: str | None = None


def open_to_all(method: str, path: str, handler: Callable[[Request], Response]) -> Route:
    """Make a route that anybody may call."""
    return Route(method, path, handler, Access.OPEN)


def for_keys(method: str, path: str, handler: Callable[[Request, Caller], Response]) -> Route:
    """Make a route that anybody with a key may call."""
    return Route(method, path, handler, Access.KEY)


def for_viewers(method: str, path: str, handler: Callable[[Request, Caller], Response]) -> Route:
    """Make a route that changes nothing and that viewers and administrators may call."""
    return Route(method, path, handler, Access.VIEWER)


def for_auditors(method: str, path: str, handler: Callable[[Request, Caller], Response]) -> Route:
    """Make a route that changes nothing and that callers who see everything may call."""
    return Route(method, path, handler, Access.AUDITOR)


def change_by_admin(
    method: str, path: str, handler: Callable[[Request, Caller], AuditedResponse], audit: str
) -> Route:
    """Make a route that changes something and that administrators may call."""
    return Route(method, path, handler, Access.ADMIN, audit)


def change_for_keys(
    method: str, path: str, handler: Callable[[Request, Caller], AuditedResponse], audit: str
) -> Route:
    """Make a route that changes something and that anybody with a key may call."""
    return Route(method, path, handler, Access.KEY, audit)


def at_place(method: str, path: str, handler: Callable[[Call], Response]) -> Route:
    """Make a route below a project and location that changes nothing."""
    return Route(method, path, handler, Access.PLACE)


def change_at_place(method: str, path: str, handler: Callable[[Call], AuditedResponse], audit: str) -> Route:
    """Make a route below a project and location that changes something."""
    return Route(method, path, handler, Access.PLACE, audit)


def check_role(route: Route, caller: Caller) -> None:
    """Check that a caller's role allows a route.

    Raises:
        ApiError: READ_ONLY_KEY or ADMIN_ONLY.
    """
    if caller.is_viewer and route.audit is not None:
        raise read_only_key()
    if route.access is Access.ADMIN and not caller.is_admin:
        raise admin_only("an administrator's key may do this: the master key, or one with the role 'admin'")
    if route.access is Access.VIEWER and not (caller.is_admin or caller.is_viewer):
        raise admin_only("the master key, and keys with the role 'admin' or 'viewer', may see this")
    if route.access is Access.AUDITOR and not caller.sees_everything:
        raise admin_only("administrators' keys, and viewers' without a team, may see this")


class Table:
    """The route table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._map = Map(
            [rule for route in self.routes for rule in _rules(route)],
            merge_slashes=False,
            redirect_defaults=False,
        )

    def match(self, request: Request) -> tuple[Route, dict[str, str]]:
        """Return the route of a request, and the values in its path.

        Raises:
            ApiError: There is no such path, or it does not support the method.
        """
        if request.method == "HEAD":
            raise ApiError(
                "UNIMPLEMENTED",
                "METHOD_NOT_ALLOWED",
                "HEAD is not supported: use GET.",
                headers={"Allow": "GET"},
            )
        try:
            route, values = self._map.bind_to_environ(request.environ).match()
        except MethodNotAllowed as error:
            # Werkzeug adds HEAD to every GET, and HEAD is refused above.
            allowed = ", ".join(sorted({*(error.valid_methods or ())} - {"HEAD"}))
            is_of_job = request.method == "POST" and "/batchPredictionJobs/" in request.path
            hint = " With POST, a job's path ends in :cancel or :resume." if is_of_job else ""
            raise ApiError(
                "UNIMPLEMENTED",
                "METHOD_NOT_ALLOWED",
                f"This path does not support {request.method}: use {allowed}.{hint}",
                headers={"Allow": allowed},
            ) from error
        except HTTPException as error:
            hint = (
                " Google's Gen AI client calls '/' if it is not given project and location."
                if request.path == "/"
                else ""
            )
            raise ApiError(
                "NOT_FOUND",
                "PATH_UNKNOWN",
                "The gateway has no such path. It serves /v1/projects/PROJECT/locations/LOCATION/"
                f"batchPredictionJobs and what /openapi.json lists.{hint}",
            ) from error
        return route, dict(values)

    def paths(self) -> set[tuple[str, str]]:
        """Return the method and path of every rule."""
        return {(method, rule.rule) for rule in self._map.iter_rules() for method in rule.methods or ()}


def _rules(route: Route) -> list[Rule]:
    """Return the rules of a route: below a place each version, with and without prefix and place."""
    if route.access is not Access.PLACE:
        return [_rule(route, route.path)]
    starts = [f"{_VERSION}{PLACE}", _VERSION]
    if route.path.startswith("/operations/"):
        # google-cloud-aiplatform polls a delete's operation under /ui, without a version.
        starts = [f"{_VERSION}{PLACE}", f"/ui{PLACE}"]
    return [_rule(route, f"{prefix}{start}{route.path}") for prefix in ("", _PREFIX) for start in starts]


def _rule(route: Route, path: str) -> Rule:
    defaults = {"version": "v1"} if path.startswith(("/ui/", f"{_PREFIX}/ui/")) else None
    return Rule(path, endpoint=route, methods=[route.method], defaults=defaults)
