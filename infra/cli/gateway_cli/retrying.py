"""Make a call again that may be made several times."""

import time
from collections.abc import Callable
from typing import TypeVar

from gateway_cli.declaring import Context
from gateway_cli.errors import AnswerError, CliError

_TRIES = 4
_LONGEST_PAUSE = 60
_UNDER_WAY_SECONDS = 150
"""How long is waited for the first create with an Idempotency-Key: Vertex AI may take 65 s to answer it, and
the gateway gives the key free after 120 s at the latest."""

_Answer = TypeVar("_Answer")


def again(context: Context, call: Callable[[], _Answer], comment: str) -> _Answer:
    """Return the answer to a call, which is made again after an error that may pass.

    Args:
        context: Of the command.
        call: The call.
        comment: What is said of the next try.

    Raises:
        CliError: The last error, or one that does not pass.
    """
    failures = waited = 0
    said = ""
    while True:
        try:
            return call()
        except CliError as error:
            under_way = isinstance(error, AnswerError) and error.reason == "IDEMPOTENCY_KEY_IN_USE"
            failures += not (under_way and waited < _UNDER_WAY_SECONDS)
            if not error.passing or failures == _TRIES:
                raise
            if str(error) != said:
                said = str(error)
                context.out.note(f"{said} {comment}")
            pause = min(error.retry_after or 2**failures, _LONGEST_PAUSE)
            time.sleep(pause)
            waited += pause
