"""Which path is what."""

from functools import cache

from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError

PREFIXES = ("", "/vertex_ai", "/vertex-ai")
"""Ours, and the prefixes that LiteLLM's proxy has for Vertex AI."""
VERSIONS = ("v1", "v1beta1")
_PARENT = "/projects/<project>/locations/<location>"
JOB_ROUTES = (
    ("POST", "/batchPredictionJobs", "create"),
    ("GET", "/batchPredictionJobs", "list_jobs"),
    ("GET", "/batchPredictionJobs/<job>", "get"),
    ("POST", "/batchPredictionJobs/<job>:cancel", "cancel"),
    ("DELETE", "/batchPredictionJobs/<job>", "delete"),
    ("GET", "/batchPredictionJobs/<job>/cost", "cost"),
    ("POST", "/batchPredictionJobs:estimateCost", "estimate"),
)
"""(method, path, endpoint) below a project and location; also without these, where only one is served."""
OWN_ROUTES = (
    ("GET", "/health", "health"),
    ("GET", "/health/readiness", "readiness"),
    ("GET", "/openapi.json", "openapi"),
    ("GET", "/dashboard", "dashboard"),
    ("GET", "/dashboard/<version>/<name>", "dashboard.file"),
    ("POST", "/key/generate", "key.generate"),
    ("POST", "/key/update", "key.update"),
    ("POST", "/key/regenerate", "key.regenerate"),
    ("POST", "/key/delete", "key.delete"),
    ("GET", "/key/info", "key.info"),
    ("GET", "/key/list", "key.list"),
    ("POST", "/team/new", "team.new"),
    ("POST", "/team/update", "team.update"),
    ("POST", "/team/delete", "team.delete"),
    ("GET", "/team/info", "team.info"),
    ("GET", "/team/list", "team.list"),
    ("GET", "/audit", "audit"),
    ("GET", "/v1/jobs", "jobs.list"),
    ("GET", "/v1/costs", "costs.list"),
    ("GET", "/v1/costs:export", "costs.export"),
    ("POST", "/internal/reconcile", "reconcile"),
    ("POST", "/v1/costs:reprice", "costs.reprice"),
)
"""(method, path, endpoint) of what Vertex AI does not have."""


@cache
def _map() -> Map:
    rules = [Rule(path, endpoint=endpoint, methods=[method]) for method, path, endpoint in OWN_ROUTES]
    operation = f"{_PARENT}/operations/<operation>"
    for prefix in PREFIXES:
        for version in VERSIONS:
            found = [
                *(
                    (method, parent + path, endpoint)
                    for parent in (_PARENT, "")
                    for method, path, endpoint in JOB_ROUTES
                ),
                ("GET", operation, "operation"),
            ]
            rules += [
                Rule(
                    f"{prefix}/{version}{path}",
                    endpoint=endpoint,
                    methods=[method],
                    defaults={"version": version},
                )
                for method, path, endpoint in found
            ]
        # google-cloud-aiplatform polls a delete's operation under /ui, without a version.
        rules.append(
            Rule(f"{prefix}/ui{operation}", endpoint="operation", methods=["GET"], defaults={"version": "v1"})
        )
    return Map(rules, merge_slashes=False, redirect_defaults=False)


def match(request: Request) -> tuple[str, dict[str, str]]:
    """(endpoint, values from the path) of a request.

    Raises:
        ApiError: There is no such path, or not with this method.
    """
    if request.method == "HEAD":
        raise ApiError(
            "UNIMPLEMENTED",
            "METHOD_NOT_ALLOWED",
            "HEAD is for no path here: use GET.",
            code=405,
            headers={"Allow": "GET"},
        )
    try:
        endpoint, values = _map().bind_to_environ(request.environ).match()
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(error.valid_methods or ()))
        raise ApiError(
            "UNIMPLEMENTED",
            "METHOD_NOT_ALLOWED",
            f"{request.method} is not for this path; it takes {allowed}.",
            code=405,
            headers={"Allow": allowed},
        ) from error
    except HTTPException as error:
        hint = (
            " Google's Gen AI client asks for '/' when project and location are not passed to it."
            if request.path == "/"
            else ""
        )
        raise ApiError(
            "NOT_FOUND",
            "PATH_UNKNOWN",
            "The gateway has no such path. It serves /v1/projects/PROJECT/locations/LOCATION/"
            f"batchPredictionJobs and what /openapi.json lists.{hint}",
        ) from error
    return str(endpoint), dict(values)
