"""Write structured logs: one JSON object per line, as Cloud Logging reads them from Cloud Run.

Never pass a caller's credentials to this module.
"""

import sys
from typing import Any, Literal

import msgspec

from batch_gateway.core.notify.event_names import EventName

Severity = Literal["DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL"]

_encode = msgspec.json.Encoder(enc_hook=str).encode


def log(severity: Severity, message: str, *, event: EventName | None = None, **fields: Any) -> None:
    """Write one line.

    Args:
        severity: Cloud Logging's LogSeverity.
        message: A short constant text that can be searched for.
        event: Name that metrics and alerts go by, if any do.
        fields: Further fields of the line.
    """
    named = {"event": event} if event else {}
    line = _encode({"severity": severity, "message": message, **named, **fields}).decode()
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
