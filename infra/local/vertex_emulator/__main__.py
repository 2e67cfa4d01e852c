"""The command: `python -m vertex_emulator --port 0 --storage-emulator-host http://127.0.0.1:9023`."""

import argparse
import os
import signal
import threading

from .emulator import VertexEmulator
from .lifecycle import Speed


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="vertex_emulator",
        description="Emulates Vertex AI batchPredictionJobs.",
        epilog="An input row says by its `emulate` what becomes of it (options.py), a job by labels how it "
        "leaves its output (layout.py). The endpoints under /emulator (control.py) set faults and "
        "layouts, move jobs, and hold registered models and BigQuery tables.",
    )
    default = Speed()
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free port")
    parser.add_argument(
        "--storage-emulator-host",
        default=os.environ.get("STORAGE_EMULATOR_HOST"),
        metavar="URL",
        help="the Cloud Storage emulator; default: $STORAGE_EMULATOR_HOST",
    )
    parser.add_argument(
        "--pending-seconds",
        type=float,
        default=default.pending_seconds,
        help="from a create to RUNNING; default: %(default)s",
    )
    parser.add_argument(
        "--seconds-per-row",
        type=float,
        default=default.seconds_per_row,
        help="from one row to the next, a minute at most for all; default: %(default)s",
    )
    parser.add_argument("--running-seconds", type=float, help="for all rows, instead of --seconds-per-row")
    parser.add_argument(
        "--cancelling-seconds",
        type=float,
        default=default.cancelling_seconds,
        help="from CANCELLING to CANCELLED; default: %(default)s",
    )
    parser.add_argument(
        "--delete-seconds",
        type=float,
        default=default.delete_seconds,
        help="how long a delete takes; default: %(default)s",
    )
    parser.add_argument(
        "--project-number",
        action="append",
        default=[],
        metavar="ID=NUMBER",
        help="the number of a project; another project's is made from its id",
    )
    parser.add_argument("--model", action="append", default=[], help="another model of Google's that exists")
    parser.add_argument("--seed", type=int, default=7, help="for the order of output rows")
    arguments = parser.parse_args()
    if not arguments.storage_emulator_host:
        parser.error("--storage-emulator-host or STORAGE_EMULATOR_HOST is needed")
    if not all(pair.partition("=")[2].isdigit() for pair in arguments.project_number):
        parser.error("--project-number takes ID=NUMBER")
    return arguments


def main() -> None:
    """Serve until the process is told to end."""
    arguments = _arguments()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    endpoint = str(arguments.storage_emulator_host)
    speed = Speed(
        pending_seconds=arguments.pending_seconds,
        seconds_per_row=arguments.seconds_per_row,
        running_seconds=arguments.running_seconds,
        cancelling_seconds=arguments.cancelling_seconds,
        delete_seconds=arguments.delete_seconds,
    )
    with VertexEmulator(
        storage_endpoint=endpoint if "://" in endpoint else f"http://{endpoint}",
        speed=speed,
        port=arguments.port,
        project_numbers=dict(pair.split("=", 1) for pair in arguments.project_number),
        models=arguments.model,
        seed=arguments.seed,
    ) as emulator:
        print(f"listening on {emulator.url}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
