"""A FOCUS file under FinOps' own validator, in an environment of its own (decision 30).

focus-validator 1.0.0 knows FOCUS up to 1.0. Its failures must be exactly those that the decision explains.
"""

import re

import pytest

from batch_gateway.core.accounting.settlement import ItemTotal
from batch_gateway.core.spend import focus
from batch_gateway.core.spend.csv_rows import csv_chunks
from batch_gateway.core.spend.entries import Entry, entries_of_job
from documents import DOCS, table_rows
from integration.clients import environments
from integration.clients.runs import Preloaded
from unit.spend.test_focus import EMBEDDING, PRO, TABLE, cell, job

UNPRICED = {"ListCost_NotNull", "ContractedCost_NotNull", "EffectiveCost_NotNull"}
"""Rules that only usage without a price breaks."""


@pytest.fixture(scope="module")
def validator(tmp_path_factory):
    with Preloaded("python-focus", tmp_path_factory.mktemp("validator")) as started:
        yield started


@pytest.fixture(scope="module")
def explained():
    """The rules that the decision explains."""
    decision = (DOCS / "decisions/030-the-bill.md").read_text(encoding="utf-8")
    return {rule for row in table_rows(decision) for rule in re.findall(r"`(\w+_\w+)`", row[0])}


def failures(validator, entries, file):
    """The rules that a file of these entries breaks."""
    file.write_bytes(
        b"".join(csv_chunks(focus.COLUMNS, (row for entry in entries for row in focus.rows(entry, TABLE))))
    )
    # It looks for its list of currencies below the working directory.
    python = environments.interpreter("python-focus")
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    arguments = ("--data-file", str(file), "--validate-version", "1.0")
    done = validator.run("focus_validator.main", *arguments, folder=packages)
    found = set(re.findall(r"^(\w+) failed:$", done.stdout, re.MULTILINE))
    assert found or "Validation succeeded" in done.stdout, done.stdout + done.stderr
    return found


def priced():
    return [
        Entry(cell({"input_text": ItemTotal(1_500_000, 225_000_000), "output_text": ItemTotal(7, 8_750)})),
        Entry(cell({"input_text": ItemTotal(10, 1500)}, location="global", team="", labels={})),
        *entries_of_job(job(("0-200k", "input_text", 1000), ("200k-1M", "input_text", 1000), model=PRO)),
        *entries_of_job(job(("", "input_text", 1500), model=EMBEDDING)),
    ]


def test_a_file_breaks_only_the_rules_that_are_explained(validator, explained, tmp_path):
    assert len(explained) > 5
    assert failures(validator, priced(), tmp_path / "focus.csv") == explained - UNPRICED


def test_usage_without_a_price_breaks_three_more(validator, explained, tmp_path):
    unpriced = Entry(cell({"input_text": ItemTotal(10, 0)}, "mystery-1"))
    assert failures(validator, [*priced(), unpriced], tmp_path / "focus.csv") == explained


def test_it_would_see_a_wrong_value(validator, explained, tmp_path, monkeypatch):
    monkeypatch.setitem(focus._CONSTANT, "BillingCurrency", "dollars")
    broken = failures(validator, priced(), tmp_path / "focus.csv") - explained
    assert {rule.partition("_")[0] for rule in broken} == {"BillingCurrency"}
