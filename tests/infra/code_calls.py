"""Read from the code's source which calls it makes to Google: the needs to hold the IAM matrix against."""

import ast
from collections.abc import Iterator
from functools import cache
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
    "objects": {"begin_upload", "create", "list", "read", "stat"},
    "tables": {"stat", "usage_lines"},
    "export": {"read"},
    "topic": {"publish"},
}
"""Names that the ports go by in the code, with their methods."""


def module_calls(source: str, module: str, names: frozenset[str] | None = None) -> Iterator[Call]:
    """Calls of ports in a module; a place is ``module.function``.

    Args:
        source: The module's.
        module: Its name.
        names: What is used of it; None for all.
    """
    tree = ast.parse(source)
    for part in [tree] if names is None else _reached(tree, names):
        for function in ast.walk(part):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                        port = _name(node.func.value)
                        if node.func.attr in PORTS.get(port, ()):
                            yield Call(f"{module}.{function.name}", port, node.func.attr)


def _reached(tree: ast.Module, names: frozenset[str]) -> list[ast.stmt]:
    """The functions and classes of these names, and those that they use."""
    there = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef | ast.ClassDef)}
    found: dict[str, ast.stmt] = {}
    todo = [name for name in names if name in there]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = there[name]
            used = {node.id for node in ast.walk(there[name]) if isinstance(node, ast.Name)}
            todo += used & there.keys()
    return list(found.values())


def _name(node: ast.expr) -> str:
    """The last name of ``deps.upstream``, ``self._upstream`` or ``deps.objects()``, without underscores."""
    if isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        return node.attr.strip("_")
    return node.id.strip("_") if isinstance(node, ast.Name) else ""


@cache
def calls_of(functions: Path, entry: str) -> frozenset[Call]:
    """Calls of ports in a module and in all that it imports of the package.

    Args:
        functions: The source folder.
        entry: The module, such as ``batch_gateway.settlement.settle``; a package for all of its modules.
    """
    found: set[Call] = set()
    folder = functions / entry.replace(".", "/")
    entries = [f"{entry}.{path.stem}" for path in folder.glob("*.py")] if folder.is_dir() else [entry]
    for module, names in _closure(functions, entries).items():
        short = module.removeprefix(f"{PACKAGE}.")
        # The adapters are what is called, not what calls.
        if not short.startswith(("adapters", "ports")):
            source = _path(functions, module).read_text()
            found |= set(module_calls(source, short, names))
    return frozenset(found)


def _path(functions: Path, module: str) -> Path:
    path = functions / (module.replace(".", "/") + ".py")
    return path if path.is_file() else functions / module.replace(".", "/") / "__init__.py"


def _closure(functions: Path, entries: list[str]) -> dict[str, frozenset[str] | None]:
    """Return the names used of each module that is imported from the entries on, or None for all of it."""
    used: dict[str, frozenset[str] | None] = dict.fromkeys(entries)
    todo = list(entries)
    while todo:
        path = _path(functions, todo.pop())
        if not path.is_file():
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                names = {each.name for each in node.names}
                modules = {name for name in names if _path(functions, f"{node.module}.{name}").is_file()}
                imported = [(f"{node.module}.{name}", None) for name in modules]
                imported.append((str(node.module), frozenset(names - modules)))
                for module, wanted in imported:
                    before = used.get(module, frozenset())
                    after = None if wanted is None or before is None else before | wanted
                    if module not in used:
                        todo.append(module)
                    used[module] = after
    return {module: names for module, names in used.items() if _path(functions, module).is_file()}


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
"""Rights of datastore.entities that methods of the SDK need ("Security for server client libraries")."""


def firestore_permissions(functions: Path) -> set[str]:
    """Return the Firestore adapter's needs, by the methods that it calls of client, batch, query …"""
    needed: set[str] = set()
    for path in (functions / PACKAGE / "adapters/firestore").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                needed |= FIRESTORE.get(node.func.attr, set())
    return {f"datastore.entities.{verb}" for verb in needed}
