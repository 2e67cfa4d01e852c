"""Administrators, viewers and keys that run jobs: what each is offered on the page, and may do."""

import json
import re

import pytest

from builders import prompt
from functional.gateway.conftest import PROJECT, MemoryStorage, World
from functional.gateway.scoped import admin as administer

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

BUTTONS = """() => [...document.querySelectorAll('main button')].map(
    each => each.getAttribute('aria-label') || each.textContent)"""


def key(seeded, **fields):
    return administer(seeded.world, "/key/generate", **fields)["key"]


def job_in_state(seeded, state):
    return next(
        job
        for job in seeded.world.store._jobs.values()
        if job.seen.state == f"JOB_STATE_{state}" and job.team == "search"
    )


def address(job):
    return f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}"


def links(page):
    return page.locator("header nav a").all_inner_texts()


def open_and_list_buttons(visitor, view, landmark):
    visitor.open(view)
    expect(visitor.page.locator(landmark).first).to_be_visible()
    expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
    return set(visitor.page.evaluate(BUTTONS))


def containing(text):
    return re.compile(re.escape(text))


class TestAdministrators:
    def test_one_by_name_changes_keys_teams_and_prices_and_the_trail_says_who(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(key(seeded, key_alias="ops-lead", role="admin"), "keys")
        page = visitor.page
        expect(page.locator("header.top .badge")).to_have_count(0)
        page.get_by_role("button", name="New team").click()
        page.get_by_label("Id").fill("growth")
        page.get_by_role("button", name="Create team").click()
        expect(page.locator(".owners li", has_text="growth")).to_be_visible()
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Alias").fill("finance")
        page.get_by_label("Role").select_option("viewer")
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("button", name="I have copied it").click()
        expect(page.locator(".owners li", has_text="finance")).to_contain_text("Read only")

        visitor.open("prices")
        page.get_by_role("button", name="Set a discount").click()
        page.get_by_label("Discount in percent").fill("7")
        page.get_by_role("button", name="Set the discount").click()
        expect(page.get_by_role("region", name="Your own prices")).to_contain_text("ops-lead")
        expect(page.get_by_role("region", name="Price settled jobs again")).to_be_visible()

        job = job_in_state(seeded, "RUNNING")
        visitor.open(address(job))
        page.get_by_role("button", name="Cancel job").click()
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.locator(".title .badge")).to_have_text("Cancelling")

        visitor.open("audit")
        rows = page.get_by_role("table", name="Changes").locator("tbody tr", has_text="ops-lead")
        for action in ("team.new", "key.generate", "price.set", "job.cancel"):
            expect(rows.filter(has_text=action)).to_have_count(1 if action != "key.generate" else 2)


