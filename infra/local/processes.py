"""Run child processes of the local stack, each with its own process group, log and readiness test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
_STOP_SECONDS = 5.0

T = TypeVar("T")


class LocalStackError(Exception):
    """A problem that the user can solve; its text says how."""


def free_ports(count: int) -> list[int]:
    """Pick free ports; each is held until the last is picked, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def is_listening(port: int) -> bool:
    """Return whether a process accepts connections on a port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def port_or_free(preferred: int) -> int:
    """Return the preferred port when it is free, else any free one."""
    # macOS allows binding 127.0.0.1 beside a server on 0.0.0.0, so connecting is tried as well.
    if not is_listening(preferred):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, preferred))
                return preferred
    return free_ports(1)[0]


def wait_until(
    predicate: Callable[[], T | None], timeout: float, message: str, *, interval: float = 0.05
) -> T:
    """Poll until the predicate returns a true value, and return that.

    Args:
        predicate: Asked again and again.
        timeout: Seconds after which to give up.
        message: What is being waited for, for the error.
        interval: Seconds between two questions.

    Returns:
        The predicate's first true answer.

    Raises:
        TimeoutError: Nothing true came in time.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {message}")
        time.sleep(interval)


class ManagedProcess:
    """One child process. It can be stopped and started again, on the same port, with the same log."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        is_ready: Callable[[ManagedProcess], bool],
        log: Path,
        env: Mapping[str, str],
        timeout: float = 300.0,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = dict(env)
        self._is_ready = is_ready
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> None:
        """Start the process without waiting for it, so that several can start side by side."""
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            try:
                # In its own session, Ctrl-C does not reach it, and the children are ended in order.
                self._process = subprocess.Popen(
                    self._command,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise LocalStackError(f"{self.name} cannot be started: {error}") from error

    def wait_ready(self) -> None:
        """Wait until the process serves.

        Raises:
            LocalStackError: It ended, or took too long; the error shows the end of its log.
        """

        def ready_or_dead() -> bool:
            return self.exit_code() is not None or self._is_ready(self)

        try:
            wait_until(ready_or_dead, self._timeout, self.name)
        except TimeoutError:
            raise LocalStackError(
                f"{self.name} was not ready within {self._timeout:g} s. The end of its log:\n{self.tail()}"
            ) from None
        if self.exit_code() is not None:
            raise LocalStackError(
                f"{self.name} ended with status {self.exit_code()}. The end of its log:\n{self.tail()}"
            )

    def exit_code(self) -> int | None:
        """Return the exit status; None while it runs or before it is started."""
        return None if self._process is None else self._process.poll()

    def output(self) -> str:
        """Return the output since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self, lines: int = 25) -> str:
        """Return the last lines of the output, indented."""
        last = self.output().splitlines()[-lines:]
        return "\n".join(f"    {line}" for line in last) or "    (empty)"

    def interrupt(self) -> None:
        """Ask the whole process group to end, without waiting."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process group at once, as a crash would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End the process group: politely, then by force."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            # Also if the leader has just ended: a worker that outlives it must not keep the port.
            self._signal(signal.SIGKILL, even_if_ended=True)
            self._process.wait()
        self._process = None

    def _signal(self, number: signal.Signals, *, even_if_ended: bool = False) -> None:
        # The id of a group that ended long ago may have been reused.
        if self._process is None or not (even_if_ended or self._process.poll() is None):
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
