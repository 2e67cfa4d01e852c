"""Make a call again that may be made several times."""

import time
from collections.abc import Callable
from typing import TypeVar

from gateway_cli.declaring import Context
from gateway_cli.errors import CliError

_TRIES = 4
_LONGEST_PAUSE = 60

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
    for number in range(1, _TRIES):
        try:
            return call()
        except CliError as error:
            if not error.passing:
                raise
            context.out.note(f"{error} {comment}")
            time.sleep(min(error.retry_after or 2**number, _LONGEST_PAUSE))
    return call()
