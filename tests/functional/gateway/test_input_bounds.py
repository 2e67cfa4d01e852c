"""Inputs of keys with a budget: read whole, so that the high is a bound; or refused with what to do."""

import json
from decimal import Decimal
from types import SimpleNamespace

import pytest

from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating import sampling
from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.exact import UnboundedError
from batch_gateway.core.estimating.sampling import Object
from batch_gateway.core.jobs.cost_bounds import Weighed
from batch_gateway.core.lines import whole_lines
from batch_gateway.core.pricing import prices
from batch_gateway.gateway.jobs import input_bounds
from batch_gateway.gateway.jobs.input_bounds import InputBounds
from batch_gateway.ports import ObjectChangedError, ObjectsUnavailableError
from builders import input_files
from fakes import MemoryObjects
from functional.gateway.conftest import JOBS, error_info, job_body, reason
from functional.gateway.scoped import new_key

FLASH = "publishers/google/models/gemini-2.5-flash"
URI = "gs://in/rows.jsonl"
OUTPUT = Decimal("0.00000125")


def row(limit=10, text="How long is it?", **config):
    contents = [{"role": "user", "parts": [{"text": text}]}]
    given = {"maxOutputTokens": limit, **config}
    return json.dumps({"request": {"contents": contents, "generationConfig": given}}).encode() + b"\n"


CHEAP = row(text="How long is it? " * 4)
DEAR = row(65_536, candidateCount=8)


def large(*dear):
    """Cheap rows, several times a sample, with dear ones behind that many of them."""
    rows = [CHEAP] * 5_000
    for at in sorted(dear, reverse=True):
        rows.insert(at, DEAR)
    return b"".join(rows)


def put(world, data, name="rows.jsonl"):
    return world.objects.put("in", name, data)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Samples are small; chunks are not, so that reading takes no time."""
    monkeypatch.setattr(sampling, "MOST_BYTES", 64 * 1024)
    monkeypatch.setattr(input_bounds, "SMALL_BYTES", 64 * 1024)

    def read(self, bucket, name, generation, start=0):
        info, data = self._objects[bucket, name]
        assert info.generation == generation
        yield from (data[at : at + 2**20] for at in range(start, len(data), 2**20))

    monkeypatch.setattr(MemoryObjects, "read", read)


@pytest.mark.parametrize("at", [1, 77, 1234, 2500, 3333, 4999, 5000])
def test_a_dear_row_anywhere_counts(world, vertex, at):
    put(world, large(at))
    key = new_key(world, max_budget="3")
    high = Decimal(world.create(path=f"{JOBS}:estimateCost", key=key).json["high"])
    assert high > 65_536 * 8 * OUTPUT

    put(world, large(*range(0, 5_000, 1_000)))
    answer = world.create(key=key)

    assert reason(answer) == "BUDGET_EXCEEDED"
    assert Decimal(error_info(answer)["metadata"]["estimate"]) > 5 * 65_536 * 8 * OUTPUT
    assert not [seen for seen in vertex.requests if seen.method == "POST"]


def test_the_bound_is_of_every_row(world):
    put(world, large())
    key = new_key(world, max_budget=100)

    found = world.create(path=f"{JOBS}:estimateCost", key=key).json

    assert found["rows"]["total"] == 5_000
    assert found["rows"]["exact"] is True
    assert found["outputTokens"]["high"] == 50_000
    assert found["inputTokens"]["high"] == 5_000 * len(CHEAP)
    assert Decimal(found["low"]) <= Decimal(found["expected"]) <= Decimal(found["high"])
    assert "all 5,000 rows were read" in " ".join(found["assumptions"])


def test_the_estimate_is_what_the_create_reserves(world):
    put(world, large(7))
    key = new_key(world, max_budget=100)

    figures = [
        world.create(path=f"{JOBS}{rest}", key=key).json["high"]
        for rest in (":estimateCost", "?validateOnly=true")
    ]
    job = world.created_by(key)

    assert figures == [figures[0]] * 2
    assert world.record(job).reserved_nano == Decimal(figures[0]) * 10**9
    assert world.record(job).estimate.high_nano == world.record(job).reserved_nano


def test_what_was_weighed_is_on_record(world):
    first, second = put(world, CHEAP * 3, "a.jsonl"), put(world, CHEAP, "b.jsonl")
    body = job_body(inputConfig=input_files("gs://in/*.jsonl"))
    world.objects.delete("in", "rows.jsonl")

    job = world.created_by(new_key(world, max_budget=100), body)

    assert world.record(job).estimate.weighed == Weighed(
        2, 4 * len(CHEAP), max(first.generation, second.generation)
    )
    unlimited = world.created_by(new_key(world))
    assert (world.record(unlimited).estimate or SimpleNamespace(weighed=None)).weighed is None


@pytest.fixture
def world(world):
    def created_by(key, body=None):
        if body is None:
            put(world, CHEAP) if world.objects.stat("in", "rows.jsonl") is None else None
        answer = world.create(body, key=key)
        assert answer.status_code == 200, answer.data
        return answer.json

    world.created_by = created_by
    return world


def test_for_others_a_sample_is_read(world, monkeypatch):
    monkeypatch.setattr(InputBounds, "weigh", lambda *_: pytest.fail("the whole input was read"))
    put(world, large(77))

    for key in (new_key(world), new_key(world, soft_budget=1)):
        assert world.create(path=f"{JOBS}:estimateCost", key=key).json["rows"]["exact"] is False
    assert world.create(path=f"{JOBS}:estimateCost").status_code == 200


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{\n", "row 3 of the input, in gs://in/rows.jsonl: it is not a JSON object"),
        (
            row().replace(b'"generationConfig"', b'"tools":[{"urlContext":{"x":1}}],"generationConfig"'),
            "urlContext",
        ),
        (row(candidateCount="1e3"), "candidateCount is not a whole number"),
    ],
    ids=["no JSON", "a tool", "a number"],
)
def test_a_row_without_a_bound_is_named(world, line, said):
    put(world, CHEAP * 2 + line + CHEAP)

    answer = world.create(key=new_key(world, max_budget=100))

    assert reason(answer) == "ESTIMATE_UNKNOWN"
    assert said in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"vertexMultimodalDatasetSource": {"datasetName": "d"}}, "vertexMultimodalDatasetSource"),
        ({"vertex_multimodal_dataset_source": {"dataset_name": "d"}}, "vertex_multimodal_dataset_source"),
        ({"instancesFormat": "csv"}, "only rows of instancesFormat jsonl"),
        ({"instancesFormat": "file-list"}, "only rows of instancesFormat jsonl"),
    ],
    ids=str,
)
def test_what_is_read_beside_the_objects_is_not_overlooked(world, source, said):
    put(world, CHEAP)
    body = job_body()
    body["inputConfig"].update(source)

    answer = world.create(body, key=new_key(world, max_budget=100))

    assert reason(answer) == "ESTIMATE_UNKNOWN"
    assert said in answer.json["error"]["message"]


def test_the_jobs_parameters_count(world):
    put(world, CHEAP)
    key = new_key(world, max_budget=100)
    body = job_body(modelParameters={"maxOutputTokens": 1000})

    assert world.create(body, path=f"{JOBS}:estimateCost", key=key).json["outputTokens"]["high"] == 1000


def test_both_spellings_in_a_row_are_weighed_by_the_dearer(world):
    put(world, row(10, max_output_tokens=700))

    found = world.create(path=f"{JOBS}:estimateCost", key=new_key(world, max_budget=100)).json

    assert found["outputTokens"]["high"] == 700


# --- What cannot be read


class Slow(MemoryObjects):
    """Moves a clock on with each chunk, or does something else."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.chunk = lambda: None

    def read(self, bucket, name, generation, start=0):
        for chunk in super().read(bucket, name, generation, start):
            self.chunk()
            yield chunk


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def weigher(slow):
    weigher = InputBounds(lambda: slow, lambda: slow.now)

    def weigh(data, whose="k", size=None):
        info = slow.put("in", "rows.jsonl", data)
        given = Object("in", "rows.jsonl", info.generation, info.size if size is None else size)
        scale = Scale(FLASH, prices.load(), lambda _: None, None)
        weigher.weigh(whose, [given], scale)
        return scale.weight

    return weigh


