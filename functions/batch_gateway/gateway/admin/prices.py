"""List prices, and set the operator's own (``/v1/prices``)."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from batch_gateway.core.access.callers import Caller
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.resource_names import is_location
from batch_gateway.core.pricing.layers import Discount
from batch_gateway.core.pricing.model_prices import ModelPrices
from batch_gateway.core.pricing.overrides import (
    EVERYTHING,
    MOST_BYTES,
    MOST_OVERRIDES,
    MOST_TERMS_BYTES,
    PUBLISHERS,
    Override,
    Overrides,
    publisher_of,
    read_terms,
)
from batch_gateway.core.pricing.price_list import ELSEWHERE, PriceList, override_view, prices_of
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.current_prices import CurrentPrices
from batch_gateway.gateway.admin.missing_prices import missing_prices
from batch_gateway.gateway.http import json_bodies, params, requests, responses
from batch_gateway.gateway.http.routing import AuditedResponse
from batch_gateway.ports import Outbox
from batch_gateway.settings import Settings

_PATH = "/v1/prices/"
_PUBLISHER = "publishers/"


class Prices:
    """Handler of requests about prices."""

    def __init__(
        self, prices: CurrentPrices, settings: Settings, outbox: Outbox, now: Callable[[], datetime]
    ) -> None:
        self._prices = prices
        self._settings = settings
        self._outbox = outbox
        self._now = now

    def list(self, request: Request, caller: Caller) -> Response:
        """List the prices of the models that the caller may use (``GET /v1/prices?model&location&at``).

        A caller that sees everything also gets the overrides, and the models that were used without a price.
        """
        params.check_names(request, {"model", "location", "at"})
        at = params.time(request, "at") or self._now()
        location = _location(request)
        table, overrides = self._prices.get()
        models = table.models
        if "model" in request.args:
            models = [key] if (key := table.resolve(request.args["model"])) else []
        listed = [
            found
            for model in models
            if self._may_use(caller, model, table)
            for place in ([location] if location else _places(table, model))
            if (found := prices_of(table, model, place, at))
        ]
        answer = PriceList(price_table=table.version, at=at, prices=listed)
        if caller.sees_everything:
            answer = msgspec.structs.replace(
                answer,
                overrides=[override_view(each) for each in overrides.entries],
                missing=missing_prices(self._outbox, table, self._now()),
            )
        return responses.json(answer)

    def put(self, request: Request, caller: Caller) -> AuditedResponse:
        """Set an override in place of an earlier one (``PUT /v1/prices/{name}?location``)."""
        params.check_names(request, {"location"})
        location, body = _location(request), requests.body(request)
        sent = json_bodies.decode(body, dict[str, Any])
        public = self._prices.get().table.public
        name = _name(request, public)
        try:
            terms = read_terms(name, body, public.non_global_from)
            text = msgspec.json.encode(sent, order="sorted").decode()
        except ValueError as error:
            raise params.invalid(f"body: {error}") from error
        if len(text) > MOST_TERMS_BYTES:
            raise params.invalid(f"body: must not have more than {MOST_TERMS_BYTES} bytes")
        new = Override(name, location, text, caller.api_key, self._now())

        def check(overrides: Overrides) -> None:
            others = [each for each in overrides.entries if (each.name, each.location) != (name, location)]
            _check_room([*others, new])
            _check_terms(new, terms, others, public)

        return self._change(name, location, new, check)

    def delete(self, request: Request, _: Caller) -> AuditedResponse:
        """Take an override back (``DELETE /v1/prices/{name}?location``)."""
        params.check_names(request, {"location"})
        location = _location(request)
        table, overrides = self._prices.get()
        name = request.path.removeprefix(_PATH)
        if overrides.find(name, location) is None:  # else it may be from before the table knew the model
            name = _name(request, table.public)
        return self._change(name, location, None, lambda _: None)

    def _change(
        self, name: str, location: str, new: Override | None, check: Callable[[Overrides], None]
    ) -> AuditedResponse:
        before: Override | None = None

        def change(overrides: Overrides) -> Overrides | None:
            nonlocal before
            found = overrides.find(name, location)
            if found is None and new is None:
                # Also if this very call has deleted it, and the answer to that was lost.
                return None
            if found is not None and found == new:
                return None
            before = found
            check(overrides)
            return overrides.replace(found, new)

        changed = self._prices.change(change)
        shown = new or before
        if shown is None:
            raise ApiError(
                "NOT_FOUND",
                "OVERRIDE_UNKNOWN",
                f"There is no override of {name} {_where(location)}. GET /v1/prices lists all overrides.",
            )
        table = (changed or self._prices.get()).table
        trace = {
            "before": _trace(before),
            "after": _trace(new),
            "priceTable": table.version,
        }
        return AuditedResponse(
            f"{name} {_where(location)}",
            responses.json(msgspec.structs.replace(override_view(shown), price_table=table.version)),
            trace,
        )

    def _may_use(self, caller: Caller, model: str, table: PriceTable) -> bool:
        """Return whether a caller's grants name a model, in any of the ways in which they may."""
        patterns = [grant.models for grant in caller.grants if grant.models]
        if not patterns:
            return True
        path = f"{_PUBLISHER}{publisher_of(model)}/models/{model}"
        names = {model, path}
        names |= {f"projects/{place[0]}/locations/{place[1]}/{path}" for place in self._settings.served}
        for alias in self._settings.aliases:
            if table.resolve(alias.resource) == model:
                names |= {alias.model_name, alias.resource}
        return all(
            any(table.resolve(pattern) == model or _matches(names, pattern) for pattern in models)
            for models in patterns
        )


