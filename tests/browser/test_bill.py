"""Google's bill beside the books."""

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from browser import browsing
from browser.seeding import DISCOUNT, PRO
from functional.gateway.conftest import World

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def compared(world, page):
    """Return the API's answer for the days in the fields of the page."""
    first, last = (page.get_by_label(f"{name} day").input_value() for name in ("First", "Last"))
    end = datetime.fromisoformat(last).replace(tzinfo=UTC) + timedelta(days=1)
    query = {"start_time": f"{first}T00:00:00Z", "end_time": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    return world.get("/v1/costs:reconcile", query_string=query).json


def exact(money):
    return Decimal(money.get_attribute("title").split("$")[-1].replace(",", ""))


def test_both_sides_by_day_with_what_explains_the_difference(admin, seeded):
    page = admin.page
    admin.open("estimate")
    page.get_by_role("link", name="Bill", exact=True).click()
    comparison = page.get_by_role("region", name="Comparison")
    expect(comparison.locator(".sums")).to_be_visible()
    asked = len(seeded.world.billing.asked)
    answer = compared(seeded.world, page)
    expect(comparison.get_by_role("status")).to_have_text(answer["summary"])
    assert 1 < Decimal(answer["agrees_within_percent"]) < 5
    expect(comparison.get_by_role("status")).to_have_class("banner good")
    sums = [exact(each) for each in comparison.locator(".sums .money").all()]
    assert sums == [abs(Decimal(answer[name])) for name in ("ours", "google", "difference")]
    expect(comparison).to_contain_text("The query read 1.2 kB of acme-billing.export.gcp_billing")
    expect(page.get_by_role("region", name="Why lines differ")).to_contain_text("If you always get them")

    lines = page.get_by_role("region", name="By day, project and SKU")
    days = sorted({line["day"] for line in answer["lines"]}, reverse=True)
    expect(lines.locator(".days summary > b")).to_have_text(days)
    of_first = [line for line in answer["lines"] if line["day"] == days[0]]
    first = lines.locator(".days li").first
    first.locator("summary").click()
    expect(first.locator("tbody tr")).to_have_count(len(of_first))
    expect(first.locator("tbody tr").first).to_contain_text(of_first[0]["skus"][0]["description"])
    for money, name in zip(first.locator("summary .money").all(), ("ours", "google"), strict=False):
        assert exact(money) == sum(Decimal(line[name]) for line in of_first)

    lines.get_by_label("Lines", exact=True).select_option("differences")
    differing = [line for line in answer["lines"] if line["reasons"]]
    assert {line["model"] for line in differing} == {PRO}
    expect(lines).to_contain_text(f"{len(differing)} lines")
    with page.expect_download():
        lines.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(browsing.offered(page).splitlines()))
    assert [Decimal(row["google"]) for row in rows] == [Decimal(line["google"]) for line in differing]
    assert all(
        abs(Decimal(row["google"]) - Decimal(row["ours"]) * (1 - DISCOUNT)) < Decimal("1e-8") for row in rows
    )
    # BigQuery bills each look, so that there is one until somebody asks for another.
    assert asked == 1
    assert len(seeded.world.billing.asked) == 2


def test_the_days_stand_in_the_address(admin, seeded):
    now = datetime.now(UTC)
    first, last, later = (f"{now - timedelta(days=back):%Y-%m-%d}" for back in (9, 8, 7))
    admin.open(f"bill?from={first}&to={last}")
    page = admin.page
    days = page.locator(".days summary > b")
    expect(days).to_have_text([last, first])
    page.get_by_label("Last day").fill(later)
    compare = page.get_by_role("button", name="Compare")
    compare.click()
    expect(days).to_have_text([later, last, first])
    expect(compare).to_be_focused()
    assert f"to={later}" in page.url
    page.go_back()
    expect(page.get_by_label("Last day")).to_have_value(last)
    expect(days).to_have_text([last, first])
    with page.expect_response("**/v1/costs:reconcile*"):
        compare.click()
    expect(days).to_have_text([last, first])
    assert len(seeded.world.billing.asked) == 4

    wrong = page.get_by_text("The last day is before the first.")
    page.get_by_label("First day").fill(later)
    compare.click()
    expect(wrong).to_be_visible()
    expect(page.get_by_label("Last day")).to_be_focused()
    page.get_by_label("Last day").fill(later)
    compare.click()
    expect(days).to_have_text([later])
    expect(wrong).to_have_count(0)
    admin.open(f"bill?from={later}&to={first}")
    expect(wrong).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert len(seeded.world.billing.asked) == 5


def test_without_an_export_the_page_says_how_to_get_one(visit, vertex_server):
    visitor = visit(World(vertex_server.host))
    visitor.sign_in(view="bill")
    expect(visitor.page.get_by_text("No billing export is configured")).to_be_visible()
    expect(visitor.page.get_by_text("set general_settings.billing_export to")).to_be_visible()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    visitor.allows("costs:reconcile")


def test_a_teams_key_has_no_such_view(visit, seeded):
    visitor = visit(seeded.world)
    visitor.sign_in(seeded.keys["query-intents"]["key"], "bill")
    expect(visitor.page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(visitor.page.get_by_role("link", name="Bill", exact=True)).to_have_count(0)
    assert seeded.world.billing.asked == []
