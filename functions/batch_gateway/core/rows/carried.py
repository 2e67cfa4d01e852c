"""Recognize rows that a resumed job carries over from the output of an earlier one, which paid for them.

Vertex AI merges the earlier job's good rows into the new output ("Resume a batch job" of Google's
documentation). They are recognized by the time at which they were processed, which every row has.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any


def carried_over_test(before: datetime | None) -> Callable[[Any], bool]:
    """Return a predicate for a row's ``processed_time`` that is true before a time.

    It is false for a row without a readable time: such a row is charged rather than treated as free.

    Args:
        before: The time; None if no row is carried over.
    """
    if before is None:
        return lambda _: False
    # Times in the form of Gemini's rows sort as text, so those from the next second on need no parsing. The
    # upper bound keeps it to the same year and excludes other forms (":" sorts after the digits).
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
