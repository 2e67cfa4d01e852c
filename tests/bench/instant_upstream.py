"""An upstream that answers at once: every request gets the same job. Run as ``instant_upstream.py PORT``."""

import asyncio
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
_BODY = json.dumps(RESOURCE).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Instant(asyncio.Protocol):
    """One connection, kept alive."""

    def __init__(self):
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
            self._read = self._read[end:]
            self._transport.write(ANSWER)


async def serve(port):
    server = await asyncio.get_running_loop().create_server(Instant, "127.0.0.1", port)
    print("listening", flush=True)  # noqa: T201 - who started it waits for this
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
