"""Write a job's output to files or tables.

Sources: the directory and `predictions.jsonl` of live Gemini jobs; for custom models a directory and file
names seen in public code (`prediction-usgs_earthquakes-2025_03_25T06_28_43_123Z`, with
`prediction.results-00000-of-00001.csv` in it) and the lines of Google's tutorials; BigQuery names from the
API reference (BatchPredictionJob.OutputConfig and OutputInfo). Columns of a table: those of the input,
`response` and `status` (Google's page "Batch inference for BigQuery"); `processed_time` as in objects, a
custom model's errors in a CSV job, and its tables' names when the caller gave one, are unconfirmed.
"""

import csv
import io
import json
import random
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from . import rows, timestamps
from .errors import INTERNAL
from .jobs import Job
from .models import Family
from .storage import JobFailure, Storage
from .tables import Row, Tables

_LOT = 10_000  # rows per call of the sink


def location(job: Job) -> dict[str, str]:
    """Return the job's `outputInfo`."""
    # Near `createTime` but never equal to it.
    moment = job.create_time + timedelta(microseconds=random.Random(job.id).randint(20_000, 900_000))
    custom = job.model.family is Family.CUSTOM
    stamp = f"{moment:%Y_%m_%dT%H_%M_%S}_{moment.microsecond // 1000:03}Z"
    name = job.model.display_name
    target = job.body["outputConfig"]
    if "gcsDestination" in target:
        prefix = target["gcsDestination"]["outputUriPrefix"].removesuffix("/")
        directory = f"prediction-{name}-{stamp if custom else timestamps.rfc3339(moment)}"
        return {"gcsOutputDirectory": f"{prefix}/{directory}"}
    project, _, rest = target["bigqueryDestination"]["outputUri"].removeprefix("bq://").partition(".")
    dataset, _, table = rest.partition(".")
    safe = "".join(character if character.isalnum() else "_" for character in name)
    whole = "predictions" if custom and not dataset else f"predictions_{job.id}"
    return {
        "bigqueryOutputDataset": f"bq://{project}.{dataset or f'prediction_{safe}_{stamp}'}",
        "bigqueryOutputTable": table or whole,
    }


