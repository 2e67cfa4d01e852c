"""The hostile inputs: bodies, queries, names, rows and answers of Vertex AI, made when they are needed."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from functional.gateway.loopback import Answer
from functional.security.conftest import JOBS

MIB = 1024 * 1024
MODEL_NAME = "publishers/google/models/gemini-2.5-flash"
LARGEST = 10 * MIB
VALUES = 39_900
"""Just as many as are let in."""
LONG = 2 * MIB
"""Characters of a text in which each costs time: long enough to show a time that grows with the square."""


@dataclass(frozen=True)
class Input:
    """An input that is sent, or met, and its permitted outcomes.

    Attributes:
        make: Makes it: bytes, or an Answer.
        statuses: Of the answer.
        cpu: Seconds of CPU that it may take, some twenty times what it takes.
        memory: MiB that it may take.
    """

    make: Callable
    statuses: tuple[int, ...] = (200, 400)
    cpu: int = 15
    memory: int = 200


REFUSED = (400, 413)


def padded(head, tail, size=LARGEST):
    return head + b"x" * (size - len(head) - len(tail)) + tail


def strings(count, size=LARGEST):
    each = b'"' + b"y" * (size // count - 4) + b'"'
    return b'{"x":[' + b",".join([each] * count) + b"]}"


def members(count, size=LARGEST):
    width = size // count - 20
    return b'{"x":{' + b",".join(b'"%07d%s":1' % (n, b"k" * width) for n in range(count)) + b"}}"


def objects(count, size=LARGEST):
    width = size // count - 14
    return b'{"x":[' + b",".join([b'{"a":"%s"}' % (b"z" * width)] * count) + b"]}"


BODIES = {
    # Let in: the largest of their kind.
    "one-string": Input(lambda: padded(b'{"x":"', b'"}')),
    "many-strings": Input(lambda: strings(VALUES)),
    "many-members": Input(lambda: members(VALUES)),
    "many-members-in-snake-case": Input(lambda: members(VALUES).replace(b"kk", b"_k")),
    "many-objects": Input(lambda: objects(VALUES // 2)),
    "many-lists": Input(lambda: padded(b'{"x":[' + b",".join([b"[]"] * (VALUES // 2)) + b'],"y":"', b'"}')),
    "many-escapes": Input(lambda: b'{"x":"' + b"\\n" * (5 * MIB - 10) + b'"}'),
    "deepest": Input(lambda: padded(b'{"x":' + b"[" * 98, b"]" * 98 + b"}").replace(b"x" * 99, b" " * 99)),
    "wide": Input(lambda: padded(b'{"x":"' + "😀".encode(), b'"}', LARGEST // 4)),
    "commas-in-a-string": Input(lambda: padded(b'{"x":"', b'"}').replace(b"xx", b",[")),
    "all-quotes": Input(lambda: b'{"x":"' + b'\\"' * (5 * MIB - 10) + b'"}'),
    "spaces": Input(lambda: b"{" + b" " * (LARGEST - 2) + b"}"),
    # Refused.
    "lists": Input(lambda: b"[" + b",".join([b"[]"] * (LARGEST // 3 - 1)) + b"]", REFUSED),
    "lists-in-a-member": Input(lambda: b'{"a":[' + b",".join([b"[]"] * (3 * MIB)) + b"]}", REFUSED),
    "objects": Input(lambda: b"[" + b",".join([b"{}"] * (LARGEST // 3 - 1)) + b"]", REFUSED),
    "numbers": Input(lambda: b'{"a":[' + b",".join([b"1"] * (5 * MIB - 10)) + b"]}", REFUSED),
    "nulls": Input(lambda: b"[" + b",".join([b"null"] * (2 * MIB - 10)) + b"]", REFUSED),
    "empty-strings": Input(lambda: b"[" + b",".join([b'""'] * (3 * MIB)) + b"]", REFUSED),
    "strings-without-commas": Input(lambda: b'{"a":' + b'""' * (4 * MIB), REFUSED),
    "unique-members": Input(lambda: members(1_000_000), REFUSED),
    "open-lists": Input(lambda: b"[" * LARGEST, REFUSED),
    "open-objects": Input(lambda: b'{"":' * (LARGEST // 4), REFUSED),
    "brackets": Input(lambda: b"[]" * (LARGEST // 2), REFUSED),
    "too-deep": Input(lambda: b'{"x":' + b"[" * 100 + b"]" * 100 + b"}", REFUSED),
    "digits": Input(lambda: b'{"a":' + b"9" * (LARGEST - 10) + b"}", (200, 400)),
    "exponent": Input(lambda: b'{"a":1e' + b"9" * (LARGEST - 10) + b"}"),
    "wider": Input(lambda: padded(b'{"x":"' + "é".encode(), b'"}'), REFUSED),
    "escaped-wide": Input(lambda: padded(b'{"x":"\\ud83d\\ude00', b'"}'), REFUSED),
    "open-string": Input(lambda: b'{"x":"' + b"\\" * (LARGEST - 10), REFUSED),
    "zeros": Input(lambda: bytes(LARGEST), REFUSED),
    "larger": Input(lambda: b" " * (LARGEST + 1), REFUSED),
    "fields": Input(lambda: b"{" + b",".join(b'"%d":1' % n for n in range(2_000)) + b"}", REFUSED),
}
"""Bodies, for every call that takes one. A scoped key's may be refused for what they name, too."""


