"""Estimate requests in the forms of Anthropic and OpenAI, and of text embeddings.

- Claude: ``{"custom_id", "request": {"messages", "system", "tools", "max_tokens"}}``; "Batch predictions
  with Claude" of Google's documentation.
- Open models: ``{"custom_id", "body": {"messages", "max_tokens"}}`` or ``{"body": {"input"}}``; "Batch
  predictions for open models". Other columns are ignored there.
- text-embedding: ``{"content"}``; "Batch text embeddings".

Google does not publish how many tokens an image has for them, so its high is unknown.
"""

from collections.abc import Iterator
from typing import Any

from batch_gateway.core.estimating.needs import Needs, TargetModel, as_text, number, objects, refused
from batch_gateway.core.estimating.ranges import NOTHING, Range, exactly
from batch_gateway.core.estimating.text import characters_of, tokens_of

_A_MESSAGE = Range(0, 3, 8)
"""Tokens around each message: a guess."""
_A_FILE = Range(100, 1600, 1600)
"""Anthropic's documentation gives about 1,600 tokens for the largest image that is not scaled down."""


def claude(request: dict[str, Any]) -> Needs:
    """Estimate the usage of a request to Claude."""
    if not objects(request.get("messages")):
        return refused("request.messages is missing or empty")
    limit = number(request.get("max_tokens")) or None
    tools = objects(request.get("tools"))
    return _chat(request, limit, 1)._replace(
        refused="" if limit else "request.max_tokens is missing",
        searches=any(str(tool.get("type")).startswith("web_search") for tool in tools),
    )


def open_chat(body: dict[str, Any]) -> Needs:
    """Estimate the usage of a request to an open model."""
    if not objects(body.get("messages")):
        return refused("body.messages is missing or empty")
    limit = number(body.get("max_completion_tokens")) or number(body.get("max_tokens")) or None
    return _chat(body, limit, max(1, number(body.get("n")) or 1))


def open_embedding(body: dict[str, Any]) -> Needs:
    """Estimate the usage of a request to an open embedding model."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        return refused("body.input is missing, or is neither a text nor a list of texts")
    total = NOTHING
    for text in texts:
        total = total.plus(tokens_of(text))
    return Needs({"input_text": total})


def text_embedding(row: dict[str, Any], asked: TargetModel) -> Needs:
    """Estimate the usage of a row of a text-embedding model."""
    content = row.get("content")
    if not isinstance(content, str):
        return refused("content is missing or not a text")
    units = exactly(characters_of(content)) if asked.by_character else tokens_of(content)
    return Needs({"input_text": units})


def _chat(request: dict[str, Any], limit: int | None, answers: int) -> Needs:
    tokens, files = NOTHING, 0
    for part in _parts(request):
        if isinstance(part, str):
            tokens = tokens.plus(tokens_of(part))
        else:
            files += 1
            tokens = tokens.plus(_A_FILE)
    tokens = tokens.plus(_A_MESSAGE.times(len(objects(request.get("messages"))) + 1))
    if tools := request.get("tools"):
        tokens = tokens.plus(tokens_of(as_text(tools)))
    unknown = "how many tokens a file has for this model is not published" if files else ""
    return Needs({"input_text": tokens}, limit, answers, unbounded=unknown)


def _parts(request: dict[str, Any]) -> Iterator[str | dict[str, Any]]:
    """Yield texts, and blocks that are not text: images and documents."""
    for content in (request.get("system"), *(each.get("content") for each in objects(request["messages"]))):
        for block in content if isinstance(content, list) else [content]:
            if isinstance(block, str):
                yield block
            elif isinstance(block, dict):
                if isinstance(block.get("text"), str):
                    yield block["text"]
                elif block.get("type") in {"tool_use", "tool_result"}:
                    yield as_text(block)
                else:
                    yield block
