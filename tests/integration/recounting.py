"""Work out a second time what a batch's output costs: for every model that these tests use.

As in infra/local/recount.py, none of the gateway's code is used, nor its price table: plain json, Decimal,
and the published prices written out below. What recount can do itself is left to it.
"""

import json
from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import recount

MILLION = 1_000_000
NANO = Decimal("0.000000001")


@dataclass(frozen=True)
class Rates:
    """US dollars for a million units in batch mode; a long prompt prices its whole row by `long`."""

    input: Decimal
    output: Decimal = Decimal(0)
    cached: Decimal = Decimal(0)
    special: tuple[tuple[str, Decimal], ...] = ()
    long: "Rates | None" = None
    outside_global: Decimal = Decimal(1)

    def of(self, kind, modality):
        return dict(self.special).get(f"{kind}_{modality.lower()}", getattr(self, kind))


def _rates(given, cached, output, *, long=None, outside_global="1", **special):
    return Rates(
        Decimal(given),
        Decimal(output),
        Decimal(cached),
        tuple((name, Decimal(price)) for name, price in special.items()),
        long,
        Decimal(outside_global),
    )


RATES = {
    "gemini-2.5-flash": _rates("0.15", "0.03", "1.25", input_audio="0.50", cached_audio="0.10"),
    "gemini-2.5-flash-image": _rates("0.15", "0", "1.25", output_image="15"),
    "gemini-2.5-pro": _rates("0.625", "0.125", "5", long=_rates("1.25", "0.25", "7.5")),
    "gemini-3.1-flash-lite": _rates(
        "0.125", "0.0125", "0.75", input_audio="0.25", cached_audio="0.025", outside_global="1.1"
    ),
    "gemini-3.1-pro-preview": _rates("1", "0.2", "6", long=_rates("2", "0.4", "9"), outside_global="1.1"),
    "gemini-3.5-flash": _rates("0.75", "0.075", "4.5", outside_global="1.1"),
    "gemini-embedding-001": _rates("0.12", "0", "0"),  # a token
    "text-embedding-005": _rates("0.02", "0", "0"),  # a character that is no white space
}
LONG_PROMPT = 200_000


@dataclass(frozen=True)
class Recount:
    """An output's cost and rows."""

    amount: Decimal
    rows: Counter

    @property
    def nano(self):
        return int(self.amount / NANO)


def expected(output, model="gemini-2.5-flash", location="us-central1"):
    """Return the cost of an output's content, rounded once to the nano-USD."""
    amount, rows = Decimal(0), Counter()
    for line in output.split(b"\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            rows["malformed"] += 1
            continue
        if row.get("status") or not (row.get("response") or row.get("predictions")):
            rows["failed"] += 1
            continue
        rows["succeeded"] += 1
        cost = _row(row, RATES.get(model))
        if cost is None:
            rows["unpriced"] += 1
        else:
            amount += cost
    if location != "global" and model in RATES:
        amount *= RATES[model].outside_global
    return Recount((amount / MILLION).quantize(NANO, ROUND_HALF_EVEN), rows)


def expected_by_recount(output):
    """The same by infra/local/recount.py, which knows gemini-3.5-flash at `global` and no special rows."""
    return recount.recount(output.splitlines()).amount.quantize(NANO, ROUND_HALF_EVEN)


def _row(row, rates):
    """Millionths of a US dollar; None without a price."""
    if rates is None:
        return None
    if "predictions" in row:
        return rates.input * sum(not character.isspace() for character in row["instance"]["content"])
    response = row["response"]
    if "tokenCount" in response:
        return rates.input * int(response["tokenCount"])
    usage = response.get("usageMetadata")
    if usage is None:
        return None
    if usage.get("promptTokenCount", 0) > LONG_PROMPT and rates.long:
        rates = rates.long
    prompt = _by_modality(usage, "promptTokenCount", "promptTokensDetails")
    cached = _by_modality(usage, "cachedContentTokenCount", "cacheTokensDetails")
    answer = _by_modality(usage, "candidatesTokenCount", "candidatesTokensDetails")
    answer["TEXT"] += usage.get("thoughtsTokenCount", 0)
    if not any("groundingMetadata" in each for each in response.get("candidates", ())):
        prompt["TEXT"] += usage.get("toolUsePromptTokenCount", 0)  # else billed by the search
    prompt.subtract(cached)
    return sum(
        rates.of(kind, modality) * tokens
        for kind, counts in (("input", prompt), ("cached", cached), ("output", answer))
        for modality, tokens in counts.items()
    )


def _by_modality(usage, total, details):
    counts = Counter(TEXT=usage.get(total, 0))
    for each in usage.get(details, ()):
        if each["modality"] != "TEXT":
            counts[each["modality"]] = each["tokenCount"]
            counts["TEXT"] -= each["tokenCount"]
    return counts
