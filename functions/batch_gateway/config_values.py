"""Read the values of the configuration file: YAML nodes, with their lines for error messages."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import msgspec
import yaml

from batch_gateway.core.access.input_names import parse_prefix
from batch_gateway.core.accounting.budgets import BudgetAction

_EXPORT = re.compile(
    r"(?:[a-z0-9.-]{1,255}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]\.\w{1,1024}\.[\w-]{1,1024}", re.ASCII
)
_TOPIC = re.compile(r"projects/[a-z0-9.:-]+/topics/[A-Za-z][A-Za-z0-9._~+%-]{2,254}")
_LONGEST_SETTLEMENT_SECONDS = 3600
_ENVIRONMENT_REFERENCE = "os.environ/"


class ConfigError(ValueError):
    """The configuration has an invalid value; the message names file, line and key."""


class ConfigValues:
    """Reader of the values of one file. Each method takes a node and its key, and raises ConfigError."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self._path = path
        self._environ = environ

    def mapping(self, node: yaml.Node, key: str) -> dict[str, yaml.Node]:
        """Return the members of a mapping, including those that are merged into it (``<<``)."""
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, key or "the file", "must be a mapping of keys to values")
        own: dict[str, yaml.Node] = {}
        merged: dict[str, yaml.Node] = {}
        for name_node, value in node.value:
            name = str(name_node.value)
            if name_node.tag == "tag:yaml.org,2002:merge":
                for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                    merged = self.mapping(source, key) | merged
            elif name in own:
                raise self.error(name_node, f"{key}.{name}" if key else name, "is given twice")
            else:
                own[name] = value
        return merged | own

    def text(self, node: yaml.Node, key: str) -> str:
        """Return a string; ``os.environ/NAME`` stands for the value of a variable."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null" or not node.value:
            raise self.error(node, key, "must be a non-empty string")
        value: str = node.value
        if value.startswith(_ENVIRONMENT_REFERENCE):
            name = value.removeprefix(_ENVIRONMENT_REFERENCE)
            if not self._environ.get(name):
                raise self.error(node, key, f"names the environment variable {name}, which is not set")
            return self._environ[name]
        return value

    def seconds(self, node: yaml.Node, key: str) -> int:
        """Return a number of seconds, within what a function may take."""
        text = self.text(node, key)
        if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _LONGEST_SETTLEMENT_SECONDS:
            raise self.error(node, key, f"must be seconds, from 1 to {_LONGEST_SETTLEMENT_SECONDS}")
        return int(text)

    def export(self, node: yaml.Node, key: str) -> str:
        """Return the full name of a table of BigQuery."""
        text = self.text(node, key)
        if not _EXPORT.fullmatch(text):
            raise self.error(node, key, "must be of the form PROJECT.DATASET.TABLE")
        return text

    def topic(self, node: yaml.Node, key: str) -> str:
        """Return the full name of a Pub/Sub topic."""
        text = self.text(node, key)
        if not _TOPIC.fullmatch(text):
            raise self.error(node, key, "must be of the form projects/PROJECT/topics/TOPIC")
        return text

    def prefix(self, node: yaml.Node, key: str) -> str:
        """Return a prefix for input or output, without a trailing slash."""
        text = self.text(node, key)
        if (prefix := parse_prefix(text)) is None:
            raise self.error(
                node, key, "must be of the form gs://BUCKET or gs://BUCKET/PATH, without wildcards"
            )
        return prefix

    def flag(self, node: yaml.Node, key: str) -> bool:
        """Return true or false."""
        text = self.text(node, key).lower()
        if text not in {"true", "false"}:
            raise self.error(node, key, "must be true or false")
        return text == "true"

    def action(self, node: yaml.Node, key: str) -> BudgetAction:
        """Return what happens to running jobs when a budget is exceeded."""
        text = self.text(node, key)
        try:
            action: BudgetAction = msgspec.convert(text, BudgetAction)
        except msgspec.ValidationError:
            raise self.error(node, key, f"must be one of {', '.join(get_args(BudgetAction))}") from None
        return action

    def error(self, node: yaml.Node, key: str, problem: str) -> ConfigError:
        """Return the error for a value, with its line."""
        return ConfigError(f"{self._path}, line {node.start_mark.line + 1}: {key} {problem}")
