"""The labels of a job that say whose it is."""

TEAM = "team"
"""Whose a job is; jobs made outside the gateway may carry it too."""
KEY = "api_key"
"""Likewise, for the jobs of a key without a team."""
MARKER = "gateway_submission"
"""Of a job that was created with an Idempotency-Key: its submission's marker."""
OURS = (TEAM, KEY, MARKER)