def create(*uris, **changes):
    body = {"model": MODEL_NAME, "inputConfig": {"gcsSource": {"uris": list(uris)}}, **changes}
    return json.dumps(body).encode()


A = "a" * 100
PATTERNS = {
    "stars": "gs://granted/" + "*a" * 500 + "b",
    "issue": "gs://granted/mine/" + "*a" * 11 + "ab",
    "double-stars": "gs://granted/" + "**/" * 300 + "b",
    "marks": "gs://granted/" + "*?" * 500 + "b",
    "sets": "gs://granted/" + "[a-z]*" * 160 + "b",
    "open-sets": "gs://granted/" + "[" * 1000,
    "longest": "gs://granted/" + "*" * 1000 + "b",
    "too-long": "gs://granted/" + "*a" * 4_000_000,
    "no-pattern": "gs://granted/" + "a" * 4_000_000,
}
NAMES = [A, "mine/" + A, "a" * 1024, "a/" * 500, "mine/" + "é" * 400, "[" * 900, "a\nb" * 300]

FILTERS = {
    "open": "(" * 15_000,
    "pairs": "(" * 15_000 + ")" * 15_000,
    "open-string": '"' + "a" * 30_000,
    "escapes": '"' + "\\a" * 15_000,
    "backslashes": "\\" * 30_000,
    "strings": '""' * 15_000,
    "apart": '"" ' * 10_000,
    "negations": "NOT " * 7_500,
    "too-long": "a" * 40_000,
}
QUERIES = {
    "reserved-label": "/v1/costs?start_time=1&label:__x__=1",
    "reserved-group": "/v1/costs?start_time=1&group_by=label:__x__",
    "reserved-export": "/v1/costs:export?start_time=1&label:__name__=1",
    "reserved-jobs": "/v1/jobs?label:__x__=1",
    "dotted-label": "/v1/costs?start_time=1&label:a.b`c\\d=1",
    "long-label": "/v1/costs?start_time=1&label:" + "x" * 2_000 + "=1",
    "long-value": "/v1/costs?start_time=1&label:x=" + "y" * 30_000,
    "zero-byte": "/v1/costs?start_time=1&label:%00=%00",
    "no-utf-8": "/v1/costs?start_time=1&label:%ff=%ff&team=%ff",
    "many-labels": "/v1/costs?start_time=1&" + "&".join(f"label:{n}=1" for n in range(2_000)),
    "many-groups": "/v1/costs?start_time=1&group_by=" + ",".join(f"label:{n}" for n in range(2_000)),
    "all-time": "/v1/costs?start_time=0&end_time=253000000000&bucket_width=1h&limit=744",
    "all-time-export": "/v1/costs:export?start_time=0&end_time=9990-01-01T00:00:00Z",
    "all-time-focus": "/v1/costs:export?start_time=0&end_time=9990-01-01T00:00:00Z&format=focus",
    "job-filters": "/v1/jobs?" + "&".join(f"label:{n}=1" for n in range(2_000)),
    "job-search": "/v1/jobs?search=" + "a" * 30_000,
    "pages": "/v1/jobs?page=" + "A" * 30_000,
    "digits": "/v1/jobs?limit=" + "9" * 30_000,
    "times": "/v1/costs?start_time=" + "9" * 30_000,
    "zone": "/v1/costs?start_time=1&time_zone=" + "+" * 30_000,
    "keys": "/key/list?page=999999&team_id=" + "x" * 30_000,
    "key": "/key/info?key=" + "x" * 30_000,
    "team": "/team/info?team_id=" + quote("__x__/../" * 1_000),
    "audit": "/audit?limit=1000&end_time=9998-01-01T00:00:00Z",
    "too-long": "/v1/jobs?search=" + "a" * 2_000_000,
    "percents": "/v1/jobs?search=" + "%" * 30_000,
}


