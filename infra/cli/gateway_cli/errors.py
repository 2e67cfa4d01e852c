"""Errors of the command line, and their exit statuses for scripts."""

from collections.abc import Mapping

DONE = 0
REFUSED = 1
"""The gateway answered with an error, the user declined, or a watched job did not succeed."""
USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended, as in a shell."""


class CliError(Exception):
    """An error that is shown to the user.

    Attributes:
        status: The command's exit status.
        retry_after: Seconds that the gateway asks to wait; None if it does not say.
    """

    status = REFUSED
    retry_after: int | None = None

    @property
    def passing(self) -> bool:
        """Return whether the same call may succeed a little later."""
        return False

    def with_advice(self, advice: str) -> "CliError":
        """Return an error that says more, with the same exit status."""
        error = CliError(f"{self}\n{advice}")
        error.status = self.status
        return error


class UsageError(CliError):
    """The command was used in a wrong way."""

    status = USAGE


class DeclinedError(CliError):
    """The user was asked and said no, which is no error."""

    def __init__(self) -> None:
        super().__init__("Nothing was done.")


class UnreachableError(CliError):
    """The gateway did not answer, or its answer broke off."""

    status = UNREACHABLE

    @property
    def passing(self) -> bool:
        """Return whether the same call may succeed a little later."""
        return True


class AnswerError(CliError):
    """The gateway answered with an error, in the form of AIP-193 (https://google.aip.dev/193).

    Attributes:
        code: HTTP status.
        name: Name in google.rpc.Code, such as ``NOT_FOUND``; empty if the answer has none.
        reason: Reason in its ErrorInfo, such as ``KEY_UNKNOWN``; empty if it has none.
        metadata: Metadata of its ErrorInfo.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int,
        name: str = "",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        self.reason = reason
        self.metadata = metadata or {}
        self.retry_after = retry_after

    @property
    def passing(self) -> bool:
        """Return whether the same call may succeed a little later."""
        # A budget is no rate limit: it stays spent, and nothing was submitted.
        if self.reason == "BUDGET_EXCEEDED":
            return False
        # After 408 and 499 of Vertex AI there may be a job, as after a 5xx.
        return self.code in {408, 429, 499, 500, 502, 503, 504} or self.reason == "IDEMPOTENCY_KEY_IN_USE"


class InterruptedRunError(CliError):
    """Ctrl-C ended a command whose job goes on, or may have been submitted."""

    status = INTERRUPTED
