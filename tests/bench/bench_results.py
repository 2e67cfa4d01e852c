"""How fast results come through the gateway, beside the bare download and beside settlement. See README.md.

Run by hand: ``python tests/bench/bench_results.py``; ``--mb 60`` for a quick look.
"""

# ruff: noqa: T201 - it prints figures

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "infra" / "local"), str(HERE)]

import bench_settle  # noqa: E402 - found by the line above
from bench_gateway import JOB_PATH, MASTER_KEY, call, memory  # noqa: E402
from bench_settle import BUCKET, MB, NAME, ROUNDS, ROW_BYTES, generate, measure  # noqa: E402
from google.cloud.storage import Client  # noqa: E402
from instant_upstream import DIRECTORY, TEAM  # noqa: E402

from firestore_emulator import FirestoreEmulator  # noqa: E402
from functions_process import function_process  # noqa: E402
from processes import HOST, ManagedProcess, free_ports, is_listening  # noqa: E402
from storage_emulator import StorageEmulator  # noqa: E402

THREADS = "40"
"""As deployed."""
OUTPUT, _, FOLDER = DIRECTORY.removeprefix("gs://").partition("/")
OBJECT = f"{FOLDER}/predictions.jsonl"
READ_BYTES = 1024 * 1024
SAVED, THROWN_AWAY = "curl -o FILE, bare", "thrown away, bare"
UNPACED = 100_000
"""MB a second that no connection has."""


def download(port, path, key=None):
    """Seconds of one download that is thrown away, and its bytes."""
    began, size = time.perf_counter(), 0
    connection = HTTPConnection(HOST, port, timeout=600)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.read().decode()}")
    while piece := answer.read(READ_BYTES):
        size += len(piece)
    connection.close()
    return time.perf_counter() - began, size


def save(port, path, file, key=None):
    """Seconds of one download that curl writes to a file."""
    bearer = ["-H", f"Authorization: Bearer {key}"] if key else []
    began = time.perf_counter()
    subprocess.run(["curl", "-sSf", "-o", file, *bearer, f"http://{HOST}:{port}{path}"], check=True)  # noqa: S603, S607 - as a user does
    return time.perf_counter() - began


