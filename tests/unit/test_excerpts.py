"""Excerpts of others' texts are bounded, the same however often they are cut, with a count of the rest."""

import msgspec
import pytest

from batch_gateway.core import excerpts
from batch_gateway.core.jobs.labels import OURS
from batch_gateway.core.jobs.record import observe

NAME = "projects/1/locations/us-central1/batchPredictionJobs/1"


def seen(**job):
    return observe({"name": NAME, **job})


@pytest.mark.parametrize("length", [0, 1, 999, 1000])
def test_a_text_that_fits_stays(length):
    assert excerpts.text("é" * length) == "é" * length


@pytest.mark.parametrize("length", [1001, 50_000, 10_000_000])
def test_a_long_text_is_cut_once_and_says_so(length):
    cut = excerpts.text("é" * length)

    assert len(cut) <= excerpts.MOST_TEXT
    assert excerpts.text(cut) == cut
    head = cut.count("é")
    assert cut.endswith(f" … ({length - head} characters cut)")


def test_uris_are_counted_by_what_was_cut():
    kept, cut = excerpts.uris(tuple(f"gs://in/{number}" for number in range(12_000)))

    assert (kept[0], len(kept), cut) == ("gs://in/0", 50, 11_950)


def test_long_uris_are_kept_whole_or_not_at_all():
    long = "gs://in/" + "x" * 3000

    assert excerpts.uris((long, long, long)) == ((long, long), 1)
    assert excerpts.uris(("gs://in/" + "x" * 10_000_000,)) == ((), 1)


def test_the_labels_that_say_whose_it_is_come_first():
    many = {f"l{number}": "x" for number in range(500)} | dict.fromkeys(OURS, "mine")

    kept, cut = excerpts.labels(many, OURS)

    assert (len(kept), cut) == (64, 439)
    assert all(kept[name] == "mine" for name in OURS)


def test_labels_that_vertex_ai_takes_stay():
    widest = {"日" * 64: "本" * 64, "__x__": "1", "": "", "~": "~"}

    assert excerpts.labels(widest, OURS) == (widest, 0)


def test_labels_that_it_would_not_take_are_counted():
    assert excerpts.labels({"a" * 300: "1", "b": "x" * 300, "c": 1, "d": "1"}, OURS) == ({"d": "1"}, 2)


def test_a_uri_that_leads_nowhere_is_none_and_not_a_part_of_one():
    assert seen(outputInfo={"gcsOutputDirectory": "gs://b/" + "x" * 1500}).output_directory is None
    assert seen(outputInfo={"gcsOutputDirectory": "gs://b/" + "x" * 1024}).output_directory is not None
    assert seen(outputConfig={"gcsDestination": {"outputUriPrefix": ["x"]}}).output_prefix is None


def test_an_error_of_usual_size_stays():
    error = {"code": 9, "message": "x" * 2000, "details": [{"@type": "t", "a": [[1]]}], "more": 1}

    assert excerpts.status(error) == error


def test_a_large_error_keeps_what_tells_most():
    details = [{"@type": "t", "text": "y" * 1000} for _ in range(500)]

    kept = excerpts.status({"code": 3, "message": "x" * 100_000, "details": details, "more": 1})

    assert (kept["code"], kept["message"][:5], "more" in kept) == (3, "xxxxx", False)
    assert kept["details"] == details[: len(kept["details"])]
    assert kept["detailsCut"] == 500 - len(kept["details"])
    assert len(msgspec.json.encode(kept)) < 8_100


@pytest.mark.parametrize("error", [{"details": "z" * 9000}, {"code": "z" * 9000}, {"message": ["z" * 9000]}])
def test_a_large_error_of_another_form_is_none(error):
    assert seen(error=error).error is None


def test_whatever_a_job_shows_its_record_is_small():
    long = "x" * 1_000_000
    shown = seen(
        state=long,
        model=long,
        displayName=long,
        labels={long: "1", **{f"l{number}": "é" * 60 for number in range(5000)}},
        inputConfig={"gcsSource": {"uris": ["gs://in/x"] * 100_000}, "bigquerySource": {"inputUri": long}},
        outputConfig={
            "gcsDestination": {"outputUriPrefix": long},
            "bigqueryDestination": {"outputUri": long},
        },
        outputInfo={
            "gcsOutputDirectory": long,
            "bigqueryOutputDataset": long,
            "bigqueryOutputTable": long,
        },
        error={"code": 1, "message": long, "details": [long] * 10},
    )

    assert len(msgspec.json.encode(shown)) < 50_000
    assert shown.input_uris_cut == 100_001 - 50


@pytest.mark.parametrize(
    "name",
    [
        "projects/__x__/locations/us-central1/batchPredictionJobs/1",
        "projects/../locations/us-central1/batchPredictionJobs/1",
        "projects/p/locations/us-central1/batchPredictionJobs/" + "1" * 129,
        "projects/p/locations/us-central1/batchPredictionJobs/..",
        "projects/p/locations/a.b/batchPredictionJobs/1",
        "projects/p/locations/us-central1/batchPredictionJobs/1\n",
    ],
)
def test_a_name_that_cannot_be_a_documents_is_no_jobs(name):
    assert observe({"name": name}) is None
