"""GET /v1/jobs:stats over 30 days: what it reads and how long it takes, however many jobs there were.

The jobs are written as the batch that closes them does, into Google's Firestore emulator; waits, runs and
rates are spread log-normally over several powers of ten, which fills many buckets. The figures that it finds
are compared with those of the jobs themselves.
"""

# ruff: noqa: E402, T201 - the path comes first, and it talks to a terminal

import argparse
import contextlib
import io
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "infra" / "local")]

from batch_gateway.adapters.firestore import FirestoreStore, connect, job_times
from batch_gateway.core.timing.job_times import WINDOWS, JobTime, first_day, summarize
from firestore_emulator import FirestoreEmulator
from processes import free_ports

TODAY = date(2026, 11, 28)
DAYS = max(WINDOWS)
GROUPS = [(f"gemini-{number}", place) for number in range(4) for place in ("global", "us-central1")]
AT_ONCE = 100
"""Jobs of one batch: fewer than Firestore's limit on what one write may transform."""
READS = 15


def made_up(number, rng):
    """The times of a job on one of the days."""
    model, location = rng.choice(GROUPS)
    waited, ran, rate = (int(rng.lognormvariate(mean, 1.5)) for mean in (6, 7, 10))
    day = (TODAY - timedelta(days=number % DAYS)).isoformat()
    return JobTime(("team", f"t{number % 3}"), day, model, location, "succeeded", waited, ran, rate)


def worst_error(found, jobs):
    """How far a figure is from that of the job that it stands for, in percent of it."""
    exact = defaultdict(list)
    for job in jobs:
        exact[job.model, job.location].append(job)
    errors = [0.0]
    for each in found:
        if each.days != DAYS:
            continue
        mine = exact[each.model, each.location]
        for field, quantiles in (("queue", each.queue_seconds), ("run", each.run_seconds)):
            values = sorted(getattr(job, field) for job in mine)
            for percent, value in ((50, quantiles.p50), (90, quantiles.p90)):
                wanted = values[-(-len(values) * percent // 100) - 1]
                errors.append(abs(value - wanted) / wanted * 100 if wanted else 0)
    return max(errors)


def measure(project, number):
    """Writes so many jobs, and reads the statistics of all of them and of one team."""
    client = connect(project, "(default)")
    store, rng = FirestoreStore(client), random.Random(number)  # noqa: S311 - made-up jobs
    jobs = [made_up(each, rng) for each in range(number)]
    for start in range(0, number, AT_ONCE):
        batch = client.batch()
        for each in range(start, min(number, start + AT_ONCE)):
            store._add_to_times(batch, jobs[each], f"job-{each}")
        batch.commit()
    documents = list(client.collection("job_times").stream())
    largest = max(len(str(each.to_dict())) for each in documents)
    for whose, owner in (("all", None), ("one team", ("team", "t0"))):
        took = []
        for _ in range(READS):
            begun = time.perf_counter()
            found = summarize(store.daily_times(owner, first_day(TODAY, DAYS), TODAY.isoformat()), TODAY)
            took.append(time.perf_counter() - begun)
        mine = [job for job in jobs if owner in {None, job.owner}]
        assert sum(sum(each.jobs.values()) for each in found if each.days == DAYS) == len(mine)
        read = sum(each.id.startswith(f"{job_times._name(owner)}:") for each in documents)
        print(
            f"| {number:,} | {whose} | {read} | {largest / 1000:.1f} | {statistics.median(took) * 1000:.0f} "
            f"| {worst_error(found, mine):.1f} |",
            flush=True,
        )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--jobs", type=int, nargs="*", default=[300, 3_000, 30_000])
    asked = arguments.parse_args()
    print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        emulator = FirestoreEmulator(free_ports(1)[0], Path(folder) / "log")
        if emulator.process:
            emulator.process.start()
            emulator.process.wait_ready()
        os.environ["FIRESTORE_EMULATOR_HOST"] = emulator.host
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                measure("bench-stats-warm-up", 300)
            print("| jobs in 30 days | whose | documents read | largest, kB | ms, median | worst error, % |")
            print("|---|---|---|---|---|---|")
            for number in asked.jobs:
                measure(f"bench-stats-{number}", number)
        finally:
            if emulator.process:
                emulator.process.stop()


if __name__ == "__main__":
    main()
