"""Which objects are batch output, by their names.

File names: "Batch inference" pages of Google's documentation (``predictions.jsonl``, custom models'
``prediction.results-*``), discovery text of BatchPredictionJob.outputConfig (``predictions_0001.<ext>``,
``errors_0001.<ext>``), and public readers of long jobs' ``incremental_predictions*``, which repeat rows
of the final file.
"""

import re

_FINAL = re.compile(
    r"predictions\.jsonl(-\d+-of-\d+)?"
    r"|predictions_\d+\.\w+"
    r"|prediction\.results-\d+-of-\d+(\.\w+)?"
    r"|\d{12}\.jsonl"
)
_INCREMENTAL = "incremental_predictions"


def is_final_output(name: str) -> bool:
    """Whether an object (its name in the bucket) is a final output file, to be counted once."""
    *folders, file = name.split("/")
    if any(part.startswith(_INCREMENTAL) for part in (*folders[-1:], file)):
        return False
    return bool(folders) and _FINAL.fullmatch(file) is not None


def directory_of(bucket: str, name: str) -> str:
    """``gs://bucket/path`` of the folder that an object is in, in the form of gcsOutputDirectory."""
    return f"gs://{bucket}/{name}".rpartition("/")[0]


def is_made_by_vertex(directory: str) -> bool:
    """Whether a directory is named as Vertex names them: ``prediction-model-<timestamp>`` and the like."""
    return directory.rpartition("/")[2].startswith("prediction-")


def split_uri(uri: str) -> tuple[str, str]:
    """(bucket, name) of ``gs://bucket/name``; the name may be empty.

    Raises:
        ValueError: It is no ``gs://`` URI.
    """
    scheme, _, rest = uri.partition("gs://")
    bucket, _, name = rest.partition("/")
    if scheme or not bucket:
        raise ValueError(f"not a Cloud Storage URI: {uri!r}; write gs://BUCKET/PATH")
    return bucket, name
