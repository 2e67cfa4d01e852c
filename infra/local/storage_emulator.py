"""Cloud Storage as gcp-storage-emulator plays it: in memory, in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import requests

from processes import HOST, ManagedProcess, is_listening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class StorageEmulator:
    """The emulator and its buckets."""

    def __init__(self, port: int, log: Path, env: Mapping[str, str]) -> None:
        self.url = f"http://{HOST}:{port}"
        self.process = ManagedProcess(
            "gcp-storage-emulator",
            # Without --quiet it logs whole requests.
            [
                *(sys.executable, "-m", "gcp_storage_emulator", "start", "--quiet", "--in-memory"),
                *("--host", HOST, "--port", str(port)),
            ],
            is_ready=lambda _: is_listening(port),
            log=log,
            env=env,
        )

    def create_buckets(self, names: Iterable[str]) -> None:
        """Makes the buckets, once the process serves."""
        with requests.Session() as session:
            session.trust_env = False
            for name in names:
                session.post(f"{self.url}/storage/v1/b", json={"name": name}, timeout=10).raise_for_status()
