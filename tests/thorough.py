"""How much the tests try: the same few cases on a push, many new ones with TESTS_THOROUGH=1."""

import itertools
import os

from hypothesis import settings

THOROUGH = os.environ.get("TESTS_THOROUGH") == "1"
_TIMES = 10
"""As many cases in a thorough run, for each one on a push."""


def times(count):
    """Return how many cases to try, given how many a push tries."""
    return count * (_TIMES if THOROUGH else 1)


def taking_turns(values, others, each=1):
    """Return pairs: each value with so many of the others, which take turns; with all of them if thorough."""
    turns = itertools.cycle(others)
    return [(value, next(turns)) for value in values for _ in range(len(others) if THOROUGH else each)]


def examples(count):
    """Return Hypothesis's settings for a test that needs another number of examples than most."""
    return settings(max_examples=times(count))
