"""How fast output is read and settled, beside json.loads and beside reading alone. See README.md.

Run by hand: ``python tests/bench/bench_settle.py``; ``--mb 60`` for a quick look.
"""

# ruff: noqa: T201 - it prints figures

import argparse
import importlib
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local"), str(ROOT / "tests")]

from batch_gateway.core.jobs.record import JobKey, JobRecord, observe  # noqa: E402
from batch_gateway.core.lines import whole_lines  # noqa: E402
from batch_gateway.core.pricing import prices  # noqa: E402 - found by the line above
from batch_gateway.core.pricing.cost import cost_of  # noqa: E402
from batch_gateway.core.rows import reader_for  # noqa: E402
from batch_gateway.core.rows.decoding import decode_row  # noqa: E402
from processes import HOST, free_ports, is_listening  # noqa: E402
from storage_emulator import StorageEmulator  # noqa: E402

ROW_BYTES = 3_000
"""About as long as a row is: 200,000 rows are 600 MB."""
ROUNDS = 3
RATES = (100, 200, 300, 400)
"""MB a second."""
PARSED_ROWS = 20_000
BUCKET = "out"
NAME = "run/prediction-model-2026-11-22T10:00:00.123456Z/predictions.jsonl"
MODEL = "publishers/google/models/gemini-2.5-flash"
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
MB = 1_000_000


# --- Data


class Generator:
    """Rows of Gemini as it writes them: the whole prompt, an answer, usageMetadata; some special.

    2 % failed, 3 % truncated, 30 % with thoughts, 20 % with cached tokens, 10 % with audio. Texts are
    drawn from a pool: what matters to a parser is their characters, not that they differ.
    """

    def __init__(self, seed=2026):
        self._random = random.Random(seed)  # noqa: S311 - made-up rows
        letters = "etaoinshrdlucmfwypvbgk"
        words = ["".join(self._random.choices(letters, k=self._random.randint(2, 9))) for _ in range(4_000)]
        self._words = words + ["größe", "naïve", "東京", "мир", "🚀"] * 10
        self._prompts = [self._text(150, 380) for _ in range(400)]
        self._answers = [self._text(30, 110) for _ in range(400)]
        self.expected = Counter()
        """Return the usage of the rows so far, counted here and not by the code under test."""

    def _text(self, low, high):
        sentences, left = [], self._random.randint(low, high)
        while left > 0:
            count = min(left, self._random.randint(6, 24))
            left -= count
            end = self._random.choice([".", ".", "?", ":\n", ".\n\n", ' "quoted".'])
            sentences.append(" ".join(self._random.choices(self._words, k=count)).capitalize() + end)
        return json.dumps(" ".join(sentences), ensure_ascii=False).encode()

    def row(self, number):
        """One line, with its line feed."""
        chance, draw = self._random.random, self._random.randint
        asked = (
            b'"processed_time":"2026-11-22T10:00:00.%06d+00:00","request":{"contents":[{"parts":['
            b'{"fileData":null,"text":%b}],"role":"user"}],"generationConfig":{"maxOutputTokens":1024,'
            b'"temperature":0.2},"labels":{"row":"%d"},"system_instruction":{"parts":[{"text":"Be brief."}]}}'
        ) % (draw(0, 999_999), self._random.choice(self._prompts), number)
        if chance() < 0.02:
            self.expected["failed"] += 1
            status = rb'"Bad Request: {\"error\": {\"code\": 400, \"status\": \"INVALID_ARGUMENT\"}}"'
            return b'{"status":%b,%b,"response":{}}\n' % (status, asked)
        text, answer = draw(300, 900), draw(40, 240)
        audio = draw(1, 400) if chance() < 0.1 else 0
        cached = draw(1, text) if chance() < 0.2 else 0
        thoughts = draw(10, 800) if chance() < 0.3 else 0
        truncated = chance() < 0.03
        self.expected.update(
            succeeded=1,
            truncated=truncated,
            input=text + audio,
            cached_input=cached,
            output=answer + thoughts,
            thoughts=thoughts,
        )
        usage = b'"candidatesTokenCount":%d,"candidatesTokensDetails":[%b],"promptTokenCount":%d,' % (
            answer,
            _detail(b"TEXT", answer),
            text + audio,
        )
        if cached:
            details = _detail(b"TEXT", cached)
            usage = b'"cacheTokensDetails":[%b],"cachedContentTokenCount":%d,%b' % (details, cached, usage)
        details = _detail(b"TEXT", text) + (b"," + _detail(b"AUDIO", audio) if audio else b"")
        usage += b'"promptTokensDetails":[%b],' % details
        if thoughts:
            usage += b'"thoughtsTokenCount":%d,' % thoughts
        total = text + audio + answer + thoughts
        return (
            b'{"status":"",%b,"response":{"candidates":[{"avgLogprobs":-0.%016d,"content":{"parts":['
            b'{"text":%b}],"role":"model"},"finishReason":"%b"}],"createTime":"2026-11-22T10:00:00.484619Z",'
            b'"modelVersion":"gemini-2.5-flash","responseId":"S8vNaIvKHdvshMIP%08d","usageMetadata":'
            b'{%b"totalTokenCount":%d,"trafficType":"ON_DEMAND"}}}\n'
        ) % (
            asked,
            draw(0, 10**15),
            self._random.choice(self._answers),
            b"MAX_TOKENS" if truncated else b"STOP",
            number,
            usage,
            total,
        )


