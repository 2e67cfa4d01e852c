"""The way to the Firestore emulator, which can be cut, and an emulator that is restarted behind it.

The emulator keeps its documents in memory, and 1.19.8 writes nothing with `--export-on-exit`. But it exports
and imports a project on request (`POST /emulator/v1/projects/{project}:export` and `:import`, in its
descriptors). So a restart is: the cable is cut, which breaks off calls that were sent and not answered; what
had arrived is exported; the process is killed, started and given its documents back; the cable is mended.
"""

import contextlib
import socket
import threading
import time

import requests

from patience import PATIENCE
from processes import HOST

_ARRIVED_SECONDS = 0.3
_METADATA = "books/books.overall_export_metadata"


class Cable:
    """Relays connections to a port, while it is not cut."""

    def __init__(self, target):
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self._open, self._lock, self._whole = set(), threading.Lock(), True
        self.host = f"{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error):
        self.cut()
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with self._lock:
                    far = None
                    if self._whole:
                        with contextlib.suppress(OSError):
                            far = socket.create_connection((HOST, self._target))
                    if far is None:
                        near.close()
                        continue
                    self._open |= {near, far}
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._relay, args=pair, daemon=True).start()

    def _relay(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        self._close({source, sink})

    def _close(self, ends):
        with self._lock:
            self._open -= ends
        for end in ends:
            # A close alone would not wake the thread that reads from it.
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def cut(self):
        with self._lock:
            self._whole, ends = False, set(self._open)
        self._close(ends)

    def mend(self):
        with self._lock:
            self._whole = True


def restart(firestore, cable, projects, folder, is_noticed):
    """Restarts the emulator, with what the projects hold; whoever calls it meanwhile gets no answer.

    It stays away until somebody has noticed: on a quick machine it would be back within the time of a call.
    """
    cable.cut()
    time.sleep(_ARRIVED_SECONDS)
    with requests.Session() as session:
        session.trust_env = False

        def carry(verb, project, **body):
            url = f"http://{firestore.host}/emulator/v1/projects/{project}:{verb}"
            body |= {"database": f"projects/{project}/databases/(default)"}
            session.post(url, json=body, timeout=PATIENCE).raise_for_status()

        for project in projects:
            (folder / project).mkdir(parents=True)
            carry("export", project, export_directory=str(folder / project), export_name="books")
        firestore.process.kill()
        firestore.process.start()
        firestore.process.wait_ready()
        for project in projects:
            carry("import", project, export_directory=str(folder / project / _METADATA))
    while not is_noticed():
        time.sleep(0.05)
    cable.mend()
