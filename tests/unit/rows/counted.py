"""Answer what tests of rows ask of usage: its parts, and its cost."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import Cost, cost_of
from batch_gateway.core.usage import Usage

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rows"
TABLE = prices.load()
AT = datetime(2026, 11, 22, tzinfo=UTC)


def cost(usage: Usage, location: str = "global") -> Cost:
    return cost_of(usage, TABLE, location=location, at=AT)


def quantities(usage: Usage) -> dict[str, int]:
    return {q.item: q.quantity for q in usage.quantities}


def details(**by_modality: int) -> list[dict[str, Any]]:
    return [{"modality": modality, "tokenCount": count} for modality, count in by_modality.items()]


def sample(name: str) -> list[bytes]:
    return (FIXTURES / name).read_bytes().splitlines()
