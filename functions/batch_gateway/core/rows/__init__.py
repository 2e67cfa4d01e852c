"""Lines of batch output -> usage.

Every family of models has a module of its own, which says what its rows look like and who says so:
``gemini`` (and gemini-embedding), ``predictions`` (text-embedding and custom models) and ``messages``
(Claude and open models). What holds for all of them:

- A row with a non-empty ``status``, or without an answer, failed and is not charged.
- Only what is needed is decoded; the rest of a line (the whole prompt is echoed) is checked to be JSON
  and skipped.
- Where keys stand does not matter; of a key given twice the last counts.

A line is malformed if ``json.loads`` would not read it as an object, and beyond that if
- a member that is needed has the wrong type, or its counts contradict each other or are no int32;
- it nests deeper than the interpreter's recursion limit allows;
- it is longer than ``lines.MAX_LINE_BYTES``, or holds NaN, an infinity or half a surrogate pair and is
  longer than ``row.MAX_REPAIRED_BYTES``;
- it is not in UTF-8, though undecodable bytes in members that are skipped do no harm.
"""

from batch_gateway.core.rows.gemini import UNBILLED_TOOL_USE
from batch_gateway.core.rows.readers import Reader, UnreadableOutputError, reader_for
from batch_gateway.core.rows.tally import Tally

__all__ = ["UNBILLED_TOOL_USE", "Reader", "Tally", "UnreadableOutputError", "reader_for"]