def cpu_of(process):
    """Seconds of CPU time that a server's processes have taken."""
    group, ticks = os.getpgid(process._process.pid), 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(entry.name)) == group:
                ticks += sum(map(int, (entry / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def own_cpu():
    """Seconds of CPU time that this process and its children have taken."""
    return sum(os.times()[:4])


def media(bucket, name):
    return f"/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"


def gateway_process(stack, logs, storage_url):
    """A gateway as deployed, with its emulators; gives process, port and key."""
    ports = dict(zip(("firestore", "upstream", "gateway"), free_ports(3), strict=True))
    base = {**os.environ, "PYTHONPATH": str(ROOT / "infra" / "local"), "PYTHONUNBUFFERED": "1"}
    firestore = FirestoreEmulator(ports["firestore"], logs / "firestore.log", base)
    upstream = ManagedProcess(
        "the upstream",
        [sys.executable, str(HERE / "instant_upstream.py"), str(ports["upstream"])],
        is_ready=lambda process: "listening" in process.output(),
        log=logs / "upstream.log",
        env=base,
    )
    env = base | {
        "GOOGLE_CLOUD_PROJECT": "local-project",
        "FIRESTORE_EMULATOR_HOST": firestore.host,
        "STORAGE_EMULATOR_HOST": storage_url,
        "VERTEX_EMULATOR_HOST": f"{HOST}:{ports['upstream']}",
        "GATEWAY_MASTER_KEY": MASTER_KEY,
        "GATEWAY_CONFIG": str(ROOT / "infra" / "local" / "config.yaml"),
        "THREADS": THREADS,
    }
    gateway = function_process(
        "gateway", "http", ports["gateway"], env=env, logs=logs, health="/health/readiness"
    )
    for process in (firestore.process, upstream, gateway):
        if process:
            process.start()
            stack.callback(process.stop)
            process.wait_ready()
    port = ports["gateway"]
    call(port, "POST", "/team/new", {"team_id": TEAM})
    key = call(port, "POST", "/key/generate", {"team_id": TEAM})["key"]
    body = {"model": "publishers/google/models/gemini-2.5-flash"}
    parent, _, _ = JOB_PATH.rpartition("/")
    job = call(port, "POST", parent, body, key=key)["name"].rpartition("/")[2]
    call(port, "GET", JOB_PATH, key=key)
    return gateway, port, key, f"{parent}/{job}/results"


def compare(path, logs):
    """Prints the table of speeds, each best of several rounds in turn."""
    with ExitStack() as stack:
        storage_port = free_ports(1)[0]
        storage = StorageEmulator(storage_port, logs / "storage.log", os.environ)
        storage.process.start()
        stack.callback(storage.process.stop)
        storage.process.wait_ready()
        storage.create_buckets((OUTPUT, BUCKET))
        os.environ["STORAGE_EMULATOR_HOST"] = storage.url
        for bucket, name in ((OUTPUT, OBJECT), (BUCKET, NAME)):
            Client(project="p").bucket(bucket).blob(name).upload_from_filename(str(path))
        gateway, port, key, results = gateway_process(stack, logs, storage.url)
        settled = []

        def settle_once():
            found = measure("settle_once", path)["found"]
            settled.append(found["cpu"])
            return found["took"]

        ways = {
            SAVED: lambda: save(storage_port, media(OUTPUT, OBJECT), logs / "saved"),
            "curl -o FILE, view=full": lambda: save(port, results, logs / "saved", key),
            THROWN_AWAY: lambda: download(storage_port, media(OUTPUT, OBJECT))[0],
            "thrown away, view=full": lambda: download(port, results, key)[0],
            "settle": settle_once,
            "results, view=usage": lambda: download(port, f"{results}?view=usage", key)[0],
            "results, view=usage, csv": lambda: download(port, f"{results}?view=usage&format=csv", key)[0],
            "results, state=failed": lambda: download(port, f"{results}?state=failed", key)[0],
        }
        best = dict.fromkeys(ways, (float("inf"),) * 3)
        for _ in range(ROUNDS):
            for name, way in ways.items():
                before = cpu_of(gateway), cpu_of(storage.process), own_cpu()
                seconds = way()
                after = cpu_of(gateway), cpu_of(storage.process), own_cpu()
                spent = [now - then for now, then in zip(after, before, strict=True)]
                best[name] = tuple(map(min, best[name], (seconds, spent[0], sum(spent))))
        resident = memory(gateway)[1]
    size = path.stat().st_size
    settle, settle_cpu = best["settle"][0], min(settled)
    print(
        f"\n{size / MB:,.0f} MB over the storage emulator, best of {ROUNDS} rounds in turn, "
        f"load {os.getloadavg()[0]:.0f}\n"
    )
    print("| | s | MB/s | bare / this | settle / this | its CPU s | CPU s in all | settle / this, CPU |")
    print("|---|---|---|---|---|---|---|---|")
    for name, (seconds, cpu, in_all) in best.items():
        bare = best[SAVED if name.startswith("curl") else THROWN_AWAY][0]
        if name == "settle":  # its process also imports everything, which a running gateway has done
            figures = f"{settle_cpu:.2f} | | 1.00"
        elif cpu:
            figures = f"{cpu:.2f} | {in_all:.2f} | {settle_cpu / cpu:.2f}"
        else:
            figures = f"| {in_all:.2f} |"
        print(
            f"| {name} | {seconds:.2f} | {size / seconds / MB:,.0f} | {bare / seconds:.2f} "
            f"| {settle / seconds:.2f} | {figures} |"
        )
    print(f"\nThe worker's resident set: {resident:.0f} MB")


def remember(path, logs):
    """Prints the memory of a worker that has sent a large output in every way."""
    with ExitStack() as stack:
        port = free_ports(1)[0]
        server = ManagedProcess(
            "an object server",
            [sys.executable, __file__, "--serve", str(port), str(path)],
            is_ready=lambda _: is_listening(port),
            log=logs / "server.log",
            env=os.environ,
        )
        server.start()
        stack.callback(server.stop)
        server.wait_ready()
        gateway, gateway_port, key, results = gateway_process(stack, logs, f"http://{HOST}:{port}")
        for query in ("", "?view=usage", "?view=usage&format=csv", "?state=truncated"):
            seconds, sent = download(gateway_port, results + query, key)
            resident = memory(gateway)[1]
            print(f"| {query or 'full'} | {sent / MB:,.0f} | {seconds:.1f} | {resident:.0f} |", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--mb", type=int, default=600, help="size for speeds")
    arguments.add_argument("--large", type=int, default=3000, help="size for memory; 0 for none")
    arguments.add_argument("--serve", nargs=2, metavar=("PORT", "PATH"), help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        bench_settle.NAME = OBJECT
        bench_settle.serve(int(given.serve[0]), given.serve[1], UNPACED)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}", end=", ")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        logs, path = Path(folder), Path(folder) / "rows.jsonl"
        if given.mb:
            generate(path, given.mb * MB // ROW_BYTES)
            compare(path, logs)
        if given.large:
            generate(path, given.large * MB // ROW_BYTES)
            print(f"\n{path.stat().st_size / MB:,.0f} MB\n")
            print("| | MB sent | s | the worker's MB |\n|---|---|---|---|")
            remember(path, logs)


if __name__ == "__main__":
    main()
