"""Define the values that the gateway's own answers are made of.

Answers are structures whose docstrings describe them to callers, too: ``/openapi.json`` is made from them
(infra/local/api_schemas.py).
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

Money = Annotated[
    str,
    Meta(pattern=r"^-?[0-9]+(\.[0-9]+)?$", description="A decimal number of USD.", examples=["0.00009825"]),
]
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[datetime, Meta(tz=True)]
