"""A batch from a file to its job, on the page alone."""

import json
import re
from datetime import timedelta

import pytest

from browser.seeding import Seeder
from builders import prompt
from functional.gateway.conftest import PROJECT, MemoryStorage, World

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

ROWS = "".join(f"{json.dumps(prompt(f'Prompt {number}', limit=50))}\n" for number in range(3)).encode()


@pytest.fixture
def world(empty, vertex_server, monkeypatch):
    """A gateway that takes input."""
    made = World(empty.host, input_prefix="gs://in/up")
    monkeypatch.setattr(vertex_server._lifecycle, "_storage", MemoryStorage(made.objects))
    return made


@pytest.fixture
def page(visit, world):
    visitor = visit(world)
    visitor.sign_in(view="run")
    return visitor.page


def choose(page, content=ROWS, name="reviews.jsonl"):
    page.get_by_label("File").set_input_files({"name": name, "mimeType": "", "buffer": content})


def fill(page, **changes):
    values = {"Model": "gemini-2.5-flash", "Project": PROJECT, "Location": "us-central1", **changes}
    for label, value in values.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Upload and estimate").click()


def inputs(world):
    return [name for bucket, name in world.objects._objects if bucket == "in"]


def test_a_file_becomes_a_job(page, world, vertex_server):
    choose(page)
    expect(page.get_by_text("3 rows")).to_be_visible()
    fill(page, Labels="campaign=autumn, stage=test")
    expect(page.locator(".levels .expected .money")).to_be_visible()
    expect(page.get_by_text("How long it takes is not known: no job with this model")).to_be_visible()
    assert vertex_server.jobs() == []
    (name,) = inputs(world)
    assert world.objects._objects["in", name][1] == ROWS

    page.get_by_role("button", name="Submit the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("reviews")
    (job,) = vertex_server._store._jobs.values()
    assert job.body["inputConfig"]["gcsSource"]["uris"] in (f"gs://in/{name}", [f"gs://in/{name}"])
    output = job.body["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    assert output == f"gs://in/{name.removesuffix('.jsonl')}-output"
    assert job.body["labels"].items() >= {"campaign": "autumn", "stage": "test"}.items()


def test_a_file_may_be_named_like_the_output_of_a_job(page):
    choose(page, name="predictions.jsonl")
    fill(page)
    expect(page.get_by_role("button", name="Submit the job")).to_be_enabled()


def test_an_estimate_of_other_values_uploads_nothing_again(page, world):
    choose(page)
    fill(page)
    expect(page.locator(".levels")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("other")
    expect(page.get_by_role("button", name="Submit the job")).to_have_count(0)
    page.get_by_role("button", name="Upload and estimate").click()
    expect(page.get_by_role("button", name="Submit the job")).to_be_visible()
    assert len(inputs(world)) == 1


def test_lines_that_are_no_requests_are_named_and_not_sent(page, world):
    cells = page.get_by_role("table", name="Lines that are not requests").locator("tbody td")
    for content, line, why in [
        (b'{"request": {}}\n[1]\n', "2", "not a JSON object"),
        (b"\n{oops\n", "2", "not JSON"),
        (b"\xef\xbb\xbf{}\n", "1", "byte order mark"),
        (b'{"a": "\xff"}\n', "1", "not UTF-8"),
    ]:
        choose(page, content)
        expect(cells).to_have_text([line, re.compile(why)])
        fill(page)
        expect(page.get_by_text("Choose a file of JSON lines without errors")).to_be_visible()
    choose(page)
    fill(page)
    expect(page.locator(".levels")).to_be_visible()
    assert len(inputs(world)) == 1


def test_wrong_lines_that_are_not_listed_are_counted(page):
    lines = page.get_by_role("table", name="Lines that are not requests").locator("tbody tr")
    choose(page, b"{oops\n" * 10)
    expect(lines).to_have_count(10)
    expect(page.get_by_text("more line")).to_have_count(0)
    choose(page, b"{oops\n{}\n" * 11)
    expect(page.get_by_text("And 1 more line.")).to_be_visible()
    expect(lines).to_have_count(10)


def test_rows_that_would_fail_the_job_cannot_be_submitted_and_rows_that_fail_alone_can(page):
    choose(page, ROWS + b'{"request": {"contents": [], "tools": [{"google_search": {}}]}}\n')
    fill(page)
    expect(page.get_by_role("table", name="Invalid rows")).to_be_visible()
    expect(page.get_by_text("Correct these rows first")).to_be_visible()
    expect(page.get_by_role("button", name="Submit the job")).to_have_count(0)

    choose(page, ROWS + b'{"request": {"contents": []}}\n')
    fill(page)
    expect(page.get_by_text("These rows would fail by themselves")).to_be_visible()
    expect(page.get_by_role("button", name="Submit the job")).to_be_enabled()


def test_a_large_file_is_for_the_command_line(page, world, tmp_path):
    large = tmp_path / "it's large.jsonl"
    large.write_bytes(ROWS + b" " * 11_000_000)
    page.get_by_label("File").set_input_files(large)
    expect(page.get_by_text("The command line uploads files of any size")).to_be_visible()
    expect(page.locator(".banner code")).to_have_text("vbatch run 'it'\\''s large.jsonl' --model MODEL")
    fill(page)
    assert inputs(world) == []


def test_what_the_gateway_refuses_is_shown(visit, empty):
    """No prefix for input is configured."""
    visitor = visit(empty)
    visitor.sign_in(view="run")
    choose(visitor.page)
    fill(visitor.page)
    expect(visitor.page.get_by_role("region", name="Before you submit").get_by_role("alert")).to_be_visible()
    visitor.allows("/v1/inputs")


def test_without_jobs_the_way_to_the_first_one_is_shown(visit, empty, vertex_server):
    visitor = visit(empty)
    visitor.sign_in()
    page = visitor.page
    first = page.get_by_role("region", name="Your first job")
    expect(first).to_contain_text(f"vbatch login --url {visitor.served.url}")
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(first).to_be_visible()
    first.get_by_role("link", name="Run a batch from this page").click()
    expect(page.get_by_role("heading", name="Run a batch")).to_be_visible()

    seeder = Seeder(empty, vertex_server)
    seeder.add(
        seeder.now - timedelta(minutes=1), (None, "adhoc", "gemini-2.5-flash"), "JOB_STATE_PENDING", None
    )
    page.get_by_role("link", name="Overview", exact=True).click()
    expect(page.get_by_role("region", name="Running now")).to_contain_text("1 job")
    expect(first).to_have_count(0)
