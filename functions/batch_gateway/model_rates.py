"""Read LiteLLM's rate fields and ``base_model`` of an entry of ``model_list``.

They may be in ``litellm_params`` or in ``model_info``; the former count, as in LiteLLM.
"""

from collections.abc import Callable, Mapping

import yaml

from batch_gateway.core.jobs.resource_names import parse_resource
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.config_rates import FIELDS, ConfigRates, read_rate

BASE_MODEL = "base_model"
OWN_FIELDS = FIELDS.keys() | {BASE_MODEL}
"""Fields that are read here."""
_NULL = "tag:yaml.org,2002:null"

Nodes = Mapping[str, yaml.Node]


class ModelRates:
    """Rates and base models of a configuration.

    Attributes:
        rates: Rates by model's key and location.
        base_models: Names of base models by project, location and the rest of the model's name.
    """

    def __init__(
        self,
        text: Callable[[yaml.Node, str], str],
        error: Callable[[yaml.Node, str, str], Exception],
        file: str,
    ) -> None:
        self._text = text
        self._error = error
        self._file = file
        self.rates: dict[tuple[str, str], ConfigRates] = {}
        self.base_models: dict[tuple[str, str, str], str] = {}

    def read(self, resource: str, place: tuple[str, str], params: Nodes, info: Nodes) -> None:
        """Read the fields of one entry.

        Args:
            resource: The model's full name.
            place: Project and location.
            params: Its ``litellm_params``.
            info: Its ``model_info``.

        Raises:
            ConfigError: A value is wrong, or another entry has other rates for the same model and location.
        """
        nodes = {
            name: (f"model_list[].{part}.{name}", node)
            for part, members in (("model_info", info), ("litellm_params", params))
            for name, node in members.items()
            if name in OWN_FIELDS and node.tag != _NULL
        }
        parsed = parse_resource(resource.partition("@")[0])
        if BASE_MODEL in nodes and parsed is not None:
            where, node = nodes.pop(BASE_MODEL)
            self.base_models[*place, parsed.path] = self._text(node, where)
        if nodes:
            self._read_rates(resource, place[1], nodes)

    def _read_rates(self, resource: str, location: str, nodes: Mapping[str, tuple[str, yaml.Node]]) -> None:
        given = {}
        for name, (where, node) in nodes.items():
            try:
                given[FIELDS[name]] = read_rate(self._text(node, where))
            except ValueError as error:
                raise self._error(node, where, str(error)) from error
        where, node = next(iter(nodes.values()))
        table = prices.load()
        try:
            key = table.own_key(resource.rpartition("/")[2])
        except ValueError as error:
            raise self._error(node, where, f"cannot be set: {error}") from error
        if table.unit(key) != "token":
            raise self._error(node, where, f"cannot be set: {key} is charged by the {table.unit(key)}")
        rates = ConfigRates(given, f"{self._file}, line {node.start_mark.line + 1}")
        if self.rates.setdefault((key, location), rates).given != given:
            raise self._error(node, where, f"must be the same in all entries of {key} in {location}")
