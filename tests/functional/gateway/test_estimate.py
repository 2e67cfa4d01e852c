"""``:estimateCost``: what is read of an input, for whom, and how much of it."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from types import SimpleNamespace

import msgspec
import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.core.access import grants
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating import estimate_report, sampling
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation, parse_time
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.model_names import resource_name
from batch_gateway.core.timing.histogram import bucket_of
from batch_gateway.core.timing.job_times import DailyTimes, Expectation, Quantiles, TimeCounts, expect
from batch_gateway.core.usage import Rows, Tokens, Usage
from batch_gateway.gateway.http.call import Call
from batch_gateway.gateway.jobs import estimate, input_objects
from batch_gateway.gateway.jobs.estimate import Estimates
from batch_gateway.ports import (
    ObjectsUnavailableError,
    StoreUnavailableError,
    TableInfo,
    TablesUnavailableError,
)
from fakes import MemoryObjects
from functional.gateway.conftest import FLASH, PROJECT, job_body
from functional.gateway.scoped import START
from patience import PATIENCE

LOCATION = "us-central1"
ADMIN = Caller("master")
TODAY = date(2026, 11, 28)
TEAM = Caller(
    "nightly", "search", "k1", (Grant(), Grant(allowed_uri_prefixes=("gs://in/search", "gs://out")))
)


class Objects(MemoryObjects):
    """MemoryObjects that note what they are asked, and that may be out of order."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.failing = None
        self.bytes = 0

    def _note(self, what, bucket, name):
        self.asked.append((what, f"gs://{bucket}/{name}"))
        if self.failing:
            raise self.failing

    def stat(self, bucket, name):
        self._note("stat", bucket, name)
        return super().stat(bucket, name)

    def list(self, bucket, prefix):
        self._note("list", bucket, prefix)
        return super().list(bucket, prefix)

    def read(self, bucket, name, generation, start=0):  # noqa: ARG002 - nothing is overwritten here
        self._note("read", bucket, name)
        _, data = self._objects[bucket, name]
        for at in range(start, len(data), 4096):
            self.bytes += len(data[at : at + 4096])
            yield data[at : at + 4096]


class Books:
    """A history: by a caller's scope jobs, the newest first."""

    def __init__(self):
        self.jobs = {}
        self.down = False
        self.reads = []

    def recent_jobs(self, scope, since, before, limit):
        assert since is before is None
        self.reads.append(scope)
        if self.down:
            raise StoreUnavailableError("down")
        return self.jobs.get(scope, [])[:limit]


def set_clock(monkeypatch, monotonic):
    for module in (estimate, input_objects):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=monotonic))


class Bench:
    """Estimates on objects, tables and books in memory, and the calls that tests make."""

    def __init__(self):
        self.objects = Objects()
        self.books = Books()
        self.tables = {}
        self.models = {}
        self.checked = []
        self.times = {}
        self.estimates = Estimates(
            self.books,
            SimpleNamespace(get=lambda path, **_: self.models.get(path)),
            objects=lambda: self.objects,
            tables=lambda: SimpleNamespace(stat=self._table),
            prices=prices.load,
            base_models={},
            authorize=self._check,
            expect=lambda *asked: expect(self.times.get(asked, []), TODAY),
            now=lambda: datetime.now(UTC),
        )

    def _table(self, uri):
        found = self.tables.get(uri)
        if isinstance(found, Exception):
            raise found
        return found

    def _check(self, call, body):
        """As creates check: first the grants, then nothing is left of an alias."""
        self.checked.append(body)
        grants.check_body(call.caller.grants, body.json)
        name = body.model
        return name if "/" in name else resource_name(name, call.project, call.location)

    def put(self, uri, rows):
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
        return self.objects.put(bucket, name, b"".join(line + b"\n" for line in lines))

    def ask(self, *uris, caller=ADMIN, body=None, location=LOCATION, **changes):
        given = body if body is not None else job_body(**changes)
        if uris:
            given["inputConfig"]["gcsSource"]["uris"] = list(uris)
        raw = given if isinstance(given, bytes) else json.dumps(given).encode()
        request = Request(EnvironBuilder(method="POST", data=raw).get_environ())
        call = Call(request, caller, "v1", PROJECT, location, "")
        self.answer = json.loads(self.estimates.estimate(call).get_data())
        return {name: value for name, value in self.answer.items() if name != "expectedTime"}


