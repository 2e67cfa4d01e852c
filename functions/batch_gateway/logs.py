"""Structured logs: one JSON object a line, as Cloud Logging takes them from Cloud Run.

Nothing that a caller sent as a credential may be passed here.
"""

import sys
from typing import Any, Literal

import msgspec

Severity = Literal["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]

_encode = msgspec.json.Encoder(enc_hook=str).encode


def log(severity: Severity, message: str, **fields: Any) -> None:
    """Writes one line.

    Args:
        severity: Cloud Logging's LogSeverity.
        message: What happened, as a short constant text, so that it can be searched for.
        fields: The facts.
    """
    line = _encode({"severity": severity, "message": message, **fields}).decode()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
