"""Make the schemas of the gateway's own answers and of bodies of requests from their types."""

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

import msgspec

from batch_gateway.core.answers import Money
from batch_gateway.core.errors import ErrorBody
from batch_gateway.core.estimating.estimate import EstimateReport
from batch_gateway.core.jobs.cost_answers import CostReport
from batch_gateway.core.pricing.model_prices import ModelForm, RatesForm
from batch_gateway.core.pricing.overrides import DiscountForm, DiscountsForm
from batch_gateway.core.pricing.price_list import PriceList
from batch_gateway.core.rows.row_results import RowResult, RowState
from batch_gateway.gateway.admin import answers, bodies
from batch_gateway.gateway.admin.audit import AuditPage
from batch_gateway.gateway.costs.answers import SpendPage
from batch_gateway.gateway.costs.bill_answers import BillComparison
from batch_gateway.gateway.costs.repricing import Reprice, Repriced
from batch_gateway.gateway.costs.values import CostValues
from batch_gateway.gateway.http.responses import Health
from batch_gateway.gateway.jobs.inputs import Input, InputName, NewInput
from batch_gateway.gateway.jobs.listing import JobSummary, JobSummaryPage, TopJobs
from batch_gateway.gateway.jobs.resume_body import Fields
from batch_gateway.gateway.jobs.stats import StatsList
from batch_gateway.settlement.sweep_progress import SweepReport

ANSWERS: dict[str, Any] = {
    "Cost": CostReport,
    "JobSummary": JobSummary,
    "JobSummaryPage": JobSummaryPage,
    "TopJobs": TopJobs,
    "Estimate": EstimateReport,
    "SpendPage": SpendPage,
    "CostValues": CostValues,
    "Repriced": Repriced,
    "BillComparison": BillComparison,
    "PriceList": PriceList,
    "Key": answers.Key,
    "GeneratedKey": answers.GeneratedKey,
    "KeyInfo": answers.KeyInfo,
    "KeyPage": answers.KeyPage,
    "DeletedKeys": answers.DeletedKeys,
    "Team": answers.Team,
    "TeamList": answers.TeamList,
    "TeamInfo": answers.TeamInfo,
    "DeletedTeams": answers.DeletedTeams,
    "AuditPage": AuditPage,
    "Sweep": SweepReport,
    "Input": Input,
    "JobStats": StatsList,
    "RowResult": RowResult,
    "Health": Health,
    "GatewayError": ErrorBody,
}
"""Types of answers by the names of their schemas. Schemas of their parts have the names of the types."""
BODIES: dict[str, Any] = {
    **{
        kind.__name__: kind
        for kind in (
            *(bodies.GenerateKey, bodies.UpdateKey, bodies.RegenerateKey, bodies.DeleteKeys),
            *(bodies.NewTeam, bodies.UpdateTeam, bodies.DeleteTeams),
            *(NewInput, Reprice, ModelForm, DiscountForm, DiscountsForm),
        )
    },
    "Resume": Fields,
}
"""Types of the bodies of requests, likewise."""
VALUES: dict[str, Any] = {
    "Money": Money,
    "Token": answers.Token,
    "Duration": bodies.Duration,
    "DefaultLabels": bodies.DefaultLabels,
    "RequiredLabels": bodies.RequiredLabels,
    "RatesForm": RatesForm,
    "BudgetUsd": bodies.BudgetUsd,
    "InputName": InputName,
    "RowState": RowState,
}
"""Types that are not structures, and whose schemas have a name."""
_REFERENCE = "#/components/schemas/"


def schemas() -> dict[str, Any]:
    """Return the schemas of answers, bodies and values, by name."""
    types = ANSWERS | BODIES
    whole, parts = msgspec.json.schema_components(types.values(), ref_template=f"{_REFERENCE}{{name}}")
    by_name = dict(zip(types, whole, strict=True))
    names = {
        schema["$ref"].removeprefix(_REFERENCE): name for name, schema in by_name.items() if "$ref" in schema
    }
    named: dict[str, Any] = {name: msgspec.json.schema(kind) for name, kind in VALUES.items()}
    structures = {part.__name__: part for part in _structures(types.values())}

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
        return {name: renamed(each) for name, each in _as_read(value).items()}

    found = {names.get(part, part): _described(renamed(parts[part]), structures[part]) for part in parts}
    lists = {name: renamed(schema) for name, schema in by_name.items() if "$ref" not in schema}
    return {**found, **lists, **{name: _as_read(schema) for name, schema in named.items()}}


def _as_read(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema by which a Decimal may be a number, too; msgspec's says how it is written."""
    return schema | {"type": ["number", "string"]} if schema.get("format") == "decimal" else schema


def _rule(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a schema that is not for people."""
    return {name: each for name, each in schema.items() if name not in {"description", "examples"}}


def _structures(types: Iterable[Any]) -> set[type[msgspec.Struct]]:
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
    config = structure.__struct_config__
    is_body = config.forbid_unknown_fields
    for field in fields:
        if not is_body or field.default is None:
            properties[field.encode_name].pop("default", None)
        if field.name in texts:
            properties[field.encode_name]["description"] = texts[field.name]
    required = [
        field.encode_name
        for field in fields
        if field.required or not (is_body or config.omit_defaults or field.default is msgspec.UNSET)
    ]
    return {
        "type": "object",
        "description": _plain(cleandoc(structure.__doc__ or "").partition("\n\nAttributes:")[0]),
        **({"required": required} if required else {}),
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