class Output:
    """Writes the rows of jobs; each row is the same in every file that has it.

    Args:
        storage: For objects.
        tables: For tables.
        seed: Seed of arbitrary values.
    """

    def __init__(self, storage: Storage, tables: Tables, seed: int) -> None:
        self._storage = storage
        self._tables = tables
        self._seed = seed

    def write(self, job: Job, *, whole: bool) -> None:
        """Write the final files or tables.

        Args:
            job: The job.
            whole: Whether they have the rows that weren't processed, too; those of custom models never do.

        Raises:
            JobFailure: They can't be written.
        """
        where = location(job)
        listed = len(job.lines) if whole else job.done
        if "gcsOutputDirectory" not in where:
            self._write_tables(
                job, listed, f"{where['bigqueryOutputDataset']}.{where['bigqueryOutputTable']}"
            )
        elif job.model.family is Family.CUSTOM:
            self._write_results(job, where["gcsOutputDirectory"])
        else:
            count = job.layout.shards
            for number, (start, stop) in enumerate(_shares(listed, count)):
                shard = f"-{number:05}-of-{count:05}" if count > 1 else ""
                uri = f"{where['gcsOutputDirectory']}/predictions.jsonl{shard}"
                self._storage.write_lines(uri, self._lines(job, range(start, stop)))

    def export(self, job: Job) -> None:
        """Write the incremental export of a running job, if it has one: the rows that are processed so far.

        Raises:
            JobFailure: It can't be written.
        """
        directory = location(job).get("gcsOutputDirectory")
        exports = job.layout.incremental != "none" and job.model.family is not Family.CUSTOM
        if not exports or directory is None or job.exported == job.done:
            return
        if job.layout.incremental == "file":
            uri = f"{directory}/incremental_predictions.jsonl"
            self._storage.write_lines(uri, self._lines(job, range(job.done)))
        else:
            uri = f"{directory}/incremental_predictions/predictions-{job.exported:09}.jsonl"
            self._storage.write_lines(uri, self._lines(job, range(job.exported, job.done)))
        job.exported = job.done

    def _rows(self, job: Job, numbers: Iterable[int]) -> Iterator[tuple[Any, Row]]:
        """Yield input rows, and the columns of their output rows."""
        rng = random.Random()
        seed = random.Random(f"{self._seed}/{job.id}").getrandbits(64)
        for number in numbers:
            rng.seed(seed + number)
            row = json.loads(job.lines[number])
            if number >= job.done:
                yield row, rows.unprocessed(row)
                continue
            error = rows.outcome(job.model.family, row) if job.fails[number] else ""
            yield row, rows.answer(job.model, row, error, job.processed(number), rng)

    def _lines(self, job: Job, numbers: Iterable[int]) -> Iterator[bytes]:
        for row, line in self._rows(job, numbers):
            yield rows.encode(row, line)

    def _write_results(self, job: Job, directory: str) -> None:
        """Write a custom model's results and errors; the file of errors is there even if there are none."""
        as_csv = job.body["outputConfig"]["predictionsFormat"] == "csv"
        good, bad = _split(job)
        count = job.layout.shards
        for number, (start, stop) in enumerate(_shares(len(good), count)):
            lines = self._lines(job, good[start:stop])
            uri = f"{directory}/prediction.results-{number:05}-of-{count:05}"
            if as_csv:
                uri, lines = f"{uri}.csv", _csv(lines)
            self._storage.write_lines(uri, lines)
        self._storage.write_lines(
            f"{directory}/prediction.errors_stats-00000-of-00001", self._lines(job, bad)
        )

    def _write_tables(self, job: Job, listed: int, table: str) -> None:
        dataset, _, name = table.rpartition(".")
        custom = job.model.family is Family.CUSTOM
        good, bad = _split(job) if custom else (list(range(listed)), [])
        self._append(job, table, good)
        if bad:
            errors = name.replace("predictions", "errors") if "predictions" in name else f"{name}_errors"
            self._append(job, f"{dataset}.{errors}", bad)

    def _append(self, job: Job, table: str, indices: list[int]) -> None:
        for start in range(0, max(len(indices), 1), _LOT):
            lot = [_columns(line) for _, line in self._rows(job, indices[start : start + _LOT])]
            try:
                self._tables.append(table, lot)
            except Exception as error:  # the sink that a test plugs in may raise any exception
                raise JobFailure(INTERNAL, f"Failed to export data. {error}") from error


def _shares(rows_in_all: int, count: int) -> Iterator[tuple[int, int]]:
    for number in range(count):
        yield rows_in_all * number // count, rows_in_all * (number + 1) // count


def _split(job: Job) -> tuple[list[int], list[int]]:
    """Return the numbers of the processed rows that succeeded, and of those that failed."""
    good: list[int] = []
    bad: list[int] = []
    for number, failed in enumerate(job.fails[: job.done]):
        (bad if failed else good).append(number)
    return good, bad


def _columns(line: Row) -> Row:
    """Return a line as a row of a table, in which each member of an instance is a column."""
    instance = line.get("instance")
    if not isinstance(instance, dict):
        return line
    rest = {name: value for name, value in line.items() if name != "instance"}
    return {**instance, **({"errors": rest.pop("error")} if "error" in rest else {}), **rest}


def _csv(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a header and rows; the columns of a prediction depend on the model."""
    header: list[str] = []
    for line in lines:
        row = json.loads(line)
        instance = row["instance"]
        values = list(instance.values()) if isinstance(instance, dict) else instance
        if not header:
            named = list(instance) if isinstance(instance, dict) else [f"f{n}" for n in range(len(values))]
            header = [*named, "predicted_value"]
            yield _csv_line(header)
        yield _csv_line([*values, *row["prediction"]])


def _csv_line(values: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue().encode()
