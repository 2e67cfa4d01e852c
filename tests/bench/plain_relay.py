"""The plainest relay that does the job: what the gateway is compared with."""

import os

import requests
from flask import Request, Response

UPSTREAM = os.environ["RELAY_UPSTREAM"]
session = requests.Session()
session.trust_env = False


def relay(request: Request) -> Response:
    """Sends a request on and its answer back, with nothing looked at."""
    answer = session.request(
        request.method, f"{UPSTREAM}{request.full_path}", data=request.get_data(), timeout=60
    )
    return Response(answer.content, answer.status_code, content_type=answer.headers["Content-Type"])
