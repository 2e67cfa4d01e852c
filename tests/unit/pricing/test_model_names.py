"""Names of models."""

import pytest

from batch_gateway.core.pricing.model_names import base_model_of, resource_name, short_name

PLACE = "projects/my-project/locations/us-central1"


@pytest.mark.parametrize(
    ("written", "resource"),
    [
        ("vertex_ai/gemini-2.5-flash", f"{PLACE}/publishers/google/models/gemini-2.5-flash"),
        ("gemini-2.5-flash", f"{PLACE}/publishers/google/models/gemini-2.5-flash"),
        (
            "vertex_ai/gemini-2.0-flash-001@default",
            f"{PLACE}/publishers/google/models/gemini-2.0-flash-001@default",
        ),
        ("text-embedding-005", f"{PLACE}/publishers/google/models/text-embedding-005"),
        (
            "text-multilingual-embedding-002",
            f"{PLACE}/publishers/google/models/text-multilingual-embedding-002",
        ),
        ("multimodalembedding@001", f"{PLACE}/publishers/google/models/multimodalembedding@001"),
        ("textembedding-gecko", f"{PLACE}/publishers/google/models/textembedding-gecko"),
        (
            "vertex_ai/claude-haiku-4-5@20251001",
            f"{PLACE}/publishers/anthropic/models/claude-haiku-4-5@20251001",
        ),
        ("vertex_ai/meta/llama-4-maas", f"{PLACE}/publishers/meta/models/llama-4-maas"),
        ("meta/llama-4-maas", f"{PLACE}/publishers/meta/models/llama-4-maas"),
        ("vertex_ai/1234567890", f"{PLACE}/models/1234567890"),
        ("publishers/google/models/gemini-2.5-pro", f"{PLACE}/publishers/google/models/gemini-2.5-pro"),
        (
            "projects/other/locations/eu/publishers/google/models/gemini-2.5-pro",
            "projects/other/locations/eu/publishers/google/models/gemini-2.5-pro",
        ),
        ("vertex_ai/projects/p/locations/l/models/1@2", "projects/p/locations/l/models/1@2"),
    ],
)
def test_a_name_in_litellms_form_becomes_a_resource_name(written: str, resource: str) -> None:
    assert resource_name(written, "my-project", "us-central1") == resource


@pytest.mark.parametrize("written", ["llama-4-maas", "vertex_ai/my-gemini", "", "gpt-5"])
def test_a_name_without_a_known_publisher_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(
        ValueError, match=r"no publisher is known .*; write it as 'vertex_ai/PUBLISHER/"
    ) as refused:
        resource_name(written, "my-project", "us-central1")
    assert f"'{written}'" in str(refused.value)


@pytest.mark.parametrize(
    ("label", "base"),
    [
        ("gemini-2_5-flash-lite", "gemini-2.5-flash-lite"),
        ("gemini-2_0-flash-001", "gemini-2.0-flash-001"),
        ("gemini-1_0-pro-002", "gemini-1.0-pro-002"),
        ("llama-3_1-8b-instruct", "llama-3.1-8b-instruct"),
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("text-bison", "text-bison"),
        ("my_model-1", "my_model-1"),
    ],
)
def test_the_base_of_a_tuned_model_has_full_stops_where_its_label_cannot(label: str, base: str) -> None:
    assert base_model_of({"labels": {"google-vertex-llm-tuning-base-model-id": label}}) == base


@pytest.mark.parametrize(
    ("resource", "name"),
    [
        (f"{PLACE}/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        (f"{PLACE}/models/123@2", "123@2"),
        ("gemini-2.5-flash", "gemini-2.5-flash"),
        ("", ""),
    ],
)
def test_the_short_name_is_the_last_part(resource: str, name: str) -> None:
    assert short_name(resource) == name
