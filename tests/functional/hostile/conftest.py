"""The gateway as it is deployed, with a Cloud Storage of its own, and limits on what it may use."""

import pytest

from functional.security.conftest import deployed


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    with deployed(tmp_path_factory.mktemp("hostile")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running):
    """The gateway, its upstream's memory of earlier tests gone."""
    running.upstream.reset()
    return running
