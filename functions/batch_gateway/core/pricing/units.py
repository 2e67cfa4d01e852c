"""Name the units that models are charged by, and say what a price of each is for."""

from collections.abc import Mapping
from typing import Literal

Unit = Literal["token", "character"]

PRICED_BY: Mapping[str, tuple[int, str]] = {
    "token": (10**6, "1000000 Tokens"),
    "character": (10**3, "1000 Characters"),
}
"""The number of units that a price is for on the pricing page of Vertex AI, and its name in FOCUS."""
