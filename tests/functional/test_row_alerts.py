"""Rows of output that repeat the name of a file which the job's key may not read: told once, and settled."""

import dataclasses
import json

import pytest

from batch_gateway.ports import StoreUnavailableError
from batch_gateway.settlement.deps import NotYetError
from batch_gateway.settlement.settle import settle
from functional.test_settle import CREATED, FILE, FOLDER, NOW, Books, assert_settled, ended, lines, row

MINE, THEIRS = "gs://mine/x.pdf", "gs://payroll/2026.pdf"
GRANTS = {"key": ("gs://mine", "gs://out"), "team": ("gs://mine",)}


def named(uri):
    part = {"fileData": {"fileUri": uri}}
    return json.dumps(json.loads(row()) | {"request": {"contents": [{"parts": [part]}]}})


@pytest.fixture
def books():
    made = Books()
    made.record(ended(), team="search", uri_grants=GRANTS)
    return made


def told(books, capsys):
    """The events in the outbox, and the lines in the log."""
    events = [each for each in books.store.events.values() if each.type == "batch.uri_not_allowed"]
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return events, [line for line in printed if line.get("event") == "batch.uri_not_allowed"]


def test_such_a_row_is_told_of_once_a_job_and_settled_all_the_same(books, capsys):
    first, second = (f"{FOLDER}/predictions.jsonl-0000{number}-of-00002" for number in range(2))
    books.put(lines(named(MINE), named(THEIRS), named("gs://out/y")), first)
    books.put(lines(named(THEIRS)), second)
    for name in (first, second, first):
        books.settle(name)

    ((event,), (line,)) = told(books, capsys)

    data = json.loads(event.body)["data"]
    assert (data["uri"], data["output"]) == (THEIRS, f"gs://out/{first}")
    assert (data["team"], data["apiKey"]) == ("search", "nightly")
    assert (line["severity"], line["uri"], line["team"]) == ("ERROR", THEIRS, "search")
    assert_settled(books, 4)


@pytest.mark.parametrize("uri", [MINE, "https://example.com/x"])
def test_granted_files_are_not_told_of(books, capsys, uri):
    books.put(lines(named(uri), row()))
    books.settle()
    assert told(books, capsys) == ([], [])


def test_jobs_without_grants_are_not_looked_at(capsys):
    books = Books()
    books.record(ended())
    books.put(lines(named(THEIRS)))
    books.settle()
    assert told(books, capsys) == ([], [])
    assert_settled(books, 1)


def test_a_row_is_told_of_though_the_file_takes_several_steps(books, capsys):
    filler = row() + " " * 200_000
    books.put(lines(named(THEIRS), filler, filler, row()))
    late = dataclasses.replace(books.deps, clock=lambda: 10.0)
    with pytest.raises(NotYetError):
        settle("out", FILE, CREATED, NOW, late, deadline=5.0)
    assert len(told(books, capsys)[0]) == 1
    books.settle()
    assert len(told(books, capsys)[0]) == 1
    assert_settled(books, 4)


def test_if_it_cannot_be_told_of_the_event_comes_again(books, capsys, monkeypatch):
    books.put(lines(named(THEIRS)))
    add = books.store.add_event

    def down(event):
        raise StoreUnavailableError(event.id)

    monkeypatch.setattr(books.store, "add_event", down)
    with pytest.raises(StoreUnavailableError):
        books.settle()
    monkeypatch.setattr(books.store, "add_event", add)
    books.settle()
    assert len(told(books, capsys)[0]) == 1
    assert_settled(books, 1)
