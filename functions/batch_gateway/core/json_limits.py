"""Limit the JSON that is accepted, so that decoding it takes no more than a small multiple of its size.

A value takes up to a few hundred bytes in Python, however few characters it has. So values are counted before
anything is decoded.
"""

MOST_VALUES = 40_000
"""Most members and elements, over all levels: three times as many as in the longest list of inputs seen."""
MOST_DEPTH = 100
"""Most levels: as many as Google's own JSON parsers accept (protobuf's default recursion limit)."""

_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def count_values(raw: bytes, most_values: int = MOST_VALUES) -> int:
    """Return an upper bound for the number of values that decoding makes.

    It takes a few steps for each string, and stops at the first limit that is exceeded.

    Raises:
        ValueError: There are too many, or they are nested too deeply; the message names the limit.
    """
    opening = raw.count(b"[") + raw.count(b"{")
    most = raw.count(b",") + opening + 1
    if most <= most_values and opening <= MOST_DEPTH:
        return most
    # Some of these may be in strings.
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    values, strings, depth, at = 1, 0, 0, 0
    while at >= 0:
        quote = plain.find(b'"', at)
        between = plain[at:] if quote < 0 else plain[at:quote]
        values += between.count(b",") + between.count(b"[") + between.count(b"{")
        strings += 1
        if values > most_values or strings > 2 * most_values:
            raise ValueError(f"it must not have more than {most_values:,} members and elements")
        for bracket in between.translate(None, _NOT_BRACKETS):
            depth += 1 if bracket in b"[{" else -1
            if depth > MOST_DEPTH:
                raise ValueError(f"it must not be nested deeper than {MOST_DEPTH} levels")
        if quote < 0:
            break
        end = plain.find(b'"', quote + 1)
        at = end + 1 if end >= 0 else -1
    return values
