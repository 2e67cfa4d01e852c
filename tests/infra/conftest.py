"""Fixtures of the Terraform tests."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import pytest

from infra.checkov import install
from infra.terraform import Applied, NotHereError, Workspace, setup


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    try:
        setup()
        made = Workspace(tmp_path_factory.mktemp("terraform"))
        made.init("infra")
    except NotHereError as error:
        pytest.skip(str(error))
    return made


@pytest.fixture(scope="session")
def applied(workspace) -> Callable[[str], Applied]:
    """Apply a folder, each once, and return the result."""
    once = cache(workspace.apply)

    def get(where: str) -> Applied:
        try:
            return once(where)
        except NotHereError as error:
            pytest.skip(str(error))

    return get


@pytest.fixture(scope="session", autouse=True)
def checkov():
    """Checkov's command, once it is installed: that takes a minute, in which other tests run."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(install)
