"""Report how much of their budgets keys and teams have used."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from batch_gateway.core.access.limits import Budget
from batch_gateway.core.accounting.budgets import window_of
from batch_gateway.gateway.admin.field_checks import usd
from batch_gateway.ports import BudgetStore


class BudgetStatus:
    """Reader of the amounts spent and reserved in the current budget windows."""

    def __init__(self, store: BudgetStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def by_owner(self, budgets: Mapping[str, Budget]) -> dict[str, dict[str, Any]]:
        """Return the fields for an answer by owner (``key:ID``, ``team:ID``); ``spend`` is LiteLLM's name."""
        now = self._now()
        windows = {owner: window_of(budget.budget_duration, now) for owner, budget in budgets.items()}
        ledgers = self._store.budget_balances((owner, window.periods) for owner, window in windows.items())
        return {
            owner: {
                "spend": usd(ledgers[owner].spent_nano),
                "reserved": usd(ledgers[owner].reserved_nano),
                "budget_reset_at": window.reset,
            }
            for owner, window in windows.items()
        }
