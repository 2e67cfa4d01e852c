"""Define the limits of a key or team: what its jobs may use, how often it may call, and what it may spend."""

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """The permissions of a key or team. An empty list allows everything of its kind.

    Attributes:
        models: Names or patterns with ``*``: as callers write them, or short names such as ``gemini-2.5-*``.
        projects: Ids of projects.
        locations: Locations.
        allowed_uri_prefixes: ``gs://bucket/path`` and ``bq://project.dataset``, for input and output.
        rpm_limit: Requests per minute; None for no limit.
    """

    models: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()
    allowed_uri_prefixes: tuple[str, ...] = ()
    rpm_limit: int | None = None


class Budget(msgspec.Struct, frozen=True):
    """A limit on spend per window.

    Attributes:
        max_budget_nano: nano-USD; None for no budget.
        budget_duration: Length of the window, such as ``30d`` or ``1mo``; None for one that never resets.
        soft_budget_nano: nano-USD from which on there are warnings; None for no warnings.
    """

    max_budget_nano: int | None = None
    budget_duration: str | None = None
    soft_budget_nano: int | None = None
