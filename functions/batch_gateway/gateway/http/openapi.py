"""Serve the OpenAPI 3.1 description of the API."""

from functools import cache
from pathlib import Path

import msgspec


@cache
def document() -> msgspec.Raw:
    """Return the document, read from the file beside this module."""
    return msgspec.Raw(Path(__file__).with_suffix(".json").read_bytes())