class TestViewers:
    def test_one_of_everything_sees_it_and_is_offered_no_change(self, visit, seeded):
        """No call is refused either: the page would complain of that at the end."""
        administer(seeded.world, "/key/update", key=seeded.keys["ticket-triage"]["token"], blocked=True)
        seeded.world.call("PUT", "/v1/prices/publishers/-", json={"discount": "0.5"})
        visitor = visit(seeded.world)
        visitor.sign_in(key(seeded, key_alias="finance", role="viewer"))
        page = visitor.page
        expect(page.locator("header.top")).to_contain_text("Read only")
        assert links(page) == ["Overview", "Jobs", "Estimate", "Prices", "Bill", "Keys & teams", "Audit"]

        shown = open_and_list_buttons(visitor, "overview", ".budgets")
        expect(page.get_by_label("Team", exact=True).locator("option")).to_have_count(5)
        assert {"CSV", "FOCUS"} <= shown
        assert open_and_list_buttons(visitor, "keys", ".owners .budget") == set()
        expect(page.get_by_role("region", name="Keys", exact=True).locator("li")).to_have_count(7)
        expect(page.get_by_role("region", name="Teams").locator("li")).to_have_count(4)
        assert open_and_list_buttons(visitor, "prices", "main summary") == set()
        expect(page.get_by_role("region", name="Your own prices")).to_contain_text("50 % off")
        assert open_and_list_buttons(visitor, "audit", "tbody tr") == {"CSV"}
        for state in ("RUNNING", "FAILED"):
            shown = open_and_list_buttons(visitor, address(job_in_state(seeded, state)), ".timeline")
            assert not any(word in name for name in shown for word in ("Cancel", "Resume"))
        visitor.open("run")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    def test_one_with_a_team_sees_the_teams_keys_and_no_trail(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(key(seeded, key_alias="lead", role="viewer", team_id="search"), "keys")
        page = visitor.page
        expect(page.get_by_role("region", name="Teams").locator("li")).to_have_count(1)
        expect(page.get_by_role("region", name="Keys", exact=True).locator("li")).to_have_count(2)
        assert links(page) == ["Overview", "Jobs", "Estimate", "Prices", "Keys & teams"]
        visitor.open("prices")
        expect(page.locator("main summary").first).to_be_visible()
        expect(page.get_by_role("region", name="Your own prices")).to_have_count(0)
        visitor.open("audit")
        expect(page.get_by_role("region", name="Budgets")).to_contain_text("of $900.00 a month")
        expect(page.locator(".title .note")).to_have_text("Team search")

    def test_without_jobs_it_is_not_told_to_run_one(self, visit, empty):
        made = administer(empty, "/key/generate", key_alias="finance", role="viewer")
        visitor = visit(empty)
        visitor.sign_in(made["key"], "jobs")
        page = visitor.page
        expect(page.get_by_text("No jobs in the last 30 days")).to_be_visible()
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.get_by_text("Nothing is running", exact=True)).to_be_visible()
        expect(page.get_by_role("region", name="Your first job")).to_have_count(0)


def test_a_key_that_runs_jobs_is_offered_to_end_them_and_nothing_of_the_administrators(visit, seeded):
    visitor = visit(seeded.world)
    visitor.sign_in(seeded.keys["query-intents"]["key"], "prices")
    page = visitor.page
    assert links(page) == ["Overview", "Jobs", "Run", "Estimate", "Prices"]
    expect(page.locator("header.top .badge")).to_have_count(0)
    assert open_and_list_buttons(visitor, "prices", "main summary") == set()
    for state, button in (("RUNNING", "Cancel job"), ("FAILED", "Resume")):
        assert button in open_and_list_buttons(visitor, address(job_in_state(seeded, state)), ".timeline")


def test_a_role_that_is_changed_meanwhile_changes_what_is_offered(visit, seeded):
    made = administer(seeded.world, "/key/generate", key_alias="ops-lead", role="admin")
    visitor = visit(seeded.world)
    visitor.sign_in(made["key"], "keys")
    page = visitor.page
    expect(page.locator("[aria-busy]")).to_have_count(0)
    administer(seeded.world, "/key/update", key=made["token"], role="viewer")
    # Longer than an instance goes by what it has read of a key.
    seeded.world.skipped += 60
    page.get_by_role("button", name="New team").click()
    page.get_by_label("Id").fill("growth")
    page.get_by_role("button", name="Create team").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("it may read")
    page.keyboard.press("Escape")
    expect(page.locator("header.top")).to_contain_text("Read only")
    expect(page.get_by_role("button", name="New team")).to_have_count(0)
    visitor.allows("Failed to load resource")


