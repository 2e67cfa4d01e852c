"""Announce models that nobody has set a price for."""

import shlex
from datetime import datetime
from typing import Any

import msgspec

from batch_gateway import log_events
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.events import PRICE_MISSING, missing_price_event
from batch_gateway.core.pricing.cost import LineItem
from batch_gateway.core.pricing.model_names import OTHER_MODEL
from batch_gateway.core.pricing.model_prices import MODEL_KEY, lacks_price
from batch_gateway.core.rows import UNBILLED_TOOL_USE
from batch_gateway.logs import log
from batch_gateway.notify.delivery import notify_all
from batch_gateway.settlement.deps import SettlementDeps

_PLACEHOLDER = "USD PER MILLION"
"""Stands for a rate in the terms. It is no number, so that nobody sets it by mistake."""
_FAMILIES = ("input", "cached_input", "cache_creation_input", "cache_creation_1h_input", "output")


def note_missing_prices(job: JobRecord, deps: SettlementDeps, now: datetime) -> None:
    """Announce each model in a job's cost that has no price, once a day for its location.

    Args:
        job: The job as it was settled.
        deps: The ports. The event on record tells other instances that it was announced.
        now: The time.
    """
    added = []
    for model, items in _without_price(job.cost.line_items).items():
        is_name = MODEL_KEY.fullmatch(model) and model != OTHER_MODEL
        terms = _terms(items) if is_name else None
        command = _command(model, terms) if terms else None
        event = missing_price_event(model, job, terms, command, now)
        if deps.store.add_event(event):
            fields = {**log_events.job_fields(job), "unpriced_model": model, "command": command}
            log("WARNING", "model without a price", event=PRICE_MISSING, **fields)
            added.append(event)
    if added:
        notify_all(added, deps.notify())


def _without_price(lines: tuple[LineItem, ...]) -> dict[str, list[str]]:
    """Return the models none of whose input, or none of whose output, has a price, with their items."""
    used: dict[str, list[LineItem]] = {}
    for line in lines:
        if not _is_free(line):
            used.setdefault(line.model, []).append(line)
    return {
        model: [line.item for line in found]
        for model, found in used.items()
        if lacks_price(
            (line.item for line in found),
            {line.item for line in found if line.unit_price_pico is not None},
        )
    }


def _is_free(line: LineItem) -> bool:
    return line.item == UNBILLED_TOOL_USE


def _terms(items: list[str]) -> dict[str, Any]:
    """Return the terms that price items, once the rates are filled in."""
    used = [family for family in _FAMILIES if any(item.startswith(f"{family}_") for item in items)]
    price = {"from": None, "source": "PAGE", "batch": dict.fromkeys(used, _PLACEHOLDER)}
    return {"unit": "token", "non_global_multiplier": "1", "prices": [price]}


def _command(model: str, terms: dict[str, Any]) -> str:
    """Return the command that sets a model's price to terms."""
    return (
        f'curl -X PUT "$GATEWAY_URL/v1/prices/{model}" -H "Authorization: Bearer $GATEWAY_MASTER_KEY" '
        f"-d {shlex.quote(msgspec.json.encode(terms).decode())}"
    )