@pytest.fixture
def bench():
    return Bench()


def row(text="How long is a piece of string?", *parts, limit=64):
    listed = [{"text": text}, *parts]
    return {
        "request": {
            "contents": [{"role": "user", "parts": listed}],
            "generationConfig": {"maxOutputTokens": limit},
        }
    }


def past(rows, output, model=FLASH):
    usage = Usage(Rows(succeeded=rows), Tokens(input=100 * rows, output=output))
    seen = Observation("projects/1/locations/l/batchPredictionJobs/1", "JOB_STATE_SUCCEEDED", model=model)
    return JobRecord(JobKey(PROJECT, "l", "1"), seen, parse_time("2026-11-22T10:00:00Z"), usage=usage)


def test_a_body_is_answered_with_what_it_would_cost(bench):
    bench.put("gs://in/rows.jsonl", [row()] * 10 + [b"{"])
    found = bench.ask("gs://in/rows.jsonl")
    assert found["currency"] == "USD"
    assert found["model"] == "gemini-2.5-flash"
    assert 0 < float(found["low"]) < float(found["expected"]) < float(found["high"])
    assert found["rows"] == {"total": 11, "exact": True, "sampled": 11, "invalid": 1, "fatal": 1}
    assert found["outputTokens"]["high"] == 640
    assert [(each["uri"], each["line"]) for each in found["invalidRows"]] == [("gs://in/rows.jsonl", 11)]
    assert found["priceTable"] == prices.load().version


def test_a_string_for_uris_and_snake_case_are_understood(bench):
    bench.put("gs://in/rows.jsonl", [row()])
    body = job_body(inputConfig={"instancesFormat": "jsonl", "gcsSource": {"uris": "gs://in/rows.jsonl"}})
    camel = bench.ask(body=body)
    body["input_config"] = {"gcs_source": body.pop("inputConfig")["gcsSource"]}
    assert bench.ask(body=body) == camel
    assert camel["rows"]["total"] == 1


def test_nothing_is_read_before_the_body_was_checked(bench):
    bench.put("gs://in/other/rows.jsonl", [row()])
    with pytest.raises(ApiError) as refused:
        bench.ask("gs://in/other/rows.jsonl", caller=TEAM)
    assert refused.value.reason == "URI_NOT_ALLOWED"
    assert bench.checked
    assert bench.objects.asked == []


@pytest.mark.parametrize("raw", [b"[]", b"{", b'{"model": "a", "model": "b"}'])
def test_a_body_that_is_none_is_refused(bench, raw):
    with pytest.raises(ApiError) as refused:
        bench.ask(body=raw)
    assert refused.value.reason == "BODY_INVALID"
    assert bench.objects.asked == []


def test_files_that_rows_name_are_looked_at_only_where_the_caller_may_read(bench):
    audio = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/search/memo.mp3"}}
    secret = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/payroll/memo.mp3"}}
    odd = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/search/../payroll/memo.mp3"}}
    web = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://example.com/memo.mp3"}}
    bench.put("gs://in/search/rows.jsonl", [row("x", each) for each in (audio, secret, odd, web)])
    bench.objects.put("in", "search/memo.mp3", b"x" * 959_999)
    bench.objects.put("in", "payroll/memo.mp3", b"x" * 10)
    with pytest.raises(ApiError) as refused:
        bench.ask("gs://in/search/rows.jsonl", caller=TEAM)
    assert refused.value.metadata["uri"] == "gs://in/payroll/memo.mp3"
    looked_at = {uri for what, uri in bench.objects.asked if what == "stat"}
    assert looked_at == {"gs://in/search/rows.jsonl", "gs://in/search/memo.mp3"}


def test_a_file_of_unknown_length_is_taken_for_a_minute(bench):
    audio = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://in/search/memo.mp3"}}
    web = {"fileData": {"mimeType": "audio/mpeg", "fileUri": "https://example.com/memo.mp3"}}
    bench.put("gs://in/search/rows.jsonl", [row("x", audio), row("x", web)])
    bench.objects.put("in", "search/memo.mp3", b"x" * 959_999)  # a minute by its size
    found = bench.ask("gs://in/search/rows.jsonl", caller=TEAM)
    assert found["inputTokens"]["expected"] == 2 * 60 * 32 + 2


