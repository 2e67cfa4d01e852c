"""Split a stream of bytes into lines, in constant memory."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple

MAX_LINE_BYTES = 32 * 1024 * 1024
"""Longest line that is parsed, in bytes. A Gemini request may carry 20 MB inline, which the output echoes."""
_MOST_VALUES = 4_000_000
"""Most values in a line, estimated by its commas: each may become an object of 64 bytes. A line of 32 MiB
with the log probability of every token has 2.6 million."""

_BLOCK_BYTES = 128 * 1024
"""About as much as is split into lines at once, so that it is still in the processor's cache when parsed."""


class Block(NamedTuple):
    """Consecutive whole lines.

    Attributes:
        lines: The lines with their line feeds; only the last one of a stream may have none.
        oversized: Number of further lines that are longer than the limit or hold too many values.
        end: Bytes of the stream up to the end of these lines, where reading may resume.
    """

    lines: list[bytes]
    oversized: int
    end: int


def whole_lines(chunks: Iterable[bytes], max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Block]:
    """Yield the lines of a stream, many at a time.

    Holds one chunk, one block and at most ``max_line_bytes`` of an unfinished line. The lines are the
    same however the stream is cut into chunks; the blocks are not.
    """
    limit = max_line_bytes + 1  # with the line feed
    parts: list[bytes] = []
    size = end = 0  # bytes of the unfinished line, and of all lines before it
    for chunk in chunks:
        stream = BytesIO(chunk)  # finds line feeds several times as fast as bytes.split
        if size:
            head = stream.readline()
            size += len(head)
            if size <= limit:
                parts.append(head)
            else:
                parts.clear()
            if not head.endswith(b"\n"):
                continue
            end += size
            yield _block_of_one(parts, end)
            parts, size = [], 0
        while lines := stream.readlines(_BLOCK_BYTES):
            if not lines[-1].endswith(b"\n"):
                rest = lines.pop()
                size = len(rest)
                parts = [rest] if size <= limit else []
            if lines:
                length = sum(map(len, lines))
                end += length
                kept = lines if length <= limit else [line for line in lines if len(line) <= limit]
                yield Block(kept, len(lines) - len(kept), end)
    if size:
        yield _block_of_one(parts if size < limit else [], end + size)


def _block_of_one(parts: list[bytes], end: int) -> Block:
    """Return the block of a line that came in several chunks; a line without parts is too long."""
    line = b"".join(parts)
    return Block([line], 0, end) if line and line.count(b",") <= _MOST_VALUES else Block([], 1, end)
