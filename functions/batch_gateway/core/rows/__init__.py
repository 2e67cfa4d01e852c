"""Read lines of batch output and sum up their usage.

Each family of models has its own module, which describes its rows and names the sources: ``gemini`` (and
gemini-embedding), ``predictions`` (text-embedding and custom models) and ``messages`` (Claude and open
models). For all of them:

- A row has failed, and is not charged, if it says so and has no answer: by a ``status`` or an ``error`` that
  is one (``waste.is_error``), or by an answer that is only an error.
- A row that says neither, or both, is unrecognized: its cost is not known. So an answer beside a status that
  is an error is neither free nor priced. An ``error`` beside an answer with usage is the caller's own: Vertex
  AI echoes the members of the input line, and has no column of that name where it answers.
- A row whose answer is not where it is documented is read if its meaning is beyond doubt (``elsewhere``).
- A row with contradictory counts is not wholly priced, with a reason (``totals``, ``modalities``).
- Only what is needed is decoded; the rest of a line (which echoes the whole prompt) is checked to be JSON and
  skipped.
- The order of keys does not matter; if a key is given twice, the last one counts.

A line is malformed if ``json.loads`` would not read it as an object, and also if
- a member that is needed has the wrong type, or a count is not an int32;
- it nests deeper than the interpreter's recursion limit allows;
- it is longer than ``lines.MAX_LINE_BYTES``, or has more than four million values;
- it is not in UTF-8, though undecodable bytes in members that are skipped do no harm.
"""

from batch_gateway.core.rows.gemini import UNBILLED_TOOL_USE
from batch_gateway.core.rows.object_readers import Reader, UnreadableOutputError, reader_for
from batch_gateway.core.rows.tally import Tally, UnrecognizedRow

__all__ = [
    "UNBILLED_TOOL_USE",
    "Reader",
    "Tally",
    "UnreadableOutputError",
    "UnrecognizedRow",
    "reader_for",
]
