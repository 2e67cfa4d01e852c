"""Lines of batch output -> usage.

Every family of models has a module of its own, which says what its rows look like and who says so:
``gemini`` (and gemini-embedding), ``predictions`` (text-embedding and custom models) and ``messages``
(Claude and open models). What holds for all of them:

- A row failed, and is not charged, if it says so and has no answer: by a ``status`` or an ``error`` that is
  one (``waste.is_error``), or by an answer that is nothing but an error.
- A row that says neither, or both, is unrecognized: its cost is not known. So an answer beside a status that
  is an error is neither free nor priced. An ``error`` beside an answer with usage is the caller's own: Vertex
  AI echoes the members of the input line, and has no column of that name where it answers.
- A row whose answer stands elsewhere than documented is read if its meaning is beyond doubt (``elsewhere``).
- Counts that do not fit together leave a row not wholly priced, and say why (``totals``, ``modalities``).
- Only what is needed is decoded; the rest of a line (the whole prompt is echoed) is checked to be JSON
  and skipped.
- Where keys stand does not matter; of a key given twice the last counts.

A line is malformed if ``json.loads`` would not read it as an object, and beyond that if
- a member that is needed has the wrong type, or a count is no int32;
- it nests deeper than the interpreter's recursion limit allows;
- it is longer than ``lines.MAX_LINE_BYTES``, or holds more than four million values;
- it is not in UTF-8, though undecodable bytes in members that are skipped do no harm.
"""

from batch_gateway.core.rows.gemini import UNBILLED_TOOL_USE
from batch_gateway.core.rows.readers import Reader, UnreadableOutputError, reader_for
from batch_gateway.core.rows.tally import Tally, UnrecognizedRow

__all__ = [
    "UNBILLED_TOOL_USE",
    "Reader",
    "Tally",
    "UnreadableOutputError",
    "UnrecognizedRow",
    "reader_for",
]