def refused(weigher, *given, **more):
    with pytest.raises(ApiError) as error:
        weigher(*given, **more)
    return error.value


def test_what_takes_too_long_is_refused_with_what_to_do(weigher, slow):
    def later():
        slow.now += input_bounds.SECONDS

    slow.chunk = later
    error = refused(weigher, CHEAP * 5000)

    assert (error.status, error.reason) == ("FAILED_PRECONDITION", "INPUT_TOO_LARGE_TO_WEIGH")
    assert "Split it" in error.message
    assert error.metadata == {"bytes": str(5000 * len(CHEAP)), "objects": "1"}


def test_what_is_far_too_large_is_not_even_begun_with(weigher, slow):
    slow.chunk = lambda: pytest.fail("it was read")

    assert refused(weigher, CHEAP, size=input_bounds.MOST_BYTES + 1).reason == "INPUT_TOO_LARGE_TO_WEIGH"
    slow.chunk = lambda: None
    assert weigher(CHEAP, size=input_bounds.MOST_BYTES).rows == 1


def test_a_key_has_one_large_input_read_at_a_time_and_an_instance_two(weigher, slow):
    said = []

    def meanwhile():
        slow.chunk = lambda: None
        said.append(refused(weigher, large(), whose="a").reason)
        slow.chunk = third
        assert weigher(large(), whose="b").rows == 5000
        assert weigher(CHEAP, whose="a").rows == 1, "small ones are read all the same"

    def third():
        slow.chunk = lambda: None
        error = refused(weigher, large(), whose="c")
        said.append((error.status, error.reason, error.retry_after))

    slow.chunk = meanwhile
    weigher(large(), whose="a")
    assert said == ["WEIGHING_BUSY", ("UNAVAILABLE", "WEIGHING_BUSY", 10)]
    assert weigher(large(), whose="a").rows == 5000, "the turn was given back"


def test_a_turn_is_given_back_whatever_happens(weigher):
    for _ in range(3):
        with pytest.raises(UnboundedError):
            weigher(large() + b"{")


def test_a_row_that_is_too_long_is_refused(weigher, monkeypatch):
    monkeypatch.setattr(input_bounds, "whole_lines", lambda chunks: whole_lines(chunks, len(CHEAP) - 2))
    with pytest.raises(UnboundedError, match="is longer than"):
        weigher(CHEAP)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ObjectChangedError("x"), "was overwritten while it was read"),
        (ObjectsUnavailableError("x"), "cannot read the input"),
    ],
)
def test_an_input_that_goes_away_is_refused_for_now(world, monkeypatch, error, said):
    def fail(*_):
        raise error

    monkeypatch.setattr(InputBounds, "weigh", fail)
    put(world, CHEAP)

    answer = world.create(key=new_key(world, max_budget=100))

    assert reason(answer) == "ESTIMATE_UNKNOWN"
    assert said in answer.json["error"]["message"]