class TestDialogs:
    @pytest.fixture
    def page(self, admin):
        admin.open("keys")
        expect(admin.page.get_by_role("button", name="New key")).to_be_enabled()
        return admin.page

    def test_rules_for_labels_are_set_seen_and_removed(self, page, admin, seeded):
        token = seeded.keys["adhoc-notebooks"]["token"]
        row = page.locator(".owners li", has_text="adhoc-notebooks")
        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        dialog = page.get_by_role("dialog")
        for typed, why in (("stage", "not of the form name=value"), ("Stage=x", "cannot be the name")):
            dialog.get_by_label("Added").fill(typed)
            dialog.get_by_role("button", name="Save").click()
            expect(dialog.get_by_role("alert")).to_contain_text(why)
            added = dialog.get_by_label("Added")
            expect(added).to_be_focused()
            expect(added).to_have_attribute("aria-invalid", "true")
            expect(added).to_have_accessible_description(containing(why))
        dialog.get_by_label("Added").fill("stage=test, cost-center=42")
        dialog.get_by_label("Required").fill("Campaign")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_label("Required")).to_be_focused()
        expect(dialog.get_by_role("alert")).to_have_count(1)
        dialog.get_by_label("Required").fill("campaign")
        dialog.get_by_role("button", name="Save").click()
        expect(row).to_contain_text("Labels: adds stage=test, cost-center=42; requires campaign")
        labels = seeded.world.keys.get_key(token).labels
        assert labels.default_labels == {"stage": "test", "cost-center": "42"}
        assert labels.required_labels == ("campaign",)
        expect(page.get_by_role("button", name="Edit adhoc-notebooks")).to_be_focused()

        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        expect(dialog.get_by_label("Added")).to_have_value("stage=test, cost-center=42")
        dialog.get_by_label("Added").fill("")
        dialog.get_by_label("Required").fill("")
        dialog.get_by_role("button", name="Save").click()
        expect(row).not_to_contain_text("Labels:")
        labels = seeded.world.keys.get_key(token).labels
        assert (labels.default_labels, labels.required_labels) == ({}, ())
        assert seeded.world.keys.get_key(token).budget.max_budget_nano == 40 * 10**9
        admin.allows("Failed to load resource")

    def test_a_team_is_edited_and_when_it_is_disabled_deleted(self, page, seeded):
        administer(seeded.world, "/team/new", team_id="growth", max_budget=7)
        page.reload()
        page.get_by_role("button", name="Edit growth").click()
        page.get_by_label("Name for people").fill("Growth team")
        page.get_by_label("Models").fill("gemini-2.5-*")
        page.get_by_label("Requests a minute").fill("60")
        page.get_by_label("Required").fill("campaign")
        page.get_by_role("button", name="Save").click()
        row = page.locator(".owners li", has_text="Growth team")
        expect(row).to_contain_text("Labels: requires campaign")
        team = seeded.world.keys.get_team("growth")
        assert (team.grant.models, team.grant.rpm_limit) == (("gemini-2.5-*",), 60)
        assert team.budget.max_budget_nano == 7 * 10**9
        expect(row.get_by_role("button", name="Delete")).to_have_count(0)
        row.get_by_role("button", name="Disable").click()
        page.get_by_role("button", name="Disable", exact=True).click()
        page.get_by_role("button", name="Delete growth").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(row).to_have_count(0)
        expect(page.get_by_role("heading", name="Keys & teams")).to_be_focused()
        assert seeded.world.keys.get_team("growth") is None

    def test_a_role_decides_which_fields_there_are_and_takes_the_rest(self, page, seeded):
        token = seeded.keys["adhoc-notebooks"]["token"]
        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Team", exact=True).select_option("ads")
        dialog.get_by_label("Role").select_option("admin")
        for label in ("Team", "Models", "Added"):
            expect(dialog.get_by_label(label, exact=True)).to_have_count(0)
        dialog.get_by_label("Role").select_option("viewer")
        expect(dialog.get_by_label("Models")).to_have_count(0)
        dialog.get_by_label("Team", exact=True).select_option("ads")
        dialog.get_by_label("Requests a minute").fill("many")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog.get_by_label("Requests a minute")).to_be_focused()
        # What was chosen stays when the form is drawn again.
        expect(dialog.get_by_label("Team", exact=True)).to_have_value("ads")
        dialog.get_by_label("Requests a minute").fill("5")
        dialog.get_by_role("button", name="Save").click()
        row = page.locator(".owners li", has_text="adhoc-notebooks")
        expect(row).to_contain_text("Read only")
        made = seeded.world.keys.get_key(token)
        assert (made.role, made.team_id, made.grant.models, made.grant.rpm_limit) == ("viewer", "ads", (), 5)
        assert made.budget.max_budget_nano is None
        expect(row.get_by_role("button", name="Budget")).to_have_count(0)
        row.get_by_role("button", name="Edit").click()
        dialog.get_by_label("Team", exact=True).select_option("")
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_have_count(0)
        made = seeded.world.keys.get_key(token)
        assert (made.role, made.team_id) == ("viewer", None)

    def test_a_webhooks_secret_is_shown_once_and_not_lost_by_escape(self, page, seeded):
        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        page.get_by_label("Webhook").fill("https://hooks.example.com/T1")
        page.get_by_role("button", name="Save").click()
        secret = page.get_by_label("Secret of the webhook", exact=True)
        expect(secret).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        made = seeded.world.keys.get_key(seeded.keys["adhoc-notebooks"]["token"])
        expect(secret).to_have_text(made.webhook_secret)
        page.get_by_role("button", name="I have copied it").click()
        expect(page.locator("dialog")).to_have_count(0)
        assert made.webhook_secret not in page.content()
        # What is not touched is not sent either, so that a change by somebody else stays.
        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        administer(seeded.world, "/key/update", key=made.token, models=["gemini-2.5-pro"], team_id="ads")
        page.get_by_label("Owner").fill("ana")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".owners li", has_text="adhoc-notebooks")).to_contain_text("ana")
        now = seeded.world.keys.get_key(made.token)
        assert (now.webhook_secret, now.team_id) == (made.webhook_secret, "ads")
        assert now.grant.models == ("gemini-2.5-pro",)


