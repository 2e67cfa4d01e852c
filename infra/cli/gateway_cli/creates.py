"""Estimate and submit jobs."""

import sys
import uuid
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from gateway_cli.declaring import Context
from gateway_cli.errors import AnswerError, CliError, InterruptedRunError, UnreachableError, UsageError
from gateway_cli.retrying import again

_UNKNOWN = (
    "It is not known whether the job was submitted: look for it with `vbatch jobs list` before you submit "
    "it again."
)


def read_body(file: str) -> bytes:
    """Return the body of a create from a file; from stdin if it is ``-``.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def estimate(context: Context, body: bytes) -> dict[str, Any]:
    """Return the estimate of the job that the body would create.

    Raises:
        AnswerError: The create would be refused.
        UsageError: The gateway serves several places, and none is given.
    """
    found: dict[str, Any] = _at_place(
        lambda: context.client.post_raw(f"/v1{context.place}/batchPredictionJobs:estimateCost", body)
    )
    return found


def create(context: Context, body: bytes) -> dict[str, Any]:
    """Submit a job exactly once, and return it as Vertex AI has it.

    A create without an answer is sent again with the same Idempotency-Key, under which the gateway submits a
    job once only.

    Raises:
        AnswerError: The create was refused.
        CliError: There is no answer, so it is not known whether there is a job.
        InterruptedRunError: The same after Ctrl-C.
        UsageError: As with ``estimate``.
    """
    return _once(context, f"/v1{context.place}/batchPredictionJobs", body)


def resume(context: Context, path: str) -> dict[str, Any]:
    """Resume a job exactly once, and return the new one as Vertex AI has it.

    Args:
        context: The command's context.
        path: Path of the job.

    Raises:
        AnswerError: The resume was refused.
        CliError: As with ``create``.
        InterruptedRunError: As with ``create``.
    """
    return _once(context, f"{path}:resume", b"{}")


def _once(context: Context, path: str, body: bytes) -> dict[str, Any]:
    headers = {"Idempotency-Key": f"vbatch-{uuid.uuid4()}"}
    doubts: list[CliError] = []

    def send() -> dict[str, Any]:
        try:
            sent: dict[str, Any] = _at_place(lambda: context.client.post_raw(path, body, headers))
        except CliError as error:
            doubts.extend([error] if _may_have_submitted(error) else [])
            raise
        return sent

    try:
        return again(context, send, "Trying again; it is submitted only once.")
    except KeyboardInterrupt as error:
        raise InterruptedRunError(_UNKNOWN) from error
    except CliError as error:
        if not doubts:
            raise
        # Whatever came last: a script must not take it for a refusal, and submit again.
        raise UnreachableError(f"{error}\n{_UNKNOWN}") from error


def _may_have_submitted(error: CliError) -> bool:
    """Return whether there may be a job after a create that failed."""
    # A limit, the gateway's or Vertex AI's, passes as well, but is a refusal.
    is_limit = isinstance(error, AnswerError) and error.code == HTTPStatus.TOO_MANY_REQUESTS
    return error.passing and not is_limit


def _at_place(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except AnswerError as error:
        if error.reason == "PLACE_MISSING":
            raise UsageError(
                "The gateway serves several places: give --project and --location, set "
                "GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION, or store them with `vbatch login`."
            ) from error
        raise
