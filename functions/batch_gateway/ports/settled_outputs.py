"""Define the store of outputs."""

from collections.abc import Callable, Sequence
from typing import Protocol

from batch_gateway.core.accounting.settlement import Change, Checkpoint, Output
from batch_gateway.core.jobs.record import JobKey, JobRecord

Settlement = Callable[[JobRecord, Output | None, Sequence[Output]], Change | None]
"""(job as it stands, the output as settled before, the incremental outputs whose place it takes) -> what
changes, or None: nothing to do."""


class OutputStore(Protocol):
    """Outputs: settled, parked, and read in part. Errors are as in Store."""

    def get_outputs(self, key: JobKey) -> list[Output]:
        """Return a job's settled outputs, ordered by URI."""

    def get_output(self, key: JobKey, uri: str) -> tuple[Output | None, Checkpoint | None]:
        """Return an output as it was last settled, and its checkpoint; each is None if there is none."""

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """Commit output, job and totals in one transaction.

        Incremental outputs that the output replaces are marked as superseded in the same transaction.

        Args:
            key: The job; must be on record.
            output: The output as just read.
            settlement: Computes the change; called again if the transaction is retried.

        Returns:
            The changed job; None if there was nothing to do.
        """

    def park(self, output: Output) -> None:
        """Park an output that belongs to no known job, so that it is not lost."""

    def unpark(self, output: Output) -> None:
        """Delete a parked output: it was settled, or no longer exists."""

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Store how far an output was read; Firestore deletes it when it expires."""
