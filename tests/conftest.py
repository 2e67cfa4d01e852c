"""Set up all tests: Hypothesis's settings, and the garbage collector's where tests are many."""

import gc

from hypothesis import HealthCheck, settings

from thorough import THOROUGH, times

settings.register_profile(
    "tests",
    max_examples=times(25),
    deadline=None,
    derandomize=not THOROUGH,
    database=None,
    print_blob=True,
    # One says that the machine is slow, the other that a fixture serves several examples.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")

_MANY = 1000
"""Number of tests from which on they are short, and so the garbage collector's time counts."""


def pytest_collection_finish(session):
    # Without it, the garbage collector looks through all that was imported and collected over and over. Not
    # in the browser's process: its driver may not like collections that come late.
    if len(session.items) > _MANY:
        gc.freeze()
        gc.set_threshold(100_000)
