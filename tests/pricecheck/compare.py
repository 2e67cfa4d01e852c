"""Compare prices.json with the newest LiteLLM and genai-prices of PyPI.

Run it by hand, or weekly (infra/pricecheck.tf)::

    python tests/pricecheck/compare.py

It prints models with batch rates that our table lacks, and batch rates that differ from ours, beside the
decision in tests/fixtures/prices/disagreements.py or below. Exit status 1: something is not decided.
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "tests")]

from batch_gateway.core.pricing import prices  # noqa: E402 - after the path is set
from fixtures.prices.disagreements import PRINTED  # noqa: E402
from fixtures.prices.public_tables import GENAI_ITEMS, LITELLM_ITEMS  # noqa: E402

TABLE = prices.load()
LEFT_OUT = {
    r"llama-4-maverick-17b-16e-instruct-maas": "It has 128 experts: theirs names it twice.",
    r"llama-4-scout-17b-128e-instruct-maas": "It has 16 experts: theirs names it twice.",
    r"gemini-.*-tts(-preview)?|deep-research-.*": "In no list of Vertex AI's models for batch prediction.",
}
"""Models that our table leaves out, by pattern, with the reason."""
_LITELLM_FILE = "litellm/model_prices_and_context_window_backup.json"
_LITELLM_KEY = re.compile(r"(.*?)(_above_[0-9]+k_tokens)?_batches")
_ON_VERTEX = re.compile(r"gemini|claude|text-embedding|text-multilingual|multimodal")
"""Models of the provider google of genai-prices that Vertex AI may have."""


class Rate(NamedTuple):
    """A rate of a public table for batch jobs: USD per million units."""

    model: str
    length: str
    item: str
    usd: Decimal


def litellm_rates(wheel: Path) -> Iterator[Rate]:
    """Yield the batch rates of Vertex AI's models that LiteLLM prints."""
    with zipfile.ZipFile(wheel) as archive:
        entries = json.loads(archive.read(_LITELLM_FILE), parse_float=Decimal)
    for model, entry in entries.items():
        is_on_vertex = str(entry.get("litellm_provider", "")).startswith("vertex_ai")
        for key, value in entry.items() if is_on_vertex else ():
            found = _LITELLM_KEY.fullmatch(key)
            if found and found[1] in LITELLM_ITEMS:
                length = "long" if found[2] else "short"
                yield Rate(model, length, LITELLM_ITEMS[found[1]], value * Decimal(10**6))


def genai_rates(folder: Path) -> Iterator[Rate]:
    """Yield the batch rates of genai-prices that are in force."""
    sys.path.insert(0, str(folder))
    from genai_prices.data import providers  # noqa: PLC0415 - the one that was downloaded

    today = datetime.now(UTC).date()
    for model in next(each for each in providers if each.id == "google").models:
        for variant in (model.price_variants or ()) if _ON_VERTEX.match(model.id) else ():
            start = getattr(variant.constraint, "start_date", None)
            if variant.when == {"processing": "batch"} and (start is None or start <= today):
                for key, item in GENAI_ITEMS.items():
                    yield from _genai_rate(model.id, item, getattr(variant.prices, key, None))


def _genai_rate(model: str, item: str, price: Any) -> Iterator[Rate]:
    if isinstance(price, Decimal | int):
        yield Rate(model, "short", item, Decimal(price))
    elif price is not None:
        yield Rate(model, "short", item, Decimal(price.base))
        yield Rate(model, "long", item, Decimal(price.tiers[0].price))


def ours(rate: Rate) -> Decimal | None:
    """Return our rate for the same, in force now; None if we have none."""
    key, now = TABLE.resolve(rate.model), datetime.now(UTC)
    window = TABLE.context_window(key, 1 if rate.length == "short" else 10**6)
    pico = TABLE.unit_price(key, rate.item, context_window=window, location="global", at=now)
    return None if pico is None else Decimal(pico) / 10**6


def decisions() -> dict[Any, str]:
    """Return why a rate of ours differs, by our model, item, their rate and ours; prompts of any length."""
    return {
        (TABLE.resolve(model), item, theirs, mine): why
        for table in PRINTED.values()
        for why, found in table.items()
        for model, mode, _, item, theirs, mine in found
        if mode == "batch"
    }


def report(name: str, rates: Iterable[Rate], decided: Mapping[Any, str]) -> int:
    """Print what is new in a table, and what differs; return the number of rates that are not decided."""
    lines, undecided = [], 0
    for rate in rates:
        key, theirs = TABLE.resolve(rate.model), _text(rate.usd)
        mine = ours(rate)
        if key is not None and mine == rate.usd:
            continue
        name = rate.model.rpartition("/")[2]
        why = next((why for left_out, why in LEFT_OUT.items() if re.fullmatch(left_out, name)), None)
        said = f"{rate.model}: {rate.item}, {rate.length} prompts: theirs {theirs}"
        if key is None:
            said = f"NEW MODEL {said}"
        else:
            why, said = decided.get((key, rate.item, theirs, _text(mine))), f"{said}, ours {_text(mine)}"
        undecided += why is None
        lines.append(f"  {said}. {why or 'NOT DECIDED'}")
    print(f"\n{name}: {undecided} rates not decided (USD per million units)", *lines, sep="\n")
    return undecided


def _text(usd: Decimal | None) -> str:
    return "none" if usd is None else f"{usd.normalize():f}"


def main() -> int:
    """Download both tables, and print the comparison; return the exit status."""
    decided = decisions()
    with tempfile.TemporaryDirectory() as place:
        folder, genai = Path(place), Path(place, "genai")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
        subprocess.run([*pip, "download", "--no-deps", "-d", place, "litellm"], check=True)
        subprocess.run([*pip, "install", "--no-deps", "-t", str(genai), "genai-prices"], check=True)
        (wheel,) = folder.glob("litellm-*.whl")
        (installed,) = genai.glob("genai_prices-*.dist-info")
        new = report("-".join(wheel.name.split("-")[:2]), litellm_rates(wheel), decided)
        new += report(installed.name.removesuffix(".dist-info"), genai_rates(genai), decided)
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
