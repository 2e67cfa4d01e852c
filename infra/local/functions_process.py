"""Run the two functions under Google's functions-framework, each in its own process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import requests

from processes import HOST, ManagedProcess, is_listening

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = Path(__file__).resolve().parents[2] / "functions" / "main.py"


def function_process(
    target: str,
    signature: Literal["http", "cloudevent"],
    port: int,
    *,
    env: Mapping[str, str],
    logs: Path,
    source: Path = SOURCE,
    health: str | None = None,
) -> ManagedProcess:
    """Describe one function's process.

    Args:
        target: The entry point's name in main.py.
        signature: How functions-framework calls it.
        port: Where it is to listen.
        env: Its whole environment.
        logs: Directory of its log, `<target>.log`, and of gunicorn's control socket.
        source: The main.py.
        health: Path that answers 200 when it serves; None: it is ready once it listens.

    Returns:
        The process, not started yet.
    """
    runtime = logs / target
    runtime.mkdir(parents=True, exist_ok=True)

    def is_ready(_: ManagedProcess) -> bool:
        if health is None:
            return is_listening(port)
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"http://{HOST}:{port}{health}", timeout=5).ok
            except requests.RequestException:
                return False

    return ManagedProcess(
        f"the function {target}",
        [
            *(sys.executable, "-m", "functions_framework", "--source", str(source), "--target", target),
            *("--signature-type", signature, "--host", HOST, "--port", str(port)),
        ],
        is_ready=is_ready,
        log=logs / f"{target}.log",
        # For gunicorn's control socket; by default all servers would share one in the home directory.
        env={**env, "FUNCTION_TARGET": target, "XDG_RUNTIME_DIR": str(runtime)},
    )
