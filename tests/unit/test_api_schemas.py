"""The schemas of our own answers and bodies in openapi.json are those of their types."""

import json
import re
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
import pytest

import api_schemas
import renew_documents
from batch_gateway.core.answers import Count, Money, Time


class Part(msgspec.Struct, frozen=True):
    count: Count


class Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An answer
    in two lines.

    Attributes:
        made_at: A ``description``
            that goes on.
    """

    currency: Literal["USD"] = "USD"
    amount: Annotated[Money, msgspec.Meta(description="Of the type.")]
    fee: Money | None
    made_at: Time | None
    parts: list[Part]
    error: str | msgspec.UnsetType = msgspec.UNSET


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A body.

    Attributes:
        limit: As it is read.
    """

    name: str
    limit: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    page: str | None = None
    dry: bool = False


VERTEX_AI_S = {"BatchPredictionJob", "JobPage", "Operation", "Empty", "VertexError"}
UNIONS = {"Error", "DiscountTerms", "PriceTerms"}


@pytest.fixture
def made_up(monkeypatch):
    monkeypatch.setattr(api_schemas, "ANSWERS", {"Shown": Answer})
    monkeypatch.setattr(api_schemas, "BODIES", {"Read": Body})


@pytest.mark.usefixtures("made_up")
def test_a_schema_has_what_the_type_and_its_docstrings_say():
    money = {"$ref": "#/components/schemas/Money"}
    found = api_schemas.schemas()
    assert found.keys() == {"Shown", "Part", "Read", *api_schemas.VALUES}
    assert found["Shown"] == {
        "type": "object",
        "description": "An answer in two lines.",
        "required": ["currency", "amount", "fee", "madeAt", "parts"],
        "additionalProperties": False,
        "properties": {
            "currency": {"enum": ["USD"]},
            "amount": money | {"description": "Of the type."},
            "fee": {"anyOf": [money, {"type": "null"}]},
            "madeAt": {
                "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
                "description": "A `description` that goes on.",
            },
            "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Part"}},
            "error": {"type": "string"},
        },
    }
    assert found["Part"]["properties"] == {"count": {"type": "integer", "minimum": 0}}


@pytest.mark.usefixtures("made_up")
def test_a_body_needs_what_has_no_default_and_a_decimal_may_be_a_number():
    assert api_schemas.schemas()["Read"] == {
        "type": "object",
        "description": "A body.",
        "required": ["name"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "limit": {
                "anyOf": [{"type": ["number", "string"], "format": "decimal"}, {"type": "null"}],
                "description": "As it is read.",
            },
            "page": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "dry": {"type": "boolean", "default": False},
        },
    }


def test_only_what_is_vertex_ai_s_is_written_by_hand():
    document = json.loads(renew_documents.OPENAPI.read_text(encoding="utf-8"))["components"]["schemas"]
    assert document.keys() - api_schemas.schemas().keys() <= VERTEX_AI_S | UNIONS
    for name in UNIONS:
        assert document[name].keys() <= {"description", "anyOf", "examples"}
        assert all(part.keys() == {"$ref"} for part in document[name]["anyOf"])


@pytest.mark.usefixtures("made_up")
def test_examples_and_what_is_written_by_hand_are_kept():
    by_hand = {"Job": {"type": "object"}, "Shown": {"type": "null", "examples": [{"amount": "1"}]}}
    responses = {name: {"description": f"{name}.\n\n- old"} for name in renew_documents._RESPONSES}
    document = {"info": {"title": "a"}, "components": {"schemas": by_hand, "responses": responses}}
    found = json.loads(renew_documents.openapi(json.dumps(document)))
    schemas = found["components"]["schemas"]
    assert (found["info"], schemas["Job"]) == (document["info"], by_hand["Job"])
    assert (schemas["Shown"]["type"], schemas["Shown"]["examples"]) == ("object", [{"amount": "1"}])
    listed = found["components"]["responses"]["Aborted"]["description"]
    assert re.findall(r"(?m)^(?:- `)?(\w+)", listed) == [
        "Aborted",
        "IDEMPOTENCY_KEY_IN_USE",
        "RESUME_IN_PROGRESS",
    ]
