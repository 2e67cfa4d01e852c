"""Look up Vertex AI's unit prices in a dated table that is read once, with the operator's over it.

The prices are data: ``prices.json`` beside this module says how to read them and where each is from. Here
they become integers in pico-USD (1e-12 USD), which is exact for every price of the table, also with the
surcharge for jobs outside the global location. Of the operator's prices an override counts before the
configuration, and the configuration before the table; of overrides the one that says most exactly what it
is for: the model's before the publisher's before that of everything, and with a location before without.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Literal

from batch_gateway.core.pricing.config_rates import apply_rates
from batch_gateway.core.pricing.layers import (
    Discount,
    Layer,
    Layers,
    RateKey,
    in_force,
    period_at,
    rate_at,
    starts_between,
)
from batch_gateway.core.pricing.model_names import OTHER_MODEL
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
from batch_gateway.core.pricing.money import Pico
from batch_gateway.core.pricing.overrides import EVERYTHING, OwnPrices, publisher_of
from batch_gateway.core.pricing.price_form import PER, read_members, refuse_duplicates
from batch_gateway.core.pricing.query_fees import QueryFee, QueryFees, query_fee, read_query_fees
from batch_gateway.core.pricing.units import Unit

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
_LONGEST_NAME = 128
"""Most characters of a model's name: rows with longer ones count as OTHER_MODEL."""
_NOTICE = timedelta(days=30)
"""Time before a change from which it is announced."""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of all known models; ``load()`` returns the table that is shipped.

    Attributes:
        version: Identifies the prices in every cost that they gave: the table's, e.g. ``2026-11-28``, and
            a hash of the operator's prices if there are any, e.g. ``2026-11-28+3f9c01``.
        non_global_from: When the table's surcharge outside the global location begins.
    """

    version: str
    non_global_from: datetime
    _models: Mapping[str, ModelPrices]
    _aliases: Mapping[str, str | None]
    _query_fees: QueryFees
    _own: OwnPrices | None = None
    _public: "PriceTable | None" = None
    _layers: dict[tuple[str, str], Layers] = field(default_factory=dict, compare=False)

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
        return cls(str(table["version"]), non_global_from, models, table["aliases"], fees)

    def with_own(self, own: OwnPrices) -> "PriceTable":
        """Return these prices with the owner's laid over them."""
        if not own.digest:
            return self
        # The table says how a model's tokens are counted; for a model that it lacks, the operator's do.
        named = {name: rates for (name, _), rates in own.rates.items()}
        configured = {key: apply_rates(None, rates) for (key, _), rates in own.config.items()}
        models = {**configured, **named, **self._models}
        return replace(
            self, version=f"{self.version}+{own.digest}", _models=models, _own=own, _public=self, _layers={}
        )

    @property
    def public(self) -> "PriceTable":
        """Return the table without the operator's prices."""
        return self._public or self

    @property
    def models(self) -> list[str]:
        """Return the keys of all models that have a price."""
        return sorted(self._models)

    def own_locations(self, model_key: str) -> list[str]:
        """Return the locations in which a model may have another price of the owner's than elsewhere."""
        own = self._own
        if own is None:
            return []
        names = {model_key, f"publishers/{publisher_of(model_key)}", EVERYTHING}
        pairs = (*own.rates, *own.discounts, *(key for key in own.config if key[0] == model_key))
        return sorted({location for name, location in pairs if location and name in names})

    def layers(self, model_key: str, location: str) -> Layers:
        """Return the prices of a model in a location, from the most specific to the table's; maybe none."""
        # Callers choose both: locations without own prices share an entry, and unknown models have none.
        place = location if self._own and location in self._own.locations else ""
        found = self._layers.get((model_key, place))
        if found is None:
            found = tuple(self._find_layers(model_key, place))
            if found:
                self._layers[model_key, place] = found
        return found

    def _find_layers(self, key: str, location: str) -> Iterator[Layer]:
        listed = self.public._models.get(key)  # noqa: SLF001 - of the same class
        if self._own is not None:
            places = (location, "") if location else ("",)
            names = (key, f"publishers/{publisher_of(key)}", EVERYTHING)
            for name, place in product(names, places):
                if rates := self._own.rates.get((name, place)):
                    yield Layer("override", name, place, rates.periods)
                elif listed and (discounts := self._own.discounts.get((name, place))):
                    yield Layer("override", name, place, discounts)
            if rates_of_config := self._own.config.get((key, location)):
                yield Layer("config", "", location, apply_rates(listed, rates_of_config).periods)
        if listed:
            yield Layer("table", "", "", listed.periods)

    def _key(self, model: str | None) -> str:
        """Return the key of a model by its key, or by its name in usage from before it had a price."""
        if not model or model in self._models:
            return model or ""
        return self.resolve(model) or model

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
        return next((self._aliases.get(name, name) for name in self._known_names(model)), None)

    def _known_names(self, model: str) -> Iterator[str]:
        """Yield the names of a model that are known: as it is given, then without revision and the like."""
        name = model.rpartition("/")[2].partition("@")[0].lower()
        for prefix, suffix in (("", None), *_SUFFIXES):
            if suffix and name.startswith(prefix):
                name = suffix.sub("", name)
            if name in self._models or name in self._aliases:
                yield name

    def own_key(self, model: str) -> str:
        """Return the key under which the owner may set a model's prices.

        Args:
            model: Its name, with or without revision; no path.

        Returns:
            The key of ``resolve``; the bare name of a model that has no price yet.

        Raises:
            ValueError: No model can have such a name, or it stands for different models over time.
        """
        if key := self.resolve(model):
            return key
        name = model.partition("@")[0].lower()
        if next(self._known_names(model), None) is not None:
            raise ValueError(f"{name} stands for different models over time; name the one that it stands for")
        if not MODEL_KEY.fullmatch(name) or len(name) > _LONGEST_NAME or name == OTHER_MODEL:
            raise ValueError(f"{name[:200]!r} cannot be the name of a model")
        return name

    def counting(self, model_key: str) -> tuple[Unit, int | None] | None:
        """Return a model's unit and the threshold of its context windows; None if it has no price."""
        model = self._models.get(model_key)
        return (model.unit, model.threshold) if model else None

    def unit(self, model_key: str | None) -> Unit:
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
    ) -> Pico | None:
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
            None if there is no price for it (with ``until``: at some time), which does not mean free.
        """
        layers = self.layers(self._key(model_key), location)
        key: RateKey = (mode, context_window, location == "global")
        highest: Pico = 0
        for time in (at, *(starts_between(layers, at, until) if until else ())):
            price = rate_at(layers, time, key, item)
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

    def doubts(self, model_key: str, location: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on the derived or disputed prices of a model in force in a location at a time."""
        period = period_at(self.layers(model_key, location), at)
        return period.doubts if period else ()

    def notices(self, model_key: str, location: str, at: datetime) -> tuple[str, ...]:
        """Return sentences on what people should know about a model before they start a job.

        That is whether it is closed or retired, and what changes within 30 days. Changes of the table's
        prices are left out where the owner's are charged.
        """
        model = self._models.get(model_key)
        layers = self.layers(model_key, location)
        found = in_force(layers, at)
        is_by_table = found is not None and (found[0].origin == "table" or isinstance(found[1], Discount))
        said = [
            change.said
            for change in (changes_of(model_key, model) if model else ())
            if midnight(change.day) <= at + _NOTICE
            and (change.kind != "price" or (is_by_table and midnight(change.day) > at))
        ]
        own = tuple(layer for layer in layers if layer.origin == "override")
        said += [
            f"The operator's prices of {model_key} in {location} change on {start:%Y-%m-%d}."
            for start in starts_between(own, at, at + _NOTICE)
        ]
        return tuple(said)


@cache
def load() -> PriceTable:
    """Return the table that is shipped with the code."""
    return PriceTable.from_json(Path(__file__).with_name("prices.json").read_bytes())
