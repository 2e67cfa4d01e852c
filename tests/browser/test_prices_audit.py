"""Prices and the audit trail on the page."""

import json
from decimal import Decimal

import pytest

from functional.gateway.conftest import JOBS

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

EN_DASH = "\N{EN DASH}"
SLIP = {
    "unit": "token",
    "non_global_multiplier": "1",
    "prices": [{"from": None, "source": "a slip", "batch": {"cached_input": "1"}}],
}
"""Rates that leave out what jobs use."""


@pytest.fixture
def page(admin):
    admin.open("prices")
    expect(listed(admin.page).locator(".publisher")).not_to_have_count(0)
    return admin.page


def listed(page):
    return page.get_by_role("region", name="Prices of batch jobs")


def own(page):
    return page.get_by_role("region", name="Your own prices")


def set_discount(page, percent, **fields):
    own(page).get_by_role("button", name="Set a discount").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Discount in percent").fill(percent)
    for label, value in fields.items():
        dialog.get_by_label(label, exact=True).fill(value)
    dialog.get_by_role("button", name="Set the discount").click()


def overrides(seeded):
    return seeded.world.get("/v1/prices").json["overrides"]


class TestPrices:
    def test_the_list_folds_and_what_is_looked_for_is_shown_at_once(self, page, seeded):
        seeded.world.call(
            "PUT", "/v1/prices/gemini-2.5-flash?location=europe-west4", json={"discount": "0.1"}
        )
        page.reload()
        rows = listed(page).locator(".prices > li:visible")
        expect(listed(page).locator(".publisher")).not_to_have_count(0)
        expect(rows).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollHeight") < 2000

        page.get_by_label("Publisher").select_option("meta")
        assert all(name.startswith("llama-") for name in rows.locator("summary b").all_inner_texts())
        page.get_by_label("Publisher").select_option("")
        page.get_by_label("Source").select_option("own")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("europe-west4")
        expect(rows).to_contain_text("10 % off")

        page.get_by_label("Source").select_option("")
        listed(page).get_by_label("Model").fill("OPUS-5")
        expect(rows.first).to_contain_text("claude-opus-5")
        # The address has it all.
        page.reload()
        expect(listed(page).get_by_label("Model")).to_have_value("OPUS-5")
        expect(rows.first).to_contain_text("claude-opus-5")
        page.get_by_role("link", name="Prices", exact=True).click()
        expect(listed(page).get_by_label("Model")).to_have_value("")
        page.go_back()
        expect(listed(page).get_by_label("Model")).to_have_value("OPUS-5")
        page.get_by_label("Location").select_option("europe-west4")
        expect(rows).to_have_count(0)
        listed(page).get_by_role("button", name="Look in all locations").click()
        expect(rows.first).to_contain_text("claude-opus-5")

    def test_they_are_those_of_the_api(self, reader, books):
        reader.open("prices")
        page = reader.page
        listed(page).get_by_label("Model").fill("gemini-2.5-pro")
        row = listed(page).locator(".prices > li")
        expect(row).to_have_count(1)
        row.locator("summary").click()
        answer = books.world.get("/v1/prices", query_string={"location": "global"}).json["prices"]
        (price,) = (each for each in answer if each["model"] == "gemini-2.5-pro")
        shown = [
            Decimal(each.removeprefix("$").replace(",", ""))
            for each in row.locator(".rates b").all_inner_texts()
        ]
        assert set(shown) == {Decimal(rate["unitPrice"]) * 1_000_000 for rate in price["rates"]}
        expect(row).to_contain_text(price["page"])
        outputs = [
            Decimal(rate["unitPrice"]) * 1_000_000
            for rate in price["rates"]
            if rate["item"].startswith("output")
        ]
        assert row.locator("summary").inner_text().count("$") == 4
        expect(row.locator("summary")).to_contain_text(f"${min(outputs):.2f} {EN_DASH} ${max(outputs):.2f}")

    def test_a_discount_is_set_and_taken_back(self, page, seeded):
        set_discount(page, "7.5", Source="our agreement")
        expect(own(page)).to_contain_text("7.5 % off (our agreement)")
        (override,) = overrides(seeded)
        assert (override["name"], override["terms"]["discount"]) == ("publishers/-", "0.075")
        own(page).get_by_role("button", name="Take back").click()
        page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
        expect(own(page)).to_contain_text("None")
        assert overrides(seeded) == []

    def test_what_is_no_discount_stays_in_the_form(self, page, seeded):
        for typed in ("7,5", "100", ""):
            set_discount(page, typed)
            expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("in percent, below 100")
            page.get_by_role("button", name="Cancel").click()
        assert overrides(seeded) == []

    def test_a_reprice_shows_first_what_it_would_change(self, page, seeded):
        seeded.world.call("PUT", "/v1/prices/gemini-2.5-flash", json=SLIP)
        card = page.get_by_role("region", name="Price settled jobs again")
        first = min(job.create_time for job in seeded.world.store._jobs.values())
        before = {key: job.cost.amount_nano for key, job in seeded.world.store._jobs.items()}
        card.get_by_label("Created from").fill(f"{first:%Y-%m-%d}")
        card.get_by_role("button", name="What would change?").click()
        expect(card.get_by_role("status")).to_contain_text("would change: together from")
        expect(card.get_by_role("status").locator(".floor")).to_have_count(1)
        expect(card.get_by_role("row", name="≥ $").first).to_be_visible()
        seeded.world.call("DELETE", "/v1/prices/gemini-2.5-flash")
        seeded.world.call("PUT", "/v1/prices/publishers/-", json={"discount": "0.5"})
        card.get_by_role("button", name="What would change?").click()
        expect(card.get_by_role("status").locator(".floor")).to_have_count(0)
        assert {key: job.cost.amount_nano for key, job in seeded.world.store._jobs.items()} == before
        card.get_by_role("button", name="Reprice them").click()
        page.get_by_role("dialog").get_by_role("button", name="Reprice them").click()
        expect(page.locator("#messages")).to_contain_text("repriced")
        after = {key: job.cost.amount_nano for key, job in seeded.world.store._jobs.items()}
        assert sum(after.values()) < sum(before.values()) * 0.51

    def test_a_teams_key_sees_prices_and_changes_none(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(seeded.keys["query-intents"]["key"], "prices")
        expect(listed(visitor.page).locator(".publisher")).not_to_have_count(0)
        expect(own(visitor.page)).to_have_count(0)
        expect(visitor.page.get_by_role("link", name="Audit")).to_have_count(0)


class TestModelsWithoutAPrice:
    def test_they_are_told_with_their_job_and_priced_from_there(self, visit, seeded):
        job = seeded.without_price()
        visitor = visit(seeded.world)
        visitor.sign_in()
        page = visitor.page
        notice = page.get_by_role("region", name="Models without a price")
        expect(notice).to_contain_text("gemini-9-flash")
        notice.get_by_role("link", name=f"job {job.key.job_id}").click()
        expect(page.get_by_role("heading", level=1)).to_have_text(job.seen.display_name)

        visitor.open("prices")
        (missing,) = seeded.world.get("/v1/prices").json["missing"]
        notice.get_by_text("The command that sets it").click()
        expect(notice.locator("pre")).to_have_text(missing["command"])
        notice.get_by_role("button", name="Set the price of gemini-9-flash").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("Model")).to_have_value("gemini-9-flash")
        rates = dialog.get_by_label("Rates")
        assert json.loads(rates.input_value()) == missing["terms"]
        # A placeholder is no price.
        dialog.get_by_role("button", name="Set the rates").click()
        expect(dialog.get_by_role("alert")).to_contain_text("decimal")
        visitor.allows("Failed to load resource")
        missing["terms"]["prices"][0]["batch"] = {"input": "1", "cached_input": "0.1", "output": "2"}
        rates.fill(json.dumps(missing["terms"]))
        dialog.get_by_role("button", name="Set the rates").click()
        expect(own(page)).to_contain_text("gemini-9-flash")
        expect(notice).to_have_count(0)

    def test_a_teams_key_and_books_without_floors_ask_for_no_prices(self, visit, admin, seeded):
        admin.open("overview")
        expect(admin.page.locator("canvas")).to_be_visible()
        expect(admin.page.locator("[aria-busy]")).to_have_count(0)
        seeded.without_price()
        team = visit(seeded.world)
        team.sign_in(seeded.keys["ad-policy-review"]["key"])
        expect(team.page.get_by_role("region", name="Cost by model")).to_contain_text("gemini-9-flash")
        expect(team.page.locator("[aria-busy]")).to_have_count(0)
        assert all(each.served.asked["/v1/prices"] == 0 for each in (admin, team))


