"""Make up repeatable token counts and replies, with about four characters to a token."""

import hashlib
from typing import Any

_TEXT = "the batch was read and each row has its own short answer here so all of them can be counted "
_FILE_TOKENS = 258  # Gemini's count for a small image
_MODALITIES = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO", "application": "DOCUMENT"}
_FILES = {"inlineData", "inline_data", "fileData", "file_data"}
_LONGEST_REPLY = 2_000  # most tokens of a reply's text, whatever its count says


def parts(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of a request's contents and system instruction, in either spelling and nesting."""
    found: list[dict[str, Any]] = []
    for name in ("content", "contents", "systemInstruction", "system_instruction"):
        value = request.get(name)
        for content in value if isinstance(value, list) else (value,):
            listed = content.get("parts") if isinstance(content, dict) else None
            found += [
                part for part in (listed if isinstance(listed, list) else [listed]) if isinstance(part, dict)
            ]
    return found


def text_of(listed: list[dict[str, Any]]) -> str:
    """Return all text of the parts of a request."""
    return "".join([part["text"] for part in listed if isinstance(part.get("text"), str)])


def message_text(request: dict[str, Any]) -> str:
    """Return all text of a request in Anthropic's or OpenAI's form: `system`, and messages' contents."""
    messages = request.get("messages")
    listed = (
        [message for message in messages if isinstance(message, dict)] if isinstance(messages, list) else []
    )
    contents = [request.get("system"), *(message.get("content") for message in listed)]
    found = []
    for content in contents:
        blocks = content if isinstance(content, list) else [content]
        found += [block.get("text") if isinstance(block, dict) else block for block in blocks]
    return "".join(text for text in found if isinstance(text, str))


def count(text: str) -> int:
    """Return the tokens of a text: one for each four characters or less, at least one."""
    return max(1, (len(text) + 3) // 4)


def prompt_tokens(listed: list[dict[str, Any]], text: str) -> dict[str, int]:
    """Return a request's tokens by modality; each file counts as a small image does.

    Args:
        listed: The request's parts.
        text: Their text.
    """
    result = {"TEXT": count(text)}
    for part in listed:
        for name in _FILES & part.keys():
            data = part[name]
            if isinstance(data, dict):
                mime = str(data.get("mimeType") or data.get("mime_type") or "")
                modality = _MODALITIES.get(mime.split("/", 1)[0], "TEXT")
                result[modality] = result.get(modality, 0) + _FILE_TOKENS
    return result


def reply_tokens(text: str) -> int:
    """Return the length of the reply to a text: 8 to 47 tokens."""
    return 8 + hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % 40


def reply(tokens: int) -> str:
    """Return a text of about that many tokens."""
    wanted = 4 * min(tokens, _LONGEST_REPLY)
    return (_TEXT * (wanted // len(_TEXT) + 1))[:wanted].rstrip()


def output_limit(request: dict[str, Any]) -> int | None:
    """Return the request's limit on output tokens, in either spelling, or None."""
    config = request.get("generationConfig") or request.get("generation_config")
    if not isinstance(config, dict):
        return None
    limit = config.get("maxOutputTokens") or config.get("max_output_tokens")
    return int(limit) if isinstance(limit, int | str) and str(limit).isdigit() else None
