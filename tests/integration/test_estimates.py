"""How good estimates are: held against what the same jobs then cost.

The Vertex emulator counts a token for each four characters, which is Google's published mean; the
estimates go by script and word. So these tests hold two independent readings of the same figures against
each other, and none of them says how far either is from Gemini itself: test_estimating_text.py does.
"""

import base64
import json
import random
import secrets
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.adapters.firestore import FirestoreStore
from batch_gateway.adapters.storage import CloudStorage
from batch_gateway.core.access.callers import MASTER, Caller
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.model_names import resource_name
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs.estimate import Estimates
from builders import prompt
from integration.harness import REGION, jobs_path, nano
from stack import PROJECT
from thorough import THOROUGH

SEEDS = (20261124, 7, 4711)
PLACES = (
    {"model": "gemini-2.5-flash"},
    {"model": "gemini-3.1-flash-lite"},
    {"model": "gemini-2.5-pro", "location": "global"},
)
OF_NO_OTHER_TEST = f"projects/{PROJECT}/locations/{REGION}/publishers/google/models/gemini-2.0-flash-lite-001"
START = datetime(2026, 11, 22, tzinfo=UTC)
SENTENCES = (
    "Cloud storage keeps objects in buckets, and an object that was written cannot be changed.",
    "Summarise the letter below in two sentences and name the person who has to answer it.",
    "The finance department asked whether somebody could explain why the bill had doubled.",
    "Is this review positive or negative? The battery died after two days.",
    "A farmer has many sheep; all but a few run away, and the rest stay in the meadow until evening.",
    "Translate into German: the train leaves at half past seven from the platform by the river.",
)


@pytest.fixture
def estimate(system, monkeypatch):
    """Return the gateway's estimate for a body, over the emulators' Firestore and Cloud Storage."""
    connection = system.stack.storage_client()._connection
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", connection.API_BASE_URL)
    objects = CloudStorage(PROJECT)
    estimates = Estimates(
        FirestoreStore(system.firestore),
        SimpleNamespace(get=lambda *_, **__: None),
        objects=lambda: objects,
        tables=lambda: pytest.fail("no table is asked for"),
        prices=prices.load,
        base_models={},
        authorize=lambda call, body: model_of(body.model, call),
        expect=lambda *_: None,
        now=lambda: datetime.now(UTC),
    )

    def ask(uri, model="gemini-2.5-flash", location=REGION, caller=None):
        body = {"model": model, "inputConfig": {"gcsSource": {"uris": [uri]}}}
        request = Request(EnvironBuilder(method="POST", data=json.dumps(body)).get_environ())
        call = Call(request, caller or Caller(MASTER), "v1", PROJECT, location, jobs_path(location))
        return json.loads(estimates.estimate(call).get_data())

    return ask


def model_of(written, call):
    return written if "/" in written else resource_name(written, call.project, call.location)


def seeded(seed):
    return random.Random(seed)  # noqa: S311 - made-up rows


def prose(rng, most=40):
    return " ".join(rng.choice(SENTENCES) for _ in range(rng.randint(1, most)))


def compared(system, estimate, rows, **options):
    """The estimate of a job that is then run, and what it cost in nano-USD."""
    uri = system.stack.upload_rows(f"estimated-{secrets.token_hex(6)}.jsonl", rows)
    found = estimate(uri, **options)
    _, cost, output = system.run(rows, **options)
    assert cost["complete"]
    return found, cost, output


def off_by(estimated, settled):
    return abs(estimated - settled) / settled


def test_expected_is_within_a_quarter_of_what_plain_text_costs(system, estimate):
    """Once there is history, and before: for rows that limit their output."""
    rng = seeded(SEEDS[0])
    model = OF_NO_OTHER_TEST
    first, cost, _ = compared(system, estimate, [prompt(prose(rng), 8) for _ in range(60)], model=model)
    assert off_by(nano(first["expected"]), nano(cost["amount"])) <= 0.25
    # Of eight tokens and more there is no limit, so that only history tells how long answers are.
    compared(system, estimate, [prompt(prose(rng)) for _ in range(60)], model=model)
    for _ in range(2):
        found, cost, _ = compared(system, estimate, [prompt(prose(rng)) for _ in range(80)], model=model)
        assert "history of all" in " ".join(found["assumptions"])
        assert off_by(nano(found["expected"]), nano(cost["amount"])) <= 0.25
        assert nano(found["low"]) <= nano(cost["amount"]) <= nano(found["high"])
        assert off_by(found["inputTokens"]["expected"], cost["usage"]["inputTokens"]) <= 0.15


@pytest.mark.parametrize("model", ["gemini-embedding-001", "text-embedding-005"])
def test_embeddings_of_plain_text_are_within_a_quarter_too(system, estimate, model):
    rng = seeded(SEEDS[1])
    texts = [prose(rng, 6) for _ in range(50)]
    rows = [{"content": text} for text in texts]
    if model.startswith("gemini"):
        rows = [
            {"key": str(n), "request": {"content": {"parts": [{"text": t}]}}} for n, t in enumerate(texts)
        ]
    found, cost, _ = compared(system, estimate, rows, model=model)
    assert off_by(nano(found["expected"]), nano(cost["amount"])) <= (
        0.15 if model.startswith("gemini") else 0
    )
    assert nano(found["low"]) <= nano(cost["amount"]) <= nano(found["high"])


