"""Read the owner's overrides of prices, and name them.

An override is for a model, for a publisher's models (``publishers/google``) or for all (``publishers/-``), in
one location or in all. It holds rates, in the form of an entry of ``prices.json``, or discounts on the
table's rates. Both are dated; until their first day, what is less specific counts.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from batch_gateway.core.pricing.config_rates import ConfigRates
from batch_gateway.core.pricing.layers import Discount
from batch_gateway.core.pricing.model_prices import ModelPrices, read_model, read_start
from batch_gateway.core.pricing.price_form import members_of, read_members, read_text, refuse_duplicates

EVERYTHING = "publishers/-"
"""Name of the override of all models (the wildcard of AIP-159)."""
PUBLISHERS = {
    "claude-": "anthropic",
    "deepseek-": "deepseek-ai",
    "gemini-": "google",
    "gpt-oss-": "openai",
    "llama-": "meta",
    "qwen": "qwen",
    "text-": "google",
}
"""Publishers of the table's models, by how the models' names begin."""
MOST_OVERRIDES = 500
MOST_BYTES = 400_000
"""Most overrides, and bytes of their terms together: they are kept in one document."""
MOST_TERMS_BYTES = 32_000
"""Most bytes of one override's terms: the audit trail has them twice, before and after a change."""
_DISCOUNT = re.compile(r"0(\.[0-9]{1,6})?")
_OWN = "set by the administrator"
_DIGITS = 6


class DiscountForm(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A discount on the table's rates.

    Attributes:
        discount: The part of the table's rates that is not paid.
        start: First day (UTC); null or absent: always.
        source: The page or agreement that says so.
    """

    discount: Annotated[str, Meta(pattern=f"^{_DISCOUNT.pattern}$")]
    start: date | None = msgspec.field(default=None, name="from")
    source: Annotated[str, Meta(min_length=1)] = _OWN


class DiscountsForm(msgspec.Struct, forbid_unknown_fields=True):
    """Discounts by date.

    Attributes:
        discounts: In order.
    """

    discounts: Annotated[list[DiscountForm], Meta(min_length=1)]


class Override(msgspec.Struct, frozen=True, rename="camel"):
    """An override as it is on record.

    Attributes:
        name: Key of a model, ``publishers/NAME`` or ``publishers/-``.
        location: The only location it is for; empty for all.
        terms: The body that set it, as JSON.
        set_by: Alias of the key that set it.
        set_at: When it was set.
    """

    name: str
    location: str
    terms: str
    set_by: str
    set_at: datetime


class Overrides(msgspec.Struct, frozen=True, rename="camel"):
    """All overrides; ``revision`` counts their changes."""

    revision: int = 0
    entries: tuple[Override, ...] = ()

    def find(self, name: str, location: str) -> Override | None:
        """Return the override with a name and location; None if there is none."""
        return next((each for each in self.entries if (each.name, each.location) == (name, location)), None)

    def replace(self, old: Override | None, new: Override | None) -> "Overrides":
        """Return the next revision, with one override in another's place; None stands for no override."""
        rest = [each for each in self.entries if each != old]
        entries = sorted([*rest, *([new] if new else [])], key=lambda each: (each.name, each.location))
        return Overrides(self.revision + 1, tuple(entries))


def publisher_of(model_key: str) -> str | None:
    """Return the publisher of a model of the table; None for other models."""
    return next((name for start, name in PUBLISHERS.items() if model_key.startswith(start)), None)


def read_terms(
    name: str, terms: bytes | str, non_global_from: datetime
) -> ModelPrices | tuple[Discount, ...]:
    """Read what an override says: rates, or discounts, the latest first.

    Args:
        name: Its name.
        terms: The body that set it.
        non_global_from: As for ``read_model``.

    Raises:
        ValueError: It is malformed; the message says where.
    """
    try:
        value = json.loads(terms, object_pairs_hook=refuse_duplicates)
    except RecursionError:
        raise ValueError("the body is nested too deeply") from None
    if isinstance(value, dict) and value.keys() & {"discount", "discounts"}:
        return _read_discounts(name, value)
    if name.startswith("publishers/"):
        raise ValueError(
            f'{name}: must have "discount", such as "0.07", with "from" and "source" if need be, or '
            '"discounts", a list of them; rates are set for each model'
        )
    return read_model(name, value, non_global_from, may_start_late=True)


def _read_discounts(name: str, value: Any) -> tuple[Discount, ...]:
    steps = [value]
    if "discounts" in value:
        steps = read_members(name, value, *members_of(DiscountsForm))["discounts"]
        if not isinstance(steps, list) or not steps:
            raise ValueError(f"{name}: discounts: must be a list of at least one discount")
    found = [_read_discount(name, step) for step in steps]
    if any(later.start <= earlier.start for earlier, later in pairwise(found)):
        raise ValueError(f"{name}: from: dates must ascend")
    return tuple(found[::-1])


def _read_discount(name: str, value: Any) -> Discount:
    fields = read_members(name, value, *members_of(DiscountForm))
    given = fields["discount"]
    if not isinstance(given, str) or not _DISCOUNT.fullmatch(given):
        raise ValueError(
            f"{name}: discount: {given!r} is not a decimal string from 0 to below 1 with at most 6 decimals, "
            'such as "0.07" for 7 %'
        )
    source = read_text(f"{name}: source", fields["source"]) if "source" in fields else _OWN
    return Discount(read_start(f"{name}: from", fields.get("from")), 1 - Decimal(given), source)


class OwnPrices:
    """The operator's prices, of configuration and overrides, as they are laid over a table.

    Attributes:
        rates: Rates of overrides by name and location.
        discounts: Discounts of overrides by name and location.
        locations: Locations that any of the prices is for alone.
        config: Rates of the configuration by model's key and location.
        digest: Short hash of all of them; empty if there are none.
    """

    def __init__(
        self,
        overrides: Iterable[Override],
        config: Mapping[tuple[str, str], ConfigRates],
        non_global_from: datetime,
    ) -> None:
        """Read the overrides.

        Raises:
            ValueError: One of them is malformed; the message says where.
        """
        self.rates: dict[tuple[str, str], ModelPrices] = {}
        self.discounts: dict[tuple[str, str], tuple[Discount, ...]] = {}
        self.config = config
        named: list[Any] = [
            [*key, sorted((*field, price) for field, price in rates.given.items())]
            for key, rates in sorted(config.items())
        ]
        for each in sorted(overrides, key=lambda override: (override.name, override.location)):
            terms = read_terms(each.name, each.terms, non_global_from)
            if isinstance(terms, ModelPrices):
                self.rates[each.name, each.location] = terms
            else:
                self.discounts[each.name, each.location] = terms
            named.append([each.name, each.location, each.terms])
        self.locations = {place for _, place in (*self.rates, *self.discounts, *config) if place}
        self.digest = hashlib.sha256(msgspec.json.encode(named)).hexdigest()[:_DIGITS] if named else ""
