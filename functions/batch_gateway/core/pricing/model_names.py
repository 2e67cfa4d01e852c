"""Translate the names of models between LiteLLM's form and Vertex AI's."""

import re
from collections.abc import Mapping
from typing import Any

from batch_gateway.core.jobs.resource_names import parse_resource

OTHER_MODEL = "other"
"""Name of all models whose names are too long, or beyond the number of names that an output may have."""
_BASE_MODEL_LABEL = "google-vertex-llm-tuning-base-model-id"
_UNDERSCORE = re.compile(r"(?<=\d)_(?=\d)")

_PUBLISHERS = (
    (
        re.compile(r"(gemini|text-embedding|text-multilingual-embedding|multimodalembedding|textembedding)"),
        "google",
    ),
    (re.compile(r"claude"), "anthropic"),
)


def resource_name(litellm_model: str, project: str, location: str) -> str:
    """Return the full resource name of a model in LiteLLM's form.

    ``vertex_ai/gemini-2.5-flash`` is a publisher's model, ``vertex_ai/meta/llama-4-maas`` names its
    publisher, ``vertex_ai/1234567890`` is a tuned model of the project.

    Raises:
        ValueError: No publisher is known for the name; the message says what to write instead.
    """
    name = litellm_model.removeprefix("vertex_ai/")
    parent = f"projects/{project}/locations/{location}"
    if name.startswith("projects/"):
        return name
    if name.startswith("publishers/"):
        return f"{parent}/{name}"
    if name.isdigit():
        return f"{parent}/models/{name}"
    publisher, slash, model = name.partition("/")
    if slash:
        return f"{parent}/publishers/{publisher}/models/{model}"
    for pattern, publisher in _PUBLISHERS:
        if pattern.match(name):
            return f"{parent}/publishers/{publisher}/models/{name}"
    raise ValueError(
        f"no publisher is known for the model '{litellm_model}'; write it as 'vertex_ai/PUBLISHER/{name}', "
        "for example vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas"
    )


def short_name(model: str) -> str:
    """Return the last part of a model's name, which people call it by."""
    return model.rsplit("/", 1)[-1]


def is_registered(model: str) -> bool:
    """Return True if a model is in a project's own registry (tuned, custom, AutoML), not a publisher's."""
    resource = parse_resource(model)
    return resource is not None and bool(resource.project) and resource.path == f"models/{resource.name}"


BaseModels = Mapping[tuple[str, str, str], str]
"""Base models that the configuration names, by project id, location and the rest of the model's name."""


def configured_base(base_models: BaseModels, project: str, location: str, model: str) -> str | None:
    """Return the base of a model that a job of a place uses, by the configuration; None if it names none."""
    resource = parse_resource(model.partition("@")[0])
    return base_models.get((project, location, resource.path)) if resource else None


def base_model_of(model: dict[str, Any]) -> str | None:
    """Return the publisher's model that a Model resource was tuned from; None if it names none.

    Vertex AI labels the models that its tuning jobs make with their base, with underscores for full stops,
    which labels cannot contain (``gemini-2_5-flash-lite``; public sources). ``baseModelSource`` is the field
    that the API documents (Model, discovery revision 20261106).
    """
    label = _member(model, "labels").get(_BASE_MODEL_LABEL)
    if isinstance(label, str) and label:
        return _UNDERSCORE.sub(".", label)
    name = _member(_member(model, "baseModelSource"), "modelGardenSource").get("publicModelName")
    return name if isinstance(name, str) and name else None


def _member(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}
