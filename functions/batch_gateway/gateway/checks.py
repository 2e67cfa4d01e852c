"""Whether a caller may send a create."""

import msgspec

from batch_gateway.core import grants
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway import job_bodies
from batch_gateway.gateway.calls import Call
from batch_gateway.gateway.places import Places
from batch_gateway.settings import Settings


class Checks:
    """Holds a create against the configuration and the caller's grants."""

    def __init__(self, settings: Settings, places: Places) -> None:
        self._settings = settings
        self._places = places

    def model_of(self, call: Call, raw: bytes, fields: dict[str, msgspec.Raw] | None = None) -> str:
        """The full name of a create's model, an alias looked up.

        Args:
            call: The create.
            raw: Its body.
            fields: The same, if it was read already.

        Raises:
            ApiError: The caller may not send it.
        """
        written = job_bodies.text(job_bodies.fields_of(raw) if fields is None else fields, "model")
        resource = self._resolve(call, written)
        if not call.caller.is_admin:
            checked = self._places.with_project_id(resource)
            grants.check_model(call.caller.grants, written, checked, is_alias=resource != written)
            grants.check_body(call.caller.grants, job_bodies.whole(raw))
        return resource

    def _resolve(self, call: Call, model: str) -> str:
        resource = self._settings.resolve_model(model, call.project, call.location)
        places = self._settings.places_of(model)
        if resource is None and places and "/" not in model:
            raise ApiError(
                "INVALID_ARGUMENT",
                "MODEL_NOT_SERVED_HERE",
                f"The model {model!r} is configured for {', '.join(places)}, not for "
                f"{call.project}/{call.location}. Send the job there, or write the model's full name.",
            )
        return resource or model
