"""Count the searches of Gemini rows by kind of grounding, since each kind has its own fee.

Members: GroundingMetadata and Tool of the Vertex AI API. Google Search and web grounding for enterprise
report in the same way (``webSearchQueries``, chunks of ``web``): only the request's tools, which a row
echoes, distinguish them. Grounding with Google Maps shows in chunks of ``maps``; where it reports its queries
is not documented, so all of a row's queries may belong to it. No count here is less than what may be charged.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from batch_gateway.core.json_io import UNREADABLE
from batch_gateway.core.usage import (
    ENTERPRISE_WEB_SEARCH,
    MAPS_GROUNDING,
    RETRIEVAL,
    UNKNOWN_GROUNDING,
    WEB_SEARCH,
)

_KINDS = {
    "googlesearch": WEB_SEARCH,
    "googlesearchretrieval": WEB_SEARCH,
    "enterprisewebsearch": ENTERPRISE_WEB_SEARCH,
    "googlemaps": MAPS_GROUNDING,
}
"""Kinds by the tool's name without case and underscores: importers may spell a request's keys differently."""


class Grounding(msgspec.Struct, rename="camel", gc=False):
    """The grounding metadata of an answer."""

    web_search_queries: list[Any] | None = None
    image_search_queries: Any = None
    retrieval_queries: Any = None
    grounding_chunks: Any = None
    google_maps_widget_context_token: Any = None


class _Request(msgspec.Struct):
    tools: list[dict[str, Any] | None] | None = None


class _Row(msgspec.Struct):
    request: _Request | None = None


_decode = msgspec.json.Decoder(_Row).decode


def searches_of(groundings: Sequence[Grounding], line: bytes) -> dict[str, int]:
    """Count a row's searches by kind of grounding.

    Args:
        groundings: Grounding metadata of its answers.
        line: The row.

    Returns:
        Searches by kind of grounding (``core.usage``), without zeros.
    """
    chunks = {
        name
        for grounding in groundings
        for chunk in _list(grounding.grounding_chunks)
        if isinstance(chunk, dict)
        for name, value in chunk.items()
        if value is not None
    }
    searched = sum(len(g.web_search_queries or ()) + len(_list(g.image_search_queries)) for g in groundings)
    retrieved = sum(len(_list(g.retrieval_queries)) for g in groundings)
    in_maps = "maps" in chunks or any(g.google_maps_widget_context_token for g in groundings)
    in_web = bool(chunks & {"web", "image"})
    searched = max(searched, in_web)
    if not (searched or retrieved or in_maps):
        return {}
    asked = _asked(line)
    web = asked - {MAPS_GROUNDING}
    searches: dict[str, int] = {}
    if in_maps or (MAPS_GROUNDING in asked and (retrieved or not web)):
        searches[MAPS_GROUNDING] = max(searched + retrieved, 1)
    elif retrieved:
        searches[RETRIEVAL] = retrieved
    # Queries that seem to be of Google Maps are not counted for the web too.
    if searched and (web or in_web or MAPS_GROUNDING not in searches):
        searches[next(iter(web)) if len(web) == 1 else UNKNOWN_GROUNDING] = searched
    return searches


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _asked(line: bytes) -> set[str]:
    """Return the kinds of grounding that a row's request asked for; empty if it does not say."""
    try:
        request = _decode(line).request
    except UNREADABLE:
        return set()
    tools = (request and request.tools) or ()
    names = {name for tool in tools if tool for name, value in tool.items() if value is not None}
    return {kind for name in names if (kind := _KINDS.get(name.replace("_", "").lower()))}
