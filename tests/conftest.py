"""What holds for all tests: Hypothesis's settings, and which tests share a process under pytest-xdist."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from thorough import THOROUGH, times

HERE = Path(__file__).parent
settings.register_profile(
    "tests",
    max_examples=times(50),
    deadline=None,
    derandomize=not THOROUGH,
    database=None,
    print_blob=True,
    # One says that the machine is slow, the other that a fixture serves several examples.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")

# Folders whose tests share what is slow to start, such as an emulator.
_ONE_PROCESS = ("contract", "functional/hostile", "functional/security", "functional/vertex_emulator")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    for item in items:
        file = item.path.relative_to(HERE).as_posix()
        folder = next((each for each in _ONE_PROCESS if file.startswith(f"{each}/")), file)
        item.add_marker(pytest.mark.xdist_group(folder))
