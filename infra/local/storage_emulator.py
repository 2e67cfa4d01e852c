"""Run gcp-storage-emulator, which keeps objects in memory, in its own process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from processes import HOST, ManagedProcess, is_listening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SERVER = Path(__file__).with_name("storage_server.py")


class StorageEmulator:
    """The emulator's process, and its buckets."""

    def __init__(self, port: int, log: Path, env: Mapping[str, str]) -> None:
        self.url = f"http://{HOST}:{port}"
        self.process = ManagedProcess(
            "gcp-storage-emulator",
            # Without --quiet it logs whole requests.
            [
                *(sys.executable, str(_SERVER), "start", "--quiet", "--in-memory"),
                *("--host", HOST, "--port", str(port)),
            ],
            is_ready=lambda _: is_listening(port),
            log=log,
            env=env,
        )

    def create_buckets(self, names: Iterable[str]) -> None:
        """Create the buckets when the process serves."""
        with requests.Session() as session:
            session.trust_env = False
            for name in names:
                session.post(f"{self.url}/storage/v1/b", json={"name": name}, timeout=300).raise_for_status()
