"""Narrow a caller's list filter to the jobs that the caller may see.

The syntax is AIP-160's (https://google.aip.dev/160): strings in double or single quotes with backslash
escapes, parentheses, AND, OR and NOT. Only quotes and parentheses can change how our own condition is read,
so nothing else is checked.
"""

import re

_TOKEN = re.compile(r"""[^"'()\\]+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[()]""", re.DOTALL)
_BEFORE_A_STRING = re.compile(r"[\s=!<>:(,.-]")


def narrow(client_filter: str, label: str, value: str) -> str:
    """Return a filter for jobs that match the client's filter and carry a label.

    Args:
        client_filter: As the client wrote it; may be empty.
        label: Key of the label.
        value: Value of the label: letters, digits, ``_`` and ``-`` only.

    Raises:
        ValueError: Quotes or parentheses of the client's filter are not balanced, so that it could escape
            from the parentheses around it.
    """
    condition = f'labels.{label}="{value}"'
    if not client_filter.strip():
        return condition
    depth = position = 0
    while position < len(client_filter):
        token = _TOKEN.match(client_filter, position)
        if token is None:
            raise ValueError("a quote is not closed, or there is a backslash outside quotes")
        if token[0][0] in "\"'" and position and not _BEFORE_A_STRING.match(client_filter[position - 1]):
            # Parsers may disagree on whether such a quote begins a string.
            raise ValueError("there is a quote in the middle of a word")
        depth += {"(": 1, ")": -1}.get(token[0], 0)
        if depth < 0:
            raise ValueError("a closing parenthesis has no opening parenthesis")
        position = token.end()
    if depth:
        raise ValueError("a parenthesis is not closed")
    return f"({client_filter}) AND {condition}"
