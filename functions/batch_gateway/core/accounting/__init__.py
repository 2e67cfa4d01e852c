"""Settlement and what it changes: job records, totals, budget balances and roll-ups."""
