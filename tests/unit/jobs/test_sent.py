"""Find a create's job without its answer, by what both have in common."""

import pytest

from batch_gateway.core.jobs.labels import KEY_LABEL, TEAM_LABEL
from batch_gateway.core.jobs.record import Observation
from batch_gateway.core.jobs.sent import Sent, sent_of

LABELS = {TEAM_LABEL: "search", "environment": "production"}
SENT = Sent({TEAM_LABEL: "search"}, "gs://out/run", "gemini-3.5-flash", "nightly")


@pytest.mark.parametrize(
    "model",
    [
        "gemini-3.5-flash",
        "publishers/google/models/gemini-3.5-flash",
        "projects/1/locations/global/publishers/google/models/gemini-3.5-flash@default",
    ],
)
def test_a_job_is_known_by_the_create_that_made_it_however_its_model_is_written(model):
    seen = Observation(
        "projects/1/locations/global/batchPredictionJobs/2",
        "JOB_STATE_PENDING",
        model,
        "nightly",
        LABELS,
        output_prefix="gs://out/run",
    )
    assert Sent.of(LABELS, "gs://out/run", "gemini-3.5-flash", "nightly") == sent_of(seen) == SENT


@pytest.mark.parametrize(
    "other",
    [
        Sent.of({KEY_LABEL: "search"}, "gs://out/run", "gemini-3.5-flash", "nightly"),
        Sent.of(LABELS, "gs://out/other", "gemini-3.5-flash", "nightly"),
        Sent.of(LABELS, "gs://out/run", "gemini-3.5-pro", "nightly"),
        Sent.of(LABELS, "gs://out/run", "gemini-3.5-flash", "weekly"),
    ],
)
def test_another_owner_place_model_or_name_is_another_job(other):
    assert other != SENT


def test_labels_and_places_of_no_known_type_are_left_out():
    assert Sent.of({TEAM_LABEL: 7}, None, "m", "n") == Sent({}, None, "m", "n")
