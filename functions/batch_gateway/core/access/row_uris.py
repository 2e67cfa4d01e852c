"""Find the ``gs://`` and ``bq://`` URIs that rows name.

Vertex AI's own agent reads the files that rows name (``fileData.fileUri``, ``gcsUri``, ``image_url`` …), and
may read more than a caller may. Which members name files depends on the model. So every text in a row counts
that begins with such a URI, under whatever name and at whatever depth, and names do, too. Only the member
``text``, which holds what the model is to read, is left out.

Rows are searched as bytes, many at a time: all but the places where a URI may begin is skipped without
decoding. Lines of an unusual form are read text by text, without a parser, which would keep one of two equal
names only.
"""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_SCHEMES = frozenset({b"gs:", b"Gs:", b"gS:", b"GS:", b"bq:", b"Bq:", b"bQ:", b"BQ:"})
_SCHEME_BYTES = len(b"gs:")
_BY_NUMBER = re.compile(rb"\\(?=u00(?:[46]7|[57]3|[46]2|[57]1|3[aA]|2[fF]))")
"""Letters and marks of ``gs:/`` and ``bq:/`` written by their number, which no usual encoder does."""
_URI = re.compile(r"[^0-9A-Za-z]*+((?:gs|bq):/.*+)", re.IGNORECASE | re.DOTALL)
"""A text that begins with a URI, if marks and white space are left out."""
_LEAD = re.compile(rb'"(?:[^0-9A-Za-z"\\]|\\[bfnrt"\\/]|\\u[0-9a-fA-F]{4})*+\Z')
"""The beginning of a text, of marks, white space and escapes only."""
_LEAD_BYTES = 64
_HAS_LETTERS = re.compile(rb"[0-9A-Za-z]")
_AFTER_TEXT = re.compile(rb'(?<!\\)"text"\s*+:\s*+"\Z')
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_AFTER_NAME = re.compile(rb"\s*+:\s*+")
_JSON = re.compile(r"\s*+[{\[]")
_TEXTS = frozenset({"text", "content"})
"""Members whose JSON is for the model to read. Elsewhere an importer may read an object that came as text."""
_DEEPEST = 4
_LINE_FEED, _BACKSLASH, _BEFORE_SLASH = b"\n", ord("\\"), b":\\"


MOST_PLACES = 100_000
"""Most places of a block, and texts of an unusual line, that are looked at. Prompts have 3,000 files."""
_LARGE_BYTES = 1024 * 1024
"""Size from which a block can have more."""


class TooManyError(ValueError):
    """A line has more texts and URIs than can be looked at in a reasonable time."""


class Named(NamedTuple):
    """A URI that a row names.

    Attributes:
        uri: The URI as it is written there.
        at: A position in its line, in the bytes that were searched.
    """

    uri: str
    at: int


def uris_in(data: bytes, *, by_number: bool = True) -> Iterator[Named]:
    """Yield the URIs that lines of JSON name; one may come twice, and not all come in their order.

    Args:
        data: The lines.
        by_number: Whether letters may be written by their number, as somebody with something to hide would.

    Raises:
        TooManyError: They have too many places where one may begin.
    """
    odd: dict[int, None] = {}
    if by_number and b"\\" in data:
        found = _BY_NUMBER.search(data)
        while found:
            odd[data.rfind(_LINE_FEED, 0, found.start()) + 1] = None
            found = _BY_NUMBER.search(data, _end_of_line(data, found.start()))
    places = 0
    # The rarest byte of all that a URI has, so that bytes are passed over at the speed of memory.
    slash = data.find(b"/")
    while slash >= 0:
        # Single bytes first: most slashes are none of a URI.
        before = data[slash - 1]
        at = slash - (before == _BACKSLASH) - _SCHEME_BYTES
        if before in _BEFORE_SLASH and at >= 0 and data[at : at + _SCHEME_BYTES] in _SCHEMES:
            named = _named_at(data, at)
            if isinstance(named, str):
                yield Named(named, slash)
            elif named:
                odd[data.rfind(_LINE_FEED, 0, slash) + 1] = None
                slash = _end_of_line(data, slash)
            places += 1
            if places > MOST_PLACES:
                raise TooManyError
        slash = data.find(b"/", slash + 1)
    for start in odd:
        for uri in _in_line(data[start : _end_of_line(data, start)], 0):
            yield Named(uri, start)


def _end_of_line(data: bytes, at: int) -> int:
    end = data.find(_LINE_FEED, at)
    return len(data) if end < 0 else end


def _named_at(data: bytes, at: int) -> str | bool:
    """Return the URI that a text begins with; False if none begins there, True if that is unclear.

    Args:
        data: The lines.
        at: Position of ``gs:`` or ``bq:`` before a slash.
    """
    lead = data[max(0, at - _LEAD_BYTES) : at]
    if not lead.endswith(b'"'):
        return _may_begin_after(lead)
    end = data.find(b'"', at)
    uri = data[at:end]
    if b"\\" in uri:
        uri = uri.replace(b"\\/", b"/")
    if end < 0 or b"\\" in uri or lead.endswith(b'\\"'):
        return True
    is_text = b'"text"' in lead and _AFTER_TEXT.search(lead) is not None
    return not is_text and uri.decode(errors="replace")


def _may_begin_after(lead: bytes) -> bool:
    """Return whether a text may begin with a URI after these bytes, which do not end in a quotation mark."""
    if lead[-1:].isalnum() and b"\\" not in lead[-6:]:
        return False
    # Where no text begins, the bytes before may be more of the same.
    return bool(_LEAD.search(lead)) if b'"' in lead else b"\\" in lead or not _HAS_LETTERS.search(lead)


def _in_line(raw: bytes, depth: int) -> Iterator[str]:
    """Yield the URIs in JSON, text by text."""
    if len(raw) >= _LARGE_BYTES and raw.count(b'"') > 2 * MOST_PLACES:
        raise TooManyError
    name: str | None = None
    at = raw.find(b'"')
    while at >= 0:
        found = _STRING.match(raw, at)
        end = found.end() if found else len(raw)
        text = _decode(raw[at:end])
        colon = _AFTER_NAME.match(raw, end)
        if name != "text" and (uri := _URI.match(text)):
            yield uri[1]
        elif name not in _TEXTS and depth < _DEEPEST and _JSON.match(text):
            yield from _in_line(text.encode(errors="surrogatepass"), depth + 1)
        at = raw.find(b'"', end)
        name = text if colon and at == colon.end() else None


def _decode(literal: bytes) -> str:
    """Return the text of a JSON string; as it is written if it is not valid."""
    text = literal.decode(errors="replace")
    try:
        decoded: str = json.loads(text, strict=False)
    except ValueError:
        return text.strip('"')
    return decoded
