"""Compute the cost of a gemini-3.5-flash batch's output a second time.

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

MODEL = "gemini-3.5-flash"
# US dollars per million tokens in batch mode at the location `global`, for all modalities. There is no
# long-context tier.
_INPUT = Decimal("0.75")
_CACHED = Decimal("0.075")
_OUTPUT = Decimal("4.50")
_MILLION = 1_000_000


@dataclass
class Recount:
    """Row counts and cost of an output."""

    amount: Decimal = Decimal(0)
    succeeded: int = 0
    failed: int = 0


def recount(lines: Iterable[bytes]) -> Recount:
    """Add up the costs of an output's rows."""
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
    cached: int = usage.get("cachedContentTokenCount", 0)
    # The prompt's count includes the cached tokens.
    fresh: int = usage.get("promptTokenCount", 0) - cached
    output: int = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return (fresh * _INPUT + cached * _CACHED + output * _OUTPUT) / _MILLION
