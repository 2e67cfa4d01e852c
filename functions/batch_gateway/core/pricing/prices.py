"""Look up Vertex AI's unit prices in a dated table that is read once.

The prices are data: ``prices.json`` beside this module says how to read them and where each is from. Here
they become integers in pico-USD (1e-12 USD), which is exact for every price of the table, also with the
surcharge for jobs outside the global location.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from batch_gateway.core.pricing.model_prices import (
    DEFAULT_CONTEXT_THRESHOLD,
    MODEL_KEY,
    ModelPrices,
    changes_of,
    context_window,
    midnight,
    read_model,
    read_start,
)
from batch_gateway.core.pricing.price_form import PER, read_members, refuse_duplicates
from batch_gateway.core.pricing.query_fees import QueryFee, QueryFees, query_fee, read_query_fees

LONGEST_QUEUE = timedelta(hours=72)
"""Longest wait of a job before it starts, whose price applies ("Batch inference with Gemini")."""

Mode = Literal["batch", "standard"]

_SUFFIXES = (
    # gemini-2.0-flash-001, claude-opus-4-1-20250805, gemini-2.5-pro-preview-03-25, gemini-4-argon-preview
    ("", re.compile(r"-[0-9]{3}$")),
    (("claude-", "gemini-"), re.compile(r"-20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$")),
    ("gemini-", re.compile(r"(?<=-preview)-[0-9]{2}-([0-9]{2}|[0-9]{4})$")),
    ("gemini-", re.compile(r"-preview$")),
)
"""Endings of model names by how the names begin, in the order in which they are removed."""
_NOTICE = timedelta(days=30)
"""Time before a change from which it is announced."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of all known models; ``load()`` returns the table that is shipped.

    Attributes:
        version: Identifies the table in every cost that it priced, e.g. ``2026-11-28``.
    """

    version: str
    _models: Mapping[str, ModelPrices]
    _aliases: Mapping[str, str | None]
    _query_fees: QueryFees

    @classmethod
    def from_json(cls, data: bytes) -> "PriceTable":
        """Read and check a table in the form of ``prices.json``.

        Raises:
            ValueError: The table is malformed; the message names the model and the key.
        """
        table = json.loads(data, object_pairs_hook=refuse_duplicates)
        optional = {"about", "non_global_from", "query_fees"}
        read_members("table", table, {"version", "currency", "per", "models", "aliases"}, optional)
        if (table["currency"], table["per"]) != ("USD", PER):
            raise ValueError(f"table: currency and per: must be USD per {PER} units")
        non_global_from = read_start("table: non_global_from", table.get("non_global_from"))
        models = {
            key: read_model(key, value, non_global_from)
            for key, value in read_members("models", table["models"], set()).items()
        }
        for alias, key in read_members("aliases", table["aliases"], set()).items():
            if not (key is None or str(key) in models) or alias in models or not MODEL_KEY.fullmatch(alias):
                raise ValueError(f"aliases: {alias}: must be a new lower-case name of a model in the table")
        fees = read_query_fees(table.get("query_fees", []), models)
        return cls(str(table["version"]), models, table["aliases"], fees)

    @property
    def shortest_window(self) -> int:
        """Most prompt tokens with which a row of any model is in the model's first context window."""
        thresholds = (model.threshold for model in self._models.values())
        return min((DEFAULT_CONTEXT_THRESHOLD, *(t for t in thresholds if t is not None)))

    def resolve(self, model: str) -> str | None:
        """Return the table's key for a model as jobs, rows or LiteLLM's configuration name it.

        Accepts ``gemini-2.5-flash``, ``gemini-2.0-flash-001@default``, ``vertex_ai/gemini-2.5-flash``,
        ``publishers/google/models/gemini-2.5-flash`` and the full name with project and location; and
        names that end with a revision, a date or ``-preview``, at the price of the name without it.

        Returns:
            A key for the other methods; None for models without prices, such as tuned ones, and for names
            that stand for a different model over time, such as ``gemini-flash-latest``.
        """
        if "/models/" in model and "publishers/" not in model:
            return None  # in the project's own registry, where an owner may choose any id
        name = model.rpartition("/")[2].partition("@")[0].lower()
        for prefix, suffix in (("", None), *_SUFFIXES):
            if suffix and name.startswith(prefix):
                name = suffix.sub("", name)
            if name in self._models or name in self._aliases:
                return self._aliases.get(name, name)
        return None

    def unit(self, model_key: str | None) -> str:
        """Return the unit that a model is charged by: ``token`` or ``character``; ``token`` if unknown."""
        return model.unit if (model := self._models.get(model_key or "")) else "token"

    def context_window(self, model_key: str | None, prompt_tokens: int) -> str:
        """Return the window that prices a whole row, e.g. ``0-200k``.

        Args:
            model_key: From ``resolve``; rows of an unknown model are split at the default threshold.
            prompt_tokens: Tokens of the row's prompt, including cached ones.

        Returns:
            The window's name; empty for models that are charged by the character.
        """
        model = self._models.get(model_key or "")
        threshold = model.threshold if model else DEFAULT_CONTEXT_THRESHOLD
        return "" if threshold is None else context_window(prompt_tokens, threshold)

    def unit_price(
        self,
        model_key: str | None,
        item: str,
        *,
        context_window: str,
        location: str,
        at: datetime,
        until: datetime | None = None,
        mode: Mode = "batch",
    ) -> int | None:
        """Return the price of one unit of an item, in pico-USD.

        Args:
            model_key: From ``resolve``.
            item: E.g. ``input_text``, ``cached_input_audio``, ``output_thoughts``.
            context_window: From ``context_window``.
            location: The job's location; all but ``global`` may cost more, even ``us`` and ``eu``.
            at: When the work was done, with a time zone.
            until: End of the time in which it may be done, from ``at`` on; the highest price is returned.
            mode: ``standard`` for the price of the same work outside batch jobs.

        Returns:
            None if the table has no price for it (with ``until``: at some time), which does not mean free.
        """
        if (model := self._models.get(model_key or "")) is None:
            return None
        key, highest = (mode, context_window, location == "global"), 0
        for period in model.in_force(at, until or at):
            price = period.rates.get(key, {}).get(item)
            if price is None:
                return None
            highest = max(highest, price)
        return highest

    def query_fee(self, model_key: str, item: str) -> QueryFee | None:
        """Return the fee of a model's grounding; None if the table has none, which does not mean free.

        Args:
            model_key: From ``resolve``.
            item: A kind of grounding, one of those in ``core.usage``.
        """
        return query_fee(self._query_fees, model_key, item)

    def doubts(self, model_key: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on the derived or disputed prices of a model in force at a time."""
        model = self._models.get(model_key)
        return model.in_force(at, at)[0].doubts if model else ()

    def notices(self, model_key: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on what people should know about a model before they start a job.

        That is whether it is closed or retired, and what changes within 30 days.
        """
        model = self._models.get(model_key)
        return tuple(
            change.said
            for change in (changes_of(model_key, model) if model else ())
            if midnight(change.day) <= at + _NOTICE and (change.kind != "price" or midnight(change.day) > at)
        )


@cache
def load() -> PriceTable:
    """Return the table that is shipped with the code."""
    return PriceTable.from_json(Path(__file__).with_name("prices.json").read_bytes())
