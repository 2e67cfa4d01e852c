"""Histograms: every number has its bucket, and a quantile is off by a sixteenth at most."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.timing.histogram import bucket_of, middle_of, quantile

NUMBERS = st.one_of(st.integers(0, 2**40), st.integers(0, 300))


def counted(numbers):
    return Counter(bucket_of(number) for number in numbers)


def exact(numbers, percent):
    """The nearest rank, from the definition."""
    return next(
        each for each in sorted(numbers) if sum(n <= each for n in numbers) * 100 >= percent * len(numbers)
    )


def test_small_numbers_are_exact():
    assert [middle_of(bucket_of(number)) for number in range(18)] == [*range(16), 16, 16]


def test_buckets_follow_each_other_without_a_gap():
    buckets = [bucket_of(number) for number in range(5_000)]
    assert buckets == sorted(buckets)
    assert set(buckets) == set(range(buckets[-1] + 1))


@given(NUMBERS)
def test_the_middle_of_a_bucket_is_in_it_and_near(number):
    middle = middle_of(bucket_of(number))
    assert bucket_of(middle) == bucket_of(number)
    assert 16 * abs(middle - number) <= number


def test_a_number_without_end_has_a_bucket():
    assert bucket_of(10**30) == bucket_of(2**40)


@given(st.lists(NUMBERS, min_size=1, max_size=60), st.sampled_from([1, 50, 90, 99, 100]))
def test_a_quantile_is_off_by_a_sixteenth_at_most(numbers, percent):
    found, wanted = quantile(counted(numbers), percent), exact(numbers, percent)
    assert 16 * abs(found - wanted) <= wanted


@given(st.lists(NUMBERS, max_size=20), st.lists(NUMBERS, max_size=20))
def test_histograms_add_up(some, others):
    assert counted(some) + counted(others) == counted(some + others)


def test_no_numbers_have_no_quantile():
    assert quantile({}, 50) is None


@pytest.mark.parametrize(("percent", "wanted"), [(50, 3), (60, 3), (61, 4), (90, 5), (100, 5)])
def test_a_quantile_is_one_of_the_numbers(percent, wanted):
    assert quantile(counted([1, 2, 3, 4, 5]), percent) == wanted
