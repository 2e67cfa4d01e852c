"""Read the environment and the configuration file; no other module does.

The file has LiteLLM's own form, so that a proxy's file can be used as it is. Settings that the gateway does
not need are ignored with one warning. With an invalid value nothing starts; the error names its line and key.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from batch_gateway.config_values import ConfigError, ConfigValues
from batch_gateway.core.accounting.budgets import BudgetAction
from batch_gateway.core.jobs.resource_names import is_location, is_project
from batch_gateway.core.pricing.config_rates import ConfigRates
from batch_gateway.core.pricing.model_names import resource_name
from batch_gateway.model_rates import OWN_FIELDS, ModelRates

_DEFAULT_LOCATION = "us-central1"  # LiteLLM's own default
DEFAULT_SETTLEMENT_SECONDS = 420
"""Event-driven functions are ended after 540 s (Cloud Run functions, "Quotas")."""
_VERTEX_PROVIDERS = ("vertex_ai/", "vertex_ai_beta/")
_KNOWN_PARAMS = {"model", "vertex_project", "vertex_location", "vertex_credentials"}


class Alias(msgspec.Struct, frozen=True):
    """A name that callers may write as ``model``; in its project and location it stands for ``resource``."""

    model_name: str
    project: str
    location: str
    resource: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of environment and configuration file.

    Attributes:
        project: Project of Firestore; "" leaves it to the client library.
        database: Firestore database.
        master_key: The administrator's key; None if there is no administrator.
        served: Credentials by (project id, location): None for application default credentials, else a
            path or JSON. The location "*" stands for all locations.
        aliases: Aliases of models.
        reconcile_account: E-mail address of the service account that may call the sweep; None for none.
        reconcile_audience: Audience that its tokens must have; None for ``https://`` and the host called.
        settlement_seconds: Seconds that one invocation may read an output; the next one reads the rest.
        private: Whether Cloud Run checks all callers itself, and lets only authorized ones through.
        billing_export: ``PROJECT.DATASET.TABLE`` of the Cloud Billing export; None for none.
        budget_action: Action for running jobs when a budget is exceeded: nothing, warn or cancel.
        vertex_emulator: ``host:port``, or None for Google's own hosts.
        pubsub_topic: ``projects/P/topics/T`` that events are published to; None for none.
        allow_private_webhooks: Whether webhooks may go to private addresses, and to this machine in plain
            HTTP; for trying them out.
        input_prefix: ``gs://bucket/path`` without a trailing slash, below which keys without a prefix of
            their own put their input; None for none.
        output_prefix: As input_prefix, for the output of jobs.
        bigquery_emulator: URL, or None for Google's own.
        pubsub_emulator: ``host:port``, or None for Google's own.
        rates: The owner's rates by model's key in the price table and location.
        base_models: Base models by project, location and the rest of the model's name.
        warnings: Warnings about ignored settings.
    """

    project: str = ""
    database: str = "(default)"
    master_key: str | None = None
    served: dict[tuple[str, str], str | None]
    aliases: tuple[Alias, ...] = ()
    reconcile_account: str | None = None
    reconcile_audience: str | None = None
    settlement_seconds: int = DEFAULT_SETTLEMENT_SECONDS
    private: bool = False
    billing_export: str | None = None
    budget_action: BudgetAction = "nothing"
    vertex_emulator: str | None = None
    pubsub_topic: str | None = None
    allow_private_webhooks: bool = False
    input_prefix: str | None = None
    output_prefix: str | None = None
    bigquery_emulator: str | None = None
    pubsub_emulator: str | None = None
    rates: dict[tuple[str, str], ConfigRates] = {}
    base_models: dict[tuple[str, str, str], str] = {}
    warnings: tuple[str, ...] = ()

    def serves(self, project: str, location: str) -> bool:
        """Return whether a project and location are served."""
        return (project, location) in self.served or (project, "*") in self.served

    @property
    def only_place(self) -> tuple[str, str] | None:
        """Return the only (project, location) that is served; None if more than one is."""
        place = next(iter(self.served), ("", "*"))
        return place if len(self.served) == 1 and place[1] != "*" else None

    @property
    def projects(self) -> frozenset[str]:
        """Return the ids of the projects that are served."""
        return frozenset(project for project, _ in self.served)

    def resolve_model(self, model: str, project: str, location: str) -> str | None:
        """Return the resource name that an alias stands for in a place; None if it is not an alias there."""
        for alias in self.aliases:
            if (alias.model_name, alias.project, alias.location) == (model, project, location):
                return alias.resource
        return None

    def places_of(self, model: str) -> list[str]:
        """Return the places of an alias as ``project/location``, for a message."""
        return sorted({f"{a.project}/{a.location}" for a in self.aliases if a.model_name == model})


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment and the file that it names.

    Raises:
        ConfigError: A value is invalid.
    """
    project = environ.get("GOOGLE_CLOUD_PROJECT", "")
    beside_main = Path(__file__).parent.parent / "config.yaml"
    path = environ.get("GATEWAY_CONFIG") or (str(beside_main) if beside_main.exists() else "")
    config = _Config(path, environ, project) if path else None
    if config is not None:
        config.read()
    served = dict(config.served) if config else {}
    if not served and project and not (config and config.has_models):
        served[project, "*"] = None
    return Settings(
        project=project,
        database=environ.get("FIRESTORE_DATABASE") or "(default)",
        master_key=(config.master_key if config else None) or environ.get("GATEWAY_MASTER_KEY") or None,
        served=served,
        aliases=tuple(config.aliases) if config else (),
        reconcile_account=config.reconcile_account if config else None,
        reconcile_audience=config.reconcile_audience if config else None,
        settlement_seconds=config.settlement_seconds if config else DEFAULT_SETTLEMENT_SECONDS,
        private=config.private if config else False,
        billing_export=config.billing_export if config else None,
        budget_action=config.budget_action if config else "nothing",
        vertex_emulator=environ.get("VERTEX_EMULATOR_HOST") or None,
        pubsub_topic=config.pubsub_topic if config else None,
        allow_private_webhooks=config.allow_private_webhooks if config else False,
        input_prefix=config.input_prefix if config else None,
        output_prefix=config.output_prefix if config else None,
        pubsub_emulator=environ.get("PUBSUB_EMULATOR_HOST") or None,
        bigquery_emulator=environ.get("BIGQUERY_EMULATOR_HOST") or None,
        rates=config.own.rates if config else {},
        base_models=config.own.base_models if config else {},
        warnings=tuple(config.warnings()) if config else (),
    )


class _Config:
    """Reads one file, and knows the line of each value for error messages."""

    def __init__(self, path: str, environ: Mapping[str, str], default_project: str) -> None:
        self._path = Path(path)
        self._environ = environ
        self._values = ConfigValues(self._path, environ)
        self._default_project = default_project
        self._ignored: list[str] = []
        self._other_providers: list[str] = []
        self._further: list[str] = []
        self.master_key: str | None = None
        self.reconcile_account: str | None = None
        self.reconcile_audience: str | None = None
        self.settlement_seconds = DEFAULT_SETTLEMENT_SECONDS
        self.private = False
        self.billing_export: str | None = None
        self.budget_action: BudgetAction = "nothing"
        self.pubsub_topic: str | None = None
        self.allow_private_webhooks = False
        self.input_prefix: str | None = None
        self.output_prefix: str | None = None
        self.served: dict[tuple[str, str], str | None] = {}
        self.aliases: list[Alias] = []
        self.has_models = False
        self.own = ModelRates(self._values.text, self._values.error, self._path.name)

    def warnings(self) -> list[str]:
        """Return a warning about ignored settings, if there are any."""
        parts = []
        if self._ignored:
            parts.append(f"settings that the gateway does not need: {', '.join(sorted(set(self._ignored)))}")
        if self._other_providers:
            parts.append(f"models that are not on Vertex AI: {', '.join(sorted(set(self._other_providers)))}")
        if self._further:
            parts.append(
                "further models of a name in the same place, where the first counts: "
                f"{', '.join(sorted(set(self._further)))}"
            )
        return [f"{self._path}: ignored {'; and '.join(parts)}"] if parts else []

    def read(self) -> None:
        """Read the file into the attributes."""
        try:
            root = yaml.compose(self._path.read_text(encoding="utf-8"), yaml.SafeLoader)
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._path}: is not UTF-8") from error
        except yaml.YAMLError as error:
            raise ConfigError(f"{self._path}: is not valid YAML: {' '.join(str(error).split())}") from error
        if root is None:
            return
        for key, node in self._values.mapping(root, "").items():
            if key == "model_list":
                self._read_models(node)
            elif key == "general_settings":
                self._read_general(node)
            else:
                self._ignored.append(key)

    def _read_general(self, node: yaml.Node) -> None:
        readers: dict[str, tuple[str, Callable[[yaml.Node, str], Any]]] = {
            "allow_private_webhooks": ("allow_private_webhooks", self._values.flag),
            "billing_export": ("billing_export", self._values.export),
            "budget_action": ("budget_action", self._values.action),
            "input_prefix": ("input_prefix", self._values.prefix),
            "master_key": ("master_key", self._values.text),
            "output_prefix": ("output_prefix", self._values.prefix),
            "private": ("private", self._values.flag),
            "pubsub_topic": ("pubsub_topic", self._values.topic),
            "reconcile_audience": ("reconcile_audience", self._values.text),
            "reconcile_service_account": ("reconcile_account", self._values.text),
            "settlement_seconds": ("settlement_seconds", self._values.seconds),
        }
        if self._environ.get("FUNCTION_TARGET") == "settle":
            # Settlement serves no callers: its function does not get the key, and must start without it.
            readers["master_key"] = ("master_key", lambda _node, _name: None)
        for key, value in self._values.mapping(node, "general_settings").items():
            if key in readers:
                attribute, read = readers[key]
                setattr(self, attribute, read(value, f"general_settings.{key}"))
            else:
                self._ignored.append(f"general_settings.{key}")

    def _read_models(self, node: yaml.Node) -> None:
        if not isinstance(node, yaml.SequenceNode):
            raise self._values.error(node, "model_list", "must be a list of models")
        self.has_models = bool(node.value)
        for entry in node.value:
            fields = self._values.mapping(entry, "model_list[]")
            for key in ("model_name", "litellm_params"):
                if key not in fields:
                    raise self._values.error(entry, f"model_list[].{key}", "is missing")
            info = self._values.mapping(
                fields.pop("model_info", yaml.MappingNode("", [])), "model_list[].model_info"
            )
            self._ignored += [
                f"model_list[].{key}" for key in fields.keys() - {"model_name", "litellm_params"}
            ] + [f"model_list[].model_info.{key}" for key in info.keys() - OWN_FIELDS]
            self._read_model(
                self._values.text(fields["model_name"], "model_list[].model_name"),
                fields["litellm_params"],
                info,
            )

    def _read_model(self, name: str, node: yaml.Node, info: dict[str, yaml.Node]) -> None:
        where = "model_list[].litellm_params"
        params = self._values.mapping(node, where)
        if "model" not in params:
            raise self._values.error(node, f"{where}.model", "is missing")
        model = self._values.text(params["model"], f"{where}.model")
        if not model.startswith(_VERTEX_PROVIDERS):
            self._other_providers.append(name)
            return
        self._ignored += [f"{where}.{key}" for key in params.keys() - _KNOWN_PARAMS - OWN_FIELDS]
        project, location = self._read_place(node, params)
        if "*" in model:
            return  # a wildcard names no model, but its project and location are served
        try:
            resource = resource_name(model.partition("/")[2], project, location)
        except ValueError as error:
            raise self._values.error(params["model"], f"{where}.model", str(error)) from error
        alias = Alias(name, project, location, resource)
        # LiteLLM's proxy shares its calls out among them.
        if alias not in self.aliases and any(
            (a.model_name, a.project, a.location) == (name, project, location) for a in self.aliases
        ):
            self._further.append(name)
        self.aliases.append(alias)
        self.own.read(resource, (project, location), params, info)

    def _read_place(self, node: yaml.Node, params: dict[str, yaml.Node]) -> tuple[str, str]:
        """Return project and location of a model, and add them to the served ones with its credentials."""
        where = "model_list[].litellm_params"
        project, location, credentials = self._default_project, _DEFAULT_LOCATION, None
        if "vertex_project" in params:
            project = self._values.text(params["vertex_project"], f"{where}.vertex_project")
        if "vertex_location" in params:
            location = self._values.text(params["vertex_location"], f"{where}.vertex_location")
        if "vertex_credentials" in params:
            credentials = self._credentials(params["vertex_credentials"], f"{where}.vertex_credentials")
        if not is_project(project):
            at = params.get("vertex_project", node)
            raise self._values.error(at, f"{where}.vertex_project", f"must be a project id, not {project!r}")
        if not is_location(location):
            at = params.get("vertex_location", node)
            raise self._values.error(at, f"{where}.vertex_location", f"must be a location, not {location!r}")
        if self.served.setdefault((project, location), credentials) != credentials:
            at = params.get("vertex_credentials", node)
            problem = f"must be the same for all models of {project}/{location}"
            raise self._values.error(at, f"{where}.vertex_credentials", problem)
        return project, location

    def _credentials(self, node: yaml.Node, key: str) -> str:
        if isinstance(node, yaml.MappingNode):
            return msgspec.json.encode(yaml.SafeLoader("").construct_document(node)).decode()
        text = self._values.text(node, key)
        if text.lstrip().startswith("{"):
            try:
                msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                raise self._values.error(node, key, f"is not valid JSON: {error}") from error
            return text
        path = self._path.parent / text
        if not path.is_file():
            raise self._values.error(node, key, f"names a file that does not exist: {path}")
        return str(path)
