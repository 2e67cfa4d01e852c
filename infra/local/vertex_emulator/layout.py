"""Settings of a job's output, where live sources differ or don't tell.

Each can be set for all jobs to come (`VertexEmulator(layout=...)`, `POST /emulator/layout`) and for one job
by a label of its own: `"labels": {"emulate_shards": "3", "emulate_incremental": "folder"}`.
"""

import dataclasses
from dataclasses import dataclass

_LABEL = "emulate_"
_MOST_SHARDS = 99_999  # five digits
_CHOICES = {
    "incremental": ("none", "file", "folder"),
    "ended": ("final", "incremental", "nothing"),
    "shown": ("ended", "running", "succeeded"),
    "unprocessed": ("listed", "left_out"),
}


@dataclass(frozen=True)
class Layout:
    """The layout of a job's output, and the time at which it appears.

    Attributes:
        shards: 1 for `predictions.jsonl`, more for `predictions.jsonl-00000-of-00003` and so on (seen by
            readers in public code only), or the number of a custom model's result files.
        incremental: Whether a running job exports its completed rows, as Google's batch page says: `none`,
            `file` (`incremental_predictions.jsonl`, which grows) or `folder` (a new object under
            `incremental_predictions/` for each lot). Public readers know both; the layout is unconfirmed.
        ended: What a job that was cancelled, expired or failed after it ran leaves: a `final` file of the
            completed rows, only the `incremental` files, or `nothing`. Unconfirmed.
        shown: Since when `outputInfo` is shown: once the job has `ended`, already while it is `running`, or
            only once it has `succeeded`. No source says for jobs that run or didn't succeed.
        unprocessed: Whether the final output of a job that was cancelled, expired or failed has the rows that
            weren't processed, without an answer. Google's page on resuming a job has them processed by a new
            job whose only input is that output, so they must be `listed`; its batch page names completed
            rows only: `left_out`.
    """

    shards: int = 1
    incremental: str = "none"
    ended: str = "final"
    shown: str = "ended"
    unprocessed: str = "listed"

    def __post_init__(self) -> None:
        if type(self.shards) is not int or not 1 <= self.shards <= _MOST_SHARDS:
            raise ValueError(f"shards is a number from 1, not {self.shards!r}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}")

    def for_job(self, labels: dict[str, str]) -> "Layout":
        """Return the layout with the changes of a job's labels.

        Raises:
            ValueError: If a label that begins with `emulate_` is not a setting, or its value is invalid.
        """
        wishes: dict[str, str | int] = {
            name.removeprefix(_LABEL): value for name, value in labels.items() if name.startswith(_LABEL)
        }
        unknown = wishes.keys() - {field.name for field in dataclasses.fields(self)}
        if unknown:
            raise ValueError(f"no setting of a job's output: {', '.join(sorted(unknown))}")
        if "shards" in wishes:
            wishes["shards"] = int(wishes["shards"])
        return dataclasses.replace(self, **wishes)  # type: ignore[arg-type]
