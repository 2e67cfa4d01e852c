"""Reading an output table, on tables in memory."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.record import Completion
from batch_gateway.core.pricing import prices
from batch_gateway.core.rows import Tally
from batch_gateway.core.usage import Rows, Tokens, Usage
from batch_gateway.ports import ObjectChangedError
from batch_gateway.settlement.bigquery_output import read_table
from builders import job_record
from fakes import MemoryTables

TABLE = prices.load()
URI = "bq://my-project.my_dataset.predictions_1"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
CREATED = NOW - timedelta(days=1)
FLASH = "publishers/google/models/gemini-2.5-flash"
JOB = job_record(CREATED, seen={"output_table": URI})


def line(tokens=3, processed=NOW, **response):
    answer = {
        "usageMetadata": {"promptTokenCount": tokens},
        "candidates": [{"finishReason": "STOP"}],
        **response,
    }
    return json.dumps({"status": "", "processed_time": processed.isoformat(), "response": answer}).encode()


@pytest.fixture
def tables():
    return MemoryTables()


def read(tables, job=JOB):
    return read_table(job, URI, tables, TABLE, NOW)


def job(**seen):
    return msgspec.structs.replace(JOB, seen=msgspec.structs.replace(JOB.seen, **seen))


def test_a_table_is_an_output_like_any_other(tables):
    info = tables.put(URI, [line(3), line(4), b'{"status": "no", "response": null}'])

    output = read(tables)

    assert (output.uri, output.generation, output.bytes) == (URI, info.generation, info.size)
    assert (output.settled_at, output.unreadable) == (NOW, None)
    assert output.usage.rows == Rows(succeeded=2, failed=1)
    assert output.usage.tokens == Tokens(input=7)
    assert {quantity.model for quantity in output.usage.quantities} == {"gemini-2.5-flash"}


@pytest.mark.parametrize("count", [999, 1000, 1001, 4095, 12_345])
def test_many_rows_alike_come_to_as_much_as_each_of_them(tables, count):
    searching = {
        "candidates": [{"finishReason": "MAX_TOKENS", "groundingMetadata": {"webSearchQueries": ["a", "b"]}}]
    }
    lines = [line(3, **searching)] * count + [line(5)] * 7 + [b"no json"] * count
    tables.put(URI, lines)
    counted = Tally(TABLE, FLASH)
    counted.add_lines(lines)

    assert read(tables).usage == counted.usage


def test_a_hundred_million_rows_alike_are_no_work():
    class Huge(MemoryTables):
        def usage_lines(self, *_, **__):
            yield b'{"prediction":true}', 100_000_000

    tables = Huge()
    tables.put(URI, [])

    assert read(tables).usage.rows == Rows(succeeded=100_000_000, unmetered=100_000_000)


@pytest.mark.parametrize("uri", ["bq://p.d.mine_dest_20261120_x7", "gs://mine/monday.jsonl", "bq://p.d.rows"])
def test_rows_of_an_earlier_job_are_carried_over_whatever_the_input_is_called(tables, uri):
    tables.put(URI, [line(3, processed=CREATED - timedelta(hours=1)), line(4, processed=NOW)])

    usage = read(tables, job(input_uris=(uri,))).usage

    assert (usage.rows, usage.tokens.input) == (Rows(succeeded=1, carried_over=1), 4)


def test_the_tables_are_told_which_rows_are_carried_over(tables):
    asked = []
    tables.put(URI, [])
    tables.usage_lines = lambda _, carried_before: asked.append(carried_before) or iter(())

    read(tables)

    assert asked == [CREATED - timedelta(milliseconds=100)]


def test_a_tuned_model_is_counted_as_its_base(tables):
    tuned = msgspec.structs.replace(job(model="projects/1/locations/l/models/2"), base_model="gemini-2.5-pro")
    tables.put(URI, [line()])

    assert {quantity.model for quantity in read(tables, tuned).usage.quantities} == {"gemini-2.5-pro"}


@pytest.mark.parametrize(
    "seen",
    [
        {"state": "JOB_STATE_SUCCEEDED"},
        {"state": "JOB_STATE_PARTIALLY_SUCCEEDED"},
        {"state": "JOB_STATE_CANCELLED", "completion": Completion(successful=1)},
    ],
)
def test_a_table_that_is_gone_is_unreadable(tables, seen):
    assert read(tables, job(**seen)) == Output(URI, 0, 0, Usage(), NOW, unreadable="the table does not exist")


@pytest.mark.parametrize("completion", [None, Completion(failed=3)])
def test_a_job_that_failed_before_it_wrote_has_no_table(tables, completion):
    failed = job(state="JOB_STATE_FAILED", completion=completion)

    assert read(tables, failed) == Output(URI, 0, 0, Usage(), NOW)


def test_a_table_that_changes_meanwhile_is_not_settled():
    class Changing(MemoryTables):
        def usage_lines(self, table, *, carried_before):
            for found in super().usage_lines(table, carried_before=carried_before):
                self.put(URI, [line(5)])
                yield found

    changing = Changing()
    changing.put(URI, [line(3)])

    with pytest.raises(ObjectChangedError):
        read(changing)
