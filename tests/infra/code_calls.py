"""What the code calls of Google, read from its source: the needs that the IAM matrix is held against."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = "batch_gateway"


class Call(NamedTuple):
    """A call of a port's method: where it stands, and of what."""

    place: str
    port: str
    method: str


PORTS = {
    "upstream": {"get", "get_job", "send"},
    "objects": {"list", "read", "stat"},
    "tables": {"stat", "usage_lines"},
    "topic": {"publish"},
}
"""Names that the ports go by in the code, with their methods."""


def module_calls(source: str, module: str) -> Iterator[Call]:
    """Calls of ports in a module; a place is ``module.function``."""
    for function in ast.walk(ast.parse(source)):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    port = _name(node.func.value)
                    if node.func.attr in PORTS.get(port, ()):
                        yield Call(f"{module}.{function.name}", port, node.func.attr)


def _name(node: ast.expr) -> str:
    """The last name of ``deps.upstream``, ``self._upstream`` or ``deps.objects()``, without underscores."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    return node.id.strip("_") if isinstance(node, ast.Name) else ""


def calls_of(functions: Path, entry: str) -> set[Call]:
    """Calls of ports in a module and in all that it imports of the package.

    Args:
        functions: The source folder.
        entry: The module, such as ``batch_gateway.settlement.settle``; a package for all of its modules.
    """
    found: set[Call] = set()
    folder = functions / entry.replace(".", "/")
    entries = [f"{entry}.{path.stem}" for path in folder.glob("*.py")] if folder.is_dir() else [entry]
    for module, path in _closure(functions, entries).items():
        short = module.removeprefix(f"{PACKAGE}.")
        # The adapters are what is called, not what calls.
        if not short.startswith(("adapters", "ports")):
            found |= set(module_calls(path.read_text(), short))
    return found


def _closure(functions: Path, entries: list[str]) -> dict[str, Path]:
    seen: dict[str, Path] = {}
    todo = list(entries)
    while todo:
        module = todo.pop()
        path = functions / (module.replace(".", "/") + ".py")
        path = path if path.is_file() else functions / module.replace(".", "/") / "__init__.py"
        if module in seen or not path.is_file():
            continue
        seen[module] = path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                todo += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return seen


FIRESTORE = {
    "create": {"create"},
    "delete": {"delete"},
    "get": {"get"},
    "get_all": {"get"},
    # Creates the document or replaces it.
    "set": {"create", "update"},
    "stream": {"get", "list"},
    "update": {"update"},
}
"""What a method of the SDK needs of datastore.entities ("Security for server client libraries")."""


def firestore_permissions(functions: Path) -> set[str]:
    """What the Firestore adapter needs: by the methods that it calls of client, batch, query and document."""
    needed: set[str] = set()
    for path in (functions / PACKAGE / "adapters/firestore").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                needed |= FIRESTORE.get(node.func.attr, set())
    return {f"datastore.entities.{verb}" for verb in needed}
