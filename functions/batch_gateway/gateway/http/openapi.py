"""The description of the API, in OpenAPI 3.1."""

from functools import cache
from pathlib import Path

import msgspec


@cache
def document() -> msgspec.Raw:
    """The document, as it lies beside this module."""
    return msgspec.Raw(Path(__file__).with_suffix(".json").read_bytes())
