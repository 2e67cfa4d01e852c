"""The lock files are whole and current: what is deployed, and what is tested, is pinned to the file.

No package index is asked: who needs whom is read from the packages that are installed.
"""

import re
import shlex
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DEPLOYED = ROOT / "functions/requirements.txt"
TESTED = ROOT / "requirements.txt"
STALE = "run infra/local/lock"
# Cloud Run functions' runtime (infra/variables.tf), and the oldest Python that the project runs on.
PLATFORMS = {
    version: {
        "python_version": version,
        "python_full_version": f"{version}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    for version in ("3.11", "3.13")
}


def lines_of(file):
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def wanted(*files):
    """The direct requirements of some files."""
    return [Requirement(line) for file in files for line in lines_of(file)]


def locked(file):
    """(requirement, hashes) by name; those of the files that it includes, too."""
    found = {}
    for line in lines_of(file):
        if line.startswith("-r "):
            found |= locked(ROOT / line.removeprefix("-r "))
            continue
        options = shlex.split(line.partition(" --hash")[2] and " --hash" + line.partition(" --hash")[2])
        requirement = Requirement(line.partition(" --hash")[0])
        found[canonicalize_name(requirement.name)] = (requirement, options)
    return found


def closure(direct, lock, platform):
    """Names of everything that is installed for some requirements on a platform.

    Raises:
        AssertionError: One of them is not locked, or locked at a version that is not asked for.
    """
    seen = set()
    todo = list(direct)
    while todo:
        needed = todo.pop()
        name = canonicalize_name(needed.name)
        assert name in lock, f"{needed} is not locked: {STALE}"
        [pin] = lock[name][0].specifier
        assert pin.operator == "=="
        assert needed.specifier.contains(pin.version, prereleases=True), f"{needed}, locked {pin}: {STALE}"
        assert lock[name][0].marker is None or lock[name][0].marker.evaluate(platform), f"{name}: {STALE}"
        for extra in needed.extras | {""}:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in metadata.requires(name) or ():
                each = Requirement(text)
                if each.marker is None or each.marker.evaluate({**platform, "extra": extra}):
                    todo.append(each)
    return {name for name, _ in seen}


CASES = [
    (DEPLOYED, [ROOT / "functions/requirements.in"]),
    (TESTED, [ROOT / "functions/requirements.in", ROOT / "tests/requirements.in"]),
]


@pytest.mark.parametrize(("lock", "asked"), CASES, ids=["deployed", "tested"])
@pytest.mark.parametrize("python", PLATFORMS)
def test_all_that_follows_is_locked(lock, asked, python):
    closure(wanted(*asked), locked(lock), PLATFORMS[python])


@pytest.mark.parametrize(("lock", "asked"), CASES, ids=["deployed", "tested"])
def test_what_is_asked_for_is_pinned_and_what_is_locked_is_installed(lock, asked):
    pins = locked(lock)
    for each in wanted(*asked):
        assert str(each.specifier) == str(pins[canonicalize_name(each.name)][0].specifier), STALE
    for name in closure(wanted(*asked), pins, PLATFORMS["3.11"]):
        assert str(pins[name][0].specifier) == f"=={metadata.version(name)}", "run infra/local/venv"


def test_nothing_is_deployed_that_nobody_needs():
    needed = closure(wanted(ROOT / "functions/requirements.in"), locked(DEPLOYED), PLATFORMS["3.13"])
    elsewhere = {name for name, (pin, _) in locked(DEPLOYED).items() if pin.marker}
    assert locked(DEPLOYED).keys() - elsewhere - needed == set(), STALE


@pytest.mark.parametrize("file", [DEPLOYED, TESTED])
def test_every_file_is_known_by_its_hash(file):
    for name, (_, options) in locked(file).items():
        assert options, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in options), name


def test_what_is_tested_is_what_is_deployed():
    assert lines_of(TESTED)[0] == "-r functions/requirements.txt"
    assert locked(TESTED).items() >= locked(DEPLOYED).items()


def test_a_stale_lock_is_seen():
    lock = locked(DEPLOYED)
    direct = wanted(ROOT / "functions/requirements.in")
    fewer = {name: pin for name, pin in lock.items() if name != "werkzeug"}
    with pytest.raises(AssertionError, match="not locked"):
        closure(direct, fewer, PLATFORMS["3.13"])
    older = {**lock, "werkzeug": (Requirement("werkzeug==1.0"), lock["werkzeug"][1])}
    with pytest.raises(AssertionError, match="locked"):
        closure(direct, older, PLATFORMS["3.13"])
    narrower = Requirement("werkzeug==3.1.9")
    narrower.marker = Marker("python_version < '3.12'")
    with pytest.raises(AssertionError, match="werkzeug"):
        closure(direct, {**lock, "werkzeug": (narrower, [])}, PLATFORMS["3.13"])
