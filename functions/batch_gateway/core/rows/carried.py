"""Recognize rows that a resumed job carries over from the output of an earlier one, which paid for them.

Vertex AI merges the earlier job's good rows into the new output ("Resume a batch job" of Google's
documentation). They are recognized by the time at which they were processed, which every row has.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.core.rows.decoding import decode_row, is_answered
from batch_gateway.core.rows.waste import is_error


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


def answered_test(before: datetime) -> Callable[[bytes], bool]:
    """Return a predicate for a line of a job's output that is true if a job that resumes it need not run it.

    It is false in doubt: for a line that cannot be read, and for a prompt that was blocked, since it is not
    documented whether Vertex AI counts that as an answer.

    Args:
        before: Time before which the row must have been processed, as in `carried_over_test`.
    """
    is_before = carried_over_test(before)

    def is_answered_before(line: bytes) -> bool:
        try:
            row = decode_row(line)
        except UNREADABLE:
            return False
        if row.response is not None and row.response.prompt_feedback is not None:
            return False
        return is_error(row.status) is False and is_before(row.processed_time) and is_answered(row, line)

    return is_answered_before
