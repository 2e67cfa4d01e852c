"""Look at the page as people do, as assistive technology does, and on the wire."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.money import format_nano
from batch_gateway.gateway import dashboard
from browser import browsing
from browser.browsing import OUTPUT, SCREEN
from functional.gateway.scoped import admin as administer
from thorough import THOROUGH, examples, taking_turns

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

VIEWS = ("signin", "overview", "run", "jobs", "job", "prices", "bill", "keys", "audit", "estimate")
MINUS = "\N{MINUS SIGN}"
WIDTHS = ((360, 780), (1920, 1080))
VIOLATIONS = """async options =>
    (await axe.run({ ...options, resultTypes: ['violations'] })).violations"""
"""Leaves out all that is as it should be, which is long."""


def go(visitor, seeded, view):
    """Opens a view and waits for what it is about."""
    page = visitor.page
    if view == "signin":
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        return
    if view == "job":
        job = next(job for job in seeded.world.store._jobs.values() if job.api_key == "ad-policy-review")
        visitor.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
    elif view == "bill":
        # All days look alike, and axe looks at each line of theirs.
        first, last = (f"{seeded.now - timedelta(days=back):%Y-%m-%d}" for back in (3, 1))
        visitor.open(f"bill?from={first}&to={last}")
    else:
        visitor.open(view)
    shown = {
        "overview": ".chart canvas",
        "run": "input[type=file]",
        "jobs": ".rows .job-row",
        "job": ".timeline",
        "prices": ".rates",
        "bill": ".days summary",
        "keys": ".owners .budget",
        "audit": "h1",
        "estimate": "textarea",
    }
    page.locator(shown[view]).first.wait_for(state="attached")
    if view == "estimate":
        page.get_by_role("button", name="Fill in an example").click()
        expect(page.get_by_label("Project")).not_to_have_value("")
        page.get_by_role("button", name="Estimate", exact=True).click()
        page.locator(".levels").wait_for()
    expect(page.locator("[aria-busy]")).to_have_count(0)


# Dark on a phone and light on a screen on a push; each with each if thorough.
@pytest.mark.parametrize(("size", "scheme"), taking_turns(WIDTHS, ("dark", "light")))
def test_every_view_fits_and_is_accessible(visit, seeded, size, scheme):
    """WCAG 2.2 A and AA by axe-core; a picture of each view stays in .output.

    In dark colours, each view is also looked at with those of a system of high contrast.
    """
    source = browsing.axe()
    width, height = size
    seeded.without_price()
    seeded.world.call("PUT", "/v1/prices/publishers/-", json={"discount": "0.07"})
    visitor = visit(seeded.world, width=width, height=height, scheme=scheme)
    page = visitor.page
    visitor.sign_in()
    OUTPUT.mkdir(exist_ok=True)

    def look(view, colours):
        page.screenshot(path=OUTPUT / f"{view}-{width}-{colours}.png", full_page=True)
        if view != "signin":
            expect(page.locator("nav [aria-current]")).to_be_in_viewport(ratio=0.99)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view

    def check(view, colours):
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        # Axe goes by the colours that the page wants, also where the system's are shown instead.
        rules = {"color-contrast": {"enabled": colours != "forced"}}
        found = page.evaluate(VIOLATIONS, {"runOnly": tags, "rules": rules})
        wrong = [
            (view, each["id"], node["html"][:200], node["failureSummary"][:300])
            for each in found
            for node in each["nodes"]
        ]
        assert not wrong, json.dumps(wrong, indent=1)

    for view in (*VIEWS[1:], VIEWS[0]):
        go(visitor, seeded, view)
        if source and view == VIEWS[1]:
            page.evaluate(source)
        look(view, scheme)
        if source:
            check(view, scheme)
        if scheme == "dark":
            page.emulate_media(forced_colors="active")
            look(view, "forced")
            # The system's colours change nothing else that axe goes by.
            if source and THOROUGH:
                check(view, "forced")
            page.emulate_media(forced_colors="none")
    if not source:
        pytest.skip("axe-core could not be fetched (npm pack): accessibility was not checked, the rest was")


def test_the_header_has_room_for_all_that_is_in_it(visit, seeded):
    key = administer(seeded.world, "/key/generate", key_alias="Ana Administrator of Everything", role="admin")
    visitor = visit(seeded.world)
    visitor.sign_in(key["key"], view="estimate")
    nav, tools = (visitor.page.locator(f"header .{name}") for name in ("nav", "tools"))
    for width in (1400, 1301, 1300, 1121, 1120, 1000, 761):
        visitor.page.set_viewport_size({"width": width, "height": SCREEN[1]})
        last, first = nav.locator("a").last.bounding_box(), tools.bounding_box()
        beside = last["x"] + last["width"] <= first["x"]
        assert beside or last["y"] >= first["y"] + first["height"] - 1, width
        assert first["x"] + first["width"] <= width, width


def test_dialogs_are_accessible(admin):
    source = browsing.axe() or pytest.skip("axe-core could not be fetched (npm pack)")
    admin.open("keys")
    admin.page.get_by_role("button", name="New key").click()
    admin.page.get_by_label("Required").fill("no label")
    admin.page.get_by_label("Alias").fill("weekly")
    admin.page.get_by_role("button", name="Create key").click()
    expect(admin.page.get_by_role("alert")).to_contain_text("cannot be the name")
    admin.page.evaluate(source)
    assert not admin.page.evaluate(VIOLATIONS, {})
    admin.allows("Failed to load resource")


def test_forced_colours_still_tell_what_is_chosen(visit, seeded):
    visitor = visit(seeded.world, forced="active")
    visitor.sign_in()
    page = visitor.page

    def grounds(selector):
        return page.locator(selector).evaluate_all("all => all.map(e => getComputedStyle(e).backgroundColor)")

    for group, one in (
        ("nav a", "nav [aria-current]"),
        (".segments:has-text('90 d') button", ".segments:has-text('90 d') [aria-pressed=true]"),
    ):
        page.locator(one).wait_for()
        (chosen,) = grounds(one)
        assert grounds(group).count(chosen) == 1


def test_the_theme_can_be_chosen_and_is_kept(admin):
    page = admin.page
    admin.open("estimate")
    page.get_by_role("button", name="Theme: System").wait_for()

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = ground()
    page.get_by_role("button", name="Theme: System").click()
    dark = ground()
    assert dark != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: Dark")).to_be_visible()
    assert ground() == dark
    page.get_by_role("button", name="Theme: Dark").click()
    assert ground() == light


def test_all_of_it_is_under_250_kb_and_comes_from_here(visit, seeded, measured):
    visitor = visit(seeded.world, alone=True)
    page = visitor.page
    sizes = {}
    session = page.context.new_cdp_session(page)
    addresses = {}
    session.on("Network.requestWillBeSent", lambda e: addresses.update({e["requestId"]: e["request"]["url"]}))
    session.on(
        "Network.loadingFinished",
        lambda e: sizes.update({addresses[e["requestId"]]: e["encodedDataLength"]}),
    )
    session.send("Network.enable")
    visitor.sign_in()
    for view in VIEWS[1:]:
        go(visitor, seeded, view)
    files = {url: size for url, size in sizes.items() if "/dashboard" in url}
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    measured("transferred for all views, bytes", sum(files.values()))
    measured("first contentful paint on loopback, ms", round(paint))
    assert any("uPlot" in url for url in files)
    # With the headers of some seventy files, which HTTP/2 compresses and this server does not.
    assert sum(files.values()) < 250_000
    assert all(url.startswith((visitor.served.url, "data:", "blob:")) for url in addresses.values())

    before = dict(visitor.served.asked)
    page.reload()
    page.locator(".levels, textarea").first.wait_for()
    again = [
        path for path, n in visitor.served.asked.items() if n > before.get(path, 0) and "/dashboard/" in path
    ]
    assert not again


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("250", "250"),
        ("$99.50", "99.5"),
        ("1,250.50", "1250.5"),
        ("1,250,000", "1250000"),
        ("", "null"),
        ("12,50", None),
        ("1,2500", None),
        ("1.250,50", None),
        (",5", None),
        ("1250,", None),
        ("0,5", None),
        ("12 50", None),
        ("1e3", None),
    ],
)
def test_a_comma_in_a_budget_is_for_thousands_only(in_page, typed, number):
    text = "(() => { try { return JSON.stringify(m.typedBudget(v)); } catch { return 'refused'; } })()"
    assert in_page(text, [typed]) == [number or "refused"]


@pytest.fixture
def in_page(reader):
    """Calls a function of the dashboard's module `money` in a browser."""
    reader.open("estimate")
    address = f"/dashboard/{dashboard._files().version}/money.js"

    def call(expression, values):
        body = f"const m = await import('{address}'); return values.map(v => {expression});"
        return reader.page.evaluate(f"async values => {{ {body} }}", values)

    return call


