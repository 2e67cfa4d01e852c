"""What holds for all tests: Hypothesis's settings, and which tests share a process under pytest-xdist."""

import gc
import os

from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from thorough import THOROUGH, times

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
_ONE_PROCESS = tuple(
    f"tests/{folder}/"
    for folder in ("contract", "functional/hostile", "functional/security", "functional/vertex_emulator")
)


class _ByFile(LoadFileScheduling):
    """Gives a file to one process, and so all files of some folders."""

    def _split_scope(self, nodeid):
        file = super()._split_scope(nodeid)
        return next((folder for folder in _ONE_PROCESS if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config, log):
    return _ByFile(config, log)


def pytest_collection_finish():
    # Without it, the garbage collector looks through all that was imported and collected over and over. Only
    # where thousands of short tests run: the browser's driver may not like collections that come late.
    if "PYTEST_XDIST_WORKER" in os.environ:
        gc.freeze()
        gc.set_threshold(100_000)