def _detail(modality, count):
    return b'{"modality":"%b","tokenCount":%d}' % (modality, count)


def generate(path, rows):
    """Writes rows; returns what they used."""
    generator = Generator()
    with path.open("wb", buffering=MB) as file:
        for number in range(rows):
            file.write(generator.row(number))
    return {name: count for name, count in generator.expected.items() if count}


# --- What is measured, each in a process of its own on one core


def chunks(path, size=MB):
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as fast as it goes
        while chunk := file.read(size):
            yield chunk


def json_loop(path):
    """The loop that everything is compared with."""
    with open(path, "rb") as file:  # noqa: PTH123 - as one would write it
        for line in file:
            json.loads(line)


def read_only(path):
    for _ in chunks(path):
        pass


def lines_only(path):
    for _ in whole_lines(chunks(path)):
        pass


def core(path):
    """Stream -> usage -> line items."""
    reader = reader_for(NAME, prices.load(), MODEL)
    for block in whole_lines(chunks(path)):
        reader.add_block(block)
    usage = reader.usage
    cost = cost_of(usage, prices.load(), location="us-central1", at=NOW)
    return _summary(usage, cost)


def _summary(usage, cost):
    found = Counter(
        failed=usage.rows.failed,
        succeeded=usage.rows.succeeded,
        truncated=sum(waste.rows for waste in usage.waste if waste.kind == "truncated"),
        input=usage.tokens.input,
        cached_input=usage.tokens.cached_input,
        output=usage.tokens.output,
        thoughts=usage.tokens.thoughts,
    )
    assert cost.amount_nano == sum(item.amount_nano for item in cost.line_items)
    assert usage.rows.malformed == cost.unpriced_rows == 0
    return {name: count for name, count in found.items() if count}


def _parsers():
    """Name -> function of a line, for what is installed here."""

    class Nothing(msgspec.Struct):
        """Has no members: all is checked and skipped."""

    yield "json.loads: all of a row", json.loads
    yield f"msgspec {msgspec.__version__}: all of a row", msgspec.json.decode
    yield "msgspec: nothing, only check", msgspec.json.Decoder(Nothing).decode
    yield "msgspec: what is needed (used)", decode_row
    for name in ("orjson", "ssrjson"):
        module = _installed(name)
        if module:
            yield f"{name} {module.__version__}: all of a row", module.loads
    if module := _installed("simdjson"):
        parse = module.Parser().parse

        def needed(line):
            response = parse(line)["response"]
            if "usageMetadata" in response:
                return response["usageMetadata"].as_dict(), response["candidates"][0]["finishReason"]
            return None

        yield "pysimdjson: nothing, only check", lambda line: parse(line) and None
        yield "pysimdjson: what is needed", needed


