"""Read a row's own options: `"emulate": {...}`, beside `request`, `body` or `content`.

Vertex AI echoes such unknown siblings, and so the answer carries it too. Tokens:

- `prompt_tokens`, `output_tokens`: instead of the counts by length; a given output isn't cut by the limit
- `cached`: tokens read from a cache. Gemini and open models: part of the prompt's; Claude: on top of them
- `thoughts`: Gemini: on top of the output; Claude and open models: within the output, raising it
- `audio`, `image`: Gemini's prompt tokens of that modality; within `prompt_tokens` if given, else on top
- `tool_use`, `output_image`: Gemini's tokens of that kind
- `cache_creation`, `cache_creation_1h`: Claude's tokens written to a cache, for five minutes and an hour

How the row ends:

- `hold`: true; it comes last, and the clock stops before it, so that the job runs until it is ended by hand
- `fail`: true or a message; the row fails and has no usage
- `fail_first`: true; the row fails unless it comes from the output of an earlier job
- `truncated`: true; cut off by the limit (MAX_TOKENS, `max_tokens`, `length`)
- `blocked`: true; Gemini: prompt feedback instead of candidates; Claude: `refusal`; open: `content_filter`
- `finish_reason`: what the row names as its end, whatever it is, e.g. SAFETY or `tool_use`
- `web_search`: true, or a number of queries; a Gemini candidate grounded by Google Search

How the line looks:

- `no_usage`: true; no usage at all; `no_details`: true; usage as in Gemini rows of 2024
- `model_version`: what the row names as its model
- `in_body`: true; Claude's or an open model's answer stands in `response.body`, as in OpenAI's batches
- `status_object`: true; a failed Claude row's `status` is an object with `code` and `message`
- `docs_shape`: true; a gemini-embedding row as documented, not as seen live
- `malformed`: true; the line breaks off in the middle (in objects; a table can't hold half a row)
- `pad_bytes`: that much base64 in a Gemini reply, as image output has

Rows ignore options that do not apply to their family of models; an unknown one fails the job.
"""

from typing import Any

from .tokens import reply_tokens

_OPTIONS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("audio", "cached", "image", "output_image", "output_tokens"), (int,)),
    **dict.fromkeys(("cache_creation", "cache_creation_1h"), (int,)),
    **dict.fromkeys(("pad_bytes", "prompt_tokens", "thoughts", "tool_use"), (int,)),
    **dict.fromkeys(("blocked", "docs_shape", "in_body", "malformed", "no_details"), (bool,)),
    **dict.fromkeys(("fail_first", "hold", "no_usage", "status_object", "truncated"), (bool,)),
    **dict.fromkeys(("finish_reason", "model_version"), (str,)),
    "fail": (bool, str),
    "web_search": (bool, int),
}
_NONE: dict[str, Any] = {}


def options(row: Any) -> dict[str, Any]:
    """Return the options of a row."""
    wishes = row.get("emulate") if isinstance(row, dict) else None
    return wishes if isinstance(wishes, dict) else _NONE


def check(row: Any) -> None:
    """Refuse options that cannot be met, so that typing errors in tests are noticed.

    Raises:
        ValueError: If `emulate` is not an object, or has an unknown key or a value of another type.
    """
    wishes = row.get("emulate", _NONE) if isinstance(row, dict) else _NONE
    if not isinstance(wishes, dict):
        raise ValueError("emulate must be an object")  # noqa: TRY004 - a value in the input, not a type in the code
    for name, value in wishes.items():
        if type(value) not in _OPTIONS.get(name, ()):
            raise ValueError(f"emulate has no {name}: {value!r}")


def output_tokens(wishes: dict[str, Any], prompt: str, limit: int | None) -> tuple[int, bool]:
    """Return the length of a row's answer, and whether it was cut off.

    Args:
        wishes: The row's `emulate`.
        prompt: The text of its request.
        limit: The request's limit on output tokens.
    """
    wanted = int(wishes["output_tokens"]) if "output_tokens" in wishes else reply_tokens(prompt)
    cut = "output_tokens" not in wishes and limit is not None and limit < wanted
    return (limit if cut and limit is not None else wanted), cut or bool(wishes.get("truncated"))
