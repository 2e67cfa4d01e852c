"""A job that went wrong: which rows, why, what to do, and how to run them again."""

import json

import msgspec
import pytest

from browser import browsing
from builders import prompt
from functional.gateway.conftest import PROJECT, MemoryStorage, job_body

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

FILE = """
async () => {
  const folder = await navigator.storage.getDirectory();
  const file = await (await folder.getFileHandle('saved')).getFile();
  return await file.text();
}
"""
"""Reads what the page wrote."""
PICKER = """
() => {
  window.showSaveFilePicker = async ({ suggestedName }) => {
    window.suggested = suggestedName;
    const folder = await navigator.storage.getDirectory();
    return folder.getFileHandle('saved', { create: true });
  };
}
"""
"""Stands for the browser's own dialog, which no test can click; the file that it gives is a real one."""


def row(name, **wish):
    return {"key": name, **prompt(f"Prompt of {name}", limit=50, **wish)}


class Jobs:
    """Jobs of a gateway in memory, whose output is written and settled."""

    def __init__(self, world, vertex):
        self.world = world
        self.vertex = vertex

    def ended(self, rows, *, state="SUCCEEDED", done=None):
        self.world.objects.put("in", "rows.jsonl", "\n".join(map(json.dumps, rows)).encode())
        job = self.world.created(job_body(displayName="seen"))
        self.vertex.step()
        return self.finish(job, state, done)

    def finish(self, job, state="SUCCEEDED", done=None):
        job = self.vertex.finish(job["name"], state=f"JOB_STATE_{state}", rows=done)
        directory = job["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://out/")
        for info in self.world.objects.list("out", f"{directory}/"):
            self.world.settle(f"gs://out/{info.name}")
        return job

    def output(self, job):
        directory = job["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://out/")
        (info,) = self.world.objects.list("out", f"{directory}/predictions.jsonl")
        return b"".join(self.world.objects.read("out", info.name, info.generation)).decode()


@pytest.fixture
def jobs(empty, vertex_server, monkeypatch):
    monkeypatch.setattr(vertex_server._lifecycle, "_storage", MemoryStorage(empty.objects))
    return Jobs(empty, vertex_server)


@pytest.fixture
def show(visit, empty):
    """Opens a job's page."""
    visitor = visit(empty)
    visitor.sign_in()

    def open_one(job):
        visitor.open(f"jobs/{PROJECT}/us-central1/{job['name'].rpartition('/')[2]}")
        visitor.page.locator(".timeline").wait_for()
        visitor.page.evaluate(PICKER)
        return visitor.page

    open_one.allows = visitor.allows
    return open_one


@pytest.fixture
def partly(jobs):
    rows = [row("good"), row("<b>bad</b>", fail=True), row("refused", blocked=True), row("fine")]
    return jobs.ended(rows)


def test_rows_without_an_answer_are_named_with_their_message_and_advice(show, partly, jobs):
    page = show(partly)
    rows = page.get_by_role("table", name="Rows without an answer").locator("tbody tr")
    expect(rows).to_have_count(2)
    failed = next(json.loads(line) for line in jobs.output(partly).splitlines() if "bad" in line)
    cells = [rows.nth(at).locator("td").all_inner_texts() for at in range(2)]
    lines = {cell[1]: cell for cell in cells}
    assert lines["<b>bad</b>"][2] == "INVALID_ARGUMENT"
    assert lines["<b>bad</b>"][3]
    assert lines["<b>bad</b>"][3] in json.dumps(failed["status"]).replace("\\", "")
    assert lines["refused"][2] == "PROHIBITED_CONTENT"
    advice = page.locator(".advice")
    expect(advice).to_contain_text("correct the rows")
    expect(advice).to_contain_text("does not process this content")


def test_the_list_says_why_rows_failed(show, partly):
    page = show(partly)
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    expect(page.locator(".rows .c-labels .failed")).to_have_text(
        "1 blocked: PROHIBITED_CONTENT, 1 failed: INVALID_ARGUMENT"
    )