class TestAudit:
    def test_it_says_who_changed_what(self, admin, seeded):
        seeded.world.call("PUT", "/v1/prices/publishers/-", json={"discount": "0.5"})
        seeded.world.call("POST", JOBS, data=b"{}")
        admin.open("audit")
        page = admin.page
        rows = page.get_by_role("table", name="Changes").locator("tbody tr")
        expect(rows.filter(has_text="price.set")).to_contain_text("publishers/-")
        rows.filter(has_text="price.set").get_by_text("Before and after").click()
        expect(rows.filter(has_text="price.set").locator("pre")).to_contain_text("0.5")
        page.get_by_label("Search what is shown").fill("JOB.create")
        expect(rows).to_have_count(1)
        expect(rows.locator(".failed")).to_contain_text("400")

    def test_older_entries_come_when_asked(self, admin, seeded):
        known = len(seeded.world.get("/audit", query_string={"limit": 1000}).json["entries"])
        for number in range(130):
            seeded.world.call("POST", "/team/new", json={"team_id": f"team-{number}"})
        admin.open("audit")
        rows = admin.page.get_by_role("table", name="Changes").locator("tbody tr")
        expect(rows).to_have_count(100)
        admin.page.get_by_role("button", name="Show older ones").click()
        expect(rows).to_have_count(130 + known)
        expect(admin.page.get_by_role("button", name="Show older ones")).to_have_count(0)
