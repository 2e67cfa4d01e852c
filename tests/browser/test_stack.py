"""The dashboard on the whole local stack: the functions, Firestore, storage and Vertex AI as emulators."""

import json
from pathlib import Path

import pytest

from browser.browsing import SCREEN, new_context
from builders import input_files, output_folder, prompt
from patience import PATIENCE
from patient_firestore import FUNCTIONS
from processes import wait_until
from stack import Stack

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

POLL = 16_000
"""Milliseconds after which a page has asked again for a job that is under way."""
SPEED = ("--pending-seconds", "0.5", "--seconds-per-row", "0.3", "--cancelling-seconds", "0.2")


@pytest.fixture(scope="module")
def stack():
    config = Path(__file__).parents[1] / "integration" / "gateway.yaml"
    with Stack(config=config, source=FUNCTIONS, vertex_options=SPEED, poll_interval=0.1) as running:
        running.upload_rows("short.jsonl", [prompt()] * 4)
        running.upload_rows("long.jsonl", [prompt(hold=True)])
        yield running


def submit(stack, name, rows):
    body = {
        "displayName": name,
        "model": "publishers/google/models/gemini-2.5-flash",
        "inputConfig": input_files(f"gs://batch-in/{rows}"),
        "outputConfig": output_folder(f"gs://batch-out/{name}"),
    }
    path = "/v1/projects/local-project/locations/us-central1/batchPredictionJobs"
    answer = stack.request("POST", path, data=json.dumps(body))
    assert answer.ok, answer.text
    return answer.json()["name"]


@pytest.fixture
def page(chromium, stack):
    context = new_context(chromium, *SCREEN)
    page = context.new_page()
    page.clock.install()
    page.goto(f"{stack.gateway_url}/dashboard")
    page.get_by_label("API key").fill(stack.master_key)
    page.get_by_role("button", name="Sign in").click()
    page.locator("header.top").wait_for()
    yield page
    context.close()


def test_a_job_comes_up_ends_and_costs_what_the_api_says(page, stack):
    name = submit(stack, "seen-in-chromium", "short.jsonl")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="seen-in-chromium").click()
    page.locator(".timeline").wait_for()
    cost = stack.wait_for_cost(name)
    page.clock.run_for(POLL)
    expect(page.locator(".title .badge")).to_have_text("Succeeded")
    shown = page.get_by_role("region", name="Cost", exact=True).locator(".money").first
    expect(shown).to_have_attribute("title", shown_amount(cost["amount"]))
    expect(page.locator(".timeline")).to_contain_text("Cost final")

    page.get_by_role("link", name="Overview", exact=True).click()
    spent = page.get_by_role("region", name="Today").locator(".big .money")
    expect(spent).to_have_attribute("title", shown_amount(cost["amount"]))


def shown_amount(amount):
    whole, _, fraction = amount.partition(".")
    return f"${whole}.{fraction.ljust(2, '0')}"


def test_a_job_is_cancelled_from_the_page(page, stack):
    name = submit(stack, "cancelled-in-chromium", "long.jsonl")
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="cancelled-in-chromium").click()
    page.get_by_role("button", name="Cancel job").click()
    page.get_by_role("button", name="Cancel the job").click()
    wait_until(
        lambda: stack.get(f"/v1/{name}")["state"] == "JOB_STATE_CANCELLED",
        PATIENCE,
        "the job to be cancelled",
    )
    page.clock.run_for(POLL)
    expect(page.locator(".title .badge")).to_have_text("Cancelled")
