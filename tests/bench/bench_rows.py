"""How fast files that rows name are checked, as a share of the speed of settlement. See README.md.

Run by hand: ``python tests/bench/bench_rows.py``; ``--mb 20`` for a quick look.
"""

# ruff: noqa: T201 - it prints figures

import argparse
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions")]

from batch_gateway.core.access.row_grants import RowGrants  # noqa: E402 - found by the line above
from batch_gateway.core.lines import whole_lines  # noqa: E402
from batch_gateway.core.pricing import prices  # noqa: E402
from batch_gateway.core.rows.object_readers import reader_for  # noqa: E402

MODEL = "publishers/google/models/gemini-2.5-flash"
MB = 1_000_000
CHUNK = 1024 * 1024
ROUNDS = 5
PRICES = prices.load()
GRANTED = {"key": ("gs://mine",)}


def row(draw, words, kind, number):
    """A line of output, which holds its line of input."""
    parts = [{"text": " ".join(draw.choices(words, k=120))}]
    if kind.startswith("a file"):
        uri = f"gs://mine/documents/file-{number}.pdf"
        parts.append({"fileData": {"fileUri": uri, "mimeType": "application/pdf"}})
    counts = {"promptTokenCount": 100, "candidatesTokenCount": 80, "totalTokenCount": 180}
    details = {
        f"{name}TokensDetails": [{"modality": "TEXT", "tokenCount": counts[f"{name}TokenCount"]}]
        for name in ("prompt", "candidates")
    }
    answer = {"role": "model", "parts": [{"text": " ".join(draw.choices(words, k=80))}]}
    value = {
        "status": "",
        "processed_time": "2026-11-22T10:00:00.000+00:00",
        "request": {"contents": [{"role": "user", "parts": parts}]},
        "response": {
            "candidates": [{"content": answer, "finishReason": "STOP"}],
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {**counts, **details},
        },
    }
    line = json.dumps(value, ensure_ascii=kind == "escapes")
    return (line.replace("/", "\\/") if kind == "a file in each, escaped" else line).encode() + b"\n"


def data_of(kind, size):
    draw = random.Random(2026)  # noqa: S311 - made-up rows
    words = ["".join(draw.choices("etaoinshrdlucmfwypvbgk", k=draw.randint(2, 9))) for _ in range(3_000)]
    words += ["things:", "and/or", "https://example.com/a"] * 20 + (
        ["größe"] * 300 if kind == "escapes" else []
    )
    pool = [row(draw, words, kind, number) for number in range(200)]
    return b"".join(draw.choices(pool, k=size // len(pool[0])))


def seconds(data, take):
    """CPU seconds of the best of some rounds; ``take`` makes what takes the blocks."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun, add = time.process_time(), take()
        for block in whole_lines(data[at : at + CHUNK] for at in range(0, len(data), CHUNK)):
            add(block)
        best = min(best, time.process_time() - begun)
    return best


def settling():
    return reader_for("run/predictions.jsonl", PRICES, MODEL).add_block


def checking():
    granted = RowGrants(GRANTED)

    def add(block):
        assert granted.find_denied(block.lines) is None

    return add


def watching():
    granted, settle = RowGrants(GRANTED), settling()

    def add(block):
        settle(block)
        assert granted.find_denied_in_output(block.lines) is None

    return add


def main():
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=100)
    size = parser.parse_args().mb * MB
    print("| rows | settlement, MB/s | check at the create, MB/s | of settlement | settlement that watches |")
    print("|---|---|---|---|---|")
    for kind in ("no file", "escapes", "a file in each", "a file in each, escaped"):
        data = data_of(kind, size)
        settled, checked, watched = (seconds(data, take) for take in (settling, checking, watching))
        print(
            f"| {kind} | {len(data) / MB / settled:.0f} | {len(data) / MB / checked:.0f} "
            f"| {settled / checked:.2f} | {settled / watched:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
