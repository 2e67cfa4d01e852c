"""Deployed packages have licences that let anybody use and pass on the whole, by their own metadata."""

import re
from importlib import metadata

import pytest

from unit.test_locks import DEPLOYED, PLATFORMS, locked

ALLOWED = {
    "Apache-2.0": r"apache(-| software license| )?( ?2(\.0)?)?|apache license,? version 2\.0",
    "BSD": r"(bsd|0bsd|bsd-[23]-clause|[23]-clause bsd)( license)?",
    "ISC": r"isc( license)?( \(iscl\))?",
    "MIT": r"mit(-0)?( license)?",
    "MPL-2.0": r"mpl-2\.0|mozilla public license 2\.0( \(mpl 2\.0\))?",
    "PSF": r"psf(-2\.0)?|python software foundation license",
}
"""How packages write them: as an SPDX expression, a classifier, or a name."""


def is_allowed(name):
    return any(re.fullmatch(pattern, name.strip(), re.IGNORECASE) for pattern in ALLOWED.values())


def licences(package):
    """The licences that a package says to be under: of each entry one has to be allowed."""
    said = package.get("License-Expression")
    if said:
        return [re.split(r" OR ", each.strip("() ")) for each in said.split(" AND ")]
    classifiers = [each.split(" :: ") for each in package.get_all("Classifier", [])]
    named = [[parts[-1]] for parts in classifiers if parts[0] == "License" and parts[-1] != "OSI Approved"]
    return named or [[package.get("License") or "none"]]


def deployed():
    """Names of the packages of the lock that are installed here."""
    lock = locked(DEPLOYED)
    here = PLATFORMS["3.11"]
    return sorted(
        name for name, (wanted, _) in lock.items() if not wanted.marker or wanted.marker.evaluate(here)
    )


@pytest.mark.parametrize("name", deployed())
def test_a_deployed_package_has_a_licence_of_the_list(name):
    found = licences(metadata.metadata(name))
    assert all(any(map(is_allowed, choice)) for choice in found), found


@pytest.mark.parametrize(
    "name",
    [
        "GPL-3.0-or-later",
        "AGPL-3.0",
        "LGPL-2.1",
        "GNU General Public License v3 (GPLv3)",
        "none",
        "Proprietary",
        "",
    ],
)
def test_others_are_none(name):
    assert not is_allowed(name)