def test_few_files_are_looked_at_and_each_once(bench, monkeypatch):
    monkeypatch.setattr(input_objects, "MOST_FILES", 3)
    parts = [
        {"fileData": {"mimeType": "image/png", "fileUri": f"gs://in/{number % 8}.png"}}
        for number in range(16)
    ]
    bench.put("gs://in/rows.jsonl", [row("x", part) for part in parts])
    bench.ask("gs://in/rows.jsonl")
    assert [uri for what, uri in bench.objects.asked if what == "stat"][1:] == [
        *("gs://in/0.png", "gs://in/1.png", "gs://in/2.png")
    ]


def test_wildcards_name_the_objects_that_cloud_storage_would(bench):
    for name in ("a/1.jsonl", "a/2.jsonl", "a/b/3.jsonl", "a/4.json", "c/5.jsonl"):
        bench.put(f"gs://in/{name}", [row()])
    assert bench.ask("gs://in/a/*.jsonl")["rows"]["total"] == 2
    assert bench.ask("gs://in/a/**.jsonl")["rows"]["total"] == 3
    assert bench.ask("gs://in/a/*.jsonl", "gs://in/c/5.jsonl")["rows"]["total"] == 3
    assert ("list", "gs://in/a/") in bench.objects.asked


def test_an_input_of_too_many_objects_costs_an_unknown_amount(bench, monkeypatch):
    monkeypatch.setattr(input_objects, "MOST_LISTED", 4)
    for number in range(5):
        bench.put(f"gs://in/{number}.jsonl", [row()])
    found = bench.ask("gs://in/*.jsonl")
    assert (found["low"], found["expected"], found["high"]) == (None, None, None)
    assert "more than 4 objects" in found["warnings"][0]
    bench.objects.delete("in", "4.jsonl")
    assert bench.ask("gs://in/*.jsonl")["rows"]["total"] == 4


def test_a_pattern_that_too_many_names_begin_like_costs_an_unknown_amount(bench, monkeypatch):
    monkeypatch.setattr(input_objects, "MOST_NAMES", 6)
    for number in range(6):
        bench.put(f"gs://in/{number}.{'jsonl' if number % 2 else 'txt'}", [row()])
    assert bench.ask("gs://in/*.jsonl")["rows"]["total"] == 3
    bench.put("gs://in/6.txt", [row()])
    for uris in (["gs://in/*.jsonl"], ["gs://in/1.jsonl"] * 5 + ["gs://in/1*"] * 2):
        found = bench.ask(*uris)
        assert (found["low"], found["expected"], found["high"]) == (None, None, None)
        assert "more than 6 names begin like the input's URIs" in found["warnings"][0]


def test_a_listing_that_takes_too_long_is_given_up(bench, monkeypatch):
    ticks = iter(range(10**6))
    set_clock(monkeypatch, lambda: float(next(ticks)))
    for number in range(30):
        bench.put(f"gs://in/{number}.jsonl", [row()])
    for uris in (["gs://in/*.jsonl"], [f"gs://in/{number}.jsonl" for number in range(30)]):
        found = bench.ask(*uris)
        assert found["high"] is None
        assert "could not be listed within 15 s" in found["warnings"][0]


@pytest.mark.parametrize("name", ["*?" * 600, "x" * 1025])
def test_a_name_longer_than_any_costs_an_unknown_amount(bench, name):
    found = bench.ask(f"gs://in/{name}")
    assert found["high"] is None
    assert "a name has at most 1024 characters" in found["warnings"][0]
    assert not [what for what, _ in bench.objects.asked if what in {"list", "stat"}]


def test_a_pattern_of_many_stars_is_answered(bench):
    bench.put(f"gs://in/mine/{'a' * 100}", [row()])
    found = bench.ask("gs://in/mine/" + "*a" * 12 + "b")
    assert "there is no object" in found["warnings"][0]


