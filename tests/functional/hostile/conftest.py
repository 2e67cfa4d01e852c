"""The gateway as it is deployed, with a Cloud Storage of its own, and limits on what an input may take."""

import contextlib
import json
import os
import resource
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from functional.gateway.loopback import Answer, Loopback
from functional.security.conftest import deployed

MIB = 1024 * 1024
_CREATED = "2026-11-22T10:00:00.000Z"
_PAGE = 1000


class Storage:
    """The part of Cloud Storage's JSON API that the gateway reads, over whatever `objects` holds.

    Attributes:
        objects: Content by name; one bucket is like the other.
        endless: Text that the names of an endless listing begin with; None for none.
    """

    def __init__(self, loopback):
        self.loopback = loopback
        self.reset()
        loopback.respond = self.respond

    def reset(self):
        self.objects = {"x": b"{}\n"}
        self.endless = None

    def respond(self, seen):
        url = urlsplit(seen.target)
        parts = url.path.split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if parts[-1] == "o":
            return self._listed(query.get("prefix", ""), int(query.get("pageToken", 0)))
        name = unquote(parts[-1])
        if name not in self.objects:
            return Answer(404)
        if parts[1] == "download":
            start = int((seen.header("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            return Answer(206 if start else 200, self.objects[name][start:], "application/octet-stream")
        return Answer(200, json.dumps(self._info(name)).encode())

    def _listed(self, prefix, start):
        if self.endless is not None:
            names = [f"{prefix}{self.endless}{number}" for number in range(start, start + _PAGE)]
            items = [
                {"name": name, "generation": "1", "size": "1", "timeCreated": _CREATED} for name in names
            ]
            return Answer(200, json.dumps({"items": items, "nextPageToken": str(start + _PAGE)}).encode())
        items = [self._info(name) for name in sorted(self.objects) if name.startswith(prefix)]
        return Answer(200, json.dumps({"items": items}).encode())

    def _info(self, name):
        size = str(len(self.objects[name]))
        return {"name": name, "generation": "1", "size": size, "timeCreated": _CREATED}


def processes(group):
    """Ids of the processes of a group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has just ended
            if os.getpgid(int(folder.name)) == group:
                found.append(int(folder.name))
    return sorted(found)


def used(pid):
    """(CPU seconds, bytes of data) of a process."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    data = next(int(line.split()[1]) for line in status if line.startswith("VmData"))
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"), data * 1024


@contextlib.contextmanager
def limited(process, *, cpu, memory):
    """Lets the processes of a function use so much more than they have, by limits that Linux holds them to.

    Past its CPU seconds a process is ended; past its memory an allocation fails. Either shows in the answer.

    Args:
        process: Running.
        cpu: Seconds: some twenty times what is needed.
        memory: MiB.
    """
    group = process._process.pid
    before = processes(group)
    for pid in before:
        seconds, data = used(pid)
        resource.prlimit(pid, resource.RLIMIT_CPU, (int(seconds) + cpu, resource.RLIM_INFINITY))
        resource.prlimit(pid, resource.RLIMIT_DATA, (data + memory * MIB, resource.RLIM_INFINITY))
    try:
        yield
        assert processes(group) == before, "a process took too much and was ended"
    finally:
        for pid in before:
            for limit in (resource.RLIMIT_CPU, resource.RLIMIT_DATA):
                with contextlib.suppress(ProcessLookupError):
                    resource.prlimit(pid, limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    with (
        Loopback() as storage,
        deployed(
            tmp_path_factory.mktemp("hostile"),
            STORAGE_EMULATOR_HOST=storage.url,
            BIGQUERY_EMULATOR_HOST=storage.url,
        ) as gateway,
    ):
        gateway.storage = Storage(storage)
        yield gateway


@pytest.fixture
def gateway(running):
    """The gateway; what its upstream and its storage remember of earlier tests is gone."""
    running.upstream.reset()
    running.storage.reset()
    return running
