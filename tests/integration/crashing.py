"""Settlements and sweeps in processes of their own, which are killed or held up at a step of our choice.

A process with a gRPC channel must not fork. So there is a zygote, which has imported all and connected to
nothing, and forks a child for each task. A child tells every step before it takes it: each call of a port,
before and after; the moment between what `settle` and `amend_job` read and what they write; and each piece
of an object as it is read. Where it was told to, it sends itself a SIGKILL, or a SIGSTOP.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import traceback
from collections import Counter
from concurrent.futures import Future
from datetime import datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import msgspec

from batch_gateway.adapters.firestore import FirestoreKeys, FirestoreStore, connect
from batch_gateway.adapters.firestore.documents import CALL
from batch_gateway.adapters.storage import CloudStorage
from batch_gateway.adapters.vertex import Vertex
from batch_gateway.core.pricing import prices
from batch_gateway.notify.delivery import NotifyDeps
from batch_gateway.notify.endpoints import KeyEndpoints
from batch_gateway.ports import (
    ObjectChangedError,
    ObjectsUnavailableError,
    StoreUnavailableError,
    UpstreamUnavailableError,
)
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.settlement.settle import settle
from batch_gateway.settlement.sweep import reconcile
from batch_gateway.tracking import Tracker
from patience import PATIENCE
from patient_firestore import PATIENT

AGAIN = (
    *(NotYetError, ObjectChangedError),
    *(ObjectsUnavailableError, StoreUnavailableError, UpstreamUnavailableError),
)
"""After which an event comes again."""
_PATIENT = "patient"
_PAUSED, _DONE = "\tpaused", "\tdone "
_WITH_CHANGE = {"settle", "amend_job"}


class Steps:
    """Tells of every step, and ends or stops the process at one of them.

    Args:
        tell: Takes each step's name.
        kill: (step, how often it is passed before) or None; the step "any" is each of them.
        pause: The same.
    """

    def __init__(self, tell, kill, pause):
        self._tell = tell
        self._at = {tuple(kill or ()): signal.SIGKILL, tuple(pause or ()): signal.SIGSTOP}
        self._passed = Counter()
        self._lock = threading.Lock()

    def __call__(self, step):
        with self._lock:
            self._tell(step)
            number = None
            for each in (step, "any"):
                number = number or self._at.get((each, self._passed[each]))
                self._passed[each] += 1
            if number == signal.SIGSTOP:
                self._tell(_PAUSED)
        if number:
            os.kill(os.getpid(), number)


class Stepping:
    """A port whose every call is two steps."""

    def __init__(self, name, port, steps):
        self._name, self._port, self._steps = name, port, steps

    def __getattr__(self, method):
        call, step = getattr(self._port, method), f"{self._name}.{method}"

        def stepping(*args, **kwargs):
            self._steps(f"before {step}")
            if method in _WITH_CHANGE:
                at, change = next((at, each) for at, each in enumerate(args) if callable(each))

                def changing(*read):
                    self._steps(f"inside {step}")
                    return change(*read)

                args = [*args[:at], changing, *args[at + 1 :]]
            result = call(*args, **kwargs)
            self._steps(f"after {step}")
            return result

        return stepping


class Objects:
    """Cloud Storage in small pieces, so that small objects are read in many; reading each one is a step.

    gcp-storage-emulator 2026.7 serves what lives now, whatever generation was asked for. So the object is
    looked at before and after: if it was the right one both times, then what came between was that.
    """

    def __init__(self, storage, piece, steps):
        self._storage, self._piece, self._steps = storage, piece, steps
        self._stepping = Stepping("objects", storage, steps)
        self.stat, self.list = self._stepping.stat, self._stepping.list

    def read(self, bucket, name, generation, start=0):
        self._steps("before objects.read")
        self._hold(bucket, name, generation)
        data = b"".join(self._storage.read(bucket, name, generation, start))
        self._hold(bucket, name, generation)
        for at in range(0, len(data), self._piece):
            self._steps("inside objects.read")
            yield data[at : at + self._piece]
        self._steps("after objects.read")

    def _hold(self, bucket, name, generation):
        live = self._storage.stat(bucket, name)
        if live is None or live.generation != generation:
            raise ObjectChangedError(f"gs://{bucket}/{name}#{generation}")


def _no_tables():
    raise AssertionError("no job of these schedules writes to BigQuery")


def _run(task, table, firestore, steps):
    """Settles or sweeps, as a task says; returns what came of it."""
    project, location, ticks = task["project"], task["location"], count()
    now = datetime.fromisoformat(task["now"])
    store = Stepping("store", FirestoreStore(firestore), steps)
    keys = Stepping("keys", FirestoreKeys(firestore), steps)

    def clock():
        return next(ticks)

    deps = SettlementDeps(
        store=store,
        objects=Objects(CloudStorage(project), task["piece"], steps),
        upstream=Stepping("upstream", Vertex({(project, location): None}, task["vertex"]), steps),
        prices=lambda: table,
        tables=_no_tables,
        keys=keys,
        # No key here has a webhook.
        notify=lambda: NotifyDeps(
            outbox=store,
            endpoints=KeyEndpoints(keys),
            receivers=None,
            topic=None,
            clock=clock,
            now=lambda: now,
        ),
        budget_action="nothing",
        clock=clock,
        now=lambda: now,
    )
    if "name" not in task:
        done = reconcile(
            [(project, location)] if task["listed"] else [],
            Tracker(store),
            deps,
            now,
            task["seconds"],
            weigh=lambda _: None,
        )
        return json.loads(msgspec.json.encode(done))
    written = datetime.fromisoformat(task["written"])
    return settle(task["bucket"], task["name"], written, now, deps, deadline=task["blocks"])


def attempt(task, table, firestore, steps):
    """Does a task in this process, with a client of Firestore."""
    try:
        return {"outcome": _run(task, table, firestore, steps)}
    except AGAIN as error:
        return {"again": f"{type(error).__name__}: {error}"}
    except Exception:  # noqa: BLE001 - the test shows it
        return {"failed": traceback.format_exc()}


def _child(task, table, out):
    """Does a task, twice at once if it says so, and ends the process."""
    steps = Steps(lambda step: os.write(out, f"{step}\n".encode()), task.get("kill"), task.get("pause"))
    firestore, results = connect(task["project"], "(default)"), []
    threads = [
        threading.Thread(target=lambda: results.append(attempt(task, table, firestore, steps)))
        for _ in range(task.get("times", 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(out, f"{_DONE}{json.dumps(results)}\n".encode())
    os._exit(0)


def zygote():
    """Forks a child for each task that comes in, and sends back what becomes of it. All as lines of JSON."""
    answers = os.dup(1)
    # What is logged is not looked at here.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    table = prices.load()
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    tasks, children = b"", {}

    def answer(number, **said):
        os.write(answers, f"{json.dumps({'number': number, **said})}\n".encode())

    while True:
        for key, _ in selector.select():
            data = os.read(key.fd, 1 << 16)
            if key.fd == 0:
                if not data:
                    return
                *whole, tasks = (tasks + data).split(b"\n")
                for task in map(json.loads, whole):
                    out_of_child, into_us = os.pipe()
                    pid = os.fork()
                    if not pid:
                        _child(task, table, into_us)
                    os.close(into_us)
                    selector.register(out_of_child, selectors.EVENT_READ)
                    children[out_of_child] = SimpleNamespace(number=task["number"], pid=pid, said=b"")
                continue
            child = children[key.fd]
            child.said += data
            if data:
                if _PAUSED.encode() in data:
                    answer(child.number, paused=child.pid)
                continue
            selector.unregister(key.fd)
            os.close(key.fd)
            del children[key.fd]
            _, status = os.waitpid(child.pid, 0)
            lines = child.said.decode().splitlines()
            results = [json.loads(line.removeprefix(_DONE)) for line in lines if line.startswith(_DONE)]
            steps = [line for line in lines if not line.startswith("\t")]
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            answer(child.number, steps=steps, killed=killed, results=results[0] if results else [])


class Task:
    """A task that runs.

    Attributes:
        paused: The child's process id once it has stopped; the result if it ended without.
        result: `steps` that were told, whether it was `killed`, and `results`, one for each thread.
    """

    def __init__(self):
        self.paused, self.result = Future(), Future()


class Crashing:
    """The zygote, as a context manager, and the tasks that its children do.

    Args:
        patient: Whether the children wait for Firestore as long as it takes.
    """

    def __init__(self, *, patient):
        self._arguments = [_PATIENT] if patient else []
        self._numbers, self._tasks, self._lock = count(), {}, threading.Lock()
        self._process = None

    def __enter__(self):
        path = os.pathsep.join(each for each in sys.path if each)
        self._process = subprocess.Popen(  # noqa: S603 - this file
            [sys.executable, str(Path(__file__)), *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *error):
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def start(self, task):
        running, number = Task(), next(self._numbers)
        with self._lock:
            self._tasks[number] = running
            self._process.stdin.write(f"{json.dumps({**task, 'number': number})}\n".encode())
            self._process.stdin.flush()
        return running

    def _listen(self):
        for line in self._process.stdout:
            said = SimpleNamespace(**json.loads(line))
            task = self._tasks[said.number]
            if hasattr(said, "paused"):
                task.paused.set_result(said.paused)
                continue
            del self._tasks[said.number]
            task.result.set_result(said)
            if not task.paused.done():
                task.paused.set_result(None)


if __name__ == "__main__":
    if _PATIENT in sys.argv:
        CALL.update(PATIENT)
    zygote()
