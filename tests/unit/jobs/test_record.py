"""Jobs as Vertex shows them."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.jobs.record import (
    TERMINAL_STATES,
    Completion,
    JobKey,
    JobRecord,
    Observation,
    merge_observations,
    observe,
    parse_name,
    parse_time,
    state_name,
    uris_of,
)
from builders import input_files, output_folder

NAME = "projects/1234/locations/us-central1/batchPredictionJobs/5678"
CREATED = datetime(2026, 9, 2, 20, 3, 5, 123456, tzinfo=UTC)
DIRECTORY = "gs://out/here/prediction-model-2026-09-02T20:06:30.166279Z"
RESOURCE: dict[str, Any] = {
    "name": NAME,
    "displayName": "nightly",
    "model": "publishers/google/models/gemini-2.5-flash",
    "inputConfig": input_files("gs://in/a.jsonl", "gs://in/b*.jsonl"),
    "outputConfig": output_folder("gs://out/here/"),
    "state": "JOB_STATE_SUCCEEDED",
    "createTime": "2026-09-02T20:03:05.123456Z",
    "startTime": "2026-09-02T20:04:00.000000001Z",
    "endTime": "2026-09-02T20:06:31Z",
    "updateTime": "2026-09-02T20:06:31.5Z",
    "labels": {"environment": "production"},
    "completionStats": {"successfulCount": "4", "failedCount": "1"},
    "outputInfo": {"gcsOutputDirectory": DIRECTORY},
    "modelVersionId": "1",
    "encryptionSpec": {},
}
SEEN = Observation(
    name=NAME,
    state="JOB_STATE_SUCCEEDED",
    model="publishers/google/models/gemini-2.5-flash",
    display_name="nightly",
    labels={"environment": "production"},
    input_uris=("gs://in/a.jsonl", "gs://in/b*.jsonl"),
    output_prefix="gs://out/here",
    output_directory=DIRECTORY,
    create_time=CREATED,
    start_time=datetime(2026, 9, 2, 20, 4, tzinfo=UTC),
    end_time=datetime(2026, 9, 2, 20, 6, 31, tzinfo=UTC),
    update_time=datetime(2026, 9, 2, 20, 6, 31, 500_000, tzinfo=UTC),
    completion=Completion(successful=4, failed=1),
)


def seen(**members: Any) -> Observation:
    observation = observe({"name": NAME, **members})
    assert observation is not None
    return observation


# Resources


def test_a_finished_job_is_observed_whole() -> None:
    assert observe(RESOURCE) == SEEN


def test_a_job_just_created_has_neither_output_nor_figures() -> None:
    new = {
        k: v
        for k, v in RESOURCE.items()
        if k not in {"startTime", "endTime", "completionStats", "outputInfo"}
    }
    observation = observe({**new, "state": "JOB_STATE_PENDING"})
    assert observation is not None
    assert not observation.terminal
    assert (observation.output_prefix, observation.output_directory) == ("gs://out/here", None)
    assert (observation.start_time, observation.end_time, observation.completion) == (None, None, None)


def test_a_name_alone_is_enough() -> None:
    assert observe({"name": NAME}) == Observation(name=NAME, state="JOB_STATE_UNSPECIFIED")


@pytest.mark.parametrize(
    "name",
    [
        None,
        5,
        "",
        "projects/1/locations/l",
        NAME + "/",
        NAME + "/x",
        "/" + NAME,
        NAME + "\n/",
        "projects//locations/l/batchPredictionJobs/1",
    ],
)
def test_what_has_no_job_name_is_no_job(name: Any) -> None:
    assert observe({"name": name, "state": "JOB_STATE_RUNNING"}) is None
    assert observe({}) is None


def test_a_name_has_three_parts() -> None:
    assert parse_name(NAME) == ("1234", "us-central1", "5678")
    assert JobKey(*("my-project", "us-central1", "5678")).path == NAME.replace("1234", "my-project")


def test_a_failed_job_keeps_its_error() -> None:
    error = {"code": 9, "message": "Failed to get GCS bucket location", "details": []}
    assert seen(state="JOB_STATE_FAILED", error=error).error == error
    assert seen(error={}).error is None


@pytest.mark.parametrize(
    ("uris", "read"),
    [
        ("gs://in/a.jsonl", ("gs://in/a.jsonl",)),
        (["gs://in/a.jsonl"], ("gs://in/a.jsonl",)),
        (["gs://in/a.jsonl", None, 5, "gs://in/b.jsonl"], ("gs://in/a.jsonl", "gs://in/b.jsonl")),
        ([], ()),
        (None, ()),
        ({"0": "gs://in/a.jsonl"}, ()),
    ],
)
def test_uris_may_be_a_list_or_a_string(uris: Any, read: tuple[str, ...]) -> None:
    assert uris_of(uris) == read
    assert seen(inputConfig={"gcsSource": {"uris": uris}}).input_uris == read


def test_a_bigquery_table_is_an_input_too() -> None:
    assert seen(inputConfig={"bigquerySource": {"inputUri": "bq://p.d.t"}}).input_uris == ("bq://p.d.t",)


def test_directories_are_kept_without_a_slash_at_their_end() -> None:
    for slash in ("", "/"):
        observation = seen(
            outputConfig={"gcsDestination": {"outputUriPrefix": "gs://out/here" + slash}},
            outputInfo={"gcsOutputDirectory": DIRECTORY + slash},
        )
        assert (observation.output_prefix, observation.output_directory) == ("gs://out/here", DIRECTORY)


def test_labels_that_are_no_text_are_left_out() -> None:
    assert seen(labels={"a": "b", "c": 5, "d": None}).labels == {"a": "b"}


@pytest.mark.parametrize(
    ("stats", "completion"),
    [
        (None, None),
        ({}, None),
        ({"successfulCount": "2"}, Completion(successful=2)),
        ({"successfulCount": "2", "failedCount": "1", "incompleteCount": "7"}, Completion(2, 1, 7)),
        ({"successfulCount": 2, "incompleteCount": "-1"}, Completion(2, 0, -1)),
        ({"successfulCount": "many", "failedCount": None, "incompleteCount": [1]}, Completion()),
    ],
)
def test_completion_counts_are_strings_and_missing_where_nil(
    stats: Any, completion: Completion | None
) -> None:
    assert seen(completionStats=stats).completion == completion


@pytest.mark.parametrize("count", [str(2**63), str(10**30), 2**63, -(2**63) - 1])
def test_counts_that_no_store_can_hold_are_not_taken(count: Any) -> None:
    completion = seen(completionStats={"successfulCount": count, "failedCount": "1"}).completion
    assert completion is not None
    assert -(2**63) <= completion.successful < 2**63


@pytest.mark.parametrize(
    ("completion", "completed", "total"),
    [
        (Completion(4, 1, 5), 5, 10),
        (Completion(4, 1), 5, 5),
        (Completion(4, 1, -1), 5, None),
        (Completion(), 0, 0),
    ],
)
def test_an_incomplete_count_of_minus_one_means_unknown(
    completion: Completion, completed: int, total: int | None
) -> None:
    assert (completion.completed, completion.total) == (completed, total)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=5)
    | st.sampled_from(["gs://b", "-1", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)

_TIMES = st.sampled_from(["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-09-02T20:03:05.1Z"])


def _objects(*names: str) -> st.SearchStrategy[Any]:
    return _JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(names, _JSON))


@given(
    st.fixed_dictionaries(
        {"name": st.just(NAME) | _JSON},
        optional={
            **dict.fromkeys(("state", "model", "displayName", "labels", "error"), _JSON),
            **dict.fromkeys(("createTime", "startTime", "endTime", "updateTime"), _TIMES | _JSON),
            "inputConfig": st.fixed_dictionaries(
                {}, optional={"gcsSource": _objects("uris"), "bigquerySource": _objects("inputUri")}
            ),
            "outputConfig": st.fixed_dictionaries(
                {}, optional={"gcsDestination": _objects("outputUriPrefix")}
            ),
            "outputInfo": _objects("gcsOutputDirectory"),
            "completionStats": _objects("successfulCount", "failedCount", "incompleteCount"),
        },
    )
    | st.dictionaries(st.text(max_size=5), _JSON, max_size=3)
)
def test_any_json_object_can_be_looked_at(job: dict[str, Any]) -> None:
    observation = observe(job)
    assert (observation is None) == (job.get("name") != NAME)
    if observation is not None:
        # Every member is of the type that it is stored and read back as.
        for field in msgspec.structs.fields(Observation):
            msgspec.convert(getattr(observation, field.name), field.type)
        for time in (observation.create_time, observation.start_time, observation.end_time):
            assert time is None or time.utcoffset() == timedelta(0)


# States

_NUMBERS = {
    0: "UNSPECIFIED",
    1: "QUEUED",
    2: "PENDING",
    3: "RUNNING",
    4: "SUCCEEDED",
    5: "FAILED",
    6: "CANCELLING",
    7: "CANCELLED",
    8: "PAUSED",
    9: "EXPIRED",
    10: "UPDATING",
    11: "PARTIALLY_SUCCEEDED",
}


@pytest.mark.parametrize(("number", "name"), _NUMBERS.items())
def test_states_may_come_as_numbers(number: int, name: str) -> None:
    assert state_name(number) == state_name(f"JOB_STATE_{name}") == f"JOB_STATE_{name}"


@pytest.mark.parametrize(("number", "name"), _NUMBERS.items())
def test_five_states_are_final(number: int, name: str) -> None:
    assert seen(state=number).terminal == (number in {4, 5, 7, 9, 11})
    assert (f"JOB_STATE_{name}" in TERMINAL_STATES) == (number in {4, 5, 7, 9, 11})


@pytest.mark.parametrize("value", [None, "", -1, 12, 3.0, [], {}])
def test_what_is_no_state_is_unspecified(value: Any) -> None:
    assert state_name(value) == "JOB_STATE_UNSPECIFIED"


def test_a_state_of_tomorrow_is_kept() -> None:
    assert state_name("JOB_STATE_DREAMING") == "JOB_STATE_DREAMING"
    assert not seen(state="JOB_STATE_DREAMING").terminal


# Times


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-09-02T20:03:05Z", datetime(2026, 9, 2, 20, 3, 5, tzinfo=UTC)),
        ("2026-09-02T20:03:05.1Z", datetime(2026, 9, 2, 20, 3, 5, 100_000, tzinfo=UTC)),
        ("2026-09-02T20:03:05.123456789Z", datetime(2026, 9, 2, 20, 3, 5, 123_456, tzinfo=UTC)),
        ("2026-09-02T20:03:05.000000999Z", datetime(2026, 9, 2, 20, 3, 5, tzinfo=UTC)),
        ("2026-09-02T20:03:05.123456+00:00", CREATED),
        ("2026-09-03T01:33:05.123456789+05:30", CREATED),
        ("2026-09-02T16:03:05.123456-04:00", CREATED),
        ("2026-09-02T20:03:05.123456", CREATED),
    ],
)
def test_googles_times_are_read_in_utc(text: str, time: datetime) -> None:
    parsed = parse_time(text)
    assert parsed == time
    assert parsed is not None
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        {},
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "\ud800",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert parse_time(value) is None


@given(st.datetimes(timezones=st.just(UTC)), st.text("0123456789", max_size=3))
def test_any_time_is_read_back_whatever_its_nanoseconds(time: datetime, nanoseconds: str) -> None:
    text = f"{time.replace(tzinfo=None).isoformat(timespec='microseconds')}{nanoseconds}Z"
    assert parse_time(text) == time


def test_a_time_without_a_zone_is_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_time("2026-09-02T20:03:05.123456") == CREATED
    finally:
        monkeypatch.undo()
        time.tzset()


# Looks that come out of order

EARLY = datetime(2026, 9, 2, 20, 5, tzinfo=UTC)
LATE = EARLY + timedelta(minutes=1)


def look(state: str, update_time: datetime | None = None, directory: str | None = None) -> Observation:
    return Observation(NAME, f"JOB_STATE_{state}", update_time=update_time, output_directory=directory)


@pytest.mark.parametrize(
    ("recorded", "then", "known"),
    [
        (look("PENDING", EARLY), look("RUNNING", LATE), look("RUNNING", LATE)),
        (look("RUNNING", LATE), look("PENDING", EARLY), look("RUNNING", LATE)),
        (look("PENDING", EARLY), look("RUNNING", EARLY), look("RUNNING", EARLY)),
        (look("PENDING"), look("RUNNING"), look("RUNNING")),
        (look("PENDING", EARLY), look("RUNNING"), look("RUNNING")),
        (look("PENDING"), look("RUNNING", EARLY), look("RUNNING", EARLY)),
        (look("RUNNING", EARLY), look("SUCCEEDED", LATE), look("SUCCEEDED", LATE)),
        # An ended job stays ended, whatever a late look says.
        (look("SUCCEEDED", EARLY), look("RUNNING", LATE), look("SUCCEEDED", EARLY)),
        (look("CANCELLED"), look("CANCELLING"), look("CANCELLED")),
        (look("SUCCEEDED", LATE), look("FAILED", EARLY), look("SUCCEEDED", LATE)),
        (look("FAILED", EARLY), look("SUCCEEDED", LATE), look("SUCCEEDED", LATE)),
        # An output directory stays known.
        (look("RUNNING", EARLY, DIRECTORY), look("SUCCEEDED", LATE), look("SUCCEEDED", LATE, DIRECTORY)),
        (
            look("RUNNING", EARLY, "gs://a"),
            look("RUNNING", LATE, DIRECTORY),
            look("RUNNING", LATE, DIRECTORY),
        ),
        (look("RUNNING", EARLY), look("RUNNING", LATE, DIRECTORY), look("RUNNING", LATE, DIRECTORY)),
    ],
)
def test_the_newest_look_counts(recorded: Observation, then: Observation, known: Observation) -> None:
    assert merge_observations(recorded, then) == known


_LOOKS = st.builds(
    look,
    st.sampled_from(list(_NUMBERS.values())),
    st.none() | st.sampled_from([EARLY, LATE]),
    st.none() | st.just(DIRECTORY),
)


@given(st.lists(_LOOKS, min_size=1, max_size=6))
def test_no_order_of_looks_revives_a_job_or_loses_its_directory(looks: list[Observation]) -> None:
    known = looks[0]
    for then in looks[1:]:
        before, known = known, merge_observations(known, then)
        assert known.terminal >= before.terminal
        assert known.output_directory or not before.output_directory
        assert merge_observations(known, known) == known


# Records


def record(*input_uris: str, start_time: datetime | None = None) -> JobRecord:
    observation = Observation(NAME, "JOB_STATE_RUNNING", input_uris=input_uris, start_time=start_time)
    return JobRecord(JobKey("my-project", "us-central1", "5678"), observation, CREATED)


@pytest.mark.parametrize("uri", ["gs://in/a.jsonl", f"{DIRECTORY}/predictions.jsonl", "bq://p.d.mine_dest_x"])
def test_rows_from_before_a_job_are_another_job_s_whatever_its_input_is_called(uri: str) -> None:
    assert record(uri).carried_before == CREATED - timedelta(milliseconds=100)


def test_the_time_that_vertex_says_comes_before_that_of_the_record() -> None:
    seen = Observation(NAME, "JOB_STATE_RUNNING", create_time=CREATED - timedelta(minutes=5))
    job = JobRecord(JobKey("my-project", "us-central1", "5678"), seen, CREATED)

    assert job.carried_before == CREATED - timedelta(minutes=5, milliseconds=100)


def test_a_job_that_is_known_to_resume_another_needs_no_tolerance() -> None:
    created = datetime(2026, 11, 22, 10, 11, 12, 123456, tzinfo=UTC)
    seen = Observation("projects/1/locations/global/batchPredictionJobs/2", "JOB_STATE_PENDING")
    job = JobRecord(JobKey("p", "global", "2"), seen, created, resumed_from="projects/1/a")
    assert job.carried_before == created.replace(microsecond=123000)


def test_prices_are_those_of_the_start_and_until_then_of_the_creation() -> None:
    assert record().priced_at == CREATED
    assert record(start_time=LATE).priced_at == LATE
