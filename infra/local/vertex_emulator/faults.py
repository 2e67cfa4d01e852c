"""Inject faults between a client and Google, a given number of times."""

import re
import threading
from dataclasses import dataclass
from typing import Any

_ACTIONS = {"status", "retry_after", "message", "delay_seconds", "drop", "drop_after_processing"}


@dataclass
class Fault:
    """A rule for injecting a fault.

    Attributes:
        method: The HTTP method that it applies to; `""` for any.
        path: A regular expression, searched in the path with its query.
        times: How often it still strikes; None for always.
        status: Answer with this HTTP status and Google's envelope, or with Google's HTML page for `html404`.
        retry_after: Seconds for a `Retry-After` header beside `status`.
        message: The envelope's message, instead of a usual one.
        delay_seconds: Wait before anything else happens.
        drop: Close the connection without an answer, having done nothing.
        drop_after_processing: Do what was asked, then close the connection without an answer.
    """

    method: str = ""
    path: str = ""
    times: int | None = 1
    status: int | str | None = None
    retry_after: int | None = None
    message: str = ""
    delay_seconds: float = 0
    drop: bool = False
    drop_after_processing: bool = False

    def __post_init__(self) -> None:
        if self.status is not None and self.status != "html404" and not isinstance(self.status, int):
            raise ValueError(f"status must be an HTTP status or html404, not {self.status!r}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path must be a regular expression: {error}") from error

    def strikes(self, method: str, target: str) -> bool:
        """Return whether the rule applies to a request, while it has strikes left."""
        return (
            (self.times is None or self.times > 0)
            and self.method.upper() in ("", method)
            and re.search(self.path, target) is not None
        )

    def as_json(self) -> dict[str, Any]:
        """Return the rule in the form that the control endpoint takes."""
        action = {name: getattr(self, name) for name in sorted(_ACTIONS) if getattr(self, name)}
        return {"match": {"method": self.method, "path": self.path}, "times": self.times, "action": action}


class Faults:
    """The rules in force; the first that applies to a request is used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []

    def add(self, **rule: Any) -> None:
        """Put a rule in force; the arguments are those of `Fault`.

        Raises:
            TypeError: If an argument is unknown.
            ValueError: If a value makes no sense.
        """
        fault = Fault(**rule)
        with self._lock:
            self._rules.append(fault)

    def add_json(self, rule: dict[str, Any]) -> None:
        """Put a rule in force that came as JSON: `{"match": {...}, "times": 2, "action": {...}}`.

        Raises:
            TypeError: If it has an unknown part.
            ValueError: If a value makes no sense.
        """
        unknown = rule.keys() - {"match", "times", "action"}
        if unknown:
            raise TypeError(f"unknown in a fault: {', '.join(sorted(unknown))}")
        self.add(**rule.get("match", {}), times=rule.get("times", 1), **rule.get("action", {}))

    def take(self, method: str, target: str) -> Fault | None:
        """Return the rule for a request, and count its use."""
        with self._lock:
            for fault in self._rules:
                if fault.strikes(method, target):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def clear(self) -> None:
        """Forget all rules."""
        with self._lock:
            self._rules.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """Return the rules that have strikes left."""
        with self._lock:
            return [fault.as_json() for fault in self._rules if fault.times is None or fault.times > 0]
