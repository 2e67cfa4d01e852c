"""Compute the most that one row may use, by the form of its request.

Text counts as one token per byte of the line, since a tokenizer that falls back to bytes makes no more of it.
The bytes include the names and marks of the JSON, which covers the tokens around prompts.
"""

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Any, NamedTuple

from batch_gateway.core.estimating import media
from batch_gateway.core.estimating.exact import UnboundedError, integer, largest, objects_with, values
from batch_gateway.core.estimating.model_limits import Version
from batch_gateway.core.estimating.needs import SizeOf, objects, snake_case

_FREE_TOOLS = frozenset(
    {"functionDeclarations", "googleSearch", "googleSearchRetrieval", "enterpriseWebSearch", "googleMaps"}
)
_FREE_TOOLS |= {snake_case(name) for name in _FREE_TOOLS}
"""Tools whose results are not charged as input: functions are in the row, and fees are in no amount."""
_FILES = frozenset({"inlineData", "inline_data", "fileData", "file_data"})
_CACHES = frozenset({"cache_control"})
_TEXTS = frozenset(
    {"text", "tool_use", "tool_result", "thinking", "redacted_thinking", "function", "refusal"}
)
"""Types of blocks in messages that use no more than their text in the row."""
_OF_ANY_FORM = frozenset({"input", "cache_control"})
"""Members of blocks that may have any form: the input of a tool, and how long a block is cached."""
_AROUND_CHAT = 256
"""Tokens that templates of open models add to a conversation: a generous guess."""
_AROUND_TOOLS = 1000
"""Tokens that Claude adds to a prompt with tools: 600 at most by Anthropic's documentation."""
_IMAGE, _LARGE_IMAGE = 1290, 2000
"""Tokens of a generated image, and of one in 4K (Vertex AI pricing page)."""


class Model(NamedTuple):
    """The limits of a Gemini model.

    Attributes:
        version: Version of the model.
        makes_images: Whether it answers with images unless told not to.
        prompt_limit: Tokens of the longest prompt.
        output_limit: Tokens of its longest answer; None if unknown.
        size_of: Look-up of the sizes of files that rows name.
    """

    version: Version
    makes_images: bool
    prompt_limit: int
    output_limit: int | None
    size_of: SizeOf


class Most(NamedTuple):
    """The most that a row may use.

    Attributes:
        input: Units by item.
        limit: Most tokens of an answer; None if the row sets no limit.
        answers: Number of answers that it asks for.
        item: The most expensive item that an answer may be priced as.
    """

    input: dict[str, int]
    limit: int | None = None
    answers: int = 1
    item: str = "output_text"


def of_gemini(line: bytes, row: dict[str, Any], model: Model) -> Most:
    """Return the most that a request to Gemini may use.

    Raises:
        UnboundedError: Its usage has no bound.
    """
    requests = values(row, "request")
    configs = [each for request in requests for each in values(request, "generationConfig") or [None]]
    _refuse_what_reads(requests)
    if any(values(config, name) for config in configs for name in ("routingConfig", "modelConfig")):
        raise UnboundedError("it lets Vertex AI choose a model")
    limit = largest(configs, "maxOutputTokens")
    image, item = _answer(configs, model)
    if limit is not None:
        # By Google's documentation the limit includes thoughts; to be safe, the row's budget is added.
        thinking = [each for config in configs for each in values(config, "thinkingConfig")]
        more = limit + max(_integers(thinking, "thinkingBudget"), default=0)
        limit = max(limit, image, min(more, model.output_limit or more))
    answers = max([1, *_integers(configs, "candidateCount")])
    return Most(_with_files(line, row, requests, configs, model), limit, answers, item)


def _integers(parents: Iterable[Any], name: str) -> list[int]:
    return [integer(each, name) for parent in parents for each in values(parent, name)]


def _refuse_what_reads(requests: list[Any]) -> None:
    for request in requests:
        if any(values(request, "cachedContent")):
            raise UnboundedError("the size of its cachedContent is unknown")
        for tool in (tool for each in values(request, "tools") for tool in objects(each)):
            if reading := [
                name for name, value in tool.items() if value is not None and name not in _FREE_TOOLS
            ]:
                raise UnboundedError(f"its tool {reading[0][:40]!r} reads input of unknown size")


def _answer(configs: list[Any], model: Model) -> tuple[int, str]:
    """Return tokens of the largest requested image, 0 if none, and the most expensive item of the answer."""
    asked = [values(config, "responseModalities") for config in configs]
    named = {
        str(each).upper()
        for found in asked
        for value in found
        for each in (value if isinstance(value, list) else [value])
    }
    text_only = bool(asked) and all(asked) and named == {"TEXT"}
    if "IMAGE" in named or (model.makes_images and not text_only):
        images = [image for config in configs for image in values(config, "imageConfig")]
        sizes = {str(size).upper() for image in images for size in values(image, "imageSize")}
        return (_LARGE_IMAGE if "4K" in sizes else _IMAGE), "output_image"
    return 0, "output_audio" if "AUDIO" in named else "output_text"


