"""Classify why a row is useless: it failed, was blocked or was cut off.

Reasons come from a fixed vocabulary, so that records do not grow with the texts of rows; anything else is
``OTHER``. Finish and block reasons of Gemini: Candidate.finishReason and
PromptFeedback.blockReason of the Vertex AI API, discovery revision 20261106, and those of google-genai
3.4.0 beyond it. Stop reasons of Claude: Messages API of Anthropic. Finish reasons of open models:
Chat Completions API of OpenAI. Status names and their numbers: google/rpc/code.proto.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

FAILED, BLOCKED, TRUNCATED = "failed", "blocked", "truncated"
"""Kinds of waste."""

_OTHER = "OTHER"
_UNKNOWN = "UNKNOWN"

_GOOD = {
    *("STOP", "FINISH_REASON_UNSPECIFIED", ""),
    *("end_turn", "stop_sequence", "tool_use", "pause_turn"),
    *("stop", "tool_calls", "function_call"),
}
_TRUNCATED = {"MAX_TOKENS", "max_tokens", "model_context_window_exceeded", "length"}
_BLOCKED = {
    *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"),
    *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"),
    *("MISSING_THOUGHT_SIGNATURE", "JAILBREAK", "BLOCKED_REASON_UNSPECIFIED"),
    *("refusal", "content_filter"),
}

_STATUSES = (
    *(None, "CANCELLED", None, "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE"),
    *("UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""Status names by number."""
_STATUS_OF_HTTP = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Status names by HTTP status; the most common of those that share 400 or 500."""
_SUCCESSES = {
    *("ok", "200 ok", "success", "succeeded", "successful", "complete", "completed", "done", "finished"),
    *("job_state_succeeded", "none", "null"),
}
"""Statuses that are not errors, in lower case."""
_NOTHING: tuple[Any, ...] = (None, "", {}, [])
_NAMES = "|".join(filter(None, _STATUSES))
# A JSON member in the text takes precedence over a mere mention.
_STATUS_MEMBER = re.compile(rf'\\?"status\\?"\s*:\s*\\?"({_NAMES})\b')
_STATUS_MENTION = re.compile(rf"\b({_NAMES})\b")
_CODE_MEMBER = re.compile(r'\\?"code\\?"\s*:\s*\\?"?(\d{1,3})\b|^\s*(\d{1,3})\s*$', re.ASCII)
# Which words Vertex AI uses for a row that a job did not get to is not documented.
_NOT_RUN = re.compile(
    r"\b(cancell?ed|not (been )?(processed|run|executed|attempted|started))\b", re.IGNORECASE
)
_LONGEST_STATUS = 4096
"""Most characters of a status text that are searched."""


def is_error(said: Any) -> bool | None:
    """Return True if a row's status or error is an error; None if that is unclear.

    Codes of success are 0 (google/rpc/code.proto) and 200 to 299 (HTTP). Any text but a word of success is
    an error, as are Vertex AI's statuses ("Failed to parse JSON into proto").
    """
    if isinstance(said, str):
        text = said.strip().casefold()
        if text.isascii() and text.isdigit():
            return is_error(float(text))
        return bool(text) and text not in _SUCCESSES
    if isinstance(said, dict):
        for keys in (("code", "status", "error"), ("type", "state"), ("message",)):
            if parts := {is_error(said[key]) for key in keys if said.get(key) not in _NOTHING}:
                return True if True in parts else None if None in parts else False
        said = any(said.values())
    if said and isinstance(said, int | float) and said is not True:
        return not HTTPStatus.OK <= said < HTTPStatus.MULTIPLE_CHOICES
    return None if said else False


def failure(*causes: Any) -> tuple[str, str]:
    """Return (kind, status name) of a failed row.

    Args:
        causes: The row's descriptions of its error: texts, numbers, or objects such as google.rpc.Status;
            the first that yields a name decides.
    """
    for cause in causes:
        if (name := _status_name(cause)) is not None:
            return FAILED, name
    return FAILED, _UNKNOWN


def prompt_waste(block_reason: Any) -> tuple[str, str]:
    """Return (kind, reason) of a prompt that was refused."""
    return BLOCKED, block_reason if _is_in(block_reason, _BLOCKED) else _OTHER


def answer_waste(finish_reasons: Sequence[Any]) -> tuple[str, str] | None:
    """Return (kind, reason) of the first answer if all are useless; None if one is usable or none exists."""
    wasted = [reason for reason in finish_reasons if reason is not None and not _is_in(reason, _GOOD)]
    if not wasted or len(wasted) < len(finish_reasons):
        return None
    if _is_in(wasted[0], _TRUNCATED):
        return TRUNCATED, wasted[0]
    return prompt_waste(wasted[0])


def _is_in(value: Any, vocabulary: set[str]) -> bool:
    return isinstance(value, str) and value in vocabulary


def _status_name(cause: Any) -> str | None:
    if isinstance(cause, dict):
        found = (_status_name(cause.get(key)) for key in ("status", "code", "error", "type", "message"))
        return next(filter(None, found), None)
    if isinstance(cause, int) and not isinstance(cause, bool):
        return _STATUSES[cause] if 0 <= cause < len(_STATUSES) else _STATUS_OF_HTTP.get(cause)
    if not isinstance(cause, str):
        return None
    text = cause[:_LONGEST_STATUS]
    if match := _STATUS_MEMBER.search(text) or _STATUS_MENTION.search(text):
        return match[1]
    if match := _CODE_MEMBER.search(text):
        return _status_name(int(match[1] or match[2]))
    return "CANCELLED" if _NOT_RUN.search(text) else None
