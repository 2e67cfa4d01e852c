"""Rows that a resumed job carries over from the output of an earlier one, which paid for them.

Vertex AI merges the earlier job's good rows into the new output ("Resume a batch job" of Google's
documentation). Only the time at which a row was processed tells them, and it always does.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any


def carried_over_test(before: datetime | None) -> Callable[[Any], bool]:
    """Return a test of a row's ``processed_time``: whether it is before a time.

    A row without a time, or with one that cannot be read, is not: it is charged rather than given away.

    Args:
        before: None if no row is carried over.
    """
    if before is None:
        return lambda _: False
    # Text as Gemini's rows have it sorts by time, and need not be parsed from the next second on. Within the
    # same year: the end tells it from other ways to write a time (":" follows the digits).
    first = f"{before.astimezone(UTC) + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    end = f"{first[:5]}:"

    def is_before(processed: Any) -> bool:
        if not isinstance(processed, str) or (first < processed < end and processed[-6:] == "+00:00"):
            return False
        try:
            time = datetime.fromisoformat(processed)
        except ValueError:
            return False
        return time.replace(tzinfo=time.tzinfo or UTC) < before

    return is_before
