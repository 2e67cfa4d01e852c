"""Count whole numbers in buckets, so that quantiles of any number of them are found with a bounded error.

Numbers below 16 have a bucket each. Above that, every power of two is divided into eight buckets of equal
width, as in HdrHistogram: a bucket is at most an eighth as wide as its smallest number.
"""

from collections.abc import Mapping

_BITS = 4
_STEPS = 1 << (_BITS - 1)
_MOST = 2**40
"""Larger numbers count as this one: they are no time and no rate."""

Counts = Mapping[int, int]
"""Number of values by bucket."""


def bucket_of(value: int) -> int:
    """Return the bucket of a number, which must not be negative."""
    value = min(value, _MOST)
    shift = max(0, value.bit_length() - _BITS)
    return shift * _STEPS + (value >> shift)


def middle_of(bucket: int) -> int:
    """Return the number in the middle of a bucket, at most a sixteenth off any number in it."""
    shift = max(0, bucket // _STEPS - 1)
    low = (bucket - shift * _STEPS) << shift
    return low + ((1 << shift) - 1) // 2


def quantile(counts: Counts, percent: int) -> int | None:
    """Return the smallest number that at least so many percent of the numbers do not exceed.

    Args:
        counts: The numbers.
        percent: From 1 to 100.

    Returns:
        That number, off by at most a sixteenth of itself (6.25 %); None if there are no numbers.
    """
    rank = -(-sum(counts.values()) * percent // 100)
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0 < counts[bucket]:
            return middle_of(bucket)
    return None