def test_of_a_large_input_a_part_is_read_and_the_rest_reckoned(bench, monkeypatch):
    monkeypatch.setattr(sampling, "MOST_BYTES", 64 * 1024)
    # Not of one length, and not in the order of their lengths.
    rows = [row("word " * (1 + number * 7919 % 40)) for number in range(6_000)]
    info = bench.put("gs://in/large.jsonl", rows)
    found = bench.ask("gs://in/large.jsonl")
    assert bench.objects.bytes < info.size // 4
    assert found["rows"]["exact"] is False
    assert found["rows"]["total"] == pytest.approx(6_000, rel=0.05)
    bench.put("gs://in/half.jsonl", rows)
    monkeypatch.setattr(sampling, "MOST_BYTES", info.size)
    monkeypatch.setattr("batch_gateway.core.estimating.survey.MOST_ROWS", 10**6)
    exact = bench.ask("gs://in/half.jsonl")
    assert exact["rows"] == {"total": 6_000, "exact": True, "sampled": 6_000, "invalid": 0, "fatal": 0}
    assert float(found["expected"]) == pytest.approx(float(exact["expected"]), rel=0.05)
    assert float(found["low"]) < float(exact["low"])
    assert float(found["high"]) > float(exact["high"])


def test_a_place_that_begins_with_a_line_has_that_line(bench, monkeypatch):
    info = bench.put("gs://in/rows.jsonl", [row()] * 9)
    whole = sampling.Object("in", "rows.jsonl", info.generation, info.size)
    half = info.size // 9 * 4
    halves = [sampling.Place(whole, 0, half), sampling.Place(whole, half, info.size - half)]
    monkeypatch.setattr(estimate, "plan", lambda _: halves)
    assert bench.ask("gs://in/rows.jsonl")["rows"] == {
        "total": 9,
        "exact": True,
        "sampled": 9,
        "invalid": 0,
        "fatal": 0,
    }


def test_when_time_is_up_the_estimate_is_of_what_was_read(bench, monkeypatch):
    ticks = iter(range(10**6))
    set_clock(monkeypatch, lambda: float(next(ticks)))
    bench.put("gs://in/rows.jsonl", [row()] * 1000)
    found = bench.ask("gs://in/rows.jsonl")
    assert found["rows"]["sampled"] < 20
    assert (found["rows"]["exact"], found["rows"]["total"]) == (False, 1000)
    set_clock(monkeypatch, lambda: float(next(ticks) * 100))
    assert bench.ask("gs://in/rows.jsonl")["expected"] is None


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("gs://in/missing.jsonl", "there is no object gs://in/missing.jsonl"),
        ("gs://in/missing-*.jsonl", "there is no object"),
        ("gs://in", "is not of the form gs://BUCKET/OBJECT"),
        ("/etc/passwd", "is not of the form gs://BUCKET/OBJECT"),
    ],
)
def test_an_input_that_is_not_there_costs_an_unknown_amount(bench, uri, reason):
    found = bench.ask(uri)
    assert found["expected"] is None
    assert reason in found["warnings"][0]


@pytest.mark.parametrize(
    "source", [None, {}, {"vertexMultimodalDatasetSource": {"datasetName": "d"}}, 5, "x"]
)
def test_an_input_of_another_kind_costs_an_unknown_amount(bench, source):
    found = bench.ask(inputConfig=source)
    assert found["expected"] is None
    assert "names no input" in found["warnings"][0]


def test_cloud_storage_being_down_leaves_the_amount_unknown(bench):
    bench.put("gs://in/rows.jsonl", [row()])
    bench.objects.failing = ObjectsUnavailableError("token ya29.secret refused")
    for uri in ("gs://in/rows.jsonl", "gs://in/*.jsonl"):
        found = bench.ask(uri)
        assert found["high"] is None
        assert "the gateway cannot read" in found["warnings"][0]
        assert "ya29" not in json.dumps(found)


def test_history_is_the_teams_else_the_keys_own(bench):
    bench.put("gs://in/search/rows.jsonl", [row()] * 10)
    bench.books.jobs["team", "search"] = [past(100, 1000)]
    bench.books.jobs["key_id", "k2"] = [past(100, 2000)]
    bench.books.jobs[None] = [past(100, 3000)]
    for caller, tokens, whose in (
        (TEAM, 10, "history of team search"),
        (Caller("lone", None, "k2", ()), 20, "history of key lone"),
        (ADMIN, 30, "history of all"),
        (Caller("new", None, "k3", ()), 64, "no history"),
    ):
        found = bench.ask("gs://in/search/rows.jsonl", caller=caller)
        assert found["outputTokens"]["expected"] == 10 * tokens
        assert whose in " ".join(found["assumptions"])


