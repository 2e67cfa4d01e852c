"""Tell which format an answered row has, and measure it with that format's module.

A new format of output begins here.
"""

from collections.abc import Callable

from batch_gateway.core.json_io import is_given
from batch_gateway.core.rows import gemini, messages, predictions
from batch_gateway.core.rows.decoding import Row, is_answered
from batch_gateway.core.rows.measured import ErrorRow, RowUsage


def measure(row: Row, line: bytes, is_by_character: Callable[[], bool]) -> RowUsage | ErrorRow | None:
    """Return the usage of a row, or its error; None if it shows neither.

    Args:
        row: The decoded row.
        line: Its line.
        is_by_character: Tells whether the job's model is priced by character rather than by token.

    Raises:
        ContradictionError: Its counts contradict each other.
        UnrecognizedError: Its answer has no known format.
    """
    response = row.response
    if response is None or not is_answered(row, line):
        return predictions.measure(row.predictions, row.instance, by_character=is_by_character())
    other = is_given(response.usage) or is_given(response.body) or not gemini.is_answer(response)
    if response.usage_metadata is None and other:
        return messages.measure(line)
    return gemini.measure(response, line)
