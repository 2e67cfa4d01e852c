"""What a gemini-2.5-flash batch's output costs, worked out a second time.

On purpose none of the gateway's code is used, nor its price table: plain json, Decimal, and the published
prices written out below. If both agree, it isn't because they share a mistake.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MODEL = "gemini-2.5-flash"
# US dollars for a million tokens in batch mode. Cached tokens cost a tenth of the standard price, not of the
# batch price: the discounts do not stack. The model has no long-context tier.
_INPUT = {"AUDIO": Decimal("0.50")}
_INPUT_OTHERWISE = Decimal("0.15")
_CACHED = {"AUDIO": Decimal("0.10")}
_CACHED_OTHERWISE = Decimal("0.03")
_OUTPUT = Decimal("1.25")
_MILLION = 1_000_000


@dataclass
class Recount:
    """An output's rows and cost."""

    amount: Decimal = Decimal(0)
    succeeded: int = 0
    failed: int = 0


def recount(lines: Iterable[bytes]) -> Recount:
    """Adds up what the rows of an output cost."""
    result = Recount()
    for line in lines:
        if not line.strip():
            continue
        row = json.loads(line)
        if row.get("status") or not row.get("response"):
            result.failed += 1  # and free
            continue
        result.succeeded += 1
        result.amount += _row(row["response"]["usageMetadata"])
    return result


def _row(usage: dict[str, Any]) -> Decimal:
    prompt = _by_modality(usage, "promptTokenCount", "promptTokensDetails")
    cached = _by_modality(usage, "cachedContentTokenCount", "cacheTokensDetails")
    output: int = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    amount = output * _OUTPUT
    for modality, tokens in cached.items():
        amount += tokens * _CACHED.get(modality, _CACHED_OTHERWISE)
    for modality, tokens in prompt.items():
        # The prompt's count includes the cached tokens.
        amount += (tokens - cached.get(modality, 0)) * _INPUT.get(modality, _INPUT_OTHERWISE)
    return amount / _MILLION


def _by_modality(usage: dict[str, Any], total: str, details: str) -> dict[str, int]:
    """Returns the counts by modality; what the details leave out is text."""
    counts: dict[str, int] = {"TEXT": usage.get(total, 0)}
    for each in usage.get(details, []):
        if each["modality"] != "TEXT":
            counts[each["modality"]] = each["tokenCount"]
            counts["TEXT"] -= each["tokenCount"]
    return counts
