"""Find the ``gs://`` and ``bq://`` URIs that rows name.

Vertex AI's own agent reads the files that rows name (``fileData.fileUri``, ``gcsUri``, ``image_url`` …), and
may read more than a caller may. Which members name files depends on the model. So every text in a row counts
that begins with such a URI, under whatever name and at whatever depth, and names do, too. Only the member
``text``, which holds what the model is to read, is left out.

Lines are searched as bytes: all but the places where a URI may begin is skipped without decoding. Lines of
an unusual form are read text by text, without a parser, which would keep one of two equal names only.
"""

import json
import re
from collections.abc import Iterator

_SCHEMES = frozenset({b"gs:", b"Gs:", b"gS:", b"GS:", b"bq:", b"Bq:", b"bQ:", b"BQ:"})
_SCHEME_BYTES = len(b"gs:")
_SCHEME = rb"(?:[gG][sS]|[bB][qQ]):"
PLACE = rb"/(?<=[:\\]/)(?:(?<=%b/)|(?<=%b\\/)|(?<=\\\\/))" % (_SCHEME, _SCHEME)
"""Pattern for the first slash of what may be a URI: plain, escaped, or escaped in a text that is JSON itself.

It begins with the rarest byte of all that a URI has, and then with what most slashes fail.
"""
_PLACE = re.compile(PLACE)
BY_NUMBER = re.compile(rb"\\(?=u00(?:[46]7|[57]3|[46]2|[57]1|3[aA]|2[fF]))")
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
_BACKSLASH = b"\\"

MOST_PLACES = 100_000
"""Most places of a line, and texts of an unusual one, that are looked at. Prompts have 3,000 files."""
_LARGE_BYTES = 1024 * 1024
"""Size from which a line can have more."""


class TooManyError(ValueError):
    """A line has more texts and URIs than can be looked at in a reasonable time."""


def uris_in(line: bytes, *, by_number: bool = True) -> Iterator[str]:
    """Yield the URIs that a line of JSON names, as they are written; one may come twice.

    Args:
        line: The line.
        by_number: Whether letters may be written by their number, as somebody with something to hide would.

    Raises:
        TooManyError: It has too many places where one may begin.
    """
    is_odd = by_number and BY_NUMBER.search(line) is not None
    for places, place in enumerate(_PLACE.finditer(line)):
        if is_odd:
            break
        if places == MOST_PLACES:
            raise TooManyError
        named = _named_before(line, place.start())
        if isinstance(named, str):
            yield named
        else:
            is_odd = named
    if is_odd:
        yield from _in_line(line, 0)


def _named_before(line: bytes, slash: int) -> str | bool:
    """Return the URI whose first slash this is, as ``_named_at`` does."""
    escapes = 0
    while line[slash - escapes - 1 : slash - escapes] == _BACKSLASH:
        escapes += 1
    at = slash - escapes - _SCHEME_BYTES
    if at < 0 or line[at : slash - escapes] not in _SCHEMES:
        return False
    # More than one escape each: JSON in a text.
    return escapes > 1 or _named_at(line, at)


def _named_at(line: bytes, at: int) -> str | bool:
    """Return the URI that a text begins with; False if none begins there, True if that is unclear.

    Args:
        line: The line.
        at: Position of ``gs:`` or ``bq:`` before a slash.
    """
    lead = line[max(0, at - _LEAD_BYTES) : at]
    if not lead.endswith(b'"'):
        return _may_begin_after(lead)
    end = line.find(b'"', at)
    uri = line[at:end]
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
