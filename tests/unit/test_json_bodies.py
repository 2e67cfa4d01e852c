"""Tell callers of a body that cannot be decoded: the field and what it must be, in plain words."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
import pytest

from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.http.json_bodies import decode


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    needed: str


class Kind(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    limit: int | None = None
    budget: Decimal | None = None
    blocked: bool = False
    models: list[str] = []
    labels: dict[str, str] = {}
    inner: Inner | None = None
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    metadata: dict[str, Any] | None = None


THERE_ARE = "there are at, blocked, budget, inner, labels, limit, metadata, models, name"


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "name: is missing"),
        (b" \n", "name: is missing"),
        (b"{}", "name: is missing"),
        (b'{"name": 1}', "name: must be a string, not a whole number"),
        (b'{"name": null}', "name: must be a string, not null"),
        (b'{"name": "x", "limit": 1.5}', "limit: must be a whole number or null, not a number"),
        (b'{"name": "x", "budget": true}', "budget: must be a number or null, not true or false"),
        (b'{"name": "x", "budget": "a"}', "budget: must be a number, such as 12.50"),
        (b'{"name": "x", "blocked": "no"}', "blocked: must be true or false, not a string"),
        (b'{"name": "x", "models": "a"}', "models: must be a list, not a string"),
        (b'{"name": "x", "models": ["a", {}]}', "models[1]: must be a string, not an object"),
        (
            b'{"name": "x", "labels": {"a": 1}}',
            "labels, in one of its values: must be a string, not a whole number",
        ),
        (b'{"name": "x", "inner": {}}', "inner.needed: is missing"),
        (b'{"name": "x", "inner": {"a": 1}}', "inner.a: is unknown"),
        (b'{"name": "x", "inner": {"needed": 1}}', "inner.needed: must be a string, not a whole number"),
        (
            b'{"name": "x", "at": "now"}',
            "at: must be an RFC 3339 time with a time zone, such as 2026-11-22T00:00:00Z",
        ),
        (b'{"name": "x", "at": "2026-11-22T00:00:00"}', "at: must be an RFC 3339 time with a time zone"),
        (b'{"name": "x", "at": 5}', "at: must be an RFC 3339 time with a time zone"),
        (b'{"name": "x", "metadata": []}', "metadata: must be an object or null, not a list"),
        (b'{"nmae": "x"}', f"nmae: is unknown; {THERE_ARE}"),
        (b'{"a `b`": "x"}', "a `b`: is unknown"),
        (b'{"%s": "x"}' % (b"x" * 1000), f"{'x' * 80}: is unknown"),
    ],
)
def test_a_wrong_field_is_named_with_what_it_must_be(raw, told):
    with pytest.raises(ApiError) as refused:
        decode(raw, Kind, hint="Do so.")
    assert refused.value.reason == "FIELD_INVALID"
    assert refused.value.message.startswith(f"Invalid request: {told}")
    assert refused.value.message.endswith(". Do so.")
    assert "$" not in refused.value.message
    assert "Expected" not in refused.value.message


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"[]", "it must be an object, not a list"),
        (b'"x"', "it must be an object, not a string"),
        (b"{", "it is not JSON: it ends too early"),
        (b"{'a': 1}", "it is not JSON: "),
        (b'{"name": "x"} y', "it is not JSON: "),
        (b'{"name": "\xff"}', "it is not UTF-8"),
        (b'{"metadata": %s' % (b'{"a":' * 100_000), "it is nested too deeply"),
    ],
)
def test_a_body_that_is_no_json_object_is_called_so(raw, told):
    with pytest.raises(ApiError) as refused:
        decode(raw, Kind)
    assert refused.value.reason == "BODY_INVALID"
    assert refused.value.message.startswith(f"Invalid body: {told}")
    assert refused.value.message.endswith(". See /openapi.json.")


def test_a_good_body_is_decoded():
    assert decode(b'{"name": "x", "budget": "0.1"}', Kind) == Kind("x", budget=Decimal("0.1"))
