"""Find answers of rows that are not where they are documented.

No such row was captured live. They are read if their meaning is beyond doubt, which is the case if they
report usage by the names of a known API:

- ``{"custom_id", "result": {"type": "succeeded", "message": {"model", "usage"}}}``: Message Batches API of
  Anthropic; results of type ``errored``, ``canceled`` and ``expired`` failed.
- ``{"usageMetadata"}`` or ``{"embedding", "tokenCount"}``: a response of Gemini at the root of the row.
- ``{"model", "content" or "choices", "usage"}``: one of Claude or an open model at the root.
- ``{"status_code", "body": {"usage"}}``: one of OpenAI's Batch API. A ``body`` may be the request's as well.
"""

import msgspec

from batch_gateway.core.json_io import is_given, is_object
from batch_gateway.core.rows.measured import UnrecognizedError


class _Root(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw()
    usageMetadata: msgspec.Raw = msgspec.Raw()  # noqa: N815 - Google's name
    tokenCount: msgspec.Raw = msgspec.Raw()  # noqa: N815 - same
    embedding: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    model: msgspec.Raw = msgspec.Raw()
    choices: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()
    body: msgspec.Raw = msgspec.Raw()
    status_code: msgspec.Raw = msgspec.Raw()


_decode_root = msgspec.json.Decoder(_Root).decode


def restate(line: bytes) -> bytes | None:
    """Rewrite a row so that its ``response`` is the answer that is found elsewhere in it.

    Returns:
        None if nothing in it can be an answer or an error.

    Raises:
        UnrecognizedError: There are answers in two places.
    """
    root = _decode_root(line)
    in_result = is_object(root.result)
    of_gemini = is_given(root.usageMetadata) or (is_given(root.embedding) and is_given(root.tokenCount))
    of_message = is_object(root.usage) and any(map(is_given, (root.model, root.choices, root.content)))
    if in_result + of_gemini + of_message > 1:
        raise UnrecognizedError("answers in two places")
    if in_result:
        return b'{"response":%b}' % root.result
    if of_gemini or of_message or is_object(root.body) or is_given(root.status_code):
        return b'{"response":%b}' % line
    return None
