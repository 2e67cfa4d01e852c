"""Made-up but repeatable token counts and replies: about four characters to a token."""

import hashlib
from collections.abc import Iterator
from typing import Any

_WORDS = "the batch was read and each row has its own short answer here so all of them can be counted".split()  # noqa: SIM905
_FILE_TOKENS = 258  # what Gemini counts for a small image
_MODALITIES = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO", "application": "DOCUMENT"}
_LONGEST_REPLY = 2_000  # tokens that are spelled out; a reply said to be longer is cut here


def _parts(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of a request's contents and system instruction, in either spelling and nesting."""
    contents: list[Any] = []
    for name in ("content", "contents", "systemInstruction", "system_instruction"):
        value = request.get(name)
        contents += value if isinstance(value, list) else [value]
    for content in contents:
        parts = content.get("parts") if isinstance(content, dict) else None
        yield from (
            part for part in (parts if isinstance(parts, list) else [parts]) if isinstance(part, dict)
        )


def prompt_text(request: dict[str, Any]) -> str:
    """Return all text of a request."""
    return "".join(part["text"] for part in _parts(request) if isinstance(part.get("text"), str))


def count(text: str) -> int:
    """Return the tokens of a text: one for each four characters or less, at least one."""
    return max(1, (len(text) + 3) // 4)


def prompt_tokens(request: dict[str, Any]) -> dict[str, int]:
    """Return a request's tokens by modality; each file counts as a small image does."""
    result = {"TEXT": count(prompt_text(request))}
    for part in _parts(request):
        for name in ("inlineData", "inline_data", "fileData", "file_data"):
            data = part.get(name)
            if isinstance(data, dict):
                mime = str(data.get("mimeType") or data.get("mime_type") or "")
                modality = _MODALITIES.get(mime.split("/", 1)[0], "TEXT")
                result[modality] = result.get(modality, 0) + _FILE_TOKENS
    return result


def reply_tokens(text: str) -> int:
    """Return how long the reply to a text would be: 8 to 47 tokens."""
    return 8 + hashlib.sha256(text.encode()).digest()[0] % 40


def reply(tokens: int) -> str:
    """Return a text of about that many tokens."""
    wanted = 4 * min(tokens, _LONGEST_REPLY)
    text = " ".join(_WORDS)
    return (f"{text} " * (wanted // len(text) + 1))[:wanted].rstrip()


def output_limit(request: dict[str, Any]) -> int | None:
    """Return the request's limit on output tokens, in either spelling, or None."""
    config = request.get("generationConfig") or request.get("generation_config")
    if not isinstance(config, dict):
        return None
    limit = config.get("maxOutputTokens") or config.get("max_output_tokens")
    return int(limit) if isinstance(limit, int | str) and str(limit).isdigit() else None