def test_without_the_books_the_default_is_taken(bench):
    bench.put("gs://in/rows.jsonl", [row()])
    bench.books.down = True
    assert "no history" in " ".join(bench.ask("gs://in/rows.jsonl")["assumptions"])


def test_a_tuned_model_costs_what_its_base_does(bench):
    name = f"projects/{PROJECT}/locations/{LOCATION}/models/77"
    bench.put("gs://in/rows.jsonl", [row()] * 5)
    unknown = bench.ask("gs://in/rows.jsonl", model=f"{name}@2")
    assert unknown["expected"] is None
    bench.models[name] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    assert bench.ask("gs://in/rows.jsonl", model=f"{name}@2") == bench.ask("gs://in/rows.jsonl")


def table_body(uri="bq://acme.d.t"):
    return {"inputConfig": {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": uri}}}


def test_estimates_at_once_read_a_history_once_and_later_ones_anew(bench):
    bench.put("gs://in/rows.jsonl", [{"request": {"contents": [{"parts": [{"text": "Hello"}]}]}}])
    bench.books.jobs[None] = [past(100, 1000)]
    begun, go_on = threading.Event(), threading.Event()
    read = bench.books.recent_jobs

    def slowly(*args):
        begun.set()
        assert go_on.wait(PATIENCE)
        return read(*args)

    bench.books.recent_jobs = slowly
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(bench.ask, "gs://in/rows.jsonl")
        assert begun.wait(PATIENCE)
        others = [pool.submit(bench.ask, "gs://in/rows.jsonl") for _ in range(7)]
        while sum(waits(bench)) < 7:
            time.sleep(0.001)
        go_on.set()
        found = [each.result() for each in (first, *others)]
    assert bench.books.reads == [None]
    assert all(each == found[0] for each in found)
    bench.ask("gs://in/rows.jsonl")
    assert bench.books.reads == [None, None]


def waits(bench):
    """How many wait for each history that is being read."""
    return [len(each._condition._waiters) for each in bench.estimates._histories._under_way.values()]


def test_rows_of_a_table_are_counted_and_cost_what_earlier_ones_did(bench):
    bench.tables["bq://acme.d.t"] = TableInfo("bq://acme.d.t", 1, 10, 5000, START, "US", {})
    found = bench.ask(**table_body())
    assert found["rows"] == {"total": 5000, "exact": True, "sampled": 0, "invalid": 0, "fatal": 0}
    assert found["expected"] is None
    bench = Bench()
    bench.tables["bq://acme.d.t"] = TableInfo("bq://acme.d.t", 1, 10, 5000, START, "US", {})
    bench.books.jobs[None] = [past(100, 1000)]
    found = bench.ask(**table_body())
    # 5,000 rows of 100 tokens at 0.15 and 10 tokens at 1.25 USD a million.
    assert found["expected"] == "0.1375"
    assert found["high"] is None


def test_a_table_that_cannot_be_seen_costs_an_unknown_amount(bench):
    assert "no table bq://acme.d.t" in bench.ask(**table_body())["warnings"][0]
    bench.tables["bq://acme.d.t"] = TablesUnavailableError("down")
    assert "the gateway cannot read" in bench.ask(**table_body())["warnings"][0]


def test_the_location_is_that_of_the_call(bench):
    model = "publishers/google/models/gemini-3.5-flash"
    bench.put("gs://in/rows.jsonl", [row()] * 1000)
    bench.tables["bq://acme.d.t"] = TableInfo("bq://acme.d.t", 1, 10, 5000, START, "US", {})
    bench.books.jobs[None] = [past(100, 1000, model)]
    for body in ({}, table_body()):
        region, everywhere = (
            bench.ask(model=model, location=location, **body) for location in (LOCATION, "global")
        )
        assert float(region["expected"]) == pytest.approx(1.1 * float(everywhere["expected"]))


def on_record(*uris, model=FLASH, location=LOCATION, team=None, key_id=None, base_model=None):
    """A job of which nobody knows more than the books do."""
    seen = Observation("projects/1/locations/l/batchPredictionJobs/1", "x", model=model, input_uris=uris)
    created = parse_time("2026-11-22T10:00:00Z")
    owner = {"api_key": "nightly", "team": team, "key_id": key_id, "base_model": base_model}
    return JobRecord(JobKey(PROJECT, location, "1"), seen, created, **owner)


NO_TIME = Expectation(Quantiles(), Quantiles(), 0, 30)


def asked_of(bench, job, seconds=9.0):
    answer = msgspec.to_builtins(estimate_report(bench.estimates.estimate_job(job, seconds), NO_TIME))
    return {name: value for name, value in answer.items() if name != "expectedTime"}


@pytest.mark.parametrize("location", [LOCATION, "global"])
def test_a_job_on_record_is_estimated_as_its_create_would_have_been(bench, location):
    model = "publishers/google/models/gemini-3.5-flash"
    bench.put("gs://in/a.jsonl", [row()] * 10)
    bench.put("gs://in/b.jsonl", [row("x" * 300, limit=9)] * 5)
    wanted = bench.ask("gs://in/?.jsonl", model=model, location=location)
    assert wanted["rows"]["total"] == 15
    found = asked_of(bench, on_record("gs://in/?.jsonl", model=model, location=location))
    assert json.loads(msgspec.json.encode(found)) == wanted


def test_a_table_of_a_job_on_record_is_counted(bench):
    bench.tables["bq://acme.d.t"] = TableInfo("bq://acme.d.t", 1, 10, 5000, START, "US", {})
    bench.books.jobs["team", "search"] = [past(100, 1000)]
    assert asked_of(bench, on_record("bq://acme.d.t", team="search"))["expected"] == "0.1375"


@pytest.mark.parametrize("base_model", [None, "gemini-2.5-flash"])
def test_a_tuned_model_of_a_job_on_record_costs_what_its_base_does(bench, base_model):
    name = f"projects/{PROJECT}/locations/{LOCATION}/models/77"
    bench.put("gs://in/rows.jsonl", [row()] * 5)
    if base_model is None:
        bench.models[name] = {"labels": {"google-vertex-llm-tuning-base-model-id": "gemini-2.5-flash"}}
    tuned = on_record("gs://in/rows.jsonl", model=name, base_model=base_model)
    assert asked_of(bench, tuned) == asked_of(bench, on_record("gs://in/rows.jsonl"))


def test_history_of_a_job_on_record_is_its_teams_else_its_keys(bench):
    bench.put("gs://in/rows.jsonl", [row()] * 10)
    bench.books.jobs["team", "search"] = [past(100, 1000)]
    bench.books.jobs["key_id", "k2"] = [past(100, 2000)]
    bench.books.jobs[None] = [past(100, 3000)]
    for owner, tokens in (
        ({"team": "search", "key_id": "k1"}, 10),
        ({"team": "search"}, 10),
        ({"key_id": "k2"}, 20),
        ({"key_id": "k3"}, 64),
        ({}, 30),
    ):
        found = asked_of(bench, on_record("gs://in/rows.jsonl", **owner))
        assert found["outputTokens"]["expected"] == 10 * tokens


def test_the_time_that_such_jobs_of_the_caller_took_is_in_the_answer(bench):
    bench.put("gs://in/search/rows.jsonl", [row()])
    unknown = {"p50": None, "p90": None}
    bench.ask("gs://in/search/rows.jsonl")
    assert bench.answer["expectedTime"] == {
        "queueSeconds": unknown,
        "runSeconds": unknown,
        "jobs": 0,
        "days": 30,
    }

    ended = TimeCounts(
        Counter(succeeded=3), Counter({bucket_of(9): 3}), Counter({bucket_of(12): 3}), Counter()
    )
    bench.times[TEAM, "gemini-2.5-flash", LOCATION] = [DailyTimes("2026-11-28", "", "", ended)]
    bench.ask("gs://in/search/rows.jsonl", caller=TEAM)
    assert bench.answer["expectedTime"] == {
        "queueSeconds": {"p50": 9, "p90": 9},
        "runSeconds": {"p50": 12, "p90": 12},
        "jobs": 3,
        "days": 30,
    }
