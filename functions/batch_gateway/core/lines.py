"""Byte chunks -> lines, in constant memory."""

from collections.abc import Iterable, Iterator

MAX_LINE_BYTES = 32 * 1024 * 1024
"""Longest line that is parsed. A Gemini request may carry 20 MB inline, and the output echoes it."""


def split_lines(chunks: Iterable[bytes], max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[bytes | None]:
    """Yields lines without their line feed; None for a line that is longer than the limit.

    Holds one chunk and at most ``max_line_bytes`` of an unfinished line.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        if size <= max_line_bytes:
            parts.append(first)
        size += len(first)
        if size > max_line_bytes:
            parts.clear()
        if not rest:
            continue
        yield b"".join(parts) if size <= max_line_bytes else None
        last = rest.pop()
        for line in rest:
            yield line if len(line) <= max_line_bytes else None
        parts, size = ([last], len(last)) if len(last) <= max_line_bytes else ([], len(last))
    if size:
        yield b"".join(parts) if size <= max_line_bytes else None
