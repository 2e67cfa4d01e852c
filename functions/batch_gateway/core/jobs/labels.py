"""The labels that the gateway sets on jobs."""

TEAM_LABEL = "team"
"""The team that a job belongs to; jobs made outside the gateway may carry it too."""
KEY_LABEL = "api_key"
"""The id of the key that a job belongs to, for keys without a team."""
MARKER_LABEL = "gateway_submission"
"""The submission's marker, for jobs that were created with an Idempotency-Key."""
OURS = (TEAM_LABEL, KEY_LABEL, MARKER_LABEL)


def reserved(*, scoped: bool) -> frozenset[str]:
    """Return the names of the labels that the gateway alone sets on a caller's job.

    Args:
        scoped: Whether the caller's jobs carry an owner's label; the administrator's do not.
    """
    return frozenset(OURS) if scoped else frozenset({MARKER_LABEL})
