"""Names of resources, before they become part of a path that is called with the gateway's own token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.jobs.resource_names import parse_resource
from batch_gateway.core.pricing.model_names import is_registered

PLACE = "projects/acme-batch/locations/us-central1"


@pytest.mark.parametrize(
    ("name", "kind", "last"),
    [
        (f"{PLACE}/models/123", "models", "123"),
        (f"{PLACE}/models/123@2", "models", "123@2"),
        ("projects/123456789012/locations/eu/models/a_b", "models", "a_b"),
        (f"{PLACE}/publishers/google/models/gemini-2.5-flash", "models", "gemini-2.5-flash"),
        ("publishers/meta/models/llama-4-maas", "models", "llama-4-maas"),
        ("publishers/anthropic/models/claude-haiku-4-5@20251001", "models", "claude-haiku-4-5@20251001"),
        ("projects/example.com:acme/locations/global/endpoints/9", "endpoints", "9"),
        (f"{PLACE}/datasets/42", "datasets", "42"),
    ],
)
def test_names_as_google_writes_them_are_names(name, kind, last):
    found = parse_resource(name)

    assert (found.kind, found.name) == (kind, last)
    assert name.endswith(found.path)


@pytest.mark.parametrize(
    "name",
    [
        "projects/../locations/us-central1/models/1",
        "projects/acme-batch/locations/../models/1",
        f"{PLACE}/models/..",
        f"{PLACE}/models/.",
        f"{PLACE}/models/1/../../endpoints/2",
        f"{PLACE}/models/1@..",
        f"{PLACE}/models/1?x=y",
        f"{PLACE}/models/1%2f..",
        f"{PLACE}/models/1:cancel",
        f"{PLACE}/models/1\n",
        f"{PLACE}/models/",
        f"{PLACE}//models/1",
        f"/{PLACE}/models/1",
        f"{PLACE}/publishers/../models/1",
        f"{PLACE}/batchPredictionJobs/1",
        "projects/acme-batch/locations/x/models/y",
        "projects/Acme/locations/us-central1/models/1",
        f"{PLACE}/models/{'9' * 129}",
        "gemini-2.5-flash",
        "",
    ],
)
def test_what_could_lead_elsewhere_is_none(name):
    assert parse_resource(name) is None
    assert not is_registered(name)


@given(
    st.lists(
        st.sampled_from(["projects", "..", ".", "acme-batch", "1", "locations", "us", "models", "a%2f", "?"])
    )
)
def test_no_name_has_a_segment_that_a_path_reads_otherwise(parts):
    name = "/".join(parts)
    if parse_resource(name) is not None:
        assert not {".", "..", ""} & set(name.split("/"))
        assert not set(name) & set("?#%\\ ")


def test_only_a_projects_own_models_are_registered():
    assert is_registered(f"{PLACE}/models/123")
    assert not is_registered(f"{PLACE}/publishers/google/models/gemini-2.5-flash")
    assert not is_registered(f"{PLACE}/endpoints/123")
    assert not is_registered("models/123")