AMOUNTS = st.lists(st.integers(-(10**21), 10**21) | st.integers(-(10**10), 10**10), min_size=20, max_size=60)
FEW = examples(10)


def decimal(text):
    return Decimal(text.replace("$", "").replace(",", "").replace(MINUS, "-"))


@FEW
@given(AMOUNTS)
def test_amounts_are_shown_to_the_nano_dollar(in_page, amounts):
    shown = in_page("m.exactUsd(m.nano(v))", [format_nano(amount) for amount in amounts])
    assert [decimal(text) for text in shown] == [Decimal(format_nano(amount)) for amount in amounts]
    assert all(re.fullmatch(rf"{MINUS}?\$\d{{1,3}}(,\d{{3}})*\.\d{{2,9}}", text) for text in shown)


@FEW
@given(AMOUNTS)
def test_short_amounts_are_rounded_amounts(in_page, amounts):
    for amount, text in zip(
        amounts, in_page("m.shortUsd(m.nano(v))", [format_nano(amount) for amount in amounts]), strict=True
    ):
        size = abs(Decimal(amount).scaleb(-9))
        step = Decimal(1) if size >= 100_000 else Decimal("0.01") if size >= Decimal("0.01") else size / 10
        assert abs(decimal(text) - Decimal(amount).scaleb(-9)) <= step / 2 + Decimal("5e-10")
        assert (decimal(text) == 0) == (amount == 0)


@FEW
@given(st.lists(st.decimals(0, 10**6, places=9, allow_nan=False), min_size=5, max_size=20))
def test_typed_budgets_become_the_same_number_or_are_refused(in_page, budgets):
    found = in_page(
        "(() => { try { return JSON.stringify(m.typedBudget(v)); } catch { return null; } })()",
        [f"{budget:f}" for budget in budgets],
    )
    for budget, number in zip(budgets, found, strict=True):
        digits = f"{budget:f}".replace(".", "").lstrip("0")
        assert (number is None) == (len(digits) > 15)
        assert number is None or Decimal(number) == budget
