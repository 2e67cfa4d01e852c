"""Check that a caller may send a create."""

from fnmatch import fnmatchcase

from batch_gateway.core.access import grants
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.resource_names import parse_resource
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.added_labels import added_labels, check_labels
from batch_gateway.gateway.jobs.drafts import ResumedJob
from batch_gateway.gateway.jobs.job_body import JobBody
from batch_gateway.gateway.jobs.places import Places
from batch_gateway.settings import Settings


class CreatePolicy:
    """The rules for creates: the configuration and the caller's grants."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places

    def authorize(self, call: Call, body: JobBody, resumed: ResumedJob | None = None) -> str:
        """Check that a caller may send a create.

        Args:
            call: The create.
            body: Its body.
            resumed: The job that it resumes: its URIs need no grant, and its labels are taken as they are.

        Returns:
            The model's full name, with an alias resolved.

        Raises:
            ApiError: The caller may not send it, or it lacks labels that it must have, or has one that
                Vertex AI refuses.
        """
        written = body.model
        resource = self._resolve(call, written)
        if resource == written:
            self._check_resource(call, "model", written)
        if not call.caller.is_admin:
            checked = self._places.with_project_id(resource)
            grants.check_model(call.caller.grants, written, checked, is_alias=resource != written)
            own_uris = resumed.own_uris if resumed else frozenset()
            has_budget = any(limit.max_nano is not None for limit in call.caller.budgets)
            grants.check_body(call.caller.grants, body.json, has_budget=has_budget, own_uris=own_uris)
            for field, name in grants.resource_names(body.json):
                self._check_resource(call, field, name)
        if resumed is None:
            check_labels(call, body)
        added_labels(call, body)
        return resource

    def authorize_estimate(self, call: Call, body: JobBody) -> str:
        """Check that a caller may send a create, and that its model can be one; return the model's full name.

        Raises:
            ApiError: As in ``authorize`` and ``check_known``.
        """
        model = self.authorize(call, body)
        self.check_known(call, model)
        return model

    def check_known(self, call: Call, model: str) -> None:
        """Check that a model is not a short name that stands for nothing; a create leaves that to Vertex AI.

        Args:
            call: The call.
            model: The model, with an alias resolved.

        Raises:
            ApiError: MODEL_UNKNOWN.
        """
        if not model or "/" in model:
            return
        place = (call.project, call.location)
        names = sorted(
            alias.model_name for alias in self._settings.aliases if (alias.project, alias.location) == place
        )
        raise ApiError(
            "INVALID_ARGUMENT",
            "MODEL_UNKNOWN",
            f"There is no model {model[:200]!r} in {'/'.join(place)}. Write a name of the configuration (it "
            f"has {', '.join(names) or 'none for this place'}), or the model's full name, such as "
            "publishers/google/models/gemini-3.5-flash.",
            metadata={"model": model[:200]},
        )

    def name_of(self, call: Call, model: str) -> str:
        """Return a model's name as the caller may write it: an alias of it that is granted, else as given."""
        full = parse_resource(model)
        for alias in self._settings.aliases:
            if (alias.project, alias.location) != (call.project, call.location) or full is None:
                continue
            found = parse_resource(alias.resource)
            patterns = [pattern for grant in call.caller.grants for pattern in grant.models]
            is_granted = any(fnmatchcase(alias.model_name, pattern) for pattern in patterns)
            if found and found.path == full.path and is_granted:
                return alias.model_name
        return model

    def _check_resource(self, call: Call, field: str, name: str) -> None:
        """Reject a project's resource name that is malformed, or in a place that the caller may not use.

        Such a name may become a path that the gateway calls with its own token. Other names do not, so it is
        left to Vertex AI to reject those.
        """
        if not name.startswith("projects/"):
            return
        resource = parse_resource(name)
        if resource is None:
            raise ApiError(
                "INVALID_ARGUMENT",
                "RESOURCE_INVALID",
                f"The {field} {name[:200]!r} is not a valid resource name. Write "
                "projects/PROJECT/locations/LOCATION/models/ID, or publishers/PUBLISHER/models/MODEL.",
                metadata={"field": field},
            )
        if resource.project:
            project = self._places.check(resource.project, resource.location)
            grants.check_place(call.caller.grants, project, resource.location)

    def _resolve(self, call: Call, model: str) -> str:
        resource = self._settings.resolve_model(model, call.project, call.location)
        places = self._settings.places_of(model)
        if resource is None and places and "/" not in model:
            raise ApiError(
                "INVALID_ARGUMENT",
                "MODEL_NOT_SERVED_HERE",
                f"The model {model!r} is configured for {', '.join(places)}, but not for "
                f"{call.project}/{call.location}. Send the job there, or write the model's full name.",
            )
        return resource or model
