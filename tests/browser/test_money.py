"""No amount on the page says more than is known, and every digit of it can be had."""

import csv
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from batch_gateway.core.pricing.money import format_nano
from browser import browsing
from browser.seeding import FLASH, Seeder, usage_of
from functional.gateway.scoped import admin as administer
from functional.gateway.scoped import new_team

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

SECRET_MODEL = "gemini-9-unheard-of"


@pytest.fixture
def seeder(empty, vertex_server):
    return Seeder(empty, vertex_server)


@pytest.fixture
def look(visit, empty):
    def open_view(view="", **options):
        visitor = visit(empty, **options)
        visitor.sign_in(view=view)
        expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
        return visitor

    return open_view


def ended(seeder, created, team=None, content=None, rows=1000):
    return seeder.add(
        created,
        (team, "adhoc", FLASH),
        "JOB_STATE_SUCCEEDED",
        content or usage_of(rows, FLASH),
        rows=rows,
        start_time=created,
        end_time=created,
    )


def yesterday_unpriced(seeder):
    """A job of yesterday, part of whose usage has no price."""
    content = usage_of(1000, FLASH)
    first, *rest = content.quantities
    odd = msgspec.structs.replace(
        content, quantities=(msgspec.structs.replace(first, model=SECRET_MODEL), *rest)
    )
    return ended(seeder, seeder.now - timedelta(days=1), content=odd)


def test_a_floor_is_shown_as_one_everywhere(look, seeder):
    job = yesterday_unpriced(seeder)
    assert job.cost.unpriced_rows
    page = look("overview?range=7d").page
    last = page.get_by_role("region", name="Today").locator(".facts .money").first
    expect(last).to_contain_text("≥ $")
    expect(page.locator(".legend", has_text=SECRET_MODEL)).to_contain_text("≥ $")
    expect(page.get_by_role("region", name="Cost by model").locator(".money.floor")).to_have_count(1)
    expect(page.get_by_text("At least: some usage has no price")).to_be_visible()
    page.get_by_text("The figures as a table").click()
    total = page.get_by_role("table", name="Spend over time").get_by_role("row").nth(2).locator("td").last
    expect(total).to_contain_text("≥ $")
    bars = page.locator(".chart .u-over").bounding_box()
    page.locator(".chart .u-over").hover(position={"x": bars["width"] * 5.6 / 7.2, "y": 100})
    expect(page.locator(".tip .tip-title b")).to_contain_text("≥ $")
    with page.expect_download():
        page.get_by_role("button", name="Download these figures").click()
    rows = list(csv.DictReader(browsing.offered(page).splitlines()))
    assert [row["unpriced"] for row in rows].count("true") == 1
    page.get_by_label("Stacked by", exact=True).select_option("team")
    expect(page.locator(".legend")).to_contain_text("≥ $")
    page.goto(page.url.partition("#")[0] + "#/jobs")
    expect(page.locator(".rows .c-cost")).to_contain_text("≥ $")
    expect(page.locator(".total")).to_contain_text("≥ $")


def test_the_sum_of_more_jobs_than_are_loaded_is_a_floor_while_one_of_the_others_may_cost_more(look, seeder):
    kind = (None, "adhoc", FLASH)
    content, created = usage_of(90, FLASH), seeder.now - timedelta(hours=1)
    running = seeder.add(created - timedelta(hours=1), kind, "JOB_STATE_RUNNING", content, rows=900)
    for at in range(251):
        seeder.add(created - timedelta(seconds=at), kind, "JOB_STATE_SUCCEEDED", content, rows=90)
    spent = format_nano(252 * running.cost.amount_nano)
    page = look("jobs").page
    page.get_by_role("button", name="Exact amounts").click()
    total = page.locator(".total")
    expect(total).to_have_text(f"≥ ${spent} in all")
    page.get_by_label("Model", exact=True).select_option(FLASH)
    expect(total).to_have_text(f"≥ ${spent} on {FLASH} in all")
    seen = msgspec.structs.replace(running.seen, state="JOB_STATE_SUCCEEDED")
    seeder.world.store._jobs[running.key] = msgspec.structs.replace(running, seen=seen, closed=True)
    page.reload()
    expect(total).to_have_text(f"${spent} on {FLASH} in all")


def test_a_change_says_no_more_than_both_of_its_amounts_do(look, seeder):
    """A team each with an unreadable row in the time before, in this one, or in both."""
    short, long = usage_of(1000, FLASH), usage_of(9000, FLASH)
    for team, before, now, floors in [
        ("rose-more", short, long, (False, True)),
        ("fell-more", long, short, (True, False)),
        ("fell-less", long, short, (False, True)),
        ("both", short, long, (True, True)),
        ("unknown-before", None, long, (True, False)),
        ("new", None, long, (False, True)),
    ]:
        for days, content, floor in zip((9, 2), (before, now), floors, strict=True):
            usage = content or usage_of(0, FLASH)
            if floor:
                rows = msgspec.structs.replace(usage.rows, malformed=1)
                usage = msgspec.structs.replace(usage, rows=rows)
            if floor or content:
                created = seeder.now - timedelta(days=days)
                seeder.add(created, (team, "adhoc", FLASH), "JOB_STATE_SUCCEEDED", usage)
    page = look("overview?range=7d&by=team").page
    card = page.get_by_role("region", name="Largest changes")
    shown = {
        line.locator("a").inner_text(): " ".join(line.locator("> :not(a)").all_inner_texts()).rstrip()
        for line in card.locator("li").all()
    }
    assert shown == {
        "rose-more": "$0.47 → ≥ $4.27 at least $3.80 more",
        "fell-more": "≥ $4.27 → $0.47 at least $3.80 less",
        "fell-less": "$4.27 → ≥ $0.47 not known",
        "both": "≥ $0.47 → ≥ $4.27 not known",
        "unknown-before": "≥ $0.00 → $4.27 not known",
        "new": "$0.00 → ≥ $4.27 at least $4.27 more",
    }
    expect(card.locator(".all")).to_contain_text("not known")


