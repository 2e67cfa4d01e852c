"""Bounds of a job's cost, estimated before it ran."""

import msgspec


class Weighed(msgspec.Struct, frozen=True, rename="camel"):
    """The input that was read to compute a bound.

    Attributes:
        objects: Number of objects.
        bytes: Size of all of them together.
        generation: The highest generation among them: any object that is written later has a higher one.
    """

    objects: int
    bytes: int
    generation: int


class Bounds(msgspec.Struct, frozen=True, rename="camel"):
    """The estimated cost of a job before it ran, nano-USD; None where it could not be estimated.

    Attributes:
        weighed: The input, if all of it was read to compute the high; else the high is an estimate.
    """

    low_nano: int | None
    expected_nano: int | None
    high_nano: int | None
    weighed: Weighed | None = None


UNKNOWN_BOUNDS = Bounds(None, None, None)
"""The estimate of a job that was weighed without a result."""