def texts_of_all_kinds(rng):
    alphabets = {
        "han": (0x4E00, 0x9FA5),
        "kana": (0x3040, 0x30FF),
        "hangul": (0xAC00, 0xD7A3),
        "cyrillic": (0x0410, 0x044F),
        "arabic": (0x0620, 0x064A),
        "devanagari": (0x0905, 0x0939),
        "emoji": (0x1F300, 0x1F64F),
        "anything": (0x20, 0xD7FF),
        "ascii": (0x20, 0x7E),
    }
    for low, high in alphabets.values():
        yield "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 800)))
    yield base64.b64encode(rng.randbytes(rng.randint(1, 900))).decode()
    yield rng.randbytes(rng.randint(1, 400)).hex()
    yield json.dumps(
        {f"k{n}": [n, rng.random(), None, prose(rng, 2)] for n in range(rng.randint(1, 20))}, indent=2
    )
    yield " \n\t" * rng.randint(1, 300)
    yield "a" * rng.randint(1, 3000)
    yield str(rng.getrandbits(2000))
    yield "x" + " y" * rng.randint(0, 500)
    yield prose(rng)


@pytest.mark.parametrize("seed", SEEDS if THOROUGH else SEEDS[:1])
def test_high_is_never_exceeded_where_the_output_is_limited(system, estimate, seed):
    """By the job's cost, by its tokens, and row by row."""
    rng = seeded(seed)
    kinds = [text for _ in range(4 if THOROUGH else 2) for text in texts_of_all_kinds(rng)]
    rows = [prompt(text, rng.choice((1, 5, 30, 200))) for text in kinds]
    place = rng.choice(PLACES)
    found, cost, output = compared(system, estimate, rows, **place)
    assert found["rows"]["total"] == len(rows)
    assert nano(cost["amount"]) <= nano(found["high"])
    assert cost["usage"]["inputTokens"] <= found["inputTokens"]["high"]
    assert cost["usage"]["outputTokens"] <= found["outputTokens"]["high"]
    for line in map(json.loads, output.splitlines()):
        alone = system.stack.upload_rows(f"alone-{seed}.jsonl", [{"request": line["request"]}])
        bound, used = estimate(alone, **place), line["response"]["usageMetadata"]
        assert used["promptTokenCount"] <= bound["inputTokens"]["high"], line["request"]
        assert used["candidatesTokenCount"] <= bound["outputTokens"]["high"]


def test_rows_that_fail_are_free_and_named(system, estimate):
    bad = {"request": {"contents": [{"role": "tester", "parts": [{"text": "x"}]}]}}
    rows = [prompt("Why is the sky blue?", 8)] * 10 + [bad]
    found, cost, _ = compared(system, estimate, rows)
    assert cost["rows"]["failed"] == found["rows"]["invalid"] == 1
    assert [each["line"] for each in found["invalidRows"]] == [11]
    assert nano(found["low"]) <= nano(cost["amount"]) <= nano(found["high"])


def test_a_row_that_is_no_json_fails_the_job_and_is_named_before(system, estimate):
    uri = system.stack.upload("broken.jsonl", json.dumps(prompt("x", 5)).encode() + b"\n{\n")
    found = estimate(uri)
    assert [(each["uri"], each["line"]) for each in found["invalidRows"]] == [(uri, 2)]
    assert "whole job" in found["invalidRows"][0]["reason"]


def test_of_a_large_object_only_a_part_is_read(system, estimate):
    rng = seeded(SEEDS[2])
    texts = [prose(rng, 30) for _ in range(500)]
    rows = [prompt(rng.choice(texts), 50) for _ in range(12_000)]
    found = estimate(system.stack.upload_rows("large.jsonl", rows))
    assert found["rows"]["exact"] is False
    assert found["rows"]["sampled"] < 8_000
    assert abs(found["rows"]["total"] - 12_000) <= 600
    assert found["outputTokens"]["high"] >= 12_000 * 50


def test_wildcards_are_listed_in_the_real_part(system, estimate):
    for number in range(3):
        system.stack.upload_rows(f"wild/{number}.jsonl", [prompt("x", 5)] * (number + 1))
    system.stack.upload_rows("wild/deeper/9.jsonl", [prompt("x", 5)])
    bucket = system.stack.upload_rows("wild/none.txt", []).removeprefix("gs://").partition("/")[0]
    assert estimate(f"gs://{bucket}/wild/*.jsonl")["rows"]["total"] == 6
    assert estimate(f"gs://{bucket}/wild/**.jsonl")["rows"]["total"] == 7
    assert estimate(f"gs://{bucket}/wild/nothing-*.jsonl")["expected"] is None
