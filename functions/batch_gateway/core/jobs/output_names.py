"""Recognize the objects that are batch output by their names.

File names: "Batch inference" pages of Google's documentation (``predictions.jsonl``; custom models'
``prediction.results-*`` and ``prediction.errors_stats-*``), discovery text of
BatchPredictionJob.outputConfig (``predictions_0001.<ext>``, ``errors_0001.<ext>``), and public readers of
long jobs' ``incremental_predictions*``, which repeat rows of the final file; some use that name for a file,
others for a folder beside it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from enum import StrEnum

_RESULTS = re.compile(
    r"predictions\.jsonl(-\d+-of-\d+)?"
    r"|predictions_\d+\.[\w-]+"
    r"|prediction\.results-\d+-of-\d+(\.[\w-]+)?"
    r"|\d{12}\.jsonl"
)
_SHARD = re.compile(r"(.*)-(\d+)-of-(\d+)(\.[\w-]+)?")
_ERRORS = re.compile(r"errors_\d+\.[\w-]+|prediction\.errors_stats-\d+-of-\d+(\.[\w-]+)?")
_LINES = re.compile(r".+\.jsonl(-\d+-of-\d+)?")
_BINARY = {"tfrecord", "tf-record", "tf_record", "gz"}
_INCREMENTAL = "incremental_predictions"


class OutputKind(StrEnum):
    """The content of an output object."""

    RESULTS = "results"
    ERRORS = "errors"
    INCREMENTAL = "incremental"


def kind_of(name: str) -> OutputKind | None:
    """Return the kind of an object by its name in the bucket; None if it is not output."""
    *folders, file = name.split("/")
    if not folders:
        return None
    if folders[-1].startswith(_INCREMENTAL):
        found = len(folders) > 1 and (_LINES.fullmatch(file) or _RESULTS.fullmatch(file))
        return OutputKind.INCREMENTAL if found else None
    if file.startswith(_INCREMENTAL):
        return OutputKind.INCREMENTAL if _LINES.fullmatch(file) else None
    if _RESULTS.fullmatch(file):
        return OutputKind.RESULTS
    return OutputKind.ERRORS if _ERRORS.fullmatch(file) else None


def is_final_output(name: str) -> bool:
    """Return True if an object counts once: it holds results, or the errors beside them."""
    return kind_of(name) in {OutputKind.RESULTS, OutputKind.ERRORS}


def is_incremental_output(name: str) -> bool:
    """Return True if an object repeats rows of the final file; it counts until there is one."""
    return kind_of(name) is OutputKind.INCREMENTAL


def lacks_shards(names: Iterable[str]) -> bool:
    """Return True if some shards are missing: there is ``…-00000-of-00002`` alone, for example."""
    found: dict[tuple[str, str, str | None], set[int]] = defaultdict(set)
    for name in names:
        if shard := _SHARD.fullmatch(name):
            found[shard[1], shard[3], shard[4]].add(int(shard[2]))
    return any(len(numbers) < int(total) for (_, total, _), numbers in found.items())


def number_of_shards(name: str) -> int:
    """Return the number of shards that a shard's name gives; 1 if the object is not a shard."""
    shard = _SHARD.fullmatch(name)
    return int(shard[3]) if shard else 1


def unreadable_format(name: str) -> str | None:
    """Return why an object's rows cannot be counted, going by its name; None if they may be countable."""
    extension = name.rpartition("/")[2].rpartition(".")[2].lower()
    if extension in _BINARY:
        return f"is {extension}, which is binary: write jsonl or csv"
    return None


def directory_of(bucket: str, name: str) -> str:
    """Return the job's folder that contains an object, as ``gs://bucket/path`` like gcsOutputDirectory."""
    directory, _, last = f"gs://{bucket}/{name}".rpartition("/")[0].rpartition("/")
    return directory if last.startswith(_INCREMENTAL) else f"{directory}/{last}"


def is_made_by_vertex(directory: str) -> bool:
    """Return True if a directory is named as Vertex AI does, such as ``prediction-model-<timestamp>``."""
    return directory.rpartition("/")[2].startswith("prediction-")


def split_uri(uri: str) -> tuple[str, str]:
    """Split ``gs://bucket/name`` into (bucket, name); the name may be empty.

    Raises:
        ValueError: It is not a ``gs://`` URI.
    """
    scheme, _, rest = uri.partition("gs://")
    bucket, _, name = rest.partition("/")
    if scheme or not bucket:
        raise ValueError(f"not a Cloud Storage URI: {uri!r}; write gs://BUCKET/PATH")
    return bucket, name
