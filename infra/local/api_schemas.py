"""Make the schemas of the gateway's own answers from the types that build them."""

import re
from inspect import cleandoc
from typing import Any

import msgspec

from batch_gateway.core.answers import Money
from batch_gateway.core.estimating.estimate import EstimateReport
from batch_gateway.core.jobs.cost_answers import CostReport
from batch_gateway.core.pricing.price_list import PriceList
from batch_gateway.gateway.admin import views
from batch_gateway.gateway.admin.audit import AuditPage
from batch_gateway.gateway.costs.repricing import Repriced
from batch_gateway.gateway.costs.values import CostValues
from batch_gateway.gateway.costs.views import SpendPage
from batch_gateway.gateway.jobs.inputs import Input
from batch_gateway.gateway.jobs.listing import JobSummary, JobSummaryPage, TopJobs
from batch_gateway.gateway.jobs.stats import StatsList
from batch_gateway.settlement.sweep_progress import SweepReport

ANSWERS: dict[str, type[msgspec.Struct]] = {
    "Cost": CostReport,
    "JobSummary": JobSummary,
    "JobSummaryPage": JobSummaryPage,
    "TopJobs": TopJobs,
    "Estimate": EstimateReport,
    "SpendPage": SpendPage,
    "CostValues": CostValues,
    "Repriced": Repriced,
    "PriceList": PriceList,
    "Key": views.Key,
    "GeneratedKey": views.GeneratedKey,
    "KeyInfo": views.KeyInfo,
    "KeyPage": views.KeyPage,
    "DeletedKeys": views.DeletedKeys,
    "Team": views.Team,
    "TeamInfo": views.TeamInfo,
    "DeletedTeams": views.DeletedTeams,
    "AuditPage": AuditPage,
    "Sweep": SweepReport,
    "Input": Input,
    "JobStats": StatsList,
}
"""Types of answers by the names of their schemas. Schemas of their parts have the names of the types."""
VALUES: dict[str, Any] = {
    "Money": Money,
    "Token": views.Token,
    "Duration": views.Duration,
    "DefaultLabels": views.DefaultLabels,
    "RequiredLabels": views.RequiredLabels,
}
"""Types that are not structures, and whose schemas have a name."""
_REFERENCE = "#/components/schemas/"


def schemas() -> dict[str, Any]:
    """Return the schemas of the answers, by name."""
    types = list(ANSWERS.values())
    references, parts = msgspec.json.schema_components(types, ref_template=f"{_REFERENCE}{{name}}")
    names = {
        reference["$ref"].removeprefix(_REFERENCE): name
        for reference, name in zip(references, ANSWERS, strict=True)
    }
    named = {name: msgspec.json.schema(kind) for name, kind in VALUES.items()}
    structures = {part.__name__: part for part in _structures(types)}

    def renamed(value: Any) -> Any:
        """Return a schema with references to all that has a name."""
        if isinstance(value, list):
            return [renamed(each) for each in value]
        if not isinstance(value, dict):
            return value
        for name, schema in named.items():
            if _rule(value) == _rule(schema):
                own = {} if value == schema else {"description": value["description"]}
                return {"$ref": f"{_REFERENCE}{name}"} | own
        if reference := value.get("$ref"):
            part = reference.removeprefix(_REFERENCE)
            return {**value, "$ref": f"{_REFERENCE}{names.get(part, part)}"}
        return {name: renamed(each) for name, each in value.items()}

    found = {names.get(part, part): _described(renamed(parts[part]), structures[part]) for part in parts}
    return {**found, **named}


def _rule(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a schema that is not for people."""
    return {name: each for name, each in schema.items() if name not in {"description", "examples"}}


def _structures(types: list[type[msgspec.Struct]]) -> set[type[msgspec.Struct]]:
    """Find the structures that types are made of, themselves included."""
    found: set[type[msgspec.Struct]] = set()

    def walk(kind: msgspec.inspect.Type) -> None:
        if isinstance(kind, msgspec.inspect.StructType):
            if kind.cls in found:
                return
            found.add(kind.cls)
            inner = [field.type for field in kind.fields]
        elif isinstance(kind, msgspec.inspect.UnionType):
            inner = list(kind.types)
        else:
            inner = [
                getattr(kind, name) for name in ("item_type", "value_type", "type") if hasattr(kind, name)
            ]
            inner += getattr(kind, "item_types", ())
        for each in inner:
            walk(each)

    for each in types:
        walk(msgspec.inspect.type_info(each))
    return found


def _described(schema: dict[str, Any], structure: type[msgspec.Struct]) -> dict[str, Any]:
    """Return a structure's schema with the texts of its docstring, and without room for other members."""
    texts = {name: text for base in reversed(structure.__mro__) for name, text in _attributes(base).items()}
    properties = schema["properties"]
    fields = msgspec.structs.fields(structure)
    is_short = structure.__struct_config__.omit_defaults
    for field in fields:
        properties[field.encode_name].pop("default", None)
        if field.name in texts:
            properties[field.encode_name]["description"] = texts[field.name]
    return {
        "type": "object",
        "description": _plain(cleandoc(structure.__doc__ or "").partition("\n\nAttributes:")[0]),
        "required": [
            field.encode_name
            for field in fields
            if not (field.default is msgspec.UNSET or (is_short and not field.required))
        ],
        "additionalProperties": False,
        "properties": properties,
    }


def _attributes(structure: type) -> dict[str, str]:
    """Return the descriptions of attributes in a docstring, by name."""
    _, _, section = cleandoc(structure.__doc__ or "").partition("\n\nAttributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: _plain(text) for name, text in entries}


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())
