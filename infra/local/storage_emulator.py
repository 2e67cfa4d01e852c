"""Run gcp-storage-emulator, which keeps objects in memory, in its own process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import requests

from processes import HOST, ManagedProcess, is_listening

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_START = """
import socketserver, sys
socketserver.TCPServer.request_queue_size = 256
from gcp_storage_emulator.__main__ import main
sys.exit(main())
"""
"""It serves one connection at a time. Its own queue holds only five of a burst, and the others would retry
after TCP's pauses of one, three, seven … seconds."""


class StorageEmulator:
    """The emulator's process, and its buckets."""

    def __init__(self, port: int, log: Path, env: Mapping[str, str]) -> None:
        self.url = f"http://{HOST}:{port}"
        self.process = ManagedProcess(
            "gcp-storage-emulator",
            # Without --quiet it logs whole requests.
            [
                *(sys.executable, "-c", _START, "start", "--quiet", "--in-memory"),
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
