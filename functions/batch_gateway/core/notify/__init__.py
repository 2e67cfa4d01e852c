"""Events of jobs and budgets, and signed webhooks."""