def test_every_digit_is_a_key_or_a_tap_away(look, seeder):
    amount = format_nano(ended(seeder, seeder.now - timedelta(hours=1)).cost.amount_nano)
    page = look("jobs", has_touch=True).page
    cost = page.locator(".rows .c-cost .money")
    expect(cost).not_to_have_text(f"${amount}")
    switch = page.get_by_role("button", name="Exact amounts")
    switch.focus()
    page.keyboard.press("Enter")
    expect(cost).to_have_text(f"${amount}")
    page.reload()
    expect(cost).to_have_text(f"${amount}")
    switch.tap()
    expect(cost).not_to_have_text(f"${amount}")


def test_what_is_over_is_over_and_says_by_how_much(look, seeder, empty):
    for team, most in (("ads", 1), ("search", 1000)):
        new_team(empty, team, max_budget=most, budget_duration="1mo")
        seeder.keys[team] = administer(empty, "/key/generate", key_alias=team, team_id=team)
    seeder.add(seeder.now, ("ads", "ads", FLASH), "JOB_STATE_SUCCEEDED", usage_of(9000, FLASH))
    visitor = look()
    page = visitor.page
    budgets = page.get_by_role("region", name="Budgets")
    over = budgets.locator("li", has_text="ads")
    expect(over).to_contain_text("over by $")
    expect(over).to_contain_text(" %")
    expect(budgets.locator("li", has_text="search")).not_to_contain_text("over")
    month = page.get_by_role("region", name="This month")
    expect(month).to_contain_text("1 of 2 budgets for the month is over")
    expect(month.locator(".bar")).to_have_count(0)
    page.get_by_label("Team").select_option("ads")
    expect(month.locator(".against")).to_contain_text("of $1.00 for ads")
    expect(month.locator(".against")).to_contain_text("over by $")


def test_all_budgets_are_there_not_only_those_of_the_first_hundred_keys(look, empty, seeder):
    for alias in (f"key-{at:03d}" for at in range(101)):
        seeder.keys[alias] = administer(
            empty, "/key/generate", key_alias=alias, max_budget=1, budget_duration="1mo"
        )
    last = empty.get("/key/list?page=2&size=100").json["keys"][0]["key_alias"]
    seeder.add(seeder.now, (None, last, FLASH), "JOB_STATE_SUCCEEDED", usage_of(9000, FLASH))
    budgets = look().page.get_by_role("region", name="Budgets")
    expect(budgets).to_contain_text("of 101")
    expect(budgets.locator("li").first).to_contain_text(last)


def test_a_forecast_adds_what_is_under_way_and_says_so(look, seeder):
    for back in range(1, 11):
        # One day costs fifty times what the others do.
        rows = 50_000 if back == 3 else 1000
        ended(seeder, seeder.now - timedelta(days=back), rows=rows)
    page = look().page
    before = [each.inner_text() for each in page.locator(".tile .facts .muted").all()]
    day = Decimal(before[0].split()[1].lstrip("$")), Decimal(before[0].split()[-1].lstrip("$"))
    usual = Decimal(format_nano(ended(seeder, seeder.now - timedelta(days=12)).cost.amount_nano))
    assert day[0] <= day[1] <= usual + Decimal("0.01")
    expect(page.get_by_text("Forecasts add up what is spent, what jobs under way")).to_be_visible()
    job = seeder.add(
        seeder.now, (None, "adhoc", FLASH), "JOB_STATE_RUNNING", None, rows=90_000, start_time=seeder.now
    )
    page.reload()
    today = page.get_by_role("region", name="Today")
    expected = Decimal(job.estimate.expected_nano).scaleb(-9)
    expect(page.get_by_role("region", name="Running now").locator("li")).to_have_count(1)
    low = today.locator(".facts .muted").inner_text().split()[1].lstrip("$").replace(",", "")
    assert Decimal(low) >= expected.quantize(Decimal("0.01")) - Decimal("0.01")


def test_without_history_there_is_no_forecast(look, seeder):
    ended(seeder, seeder.now - timedelta(days=3))
    expect(look().page.get_by_text("Too little history for a forecast").first).to_be_visible()


def test_what_is_not_loaded_is_not_taken_for_nothing(visit, seeded):
    """Without the teams there are some budgets, but not all; without the jobs under way no forecast."""
    visitor = visit(seeded.world)
    visitor.served.failing |= {"/team/list", "/v1/jobs"}
    visitor.sign_in()
    page = visitor.page
    expect(page.get_by_role("region", name="Budgets")).to_contain_text("could not be loaded")
    month = page.get_by_role("region", name="This month")
    expect(month.locator(".big .money")).to_be_visible()
    for text in ("No budget", "none is over", "Forecast $"):
        expect(month).not_to_contain_text(text)
    visitor.served.failing.clear()
    page.get_by_role("region", name="Budgets").get_by_role("button", name="Try again").click()
    page.get_by_role("region", name="Running now").get_by_role("button", name="Try again").click()
    expect(month).to_contain_text("4 budgets for the month")
    expect(month).to_contain_text("Forecast $")
    visitor.allows("Failed to load resource")