def test_a_job_without_such_rows_shows_none(show, jobs):
    page = show(jobs.ended([row("good")]))
    expect(page.get_by_role("region", name="Rows without an answer")).to_have_count(0)
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_large_output_is_searched_only_when_asked(show, partly, empty):
    """Finding a few rows among many may mean reading gigabytes."""
    for outputs in empty.store._outputs.values():
        for name, output in outputs.items():
            outputs[name] = msgspec.structs.replace(output, bytes=3_000_000_000)
    page = show(partly)
    rows = page.get_by_role("table", name="Rows without an answer").locator("tbody tr")
    expect(page.get_by_text("Finding them means reading up to 3.0 GB")).to_be_visible()
    expect(rows).to_have_count(0)
    page.get_by_role("button", name="Show the first rows").click()
    expect(rows).to_have_count(2)


def test_results_are_written_to_a_file_as_they_are(show, partly, jobs):
    page = show(partly)
    page.get_by_role("button", name="Download results").click()
    expect(page.locator("#messages")).to_contain_text("Saved")
    assert page.evaluate(FILE) == jobs.output(partly)
    assert page.evaluate("suggested") == f"{partly['name'].rpartition('/')[2]}-results.jsonl"
    page.get_by_role("region", name="Results").get_by_role("button", name="Rows without an answer").click()
    expect(page.locator("#messages")).to_contain_text("-failed.jsonl")
    assert [json.loads(line)["key"] for line in page.evaluate(FILE).splitlines()] == [
        "<b>bad</b>",
        "refused",
    ]


def test_a_browser_that_writes_no_files_downloads(visit, empty, partly, jobs):
    visitor = visit(empty)
    name = partly["name"].rpartition("/")[2]
    visitor.sign_in(view=f"jobs/acme-batch/us-central1/{name}")
    visitor.page.evaluate("delete window.showSaveFilePicker")
    with visitor.page.expect_download() as begun:
        visitor.page.get_by_role("button", name="Download results").click()
    assert browsing.offered(visitor.page) == jobs.output(partly)
    assert begun.value.suggested_filename == f"{name}-results.jsonl"


def test_results_that_are_gone_say_so(show, partly, empty):
    page = show(partly)
    for bucket, name in list(empty.objects._objects):
        if bucket == "out":
            empty.objects.delete(bucket, name)
    page.get_by_role("button", name="Usage by row").click()
    expect(page.get_by_role("region", name="Results").get_by_role("alert")).to_contain_text("deleted")
    show.allows("404")


def test_a_cancelled_job_is_resumed_and_both_lead_to_each_other(show, jobs, vertex_server):
    old = jobs.ended([row(str(number)) for number in range(6)], state="CANCELLED", done=2)
    page = show(old)
    before = len(vertex_server.jobs())
    page.get_by_role("button", name="Resume", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_contain_text("expected")
    assert len(vertex_server.jobs()) == before
    dialog.get_by_role("button", name="Resume the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("seen (resumed)")
    assert len(vertex_server.jobs()) == before + 1
    page.get_by_role("link", name=old["name"].rpartition("/")[2]).click()
    expect(page.get_by_text("It is resumed by job")).to_be_visible()
    expect(page.get_by_role("button", name="Resume", exact=True)).to_have_count(0)


def test_what_stands_in_the_way_of_a_resume_is_said(show, jobs, empty):
    page = show(jobs.ended([row(str(number)) for number in range(6)], state="CANCELLED", done=2))
    for bucket, name in list(empty.objects._objects):
        if bucket == "out":
            empty.objects.delete(bucket, name)
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert").first).to_contain_text("output is not there")
    show.allows("/results", "resume")


def test_places_can_be_copied_and_opened_in_the_console(show, partly):
    page = show(partly)
    files = page.get_by_role("region", name="Files")
    expect(files.get_by_role("link", name="gs://in/rows.jsonl")).to_have_attribute(
        "href", "https://console.cloud.google.com/storage/browser/_details/in/rows.jsonl"
    )
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    files.get_by_role("button", name="Copy gs://in/rows.jsonl").click()
    expect(page.locator("#messages")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "gs://in/rows.jsonl"
    job = files.get_by_role("link", name="Job in the Cloud console")
    assert job.get_attribute("href").endswith(
        f"/locations/us-central1/batch-predictions/{partly['name'].rpartition('/')[2]}?project=acme-batch"
    )
