"""Who calls, and what a key may do."""