def row(text="hello", **request):
    contents = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    return json.dumps({"request": {**contents, **request}}).encode()


ROWS = {
    "one-long-line": Input(lambda: b"[" * (30 * MIB)),
    "lists": Input(lambda: b'{"request":{"contents":[' + b",".join([b"[]"] * (8 * MIB)) + b"]}}"),
    "deep": Input(lambda: (b'{"request":' + b"[" * 90 + b"]" * 90 + b"}\n") * 5_000),
    "words": Input(lambda: row("a " * LONG), cpu=30),
    "marks": Input(lambda: row(".a" * LONG), cpu=30),
    "han": Input(lambda: row("中a" * LONG), cpu=60, memory=400),
    "long-word": Input(lambda: row("a" * 2 * LONG), cpu=30),
    "blobs": Input(lambda: row("a" * 23 + "1 " * (MIB)), cpu=60),
    "parts": Input(
        lambda: json.dumps({"request": {"contents": [{"parts": [{"text": "a"}] * 20_000}]}}).encode()
    ),
    "columns": Input(
        lambda: b"\n".join(
            json.dumps({"request": {"contents": []}, **{f"c{m}_{n}": 1 for m in range(400)}}).encode()
            for n in range(400)
        ),
        cpu=60,
    ),
    "media": Input(
        lambda: json.dumps(
            {
                "request": {
                    "contents": [
                        {
                            "parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": f"gs://granted/{n}"}}]
                            * 9
                        }
                        for n in range(2_000)
                    ]
                }
            }
        ).encode()
    ),
    "numbers": Input(lambda: row(generationConfig={"maxOutputTokens": 10**400, "candidateCount": 10**400})),
    "zeros": Input(lambda: bytes(8 * MIB)),
    "blank-lines": Input(lambda: b"\n" * LONG, cpu=30),
    "no-utf-8": Input(lambda: b'{"request":"' + b"\xff" * MIB + b'"}'),
}
"""Objects of an input, which an estimate reads."""


def packed(content, times=1):
    for _ in range(times):
        content = gzip.compress(content)
    return Answer(200, content, headers=(("Content-Encoding", ", ".join(["gzip"] * times)),))


def page(*jobs, **more):
    return Answer(200, json.dumps({"batchPredictionJobs": list(jobs), **more}).encode())


