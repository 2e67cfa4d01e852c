"""The two functions that functions-framework calls: unpack a request or event and call a use case."""

import sys
from typing import TYPE_CHECKING, Any

from batch_gateway import wiring
from batch_gateway.core.jobs.record import parse_time
from batch_gateway.logs import log
from batch_gateway.settlement.deps import NotYetError
from batch_gateway.settlement.settle import settle as settle_object

if TYPE_CHECKING:
    from cloudevents.http import CloudEvent
    from flask import Request
    from werkzeug.wrappers import Response


_OUR_ENDPOINT = "run"
"""Flask endpoint that functions-framework passes on to a function."""


def gateway(request: "Request") -> "Response":
    """Handle an HTTP request to the gateway."""
    from batch_gateway.gateway.http import connections  # noqa: PLC0415 - settle needs no werkzeug

    response = wiring.gateway().handle(request)
    connections.finish(request, response)
    return response


def take_every_path() -> None:
    """Let the gateway answer requests that functions-framework would answer itself: two paths, and redirects.

    functions-framework reads the whole body first, and would wait for it without a time limit. Its
    application is the one in whose context it imports main.py.
    """
    flask: Any = sys.modules.get("flask")
    if flask is None or not flask.has_app_context() or flask.current_app.name != gateway.__name__:
        return

    @flask.current_app.before_request  # type: ignore[untyped-decorator]
    def take() -> "Response | None":
        request = flask.request._get_current_object()  # noqa: SLF001 - as functions-framework does
        return None if request.endpoint == _OUR_ENDPOINT else gateway(request)


def settle(event: "CloudEvent") -> None:
    """Handle a CloudEvent ``google.cloud.storage.object.v1.finalized``.

    Raises:
        ServiceUnavailable: It is too early. The answer is 503: the event is delivered again, and Error
            Reporting does not count a crash.
        Exception: Nothing was written; Eventarc delivers the event again, for up to 24 hours.
    """
    data: Any = event.data
    bucket, name = (
        (data.get(field) for field in ("bucket", "name")) if isinstance(data, dict) else (None, None)
    )
    if not bucket or not name:
        # Further deliveries of the same event would not name an object either.
        log("ERROR", "event without an object", event_id=event["id"])
        return
    deps = wiring.settlement()
    now = deps.now()
    deadline = deps.clock() + wiring.SETTINGS.settlement_seconds
    written = parse_time(data.get("timeCreated")) or now
    uri = f"gs://{bucket}/{name}"
    try:
        outcome = settle_object(bucket, name, written, now, deps, deadline=deadline)
    except NotYetError as error:
        from werkzeug.exceptions import ServiceUnavailable  # noqa: PLC0415 - rarely needed

        log("NOTICE", "output not settled yet", uri=uri, reason=error)
        raise ServiceUnavailable(str(error)) from error
    except Exception as error:
        log("ERROR", "output not settled", event="settlement.failed", uri=uri, error=repr(error))
        raise
    log("DEBUG", "event handled", uri=uri, outcome=outcome)