def test_a_budget_above_its_warning_says_so(visit, seeded):
    """Not by colour alone."""
    administer(seeded.world, "/team/update", team_id="search", soft_budget=1)
    visitor = visit(seeded.world)
    visitor.sign_in(view="keys")
    rows = visitor.page.get_by_role("region", name="Teams").locator("li")
    expect(rows.filter(has=visitor.page.get_by_text("Search", exact=True))).to_contain_text(
        "%, above the warning"
    )
    expect(rows.filter(has_text="Ads")).not_to_contain_text("warning")


class TestRequiredLabels:
    @pytest.fixture
    def world(self, empty, vertex_server, monkeypatch):
        made = World(empty.host, input_prefix="gs://in/up")
        monkeypatch.setattr(vertex_server._lifecycle, "_storage", MemoryStorage(made.objects))
        administer(made, "/team/new", team_id="ads", required_labels=["campaign", "owner"])
        return made

    def test_they_are_asked_for_before_the_upload(self, visit, world, vertex_server):
        secret = administer(
            world, "/key/generate", key_alias="nightly", team_id="ads", default_labels={"owner": "ana"}
        )["key"]
        visitor = visit(world)
        visitor.sign_in(secret, "run")
        page = visitor.page
        rows = "".join(f"{json.dumps(prompt(f'Prompt {number}', limit=50))}\n" for number in range(3))
        page.get_by_label("File").set_input_files(
            {"name": "reviews.jsonl", "mimeType": "", "buffer": rows.encode()}
        )
        for label, value in {
            "Model": "gemini-2.5-flash",
            "Project": PROJECT,
            "Location": "us-central1",
        }.items():
            page.get_by_label(label, exact=True).fill(value)
        expect(page.get_by_label("Other labels")).to_have_accessible_description(containing("owner=ana"))
        campaign = page.get_by_label("campaign", exact=True)
        page.get_by_role("button", name="Upload and estimate").click()
        expect(campaign).to_be_focused()
        expect(campaign).to_have_accessible_description("Jobs of your key need the label campaign.")
        assert not [name for bucket, name in world.objects._objects if bucket == "in"]

        campaign.fill("autumn")
        page.get_by_role("button", name="Upload and estimate").click()
        page.get_by_role("button", name="Submit the job").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("reviews")
        (job,) = vertex_server._store._jobs.values()
        assert job.body["labels"].items() >= {"campaign": "autumn", "owner": "ana", "team": "ads"}.items()
