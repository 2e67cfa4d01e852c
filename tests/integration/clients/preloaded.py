"""Runs programs in processes of their own that begin with their libraries imported, which takes seconds.

`preloaded.py MODULE...` imports the modules once, in a process that does nothing else but fork others. A
line of JSON on the standard input is a task: the `program` (a path, or a module's name), its `arguments`,
`variables` and `folder`, and the files `out` and `err` for what it prints. When it has ended, a line has its
`number` and `status`.
"""

import json
import multiprocessing
import os
import runpy
import sys
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock, Thread

_STATUSES = Lock()
"""Held while a status is read. Starting a process does that, too, and of two at once one would get 255."""


def run(task):
    """Becomes the task's program."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(task[name], os.O_WRONLY | os.O_CREAT, 0o600), number)
    os.environ.clear()
    os.environ.update(task["variables"])
    os.chdir(task["folder"])
    program = task["program"]
    sys.argv = [program, *task["arguments"]]
    if program.endswith(".py"):
        sys.path.insert(0, str(Path(program).parent))
        runpy.run_path(program, run_name="__main__")
    else:
        sys.path.insert(0, task["folder"])
        runpy.run_module(program, run_name="__main__")


def _tell(task, process):
    """Waits until a task has ended, and says so."""
    wait([process.sentinel])
    with _STATUSES:
        process.join()
    # In one piece: others may write at the same time.
    os.write(1, f"{json.dumps({'number': task['number'], 'status': process.exitcode})}\n".encode())


def main():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(sys.argv[1:])
    for line in sys.stdin:
        task = json.loads(line)
        process = context.Process(target=run, args=(task,))
        with _STATUSES:
            process.start()
        Thread(target=_tell, args=(task, process)).start()


if __name__ == "__main__":
    main()
