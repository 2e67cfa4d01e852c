"""An upstream that answers at once, or after so many seconds: every request gets the same job.

A create gets one of its own. Run as ``instant_upstream.py PORT [SECONDS]``.
"""

import asyncio
import itertools
import json
import re
import sys

TEAM = "bench"
PARENT = "projects/local-project/locations/us-central1"
JOB = f"{PARENT}/batchPredictionJobs/4242"
DIRECTORY = "gs://batch-out/bench/prediction-model-2026-11-22T10:00:00.123456Z"
RESOURCE = {
    "name": JOB,
    "displayName": "bench",
    "model": f"{PARENT}/publishers/google/models/gemini-2.5-flash",
    "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://batch-in/rows.jsonl"]}},
    "outputConfig": {
        "predictionsFormat": "jsonl",
        "gcsDestination": {"outputUriPrefix": "gs://batch-out/bench"},
    },
    "labels": {"team": TEAM},
    "outputInfo": {"gcsOutputDirectory": DIRECTORY},
    "state": "JOB_STATE_RUNNING",
    "createTime": "2026-11-22T10:00:00.000001Z",
    "startTime": "2026-11-22T10:00:01.000001Z",
    "updateTime": "2026-11-22T10:00:01.000001Z",
}


def answer(resource):
    body = json.dumps(resource).encode()
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )


ANSWER = answer(RESOURCE)
NUMBERS = itertools.count(100_000)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Instant(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self, seconds):
        self._seconds = seconds
        self._read = b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        self._read += data
        while (end := self._read.find(b"\r\n\r\n") + 4) > 3:
            length = LENGTH.search(self._read, 0, end)
            end += int(length[1]) if length else 0
            if len(self._read) < end:
                return
            created = self._read.startswith(b"POST ")
            self._read = self._read[end:]
            text = answer(RESOURCE | {"name": f"{JOB}{next(NUMBERS)}"}) if created else ANSWER
            if self._seconds:
                asyncio.get_running_loop().call_later(self._seconds, self._transport.write, text)
            else:
                self._transport.write(text)


async def serve(port, seconds):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Instant(seconds), "127.0.0.1", port, backlog=512)
    print("listening", flush=True)  # noqa: T201 - who started it waits for this
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) if sys.argv[2:] else 0))
