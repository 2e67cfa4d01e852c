"""Counts are split by modality; no more is charged than was used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.modalities import (
    LARGEST_COUNT,
    ContradictionError,
    ModalityTokenCount,
    by_modality,
    cached_by_modality,
    check_counts,
    count_of,
    modality_name,
)

COUNTS = st.integers(0, 1000)
DETAILS = st.none() | st.lists(
    st.builds(
        ModalityTokenCount,
        st.sampled_from([None, "", "TEXT", "image", "VIDEO", "AUDIO", "DOCUMENT", "HOLOGRAM"]),
        st.none() | st.integers(-5, 1000),
    ),
    max_size=4,
)


def details(**by_name: int) -> list[ModalityTokenCount]:
    return [ModalityTokenCount(name, count) for name, count in by_name.items()]


@given(COUNTS, DETAILS)
def test_a_split_adds_up_to_its_count(total: int, given_details: list[ModalityTokenCount] | None) -> None:
    split = by_modality(total, given_details)
    assert sum(split.tokens.values()) == total
    assert min(split.tokens.values()) >= 0


@given(COUNTS, DETAILS, DETAILS, COUNTS)
def test_no_modality_has_more_cached_tokens_than_tokens(
    total: int,
    of_input: list[ModalityTokenCount] | None,
    of_cache: list[ModalityTokenCount] | None,
    cached: int,
) -> None:
    inputs = by_modality(total, of_input).tokens
    split = cached_by_modality(cached, of_cache, inputs)
    assert sum(split.tokens.values()) == min(cached, total)
    assert all(0 <= count <= inputs.get(name, 0) for name, count in split.tokens.items())
    assert not (split.agrees and cached > total)


@pytest.mark.parametrize(
    ("total", "given_details", "tokens", "agrees"),
    [
        (10, None, {"text": 10}, True),
        (10, details(AUDIO=10), {"audio": 10}, True),
        (10, details(AUDIO=4), {"audio": 4, "text": 6}, True),
        (10, details(AUDIO=8, TEXT=4), {"text": 4, "audio": 6}, False),
        (10, details(AUDIO=-1, TEXT=10), {"text": 10, "audio": 0}, False),
        (10, details(HOLOGRAM=3), {"other": 3, "text": 7}, True),
    ],
)
def test_what_exceeds_the_count_is_cut_from_the_dearest_modality(
    total: int,
    given_details: list[ModalityTokenCount] | None,
    tokens: dict[str, int],
    agrees: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert by_modality(total, given_details) == (tokens, agrees)


def test_a_count_is_that_of_its_details_if_it_is_left_out() -> None:
    assert (count_of(3, details(TEXT=5)), count_of(None, details(TEXT=5, AUDIO=-2))) == (3, 5)
    assert (count_of(None, None), count_of(None, [])) == (None, None)


def test_names_are_known_in_any_case_and_the_unknown_are_one() -> None:
    assert [modality_name(name) for name in ("", "modality_unspecified", "Image", None, "SMELL")] == [
        "text",
        "text",
        "image",
        "text",
        "other",
    ]


@pytest.mark.parametrize("count", [-1, LARGEST_COUNT + 1])
def test_an_impossible_count_is_a_contradiction(count: int) -> None:
    check_counts(0, LARGEST_COUNT)
    with pytest.raises(ContradictionError):
        check_counts(0, count)
