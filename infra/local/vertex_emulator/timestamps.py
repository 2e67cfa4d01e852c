"""Format and parse times as Google writes them: RFC 3339, always with microseconds, and Z."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Return e.g. `2026-09-02T20:06:30.166279Z`, the form of live job resources and directory names."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def processed_time(moment: datetime) -> str:
    """Return e.g. `2025-09-19T21:29:47.352+00:00`, the form of `processed_time` in live Gemini rows."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def parse(text: str) -> datetime:
    """Read an RFC 3339 timestamp.

    Raises:
        ValueError: If it isn't one, or names no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no zone in {text!r}")
    return moment.astimezone(UTC)