NAME = "projects/1234/locations/us-central1/batchPredictionJobs/7"
UPSTREAM = (200, 400, 403, 503)
ANSWERS = {
    "large": Input(lambda: Answer(200, b" " * (80 * MIB)), UPSTREAM),
    "bomb": Input(lambda: packed(b" " * (300 * MIB)), UPSTREAM),
    "bomb-in-a-bomb": Input(lambda: packed(b" " * (300 * MIB), 2), UPSTREAM),
    "lists": Input(lambda: Answer(200, b"[" + b",".join([b"[]"] * (8 * MIB)) + b"]"), UPSTREAM),
    "most-values": Input(lambda: page(*[{"name": NAME, "labels": {}}] * 90_000), UPSTREAM, cpu=60),
    "deep": Input(lambda: Answer(200, b'{"name":' * 1_000_000), UPSTREAM),
    "many-labels": Input(
        lambda: page(*[{"name": NAME, "labels": {f"l{n}": "v" * 60 for n in range(64)}}] * 100), UPSTREAM
    ),
    "jobs-that-are-none": Input(
        lambda: page(None, 1, "x", [], {}, {"name": 1}, {"name": "x" * MIB}), UPSTREAM
    ),
    "members-of-other-types": Input(
        lambda: Answer(
            200,
            json.dumps(
                {
                    "name": NAME,
                    "state": 10**30,
                    "createTime": "9" * 100_000,
                    "labels": [],
                    "error": "x",
                    "completionStats": {"successfulCount": "9" * 5_000, "failedCount": 1e300},
                    "inputConfig": {"gcsSource": {"uris": {"a": 1}}},
                    "outputInfo": 1,
                }
            ).encode(),
        ),
        UPSTREAM,
    ),
    "no-json": Input(lambda: Answer(200, b"<html>" + b"," * 400_000), UPSTREAM),
    "no-utf-8": Input(lambda: Answer(200, b"\xff" * MIB), UPSTREAM),
    "no-gzip": Input(lambda: Answer(200, b"x" * MIB, headers=(("Content-Encoding", "gzip"),)), UPSTREAM),
    "error-page": Input(lambda: Answer(418, b"<html>" * (8 * MIB)), (418,)),
}
"""Answers of Vertex AI, to every call that is passed on."""

ASKS = {
    "get": ("GET", f"{JOBS}/7"),
    "list": ("GET", JOBS),
    "create": ("POST", JOBS),
    "cancel": ("POST", f"{JOBS}/7:cancel"),
    "delete": ("DELETE", f"{JOBS}/7"),
    "cost": ("GET", f"{JOBS}/7/cost"),
    "operation": ("GET", JOBS.replace("batchPredictionJobs", "operations/7")),
}

ASKED = [
    *(("master", ask) for ask in ("get", "list", "create", "cost", "operation")),
    *(("scoped", ask) for ask in ("get", "list", "create", "cancel", "delete")),
]

ADMIN = {
    "months": ("/key/generate", {"budget_duration": "9000mo", "max_budget": 1}),
    "window": ("/key/generate", {"budget_duration": "99999d"}),
    "duration": ("/key/generate", {"duration": "999999mo"}),
    "prefixes": ("/key/generate", {"allowed_uri_prefixes": [f"gs://b/{n}" for n in range(40_000)]}),
    "models": ("/key/generate", {"models": ["*a" * 5_000]}),
    "alias": ("/key/generate", {"key_alias": "x" * MIB}),
    "metadata": ("/key/generate", {"metadata": {"x": "y" * MIB}}),
    "webhook": ("/key/generate", {"webhook_url": "https://" + "a." * 500_000 + "com"}),
    "secret": ("/key/generate", {"webhook_url": "https://a.example", "webhook_secret": "whsec_" + "A" * MIB}),
    "budget": ("/key/generate", {"max_budget": "9" * 100_000}),
    "grace": ("/key/regenerate", {"key": "x" * MIB, "grace_period": "9000mo"}),
    "keys": ("/key/delete", {"keys": ["x"] * 40_000}),
    "team": ("/team/new", {"team_id": "x" * MIB}),
    "team-alias": ("/team/new", {"team_alias": "x" * MIB}),
    "teams": ("/team/delete", {"team_ids": ["x"] * 40_000}),
    "reprice": ("/v1/costs:reprice", {"start_time": "9" * MIB, "end_time": "x"}),
}
