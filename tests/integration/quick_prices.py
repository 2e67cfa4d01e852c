"""The two functions that are deployed, where prices that were read are good for a second, not a minute."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "functions"))

from batch_gateway import current_prices
from main import gateway, settle

current_prices.SECONDS = 1.0

__all__ = ["gateway", "settle"]
