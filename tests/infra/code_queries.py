"""The queries of the Firestore adapter, read from its source, and the composite indexes that they need."""

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

NAME = "__name__"
DYNAMIC = "?"
"""In place of a field that is computed when the query is made."""


class Query(NamedTuple):
    """All that a function may put into one query, whichever branches it takes.

    Attributes:
        place: ``module.function``.
        collection: Its name; "?" if it is computed.
        equal: Fields compared for equality.
        ranged: Fields compared in another way.
        orders: (field, direction) in order, ``__name__`` included.
    """

    place: str
    collection: str
    equal: frozenset[str]
    ranged: frozenset[str]
    orders: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> frozenset[str]:
        """Every field that the query asks about."""
        return self.equal | self.ranged | {field for field, _ in self.orders}


class Index(NamedTuple):
    """A composite index: collection, and (field, direction) in order."""

    collection: str
    fields: tuple[tuple[str, str], ...]


def queries(folder: Path) -> list[Query]:
    """Every query of the modules in a folder."""
    return [
        query for path in sorted(folder.glob("*.py")) for query in _of_module(path.read_text(), path.stem)
    ]


def _of_module(source: str, module: str) -> Iterable[Query]:
    functions = {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}
    helpers = {
        name: _orders(node)
        for name, node in functions.items()
        if "query" in {arg.arg for arg in node.args.args}
    }
    inner = {
        child.name
        for node in functions.values()
        for child in ast.walk(node)
        if isinstance(child, ast.FunctionDef) and child is not node
    }
    for name, node in functions.items():
        if name in inner or name in helpers:
            continue
        equal, ranged = _filters(node)
        orders = _orders(node)
        for call in ast.walk(node):
            # A query that is handed on is ordered where it is taken in.
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                orders += helpers.get(call.func.attr, ())
        if equal or ranged or orders:
            yield Query(f"{module}.{name}", _collection(node), equal, ranged, orders)


def _filters(node: ast.AST) -> tuple[frozenset[str], frozenset[str]]:
    equal, ranged = set(), set()
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "FieldFilter":
            # "in" asks for equality several times, with the same indexes.
            (equal if _text(call.args[1]) in {"==", "in"} else ranged).add(_text(call.args[0]))
    return frozenset(equal), frozenset(ranged)


def _orders(node: ast.AST) -> tuple[tuple[str, str], ...]:
    found = []
    for call in ast.walk(node):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "order_by"
        ):
            descending = any("DESCENDING" in ast.dump(keyword.value) for keyword in call.keywords)
            order = (_text(call.args[0]), "DESCENDING" if descending else "ASCENDING")
            found.append((call.end_lineno, call.end_col_offset, order))
    return tuple(order for _, _, order in sorted(found))


def _collection(node: ast.AST) -> str:
    names = {
        _text(call.args[0])
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"collection", "collection_group"}
    }
    return names.pop() if len(names) == 1 else DYNAMIC


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else DYNAMIC


def needed_index(query: Query) -> Index | None:
    """The composite index without which Firestore refuses a query; None if single-field ones do.

    Those serve equality on any number of fields (they are merged), and a range or an order on one field,
    with names in the same direction ("Index types in Cloud Firestore").
    """
    orders = list(query.orders)
    ranged = sorted(query.ranged - {NAME} - {field for field, _ in orders})
    fields = [(field, "ASCENDING") for field in ranged] + [each for each in orders if each[0] != NAME]
    last = next((direction for field, direction in reversed(orders) if field == NAME), None)
    backwards = last is not None and last != (fields[-1][1] if fields else "ASCENDING")
    if not fields and not backwards:
        return None
    if len(fields) == 1 and not query.equal and not backwards:
        return None
    name = ((NAME, last),) if last and backwards else ()
    return Index(query.collection, (*((field, "ASCENDING") for field in sorted(query.equal)), *fields, *name))
