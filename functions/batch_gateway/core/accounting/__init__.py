"""What a settlement changes: jobs, totals, budgets, roll-ups."""
