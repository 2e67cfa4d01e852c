"""Which objects are output, by their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.jobs.output_names import (
    OutputKind,
    directory_of,
    is_final_output,
    is_incremental_output,
    is_made_by_vertex,
    kind_of,
    lacks_shards,
    split_uri,
    unreadable_format,
)

DIRECTORY = "out/prediction-model-2026-09-02T20:06:30.166279Z"


@pytest.mark.parametrize(
    "file",
    [
        "predictions.jsonl",
        "predictions.jsonl-00000-of-00002",
        "predictions_0001.jsonl",
        "predictions_0001.csv",
        "prediction.results-00000-of-00010",
        "prediction.results-00000-of-00010.jsonl",
        "000000000000.jsonl",
        "000000000017.jsonl",
    ],
)
def test_final_files_are_output(file: str) -> None:
    assert is_final_output(f"{DIRECTORY}/{file}")
    assert is_final_output(f"a/{file}")
    assert kind_of(f"gs://bucket/a/{file}") is OutputKind.RESULTS


@pytest.mark.parametrize(
    "file",
    [
        "errors_0001.jsonl",
        "errors_0001.csv",
        "prediction.errors_stats-00000-of-00001",
        "prediction.errors_stats-00000-of-00001.jsonl",
    ],
)
def test_error_files_are_output_of_their_own_kind(file: str) -> None:
    assert is_final_output(f"{DIRECTORY}/{file}")
    assert kind_of(f"{DIRECTORY}/{file}") is OutputKind.ERRORS


@pytest.mark.parametrize(
    "file",
    [
        "incremental_predictions.jsonl",
        "incremental_predictions_0001.jsonl",
        "incremental_predictions.jsonl-00000-of-00002",
        "incremental_predictions/predictions.jsonl",
        "incremental_predictions/000000000000.jsonl",
        "incremental_predictions_1/anything.jsonl",
        "incremental_predictions/prediction.results-00000-of-00001",
    ],
)
def test_incremental_files_are_told_apart_and_belong_to_the_jobs_directory(file: str) -> None:
    assert is_incremental_output(f"{DIRECTORY}/{file}")
    assert is_incremental_output(f"gs://bucket/{DIRECTORY}/{file}")
    assert not is_final_output(f"{DIRECTORY}/{file}")
    assert directory_of("bucket", f"{DIRECTORY}/{file}") == f"gs://bucket/{DIRECTORY}"


@pytest.mark.parametrize(
    "name",
    [
        "incremental_predictions/x/predictions.txt",
        "a/incremental_predictions/x.tmp",
        "a/incremental_predictions.tmp",
        "a/incremental_predictions/",
        "incremental_predictions.jsonl",
        "incremental_predictions/predictions.jsonl",
        "a/predictions.jsonl",
        "a/errors_0001.jsonl",
    ],
)
def test_what_is_not_incremental(name: str) -> None:
    assert not is_incremental_output(name)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("predictions_0001.tfrecord", "is tfrecord, which is binary"),
        ("prediction.results-00000-of-00001.tf-record", "is tf-record, which is binary"),
        ("predictions_0001.GZ", "is gz, which is binary"),
        ("predictions_0001.jsonl", None),
        ("predictions_0001.csv", None),
        ("prediction.results-00000-of-00001", None),
        ("predictions.jsonl", None),
    ],
)
def test_a_name_may_say_that_rows_cannot_be_counted(file: str, reason: str | None) -> None:
    assert is_final_output(f"{DIRECTORY}/{file}")
    said = unreadable_format(f"{DIRECTORY}/{file}")
    assert said is None if reason is None else said.startswith(reason)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "incremental_predictions.jsonl",
        "incremental_predictions/predictions.jsonl",
        "incremental_predictions_1/000000000000.jsonl",
        "predictions.jsonl.tmp",
        "predictions.jsonl-00000",
        "predictions.jsonl/",
        "predictions.json",
        "predictions_.jsonl",
        "my-predictions.jsonl",
        "00000000000.jsonl",
        "0000000000000.jsonl",
        "predictions.jsonl\n",
        "input.jsonl",
    ],
)
def test_other_files_are_not(file: str) -> None:
    assert not is_final_output(f"{DIRECTORY}/{file}")


def test_a_file_at_the_top_of_a_bucket_is_no_output() -> None:
    assert not is_final_output("predictions.jsonl")


def test_the_directory_is_in_the_form_that_vertex_reports() -> None:
    assert directory_of("bucket", f"{DIRECTORY}/predictions.jsonl") == f"gs://bucket/{DIRECTORY}"
    assert directory_of("bucket", "predictions.jsonl") == "gs://bucket"


@pytest.mark.parametrize(
    ("directory", "made"),
    [
        (f"gs://bucket/{DIRECTORY}", True),
        ("gs://bucket/prediction-my-model-2026-09-02T20:06:30Z", True),
        ("gs://bucket/prediction-model-x/inner", False),
        ("gs://bucket/predictions", False),
        ("gs://bucket/my-prediction-model", False),
        ("gs://bucket", False),
    ],
)
def test_vertex_names_its_directories_alike(directory: str, made: bool) -> None:  # noqa: FBT001 - a table
    assert is_made_by_vertex(directory) is made


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("gs://bucket/a/b", ("bucket", "a/b")),
        ("gs://bucket/a/", ("bucket", "a/")),
        ("gs://bucket/", ("bucket", "")),
        ("gs://bucket", ("bucket", "")),
        ("gs://bucket//a", ("bucket", "/a")),
        ("gs://bucket/a?b#c", ("bucket", "a?b#c")),
        ("gs://bucket/gs://other/x", ("bucket", "gs://other/x")),
    ],
)
def test_a_uri_has_a_bucket_and_a_name(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "bucket/a",
        "bq://project.dataset.table",
        "gs://",
        "gs:///a",
        " gs://b/a",
        "GS://b/a",
        "s3://gs://b",
    ],
)
def test_what_is_no_cloud_storage_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="write gs://BUCKET/PATH"):
        split_uri(uri)


@given(st.text(st.characters(exclude_characters="/"), min_size=1), st.text())
def test_bucket_and_name_come_back(bucket: str, name: str) -> None:
    assert split_uri(f"gs://{bucket}/{name}") == (bucket, name)


RESULTS = "gs://out/d/prediction.results"


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        ([], False),
        (["d/predictions.jsonl"], False),
        (["d/predictions.jsonl-00000-of-00001"], False),
        (["d/predictions.jsonl-00000-of-00002"], True),
        (["d/predictions.jsonl-00000-of-00002", "d/predictions.jsonl-00001-of-00002"], False),
        (["d/predictions.jsonl", "d/predictions.jsonl-00001-of-00002"], True),
        ([f"{RESULTS}-00000-of-00002.csv", f"{RESULTS}-00001-of-00002.csv"], False),
        ([f"{RESULTS}-00000-of-00002.csv", f"{RESULTS}-00001-of-00002.jsonl"], True),
        (["d/predictions_0001.jsonl", "d/000000000000.jsonl"], False),
    ],
)
def test_shards_tell_how_many_they_are(names: list[str], lacks: bool) -> None:  # noqa: FBT001 - a table
    assert lacks_shards(names) is lacks
