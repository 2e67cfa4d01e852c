"""Show the progress of an upload."""

import sys
from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from gateway_cli.tables import console


class UploadBar:
    """A bar of bytes on stderr; nothing where stderr is no terminal."""

    def __init__(self, size: int) -> None:
        columns = ("Uploading", BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        target = console(sys.stderr)
        self._progress = Progress(*columns, console=target, transient=True, disable=not target.is_terminal)
        self._task = self._progress.add_task("", total=size)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int) -> None:
        """Show how many bytes were sent."""
        self._progress.update(self._task, completed=done)
