"""Estimate requests to Gemini, ``{"request": GenerateContentRequest}``, and to gemini-embedding.

Members: GenerateContentRequest of the Vertex AI API, discovery revision 20261106. Refusals:
"Batch inference with Gemini" of Google's documentation (roles, explicit caching), and its error messages.
"""

from fractions import Fraction
from math import ceil
from typing import Any

from batch_gateway.core.estimating import media
from batch_gateway.core.estimating.exact import values
from batch_gateway.core.estimating.media import Medium
from batch_gateway.core.estimating.model_limits import Version
from batch_gateway.core.estimating.needs import (
    Needs,
    TargetModel,
    add,
    as_text,
    either,
    number,
    objects,
    refused,
)
from batch_gateway.core.estimating.ranges import NOTHING, Range
from batch_gateway.core.estimating.text import tokens_of

_ROLES = (None, "", "user", "model")
_DECLARATIONS_COUNT: Version = (3, 5)
"""The first version whose function declarations are charged as input (Vertex AI pricing page)."""
_READING_TOOLS = ("urlContext", "codeExecution", "retrieval")
"""Tools whose results are charged as input."""
_SEARCHES = ("googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "googleMaps")

_AROUND = Range(0, 0, 8)
"""Tokens around a prompt's parts. Prompts captured live have none, so this is a margin."""


def generate(request: Any, asked: TargetModel) -> Needs:
    """Estimate the usage of a GenerateContentRequest."""
    configs = values(request, "generationConfig")
    config = either(request, "generationConfig")
    resolution = str(either(config, "mediaResolution") or "")
    contents = objects(either(request, "contents"))
    items = {"input_text": _AROUND}
    for content in (*contents, *objects(either(request, "systemInstruction"))):
        _add_parts(items, content, resolution, asked)
    _add_declarations(items, request, config, asked)
    tools = objects(either(request, "tools"))
    reading = [name for name in _READING_TOOLS if any(either(tool, name) is not None for tool in tools)]
    return Needs(
        input=items,
        limit=_limit(configs),
        answers=max(1, _most(configs, "candidateCount") or 1),
        thinking=_most([each for one in configs for each in values(one, "thinkingConfig")], "thinkingBudget"),
        unbounded=f"the tool {reading[0]} reads input of unknown size" if reading else "",
        searches=any(either(tool, name) is not None for tool in tools for name in _SEARCHES),
        refused=_refusal(request, contents),
    )


def _limit(configs: list[Any]) -> int | None:
    """Return the larger limit if both spellings are present; None if one of them sets none."""
    found = [number(each) for config in configs for each in values(config, "maxOutputTokens") or [None]]
    return max((each for each in found if each), default=None) if all(found) else None


def _most(parents: list[Any], name: str) -> int | None:
    """Return the largest number of a member in either spelling; None if it has none."""
    found = [number(each) for parent in parents for each in values(parent, name)]
    return max((each for each in found if each is not None), default=None)


def embed(request: Any, asked: TargetModel) -> Needs:
    """Estimate the usage of a request to gemini-embedding."""
    contents = objects(either(request, "content"))
    if not contents:
        return refused("request.content is missing")
    items = {"input_text": NOTHING}
    for content in contents:
        _add_parts(items, content, "", asked)
    return Needs(items)


def _refusal(request: Any, contents: list[dict[str, Any]]) -> str:
    if not contents:
        return "request.contents is missing or empty"
    for content in contents:
        if content.get("role") not in _ROLES:
            return f"the role {str(content.get('role'))[:40]!r} is neither user nor model"
        if not objects(content.get("parts")):
            return "request.contents has an entry without parts"
    if either(request, "cachedContent"):
        return "cachedContent (explicit caching) is not supported in batch jobs"
    return ""


def _add_parts(items: dict[str, Range], content: dict[str, Any], resolution: str, asked: TargetModel) -> None:
    for part in objects(content.get("parts")):
        text = part.get("text")
        if isinstance(text, str):
            add(items, "input_text", tokens_of(text))
        for name in ("functionCall", "functionResponse", "executableCode", "codeExecutionResult"):
            if (value := either(part, name)) is not None:
                add(items, "input_text", tokens_of(as_text(value)))
        own = either(either(part, "mediaResolution"), "level") or either(part, "mediaResolution")
        medium = _medium(part, own if isinstance(own, str) else resolution, asked)
        if medium is not None:
            for modality, tokens in media.tokens_of(medium, asked.version).items():
                add(items, f"input_{modality}", tokens)


def _medium(part: dict[str, Any], resolution: str, asked: TargetModel) -> Medium | None:
    inline, file = either(part, "inlineData"), either(part, "fileData")
    if isinstance(inline, dict):
        data = inline.get("data")
        size = len(data) * 3 // 4 if isinstance(data, str) else None
    elif isinstance(file, dict):
        uri = either(file, "fileUri")
        size = asked.size_of(uri) if isinstance(uri, str) else None
    else:
        return None
    mime_type = str(either(inline if isinstance(inline, dict) else file, "mimeType") or "")
    fps, seconds = _playback(either(part, "videoMetadata"))
    return Medium(mime_type, size, resolution, fps, seconds)


def _playback(metadata: Any) -> tuple[Fraction, int | None]:
    """Return frames per second, and the seconds that a videoMetadata selects, None without an end."""
    end = media.seconds_of(either(metadata, "endOffset"))
    start = media.seconds_of(either(metadata, "startOffset")) or Fraction(0)
    return media.fps_of(either(metadata, "fps")), None if end is None else max(0, ceil(end - start))


def _add_declarations(items: dict[str, Range], request: Any, config: Any, asked: TargetModel) -> None:
    """Add function declarations, which are charged from 3.5 on; what may be charged is in the high only."""
    declared = [
        declaration
        for tool in objects(either(request, "tools"))
        for declaration in objects(either(tool, "functionDeclarations"))
    ]
    schema = either(config, "responseSchema") or either(config, "responseJsonSchema")
    if declared:
        tokens = tokens_of(as_text(declared))
        counts = asked.version >= _DECLARATIONS_COUNT
        add(items, "input_text", tokens if counts else Range(0, 0, tokens.high))
    if schema is not None:
        add(items, "input_text", Range(0, 0, tokens_of(as_text(schema)).high))
