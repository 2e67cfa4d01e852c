"""The schemas of our own answers in openapi.json are those of the types that build them."""

import json
import re
from typing import Annotated, Literal

import msgspec

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


def test_a_schema_has_what_the_type_and_its_docstrings_say(monkeypatch):
    monkeypatch.setattr(api_schemas, "ANSWERS", {"Shown": Answer})
    money = {"$ref": "#/components/schemas/Money"}
    found = api_schemas.schemas()
    assert found.keys() == {"Shown", "Part", *api_schemas.VALUES}
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


def test_examples_and_what_is_written_by_hand_are_kept(monkeypatch):
    monkeypatch.setattr(api_schemas, "ANSWERS", {"Shown": Answer})
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