def _places(table: PriceTable, model: str) -> dict[str, None]:
    """Return the locations whose prices differ: global, those with a price of the owner's, all others."""
    return dict.fromkeys(("global", *table.own_locations(model), ELSEWHERE))


def _matches(names: set[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def _location(request: Request) -> str:
    location = request.args.get("location")
    if location is not None and not is_location(location):
        raise params.invalid(f"location: {location[:200]!r} is not a location")
    return location or ""


def _trace(override: Override | None) -> Any:
    """Return an override as the audit trail keeps it."""
    return override and msgspec.to_builtins(override_view(override), builtin_types=(datetime,))


def _where(location: str) -> str:
    return f"in {location}" if location else "in all locations"


def _name(request: Request, public: PriceTable) -> str:
    """Return the name of the override in a path.

    Raises:
        ApiError: INVALID_ARGUMENT: It can be the name of none.
    """
    name = request.path.removeprefix(_PATH)
    if name.startswith(_PUBLISHER) or name == _PUBLISHER.rstrip("/"):
        known = sorted({f"{_PUBLISHER}{publisher}" for publisher in PUBLISHERS.values()})
        if name not in {*known, EVERYTHING}:
            raise params.invalid(
                f"path: must be one of {', '.join(known)}, or {EVERYTHING} for all models, not {name[:200]}"
            )
        return name
    try:
        return public.own_key(name)
    except ValueError as error:
        raise params.invalid(f"path: {error}") from error


def _check_terms(
    new: Override, terms: ModelPrices | tuple[Discount, ...], others: Iterable[Override], public: PriceTable
) -> None:
    """Reject an override that could not have an effect, or would contradict how the model is counted.

    Rows are counted by unit and context window before they are priced, so both are the same everywhere.
    """
    counting = public.counting(new.name)
    if not isinstance(terms, ModelPrices):
        if counting is None and not new.name.startswith(_PUBLISHER):
            raise params.invalid(
                f"discount: the table has no price of {new.name} that a discount could be on; set its rates"
            )
        return
    found = [] if counting is None else [counting]
    for each in others:
        other = read_terms(each.name, each.terms, public.non_global_from) if each.name == new.name else None
        if isinstance(other, ModelPrices):
            found.append((other.unit, other.threshold))
    for unit, threshold in found:
        if (terms.unit, terms.threshold) != (unit, threshold):
            raise params.invalid(
                f"{new.name}: unit and context_threshold: must be {unit} and {threshold or 'none'}, as in "
                "the table or in the override of another location"
            )


def _check_room(overrides: Collection[Override]) -> None:
    """Reject a change after which there are too many overrides for one document."""
    size = sum(len(each.terms) for each in overrides)
    if len(overrides) > MOST_OVERRIDES or size > MOST_BYTES:
        raise ApiError(
            "FAILED_PRECONDITION",
            "OVERRIDES_FULL",
            f"There may be {MOST_OVERRIDES} overrides with {MOST_BYTES} bytes together. Delete those that "
            "the table has caught up with.",
        )
