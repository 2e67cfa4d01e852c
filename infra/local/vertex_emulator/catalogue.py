"""Look up the models of jobs: those of publishers, and those of a project's own registry.

A registered model is tuned or custom. That a model was tuned from a Gemini model shows in its resource as
Google's own clients read it: the label `google-vertex-llm-tuning-base-model-id` (google-genai's `_Model`
converters; `_TUNING_BASE_MODEL_ID_LABEL_KEY` of google-cloud-aiplatform) and `modelSourceInfo.sourceType`
GENIE (`vertexai.batch_prediction`). Members: Vertex AI API reference, Model. Unconfirmed, since no resource
of a live tuned Gemini model is public: whether `baseModelSource` is set on one and which of its two forms
it has, and how the label spells a name with a dot, which the API's rule for labels doesn't allow.
"""

import dataclasses
import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from . import timestamps
from .errors import ApiError
from .models import TUNED_BASE_MODEL, Family, JobModel, exists, family

BASE_MODEL_LABEL = "google-vertex-llm-tuning-base-model-id"

UNMANAGED = JobModel(Family.CUSTOM, "")  # of a job that brings its own container
UNREGISTERED_TUNED = JobModel(Family.GEMINI, TUNED_BASE_MODEL)

_FORM = re.compile(
    r"(?:projects/(?P<project>[^/]+)/locations/(?P<place>[^/]+)/)?"
    r"(?:publishers/(?P<publisher>[^/]+)/models/(?P<name>[^/@]+)|models/(?P<id>[^/@]+))"
    r"(?:@(?P<version>[^/@]+))?"
)
_KINDS = ("tuned", "custom")
_SOURCES = ("", "genie", "model_garden")


@dataclass(frozen=True)
class RegisteredModel:
    """A model of a project's registry.

    Attributes:
        id: The last part of its name.
        kind: `tuned` from a model of Google's, or `custom` (AutoML is the same to a batch job).
        display_name: Also in the output directory of a custom model's jobs.
        base_model: Of a tuned one, the short name.
        base_label: The value of the label that names the base; None for `base_model`, `""` for no label.
        base_source: Which form of `baseModelSource` names the base: `genie`, `model_garden` or `""`.
        row_model: What rows name as `modelVersion`; None for the model's own name, `""` for nothing.
        labels: More labels.
        version: The only version.
        aliases: Its aliases.
    """

    id: str
    kind: str = "tuned"
    display_name: str = ""
    base_model: str = TUNED_BASE_MODEL
    base_label: str | None = None
    base_source: str = ""
    row_model: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    version: str = "1"
    aliases: tuple[str, ...] = ("default",)
    created: datetime = field(default_factory=timestamps.now, init=False)

    def __post_init__(self) -> None:
        if self.kind not in _KINDS or self.base_source not in _SOURCES:
            raise ValueError(f"kind is one of {_KINDS}, base_source one of {_SOURCES}")
        if not re.fullmatch(r"[\w.-]+", self.id) or not re.fullmatch(r"[1-9]\d*", self.version):
            raise ValueError(f"no id or version of a model: {self.id!r}, {self.version!r}")

    def has_version(self, version: str | None) -> bool:
        """Return whether a version or alias is this one; None stands for the default."""
        return version in (None, self.version, *self.aliases)

    def job_model(self, name: str) -> JobModel:
        """Return it as a job sees it; `name` is its resource name."""
        if self.kind == "custom":
            return JobModel(Family.CUSTOM, "", (self.display_name or self.id).replace("/", "_"), self.version)
        row_model = name if self.row_model is None else self.row_model
        return JobModel(family("google", self.base_model), row_model, version=self.version)

    def as_json(self, name: str) -> dict[str, Any]:
        """Return the Model resource."""
        moment = timestamps.rfc3339(self.created)
        resource: dict[str, Any] = {
            "name": name,
            "displayName": self.display_name or self.id,
            "createTime": moment,
            "updateTime": moment,
            "etag": hashlib.sha256(name.encode()).hexdigest()[:16],
            "labels": dict(self.labels),
            "versionId": self.version,
            "versionAliases": list(self.aliases),
            "versionCreateTime": moment,
            "versionUpdateTime": moment,
            "modelSourceInfo": {"sourceType": "GENIE" if self.kind == "tuned" else "CUSTOM"},
        }
        if self.kind == "tuned":
            label = self.base_model if self.base_label is None else self.base_label
            if label:
                resource["labels"][BASE_MODEL_LABEL] = label
            public = f"publishers/google/models/{self.base_model}"
            if self.base_source == "genie":
                resource["baseModelSource"] = {"genieSource": {"baseModelUri": public}}
            elif self.base_source:
                resource["baseModelSource"] = {"modelGardenSource": {"publicModelName": public}}
        return {key: value for key, value in resource.items() if value}


class Catalogue:
    """All models.

    Args:
        known: Short names of Google's models that exist.
    """

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._registered: dict[str, RegisteredModel] = {}

    def register(self, parent: str, model: RegisteredModel) -> dict[str, Any]:
        """Add a model, or replace one, and return its resource.

        Args:
            parent: `projects/NUMBER/locations/LOCATION`.
            model: The model.
        """
        name = f"{parent}/models/{model.id}"
        with self._lock:
            self._registered[name] = model
        return model.as_json(name)

    def all(self) -> list[dict[str, Any]]:
        """Return the resources of the registered models."""
        with self._lock:
            return [model.as_json(name) for name, model in self._registered.items()]

    def get(self, parent: str, model: str) -> dict[str, Any]:
        """Return the resource of a registered model; `model` is its id, perhaps with `@version`.

        Raises:
            ApiError: 404 if there is none.
        """
        found, _, version = model.partition("@")
        name = f"{parent}/models/{found}"
        with self._lock:
            registered = self._registered.get(name)
        if registered is None or not registered.has_version(version or None):
            raise ApiError(404, f"The Model {name} does not exist.")
        return registered.as_json(name)

    def of_job(self, model: str, location: str, parent_of: Callable[[str, str], str]) -> JobModel:
        """Return the model that a job names.

        A number that isn't registered stands for a tuned model of TUNED_BASE_MODEL, of which nothing more
        can be learnt: asking for its resource is a 404, as for a model that was deleted later.

        Args:
            model: As given in the body, in any of the forms of the API reference.
            location: The location of the job; the model's must be the same.
            parent_of: Returns `projects/NUMBER/locations/LOCATION` for a project and a location.

        Raises:
            ApiError: 400 for another form (a bare name too), 404 for a model that does not exist
                (text of a live answer).
        """
        form = _FORM.fullmatch(model)
        tuned_without_parent = form is not None and form["id"] and not form["place"]
        if form is None or tuned_without_parent or (form["place"] or location) != location:
            raise ApiError(400, f"Invalid resource field value in the request. Model: {model}.")
        if form["name"]:
            publisher, name = form["publisher"], form["name"]
            if not exists(publisher, name, self._known):
                raise ApiError(404, f"The PublisherModel {name} does not exist.")
            return JobModel(family(publisher, name), name)
        parent = parent_of(form["project"], form["place"])
        return self._registered_of_job(form["id"], form["version"], parent)

    def _registered_of_job(self, model: str, version: str | None, parent: str) -> JobModel:
        name = f"{parent}/models/{model}"
        with self._lock:
            registered = self._registered.get(name)
        if registered is not None and registered.has_version(version):
            return registered.job_model(name)
        if registered is not None or not model.isdigit():
            raise ApiError(404, f"The Model {model} does not exist.")
        return dataclasses.replace(UNREGISTERED_TUNED, version=version or "1")
