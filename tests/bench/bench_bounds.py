"""How fast the input of a key with a budget is weighed, and in how much memory. See README.md.

Run by hand: ``python tests/bench/bench_bounds.py``; ``--mb 60`` for a quick look.
"""

# ruff: noqa: T201 - it prints figures

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions")]

from batch_gateway.core.estimating.bounds import Scale  # noqa: E402
from batch_gateway.core.estimating.sampling import Object  # noqa: E402
from batch_gateway.core.pricing import prices  # noqa: E402 - found by the line above
from batch_gateway.gateway.jobs.input_bounds import InputBounds  # noqa: E402

MODEL = "publishers/google/models/gemini-2.5-flash"
MB = 1_000_000
CHUNK = 1024 * 1024
MOST_ROWS = 200_000
WORDS = {"short rows": 20, "rows of 5 kB": 800, "rows of 100 kB": 16_000}
ODD = "rows of 5 kB, odd"
"""With space around each colon and an escaped quotation mark, and a name in two spellings."""


class Files:
    """The ObjectStore port on a folder, as far as it is needed."""

    def read(self, bucket, name, generation, start=0):  # noqa: ARG002 - files have one generation
        with (Path(bucket) / name).open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk


def rows(kind, size, seed=2026):
    """Lines of a kind, of that many bytes together: but not more than Vertex AI takes of a Gemini job."""
    draw = random.Random(seed)  # noqa: S311 - made-up rows
    words = ["".join(draw.choices("etaoinshrdlucmfwypvbgk", k=draw.randint(2, 9))) for _ in range(4_000)]
    words += ["größe", "東京", '"quoted"'] * 40
    pool = []
    for number in range(200):
        text = " ".join(draw.choices(words, k=WORDS.get(kind, WORDS["rows of 5 kB"])))
        request = {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "generationConfig": {"maxOutputTokens": 1024, "temperature": 0.2},
        }
        if kind == ODD:
            request["generation_config"] = {"max_output_tokens": 512}
        line = json.dumps({"key": f"a-{number}", "request": request}, ensure_ascii=False)
        pool.append(
            (line.replace('"key":', '"key" : "\\u0022", "key" :') if kind == ODD else line).encode() + b"\n"
        )
    for _ in range(MOST_ROWS):
        if size <= 0:
            return
        line = draw.choice(pool)
        size -= len(line)
        yield line


def weigh(path, answers):
    """Weigh a file in a process of its own, bound to one core."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    scale = Scale(MODEL, prices.load(), lambda _: None, None)
    size = path.stat().st_size
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, used = time.monotonic(), time.process_time()
    # By a clock that stands still, so that nothing is cut short.
    InputBounds(Files, lambda: 0.0).weigh("k", [Object(str(path.parent), path.name, 1, size)], scale)
    wall, used = time.monotonic() - wall, time.process_time() - used
    answers.put(
        (scale.weight.rows, size, wall, used, before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    )


def main():
    """Print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=int, default=1000)
    size = parser.parse_args().mb * MB
    context = multiprocessing.get_context("spawn")
    print(
        "| input | rows | MB | CPU s | MB a CPU second | us a row | wall s | peak resident set, MB (before) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in (*WORDS, ODD):
            path = Path(folder) / "rows.jsonl"
            with path.open("wb") as file:
                file.writelines(rows(kind, size))
            answers = context.Queue()
            process = context.Process(target=weigh, args=(path, answers))
            process.start()
            count, read, wall, used, before, peak = answers.get()
            process.join()
            print(
                f"| {kind} | {count:,} | {read / MB:.0f} | {used:.1f} | {read / MB / used:.0f} | "
                f"{used / count * 1e6:.0f} | {wall:.1f} | {peak // 1024} ({before // 1024}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