def _with_files(
    line: bytes, row: dict[str, Any], requests: list[Any], configs: list[Any], model: Model
) -> dict[str, int]:
    """Return units of input by item: of the files that a row contains or names, and of the rest as text."""
    units: Counter[str] = Counter(input_text=len(line))
    if b"Data" not in line and b"_data" not in line and b"\\u" not in line:
        return {"input_text": min(units["input_text"], model.prompt_limit)}
    wanted = {str(each) for config in configs for each in values(config, "mediaResolution")}
    parts = {id(part) for request in requests for part in _parts(request)}
    for part in objects_with(row, _FILES):
        inline = [(one, data) for one in values(part, "inlineData") for data in values(one, "data")]
        if id(part) in parts:
            # In other places, such as the arguments of a function, it counts as text.
            units["input_text"] -= sum(len(data) for _, data in inline if isinstance(data, str))
        files = [(one, len(data) * 3 // 4 if isinstance(data, str) else None) for one, data in inline]
        for one in values(part, "fileData"):
            files += [(one, model.size_of(str(uri))) for uri in values(one, "fileUri")]
        for modality, tokens in _highest(part, files, wanted, model).items():
            units[f"input_{modality}"] += tokens
    return {item: min(number, model.prompt_limit) for item, number in units.items()}


def _parts(request: Any) -> list[dict[str, Any]]:
    """Return the parts of a prompt, from the places where Google's API has them."""
    return [
        part
        for name in ("contents", "systemInstruction", "content")
        for contents in values(request, name)
        for content in objects(contents)
        for parts in values(content, "parts")
        for part in objects(parts)
    ]


def _highest(
    part: dict[str, Any], files: list[tuple[Any, int | None]], wanted: set[str], model: Model
) -> dict[str, int]:
    """Return the most tokens of a part's files by modality, over all readings of the part."""
    resolutions = wanted | {
        str(each)
        for value in values(part, "mediaResolution")
        for each in (values(value, "level") if isinstance(value, dict) else [value])
    }
    metadata = values(part, "videoMetadata")
    fps = max([Fraction(1), *(media.fps_of(each) for one in metadata for each in values(one, "fps"))])
    seconds = _seconds(metadata)
    most: Counter[str] = Counter()
    for file, size in files:
        found: Counter[str] = Counter()
        for mime_type in values(file, "mimeType") or [""]:
            for resolution in resolutions or {""}:
                medium = media.Medium(str(mime_type), size, resolution, fps, seconds)
                for modality, tokens in media.tokens_of(medium, model.version).items():
                    endless = size is None and seconds is None and modality in {"video", "audio"}
                    high = model.prompt_limit if endless else tokens.high
                    found[modality] = max(found[modality], high)
        most += found
    return most


def _seconds(metadata: list[Any]) -> int | None:
    """Return the most seconds of a file that may be played; None for all of it."""
    longest = 0
    for one in metadata or [None]:
        ends = [media.seconds_of(each) for each in values(one, "endOffset")]
        starts = [media.seconds_of(each) or Fraction(0) for each in values(one, "startOffset")]
        if not ends or None in ends:
            return None
        longest = max(
            longest, ceil(max(each for each in ends if each is not None) - min(starts, default=Fraction(0)))
        )
    return longest


def of_claude(line: bytes, row: dict[str, Any]) -> Most:
    """Return the most that a request to Claude may use: all of it cached if any part is.

    Raises:
        UnboundedError: Its usage has no bound.
    """
    requests = values(row, "request")
    units = len(line) + _around(requests, _AROUND_TOOLS, 0)
    item = "input_text"
    if caches := [
        each for one in objects_with(row, _CACHES) for each in values(one, "cache_control") if each
    ]:
        long = any(ttl == "1h" for each in caches for ttl in values(each, "ttl"))
        item = "cache_creation_1h_input_text" if long else "cache_creation_input_text"
    return Most({item: units}, largest(requests, "max_tokens"))


def of_chat(line: bytes, row: dict[str, Any]) -> Most:
    """Return the most that a request to an open model may use.

    Raises:
        UnboundedError: Its usage has no bound.
    """
    requests = values(row, "body")
    units = len(line) + _around(requests, _AROUND_CHAT, _AROUND_CHAT)
    # Both names set the limit; it is not documented which one takes precedence.
    limits = [
        max([0, *_integers([each], "max_completion_tokens"), *_integers([each], "max_tokens")])
        for each in requests
    ]
    limit = max(limits) if limits and all(limits) else None
    answers = max([1, *_integers(requests, "n")])
    return Most({"input_text": units}, limit, answers)


def _around(requests: list[Any], with_tools: int, without: int) -> int:
    """Return the tokens that are added to a conversation.

    Raises:
        UnboundedError: It has files, or tools that read further input.
    """
    tools = [tool for request in requests for each in values(request, "tools") for tool in objects(each)]
    kinds = {str(kind) for tool in tools for kind in values(tool, "type")}
    if not kinds <= {"custom", "function"} or any(
        any(values(request, "mcp_servers")) for request in requests
    ):
        raise UnboundedError("its tools read input of unknown size")
    contents = [
        each for request in requests for name in ("system", "messages") for each in values(request, name)
    ]
    if not all(map(_is_text, contents)):
        raise UnboundedError("how many tokens a file has for this model is not published")
    return with_tools if tools else without


def _is_text(value: Any) -> bool:
    """Return True if messages contain only text: no image, document or the like."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if any(str(kind) not in _TEXTS for kind in values(node, "type")):
                return False
            stack += [
                member
                for name, member in node.items()
                if name not in _OF_ANY_FORM and isinstance(member, dict | list)
            ]
        elif isinstance(node, list):
            stack += [member for member in node if isinstance(member, dict | list)]
    return True