def _installed(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def parsers(path):
    with open(path, "rb") as file:  # noqa: PTH123 - consistency
        lines = [line for line, _ in zip(file, range(PARSED_ROWS), strict=False)]
    best = {}
    for _ in range(ROUNDS):
        for name, parse in _parsers():
            begun = time.perf_counter()
            for line in lines:
                parse(line)
            seconds = time.perf_counter() - begun
            best[name] = min(best.get(name, seconds), seconds)
    return {name: seconds / len(lines) for name, seconds in best.items()}


def settle_once(_):
    """The whole of settle, over the storage emulator and with books in memory."""
    from batch_gateway.adapters.storage import CloudStorage  # noqa: PLC0415
    from batch_gateway.notify.delivery import NotifyDeps  # noqa: PLC0415 - same
    from batch_gateway.settlement.deps import SettlementDeps  # noqa: PLC0415
    from batch_gateway.settlement.settle import settle  # noqa: PLC0415
    from fakes import MemoryStore  # noqa: PLC0415 - it is slow to import

    key = JobKey("p", "us-central1", "1")
    seen = observe(
        {
            "name": "projects/1/locations/us-central1/batchPredictionJobs/1",
            "model": MODEL,
            "state": "JOB_STATE_SUCCEEDED",
            "createTime": "2026-11-22T10:00:00Z",
            "outputInfo": {"gcsOutputDirectory": f"gs://{BUCKET}/{NAME.rpartition('/')[0]}"},
        }
    )
    store = MemoryStore()
    store.add_job(JobRecord(key, seen, seen.create_time))
    objects = CloudStorage("p")
    begun = time.perf_counter()
    sending = NotifyDeps(  # the job's event goes to nobody
        outbox=store, endpoints=None, receivers=None, topic=None, clock=time.monotonic, now=lambda: NOW
    )
    deps = SettlementDeps(
        store=store,
        objects=objects,
        upstream=None,
        prices=prices.load,
        tables=None,
        keys=None,
        notify=lambda: sending,
        budget_action="nothing",
        clock=time.monotonic,
        now=lambda: NOW,
    )
    busy = time.process_time()
    settle(BUCKET, NAME, NOW, NOW, deps)
    busy = time.process_time() - busy
    record = store.get_job(key)
    return {"took": time.perf_counter() - begun, "cpu": busy, "found": _summary(record.usage, record.cost)}


def download(_):
    """Our download alone; seconds."""
    from batch_gateway.adapters.storage import CloudStorage  # noqa: PLC0415 - it is slow to import

    objects = CloudStorage("p")
    generation = objects.stat(BUCKET, NAME).generation
    begun = time.perf_counter()
    for _chunk in objects.read(BUCKET, NAME, generation):
        pass
    return time.perf_counter() - begun


def downloads(_):
    """The same object, read in several ways and thrown away."""
    from google.cloud.storage import Client  # noqa: PLC0415 - it is slow to import

    blob = Client(project="p").bucket(BUCKET).blob(NAME)

    def library():
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - consistency
            blob.download_to_file(nothing)

    def library_reader():
        with blob.open("rb", chunk_size=8 * 1024 * 1024) as file:
            while file.read(8 * 1024 * 1024):
                pass

    took = {}
    for name, way in (
        ("google-cloud-storage, download_to_file", library),
        ("google-cloud-storage, open, 8 MiB a request", library_reader),
        ("adapters/storage.py", lambda: download(None)),
    ):
        begun = time.perf_counter()
        way()
        took[name] = time.perf_counter() - begun
    return took


MEASURED = {
    way.__name__: way
    for way in (json_loop, read_only, lines_only, core, parsers, settle_once, download, downloads)
}


def _measured(way, path):
    """Runs in the child: one line of JSON on standard output."""
    if hasattr(os, "sched_setaffinity") and way not in {"settle_once", "download", "downloads"}:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    begun = time.perf_counter()
    found = MEASURED[way](path)
    seconds = time.perf_counter() - begun
    print(json.dumps({"seconds": seconds, "found": found, "rss": _peak()}))


def _peak():
    """The largest resident set of this process, bytes; None where the system does not tell."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(way, path):
    """Runs one way in a process of its own."""
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, "--measure", way, str(path)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(done.stdout.splitlines()[-1])


# --- A connection that is slower than loopback


class _Paced(BaseHTTPRequestHandler):
    """As much of Cloud Storage as settle asks for: one object, sent at a given rate."""

    protocol_version = "HTTP/1.1"
    path_sent: Path
    bytes_a_second: int

    def do_GET(self):
        size = self.path_sent.stat().st_size
        if not self.path.startswith("/download/"):
            info = {
                "name": NAME,
                "generation": "1",
                "size": str(size),
                "timeCreated": "2026-11-22T10:30:00.000Z",
            }
            self._begin(json.dumps({**info, "items": [info]}).encode())
            return
        self._begin(length=size)
        begun, sent = time.perf_counter(), 0
        for chunk in chunks(self.path_sent, 64 * 1024):
            self.wfile.write(chunk)
            sent += len(chunk)
            time.sleep(max(0.0, begun + sent / self.bytes_a_second - time.perf_counter()))

    def _begin(self, body=b"", length=None):
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Is silent."""


def serve(port, path, megabytes_a_second):
    """Runs in a child until it is ended."""
    handler = type("Handler", (_Paced,), {"path_sent": Path(path), "bytes_a_second": megabytes_a_second * MB})
    ThreadingHTTPServer((HOST, port), handler).serve_forever()


# --- Tables


def speed(path, rows, expected):
    """Core beside json.loads, each best of several runs in turn."""
    best, size = {}, path.stat().st_size
    for _ in range(ROUNDS):
        for way in ("json_loop", "read_only", "lines_only", "core"):
            result = measure(way, path)
            assert way != "core" or result["found"] == expected
            best[way] = min(best.get(way, result["seconds"]), result["seconds"])
    print(f"\n{rows:,} rows, {size / MB:,.0f} MB, best of {ROUNDS} runs in turn, one core\n")
    print("| | s | us a row | rows/s | MB/s | x json.loads |")
    print("|---|---|---|---|---|---|")
    for way, name in (
        ("json_loop", "for line in f: json.loads(line)"),
        ("read_only", "reading the file"),
        ("lines_only", "... into lines"),
        ("core", "core: stream, usage, line items"),
    ):
        seconds = best[way]
        print(
            f"| {name} | {seconds:.2f} | {seconds / rows * 1e6:.2f} | {rows / seconds:,.0f} "
            f"| {size / seconds / MB:,.0f} | {best['json_loop'] / seconds:.2f} |"
        )


def parsing(path):
    result = measure("parsers", path)["found"]
    base = next(iter(result.values()))
    print(f"\nParsers alone, {PARSED_ROWS:,} rows in memory, best of {ROUNDS}\n")
    print("| | us a row | x json.loads |\n|---|---|---|")
    for name, seconds in result.items():
        print(f"| {name} | {seconds * 1e6:.2f} | {base / seconds:.2f} |")


def settling(path, expected, log):
    emulator = StorageEmulator(free_ports(1)[0], log, os.environ)
    emulator.process.start()
    try:
        emulator.process.wait_ready()
        emulator.create_buckets([BUCKET])
        from google.cloud.storage import Client  # noqa: PLC0415 - slow to import

        os.environ["STORAGE_EMULATOR_HOST"] = emulator.url
        Client(project="p").bucket(BUCKET).blob(NAME).upload_from_filename(str(path))
        best = {}
        for _ in range(ROUNDS):
            for name, seconds in measure("downloads", path)["found"].items():
                best[name] = min(best.get(name, seconds), seconds)
            settled = measure("settle_once", path)
            assert settled["found"]["found"] == expected
            best["settle"] = min(best.get("settle", math.inf), settled["found"]["took"])
    finally:
        emulator.process.stop()
    size = path.stat().st_size
    print(f"\nOver the storage emulator, {size / MB:,.0f} MB, best of {ROUNDS} in turn\n")
    print("| | s | MB/s | settle / this |\n|---|---|---|---|")
    for name, taken in best.items():
        print(f"| {name} | {taken:.2f} | {size / taken / MB:,.0f} | {best['settle'] / taken:.2f} |")
    print(f"\nPeak resident set of settle's process: {_mb(settled['rss'])}")


def pacing(path, expected):
    """Settle beside the same download thrown away, at rates that a connection may have."""
    print("\nOver a connection of a given rate, best of 2\n")
    print("| MB/s | download s | settle s | settle / download |\n|---|---|---|---|")
    for rate in RATES:
        port = free_ports(1)[0]
        server = subprocess.Popen(  # noqa: S603 - this very file
            [sys.executable, __file__, "--serve", str(port), str(path), str(rate)]
        )
        try:
            while not is_listening(port):
                time.sleep(0.05)
            os.environ["STORAGE_EMULATOR_HOST"] = f"http://{HOST}:{port}"
            results = [(measure("download", path), measure("settle_once", path)) for _ in range(2)]
        finally:
            server.terminate()
            server.wait()
        assert all(settled["found"]["found"] == expected for _, settled in results)
        download = min(read["found"] for read, _ in results)
        settle = min(settled["found"]["took"] for _, settled in results)
        print(f"| {rate} | {download:.2f} | {settle:.2f} | {settle / download:.2f} |")


def _mb(count):
    return "unknown" if count is None else f"{count / MB:.0f} MB"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--mb", type=int, nargs="+", default=[60, 600, 3000], help="sizes for memory")
    arguments.add_argument("--main", type=int, help="the size that all else is measured with; default 600")
    arguments.add_argument("--measure", nargs=2, metavar=("WAY", "PATH"), help=argparse.SUPPRESS)
    arguments.add_argument("--serve", nargs=3, metavar=("PORT", "PATH", "RATE"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        port, path, rate = given.serve
        serve(int(port), path, int(rate))
    if given.measure:
        _measured(*given.measure)
        return
    chosen = given.main or min(given.mb, key=lambda size: abs(size - 600))
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}")
    memory = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sorted({*given.mb, chosen}):
            rows = size * MB // ROW_BYTES
            path = Path(folder) / f"{size}.jsonl"
            expected = generate(path, rows)
            result = measure("core", path)
            assert result["found"] == expected
            memory.append((path.stat().st_size, result))
            if size == chosen:
                speed(path, rows, expected)
                parsing(path)
                settling(path, expected, Path(folder) / "log")
                pacing(path, expected)
            path.unlink()
    print("\nMemory of the core\n\n| MB read | s | peak resident set |\n|---|---|---|")
    for size, result in memory:
        print(f"| {size / MB:,.0f} | {result['seconds']:.1f} | {_mb(result['rss'])} |")


if __name__ == "__main__":
    main()
