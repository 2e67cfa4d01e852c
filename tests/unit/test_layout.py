"""The tests of a subject of the core stand in the folder of that subject."""

import ast
from functools import cache

import pytest

from documents import ROOT

CORE, UNIT = ROOT / "functions/batch_gateway/core", ROOT / "tests/unit"
PACKAGE = "batch_gateway.core"


@cache
def imported(path):
    """Return the names of modules that a file imports, and of what it takes from them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def modules(folder):
    """Return the modules of a folder of the core by their full names."""
    package = ".".join([PACKAGE, *folder.relative_to(CORE).parts])
    return {
        package if path.stem == "__init__" else f"{package}.{path.stem}": path for path in folder.glob("*.py")
    }


SUBJECTS = sorted(path.parent.name for path in CORE.glob("*/__init__.py"))
TESTS = sorted(UNIT.rglob("test_*.py"))


def test_each_subject_of_the_core_has_its_folder_and_no_other_has_one():
    assert sorted({path.parent.name for path in TESTS} - {UNIT.name}) == SUBJECTS


@pytest.mark.parametrize("subject", ["", *SUBJECTS])
def test_each_module_is_used_by_tests_of_its_folder(subject):
    own = modules(CORE / subject)
    todo = {name for test in (UNIT / subject).glob("test_*.py") for name in imported(test) & own.keys()}
    reached = set()
    while todo:
        name = todo.pop()
        reached.add(name)
        todo |= (imported(own[name]) & own.keys()) - reached
    assert own.keys() - reached - {".".join(filter(None, [PACKAGE, subject]))} == set()


@pytest.mark.parametrize("test", TESTS, ids=lambda test: str(test.relative_to(UNIT)))
def test_a_test_stands_with_the_module_that_it_is_named_after(test):
    named = [path.parent for path in CORE.rglob("*.py") if test.stem == f"test_{path.stem}"]
    folder = CORE / test.parent.relative_to(UNIT)
    assert not named or folder in named
    assert test.parent == UNIT or any(name.startswith(f"{PACKAGE}.{folder.name}") for name in imported(test))
